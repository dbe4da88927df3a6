"""Every character that a terminal obeys or a reader cannot see is shown; every other one is left alone."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from nbgemini.render.escape import Incoming, harmless
from tests.render.checker import controls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x00\x07\x08\x1b", "␀␇␈␛"),
        ("\x1b[2J", "␛[2J"),
        ("\x1b]0;t\x07", "␛]0;t␇"),
        ("\x7f", "\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("\x85", "\\x85"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc\n\rd", "a\nb\nc\n\nd"),
        ("\u202e", "\u2039U+202E\u203a"),
        ("\u2028\u2029", "\u2039U+2028\u203a\u2039U+2029\u203a"),
        ("\u200e \u200f \u061c", "\u2039U+200E\u203a \u2039U+200F\u203a \u2039U+061C\u203a"),
        ("\u05e9\u05dc\u05d5\u05dd\u200f! \u200eC++\u200e", "\u05e9\u05dc\u05d5\u05dd\u200f! \u200eC++\u200e"),
        ("\u061c1. \u0645\u0631\u062d\u0628\u0627", "\u061c1. \u0645\u0631\u062d\u0628\u0627"),
        ("\u05d0\nb\u200f", "\u05d0\nb\u2039U+200F\u203a"),
        ("\u05d0\u200f\u200e\u200f", "\u05d0\u200f\u2039U+200E\u203a\u2039U+200F\u203a"),
        ("\u05d0" + "\u200f " * 9, "\u05d0" + "\u2039U+200F\u203a " * 9),
        ("\u05d0\u202e\u2066\u2069\u202c", "\u05d0\u2039U+202E\u203a\u2039U+2066\u203a\u2039U+2069\u203a\u2039U+202C\u203a"),
        ("\u200b\ufeff", "\u2039U+200B\u203a\u2039U+FEFF\u203a"),
        ("\U000e0041\U000e0100", "\u2039U+E0041\u203a\u2039U+E0100\u203a"),
        ("\xad\u034f\u3164\ufe01", "\u2039U+00AD\u203a\u2039U+034F\u203a\u2039U+3164\u203a\u2039U+FE01\u203a"),
        ("\ud800", "\ufffd"),
        ("👩‍💻 ❤️ क्ष نمی‌خواهم", "👩‍💻 ❤️ क्ष نمی‌خواهم"),
        ("é e\u0301 日本語 \xa0", "é e\u0301 日本語 \xa0"),
    ],
)
def test_the_table(text, shown):
    assert harmless(text) == shown


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0)])
def test_every_control_character_is_shown(code):
    shown = harmless(chr(code))
    assert controls(shown) == []
    assert shown
    assert shown.isprintable() or chr(code) in "\n\t\r"


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_nothing_passes_and_twice_is_once(text):
    shown = harmless(text)
    assert controls(shown) == []
    assert harmless(shown) == shown
    shown.encode()


@given(st.text(st.characters(exclude_characters="\r\u061c\u200e\u200f"), max_size=40), st.integers(0, 40))
def test_a_cut_changes_nothing(text, cut):
    assert harmless(text[:cut]) + harmless(text[cut:]) == harmless(text)


PIECES = st.lists(st.sampled_from([*"a1 .\n\r\u05d0\u0645\u200e\u200f\u061c\u202e\x1b", "\r\n", "word "]), max_size=30).map(
    "".join
)


@given(PIECES, st.lists(st.integers(0, 40), max_size=6).map(sorted))
def test_what_comes_in_pieces_is_shown_as_the_whole_is(text, cuts):
    incoming, shown = Incoming(), ""
    for start, end in pairwise([0, *cuts, len(text)]):
        shown += incoming.feed(text[start:end])
        assert harmless(text).startswith(shown)
    assert shown + incoming.end() == harmless(text)
    assert controls(harmless(text)) == []
