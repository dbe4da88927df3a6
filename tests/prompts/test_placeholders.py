"""Names in braces: a plain name that exists is replaced, every other brace stays as typed."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given, strategies as st

from nbgemini.errors import PromptError
from nbgemini.prompts.placeholders import Placeholder, describe_unresolved, parse_placeholders, unresolved


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
    return "".join(item if isinstance(item, str) else f"<{item.value}>" for item in parse_placeholders(text, NAMES))


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
    assert list(parse_placeholders(text, {})) == [text]


BRACY = st.text(alphabet="{}ab\\.!:$_^ rxfrac\n", max_size=60)


@given(BRACY)
def test_whatever_is_replaced_the_text_joined_as_typed_is_the_text(text):
    items = list(parse_placeholders(text, NAMES))
    assert "".join(item.typed if isinstance(item, Placeholder) else item for item in items) == text


def test_a_value_with_a_name_in_braces_stays_what_it_is():
    assert [item.value for item in parse_placeholders("{a}", {"a": "{b}", "b": 1}) if isinstance(item, Placeholder)] == ["{b}"]


@pytest.mark.parametrize(
    ("typed", "said"), [("{thing.bad}", "ValueError: no such luck"), ("{thing:boom}", "RuntimeError: broken")]
)
def test_a_property_or_a_format_that_raises_is_one_line_and_nothing_is_sent(typed, said):
    with pytest.raises(PromptError) as error:
        list(parse_placeholders(f"see {typed}", NAMES))
    assert typed in str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_property_that_raises_is_not_asked_for_a_way_out():
    assert describe_unresolved(["{ thing.bad }"], NAMES).endswith("→ did you mean {thing.bad}?")


def test_hostile_text_takes_no_time():
    assert filled("{x} \\frac{x}{x} $x_{x}$ " * 4000).count("<5>") == 4000
    for piece in ("\\frac{", "{x", "$$", "$x_{", "{" * 50 + "x"):
        assert filled(piece * 4000) == piece * 4000 or piece == "$x_{"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Look at {df}", ["{df}"]),
        ("{df.shape} and {x!r} and {x:.2f} and {df}", ["{df.shape}", "{x!r}", "{x:.2f}", "{df}"]),
        ("{df} {df}", ["{df}"]),
        ("{len(df)} {max(n, 1)}", ["{len(df)}", "{max(n, 1)}"]),
        ("{n + 1} {n['a']} {n.real()}", ["{n + 1}", "{n['a']}", "{n.real()}"]),
        ("{n} {n.real} {n:.1f}", []),
        ("{n.nothing}", ["{n.nothing}"]),
        ("{ n } {n } { m } {n: 1}", ["{ n }", "{n }"]),
        ("{n:s} {n.conjugate}", ["{n:s}", "{n.conjugate}"]),
        (
            "{len(df):,} {n + 1:.2f} {n or 2} {n if n else 2} {f(n): 1}",
            ["{len(df):,}", "{n + 1:.2f}", "{n or 2}", "{n if n else 2}"],
        ),
        ('{"a": n} { } {} {1, 2} {n, m} {f(x)} {a b} {x: y} {color:red;} {-1}', []),
        ("{{df}} and `{df}` and\n```\nprint(f'{df}')\n```\n", []),
        (r"\frac{a}{b} and $x_{i}$", []),
    ],
)
def test_braces_that_look_like_placeholders_and_name_nothing_are_found(text, found):
    assert unresolved(list(parse_placeholders(text, {"n": 1})), {"n": 1}) == found


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ([], ""),
        (["{df}"], "{df} names nothing here and stays as typed → run the cell that defines it first"),
        (["{datta.x}"], "{datta.x} names nothing here and stays as typed → did you mean {data}?"),
        (["{name}"], "{name} names nothing here and stays as typed → run the cell that defines it first"),
        (["{data.rael}"], "{data.rael} names nothing here and stays as typed → did you mean {data.real}?"),
        (["{data.real.imga}"], "{data.real.imga} names nothing here and stays as typed → did you mean {data.real.imag}?"),
        (["{data.real.conjugate}"], "{data.real.conjugate} names nothing here and stays as typed → no code runs in braces: give it a name, and put that there"),
        (["{data.nothing}"], "{data.nothing} names nothing here and stays as typed → data has no 'nothing'"),
        (["{data:s}"], "{data:s} names nothing here and stays as typed → data can't be written as 's'"),
        (["{ data }"], "{ data } names nothing here and stays as typed → did you mean {data}?"),
        (["{data.conjugate}"], "{data.conjugate} names nothing here and stays as typed → no code runs in braces: give it a name, and put that there"),
        (["{len(data)}"], "{len(data)} names nothing here and stays as typed → no code runs in braces: give it a name, and put that there"),
        (["{a}", "{b}", "{c}", "{d}"], "{a}, {b}, {c} and 1 more name nothing here and stay as typed → run the cell that defines them first"),
    ],
)  # fmt: skip
def test_they_are_told_in_one_line(found, line):
    assert describe_unresolved(found, {"data": 1, "__name__": "__main__"}) == line
