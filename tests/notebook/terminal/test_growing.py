"""What stands on a terminal of a block that is still being written: formatted as it comes, and no dearer the longer it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.notebook.terminal.markdown import RichRenderer
from nbgemini.render.escape import Incoming, harmless
from tests.corpus.controls import INVISIBLE, TERMINAL
from tests.corpus.pieces import PIECES
from tests.support.terminal import ANSWER, OURS

BOLD, ITALIC = "\x1b[1m", "\x1b[3m"


@pytest.fixture(scope="module")
def renderer():
    return RichRenderer()


def plain(rows):
    return [re.sub(r"\x1b\[[\d;]*m", "", row).rstrip() for row in rows]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("some **bo", f"some {BOLD}bo"),
        ("some *em", f"some {ITALIC}em"),
        ("- one\n- **tw", f"{BOLD}tw"),
        ("> quoted **bo", "\x1b[1;35mbo"),
        ("| a | b |\n|---|---|\n| 1 | *x", f"{ITALIC}x"),
    ],
)
def test_emphasis_is_shown_before_it_is_closed(renderer, text, row):
    assert row in "\n".join(renderer.rows(text, 60, 20))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("# Ti", ["Ti"]),
        ("a\n- ", ["a"]),
        ("- one\n- tw", [" • one", " • tw"]),
        ("- one\n  1. in", [" • one", "    1 in"]),
        ("1. x\n2. `co", [" 1 x", " 2 co"]),
        ("| a | b |", [" a  b", " ────"]),
        ("| a | b |\n|---|---|\n| 1 | x", [" a  b", " ────", " 1  x"]),
        ("```python\ndef f(", [" def f("]),
        ("text [li", ["text li"]),
        ("a [link](https://a.exam", ["a link"]),
        ("- [ ] to", [" • ☐ to"]),
        ("> quo", ["▌ quo"]),
    ],
)
def test_a_block_is_shown_as_what_it_will_be(renderer, text, rows):
    shown = plain(renderer.rows(text, 60, 20))
    assert [row.strip() for row in shown if row] == [row.strip() for row in rows]


LONG = {
    "code": ("```python\n" + "x = [1, 2]  # more\n" * 3000 + "last = 'word'", " last = 'word'"),
    "table": ("| a | b |\n|---|---|\n" + "| 1 | some words |\n" * 3000 + "| 2 | last", " 2  last"),
    "list": ("- first\n" + "- some *words*\n" * 3000 + "- **last", " • last"),
    "numbers": ("".join(f"{n}. words\n" for n in range(1, 3000)) + "3000. **last", " 3000 last"),
    "quote": ("> some words\n" * 3000 + "> **last", " words last"),
    "code in a list": ("- first\n  ```python\n" + "  x = 1\n" * 3000 + "  last = 2", " last = 2"),
    "paragraph": ("some *words* " * 3000 + "**last", " last"),
    "no blanks": ("x" * 40_000 + "last", "last"),
}


@pytest.mark.parametrize("kind", LONG)
def test_the_end_of_a_long_block_is_shown_as_what_it_is(renderer, kind):
    text, last = LONG[kind]
    rows = plain(renderer.rows(text, 60, 20))
    assert len(rows) <= 20
    assert rows[0] == "⋮"
    assert rows[-1].endswith(last)


@pytest.mark.parametrize("kind", [kind for kind in LONG if kind != "no blanks"])
def test_a_long_block_costs_no_more_than_a_short_one(renderer, kind, monkeypatch):
    text, _ = LONG[kind]
    sizes, parse = [], RichRenderer._rendered

    def rendered(self, tokens, columns):
        sizes.append(sum(len(token.content) for token in tokens))
        return parse(self, tokens, columns)

    monkeypatch.setattr(RichRenderer, "_rendered", rendered)
    for end in range(1000, len(text), len(text) // 20):
        renderer.rows(text[:end], 60, 20)
    assert sizes
    assert max(sizes) < 10_000


@pytest.mark.parametrize("payload", [*TERMINAL, *INVISIBLE], ids=lambda payload: ascii(payload)[1:50])
def test_nothing_hostile_steers_the_terminal_at_any_prefix(renderer, payload):
    for around in ("{}", "- **{}", "| a |\n|---|\n| {}", "```python\n{}", "[{}](https://a.example/{}"):
        text = around.replace("{}", payload)
        for end in range(len(text) + 1):
            incoming = Incoming()
            shown = incoming.feed(text[:end])
            rest = OURS.sub("", "\n".join(renderer.rows(shown, 40, 20)))
            assert harmless(rest) == rest


@settings(max_examples=30, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12), columns=st.integers(1, 90), most=st.integers(1, 30))
def test_whatever_comes_fills_no_more_rows_than_there_are(pieces, columns, most):
    text, renderer = "".join(pieces), RichRenderer()
    for end in range(0, len(text), 7):
        assert len(renderer.rows(harmless(text[:end]).strip("\n"), columns, most)) <= most


def test_every_prefix_of_an_answer_shows_its_words(renderer):
    for end in range(1, len(ANSWER), 3):
        rows = plain(renderer.rows(ANSWER[:end].strip("\n"), 80, 100))
        assert len(rows) <= 100
        assert "**" not in "".join(rows)
