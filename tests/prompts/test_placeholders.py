"""Names in braces: a plain name that exists is replaced, every other brace stays as typed."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgemini.errors import PromptError
from nbgemini.prompts.placeholders import Field, fields_of


class Thing:
    size = 7

    @property
    def bad(self):
        raise ValueError("no\nsuch luck")

    @property
    def missing(self):
        raise AttributeError("not there")

    def method(self):
        raise AssertionError("nothing is called")

    def __format__(self, spec):
        if spec == "boom":
            raise RuntimeError("broken")
        return super().__format__(spec)


NAMES = {
    "x": 5,
    "y": "why",
    "a": 1,
    "b": 2,
    "n": 3,
    "pi": 3.14159,
    "thing": Thing(),
    "p": PurePosixPath("/tmp/f.csv"),
    "größe": 9,
}


def filled(text):
    return "".join(item if isinstance(item, str) else f"<{item.value}>" for item in fields_of(text, NAMES))


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        # values
        ("{x}", "<5>"),
        ("{x}{y}", "<5><why>"),
        ("from {x} to {n}.", "from <5> to <3>."),
        ("{größe}", "<9>"),
        ("{y!r}", "<'why'>"),
        ("{y!s}", "<why>"),
        ("{y!a}", "<'why'>"),
        ("{pi:.2f}", "<3.14>"),
        ("{x:>3}", "<  5>"),
        ("{y!r:>7}", "<  'why'>"),
        ("{thing.size}", "<7>"),
        ("{p.name}", "<f.csv>"),
        ("{p.parent.name}", "<tmp>"),
        ("file_{n}.csv", "file_<3>.csv"),
        ("C:\\data\\{y}\\x", "C:\\data\\<why>\\x"),
        ("${x}", "$<5>"),
        ("it costs ${x} or ${n}.", "it costs $<5> or $<3>."),
        ('{"k": {x}}', '{"k": <5>}'),
        ("[{x}, {n}]", "[<5>, <3>]"),
        ("50% {x}", "50% <5>"),
        ("<Foo bar={x}/>", "<Foo bar=<5>/>"),
        # not names
        ("{}", None),
        ("{ }", None),
        ("{ x }", None),
        ("{0}", None),
        ("{unknown}", None),
        ("{x", None),
        ("x}", None),
        ("{x y}", None),
        ("{x+1}", None),
        ("{x()}", None),
        ("{thing.method()}", None),
        ("{x[0]}", None),
        ("{x.nope}", None),
        ("{thing.missing}", None),
        ("{x.__class__}", None),
        ("{thing._private}", None),
        ("{x.}", None),
        ("{.x}", None),
        ("{x!z}", None),
        ("{x=}", None),
        ("{x!r", None),
        ("{x:{n}}", "{x:<3>}"),  # an object in an object: no format is nested
        # other people's braces
        ("{{x}}", None),
        ("{{{x}}}", None),
        ("{{ x }}", None),
        ("{% if x %}", None),
        ('{"a": 1}', None),
        ("{a: 1}", None),
        ("{a: 1, b: 2}", None),
        ("{a, b}", None),
        ("{x: string}", None),
        ("{y:string}", None),
        ("interface P { x: number; y?: string }", None),
        ("import { x } from 'y'", None),
        ("const {a, b} = props;", None),
        ("() => { return x }", None),
        ("style={{x}}", None),
        ("\\frac{a}{b}", None),
        ("\\sqrt[n]{x}", None),
        ("\\begin{x}\\end{x}", None),
        ("\\text{with {x} inside}", None),
        ("\\mathbf{x}^{n}", "\\mathbf{x}^<3>"),  # outside of a formula only the command's own argument is LaTeX's
        ("$x_{n}$", None),
        ("$e^{x}$", None),
        ("$$\\sum_{n}^{x} a_{b}$$", None),
        ("it costs $5 and x_{n} more", "it costs $5 and x_<3> more"),
    ],
)
def test_braces(typed, sent):
    assert filled(typed) == (typed if sent is None else sent)


@given(st.text())
def test_text_without_names_comes_back_byte_for_byte(text):
    assert list(fields_of(text, {})) == [text]


BRACY = st.text(alphabet="{}ab\\.!:$_^ rxfrac\n", max_size=60)


@given(BRACY)
def test_whatever_is_replaced_the_text_joined_as_typed_is_the_text(text):
    items = list(fields_of(text, NAMES))
    assert "".join(item.typed if isinstance(item, Field) else item for item in items) == text


def test_a_value_with_a_name_in_braces_stays_what_it_is():
    assert [item.value for item in fields_of("{a}", {"a": "{b}", "b": 1}) if isinstance(item, Field)] == ["{b}"]


@pytest.mark.parametrize(
    ("typed", "said"), [("{thing.bad}", "ValueError: no such luck"), ("{thing:boom}", "RuntimeError: broken")]
)
def test_a_property_or_a_format_that_raises_is_one_line_and_nothing_is_sent(typed, said):
    with pytest.raises(PromptError) as error:
        list(fields_of(f"see {typed}", NAMES))
    assert typed in str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_hostile_text_takes_no_time():
    assert filled("{x} \\frac{x}{x} $x_{x}$ " * 4000).count("<5>") == 4000
    for piece in ("\\frac{", "{x", "$$", "$x_{", "{" * 50 + "x"):
        assert filled(piece * 4000) == piece * 4000 or piece == "$x_{"
