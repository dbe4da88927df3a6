"""An object says what it has to say; one that says nothing is refused with the way out, and never sent as an address."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from nbgemini.errors import PromptError
from nbgemini.prompts.jsonable import converted
from nbgemini.prompts.object_text import describe_object, html_text, says_nothing
from nbgemini.prompts.values import value_to_parts


class Silent:
    pass


class Shown(Silent):
    def __init__(self, **shown):
        self.shown = shown

    def _repr_markdown_(self):
        return self.shown.get("markdown")

    def _repr_html_(self):
        return self.shown.get("html")


class Bundled(Silent):
    def _repr_mimebundle_(self, **_):
        return {"text/html": "<script>x()</script>", "text/plain": "a plan"}


TABLE = (
    "<style>td {color: red}</style><table class='wide' onclick='x()'><tr><th colspan='2'>A &amp; B</th></tr>"
    "<tr><td>1</td><td><b>2</b> items</td></tr></table><script>alert(1)</script>"
)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Shown(markdown="# Hi"), "# Hi"),
        (Shown(html="<p>Hi <b>there</b></p><svg><text>no</text></svg>"), "Hi there"),
        (Shown(html=TABLE), '<table>\n<tr><th colspan="2">A & B</th></tr>\n<tr><td>1</td><td>2 items</td></tr></table>'),
        (Bundled(), "a plan"),
        (KeyError("x"), "KeyError: 'x'"),
        (Fraction(1, 3), "1/3"),
        (5, "5"),
    ],
)
def test_what_a_notebook_would_show_is_said_where_the_text_says_nothing(value, words):
    assert describe_object(value) == words
    assert value_to_parts(value, "it")[0]["text"] == words
    assert converted(value)[0]["output"] == (value if value == 5 else words)


@pytest.mark.parametrize(
    "value",
    [
        Silent(), object(), Shown(), Shown(html="<div></div><script>draw()</script>"), (n for n in [1]), map(str, []), iter([]),
    ],
)  # fmt: skip
def test_what_says_nothing_is_refused_with_the_way_out(value):
    with pytest.raises(PromptError, match=r"^it is of type \w+, which has no readable text → name an attribute") as raised:
        value_to_parts(value, "it")
    assert "0x" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_tool_says_so_too_and_never_an_address():
    said = "a value of type Silent, which has no readable text"
    assert converted(Silent())[0]["output"] == said
    assert converted({"a": [Silent()]})[0]["output"] == {"a": [said]}


@pytest.mark.parametrize(
    ("words", "nothing"),
    [
        ("<__main__.Foo object at 0x7f1c>", True),
        ("<IPython.core.display.HTML object>", True),
        ("<generator object <genexpr> at 0x7f1c>", True),
        ("<bound method Foo.bar of <__main__.Foo object at 0x7f1c>>", True),
        ("<function f at 0x7F1C>", True),
        ("<_io.TextIOWrapper name='a' mode='r' encoding='UTF-8'>", True),
        ("<xarray.DataArray ()> Size: 8B", False),
        ("<class 'int'>", False),
        ("<Response [200]>", False),
        ("an object at 0x7f1c", False),
        ("", False),
    ],
)
def test_what_python_writes_of_an_object_without_a_text(words, nothing):
    assert says_nothing(words) is nothing


@given(st.text(alphabet="<>/tablersci\"'= &;\n!-", max_size=200))
def test_any_html_is_read(html):
    assert "<script" not in html_text(html)


def test_a_model_without_fields_is_its_value():
    pydantic = pytest.importorskip("pydantic")
    assert value_to_parts(pydantic.RootModel[list[int]]([1]), "it") == [{"text": "[1]"}]
    assert converted([pydantic.RootModel[dict[str, int]]({"a": 1})])[0]["output"] == [{"a": 1}]


def test_a_sparse_matrix_tells_its_values():
    class Sparse:
        def __repr__(self):
            return "<2x2 sparse matrix>"

        def __str__(self):
            return "(0, 1) 5"

    assert converted(Sparse())[0]["output"] == "(0, 1) 5"
