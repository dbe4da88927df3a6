"""A card says what is known of a call, as text and nothing else."""

from __future__ import annotations

import html
import json
import re
import sys
from itertools import pairwise
from unicodedata import category

import pytest
from msgspec import structs

from nbgemini.messages.events import ToolArgsDelta, ToolArgsPiece, ToolCall, ToolCallGrowing, ToolCallStart, ToolRun
from nbgemini.messages.tool_call_assembler import ToolCallAssembler
from nbgemini.render.tool_card import card_html, card_text, card_title, grown_text, length_note

HOSTILE = "<img src=x onerror=alert(1)>\u202e\x1b[2J$x$"


def growing(text, state="growing"):
    return ToolCallGrowing("", "f", text, None, state)


@pytest.mark.parametrize(
    "call",
    [
        growing(json.dumps({"a": HOSTILE}, ensure_ascii=False)),
        growing(HOSTILE, "broken"),
        ToolCallGrowing("", HOSTILE, ""),
        ToolRun(ToolCall(HOSTILE, {HOSTILE: HOSTILE}), "asking"),
        ToolRun(ToolCall("f", {}), "failed", {"error": HOSTILE}),
    ],
)
def test_nothing_in_it_is_markup_or_hidden(call):
    card = card_html(call, HOSTILE)
    assert set(re.findall(r"<(\w+)", card)) <= {"details", "summary", "pre", "p", "small", "span", "b", "br"}
    assert not set("\u202e\x1b") & set(card)
    assert "U+202E" in card


def test_what_may_be_allowed_is_shown_to_its_last_character():
    """However long: at rest it is bounded."""
    args = {"text": "x" * 100_000 + "the end"}
    assert "the end" in card_html(ToolRun(ToolCall("f", args), "asking"))
    done = card_html(ToolRun(ToolCall("f", args), "done"))
    assert "the end" not in done
    assert "characters more" in done
    assert length_note(args).startswith("100,0")
    assert length_note({"text": "short"}) == ""


@pytest.mark.parametrize(
    ("state", "words", "opened"),
    [("growing", "are coming", True), ("broken", "incomplete, not run", True), ("again", "not run again", False)],
)
def test_a_call_that_is_not_whole_says_so(state, words, opened):
    call = growing('{"a": "b"}', state)
    assert words in card_title(call)
    assert ("<details" in card_html(call) and " open>" in card_html(call)) == opened
    assert '{"a": "b' in card_text(call)
    assert "<pre>" not in card_html(call, head=True)


@pytest.mark.parametrize("by_path", [False, True])
def test_what_is_shown_of_growing_arguments_only_grows_and_not_for_ever(by_path):
    """So a page needs to be told what is new, and no more."""
    value = 'He said "}]" \r\n and 😀 ' * 300
    if by_path:
        pieces = [ToolArgsPiece("", "$.a.b", value[n : n + 7], more=True) for n in range(0, len(value), 7)]
    else:
        text = json.dumps({"a": {"b": value}})
        pieces = [ToolArgsDelta("", text[n : n + 7]) for n in range(0, len(text), 7)]
    calls, shown = ToolCallAssembler(), [""]
    for event in (ToolCallStart("", "f"), *pieces):
        shown += [grown_text(news) for news in calls.feed(event)]
    assert all(later.startswith(earlier) for earlier, later in pairwise(shown))
    assert 2_000 < len(shown[-1]) < 2_100
    assert shown[-1].endswith("…")


@pytest.mark.parametrize(("state", "said"), [("running", "runs without asking"), ("done", "ran without asking")])
def test_what_runs_unasked_says_so_while_it_runs_and_afterwards(state, said):
    call = ToolRun(ToolCall("f", {}), state, {"output": 1} if state == "done" else None, unasked=True)
    assert f"⚠ {said}" in card_title(call)
    assert "<b> · ⚠ " in card_html(call)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u00a0b", "a‹U+00A0›b"),
        ("ls" + "\u00a0" * 3000 + "; rm -rf ~", "ls‹3000 U+00A0›; rm -rf ~"),
        ("ls" + " " * 300 + "; rm -rf ~", "ls‹300 spaces›; rm -rf ~"),
        ("ls" + "\u2003\u3000" + "x", "ls‹U+2003›‹U+3000›x"),
        ("\u2800" * 9, "‹9 U+2800›"),
        ("r\u200dm\u200c -rf", "r‹U+200D›m‹U+200C› -rf"),
        ("a" + "\u200d" * 50, "a‹50 U+200D›"),
        ("a\ufe0f1\ufe0eb\u180b", "a‹U+FE0F›1‹U+FE0E›b‹U+180B›"),
        ("a\U0001d159\U00016fe4\U00013441b", "a‹U+1D159›‹U+16FE4›‹U+13441›b"),
        ("👩\u200d👧 ❤\ufe0f 1\ufe0f\u20e3 👁\ufe0f\u200d🗨\ufe0f", "👩\u200d👧 ❤\ufe0f 1\ufe0f\u20e3 👁\ufe0f\u200d🗨\ufe0f"),
        ("می\u200cخواهم क्\u200dष ᠠ\u180b", "می\u200cخواهم क्\u200dष ᠠ\u180b"),
        ("a" + "\n" * 200 + "b", "a‹200 line ends›b"),
        ("if x:\n                y\n\nz", "\n  if x:\n                  y\n  \n  z"),
    ],
)
def test_blanks_that_could_hide_what_would_run_are_marked(text, shown):
    assert shown in html.unescape(card_html(ToolRun(ToolCall("f", {"text": text}), "asking")))


_SEEN = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}  # signs that stand around numbers


def test_no_character_that_looks_like_nothing_is_left_as_it_is():
    """Each of Unicode's, between two letters, in a value and in its name."""
    blank = [
        code
        for code in range(sys.maxunicode + 1)
        if (category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs") or code & 0xFFFE == 0xFFFE) and code not in (0x0A, 0x20)
    ]
    blank += [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
    for code in (code for code in blank if code not in _SEEN):
        run = ToolRun(ToolCall("f", {f"x{chr(code)}y": [f"a{chr(code)}b"], "c": f"a{chr(code)}b"}), "asking")
        assert chr(code) not in card_html(run).replace("\n", "")
        assert chr(code) not in card_html(ToolRun(ToolCall("f", {f"x{chr(code)}y": f"a{chr(code)}b"}), "asking")).replace(
            "\n", ""
        )


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ({"city": "Bern", "days": 3, "exact": True}, "<b>city:</b> Bern\n<b>days:</b> 3\n<b>exact:</b> true"),
        (
            {"days": "3", "none": "null", "empty": ""},
            "<b>days:</b> &quot;3&quot;\n<b>none:</b> &quot;null&quot;\n<b>empty:</b> &quot;&quot;",
        ),
        (
            {"text": " a", "list": "[1]", "<b>": None},
            "<b>text:</b> &quot; a&quot;\n<b>list:</b> &quot;[1]&quot;\n<b>&quot;&lt;b&gt;&quot;:</b> null",
        ),
        ({"note": "x = 1\nallow: yes"}, "<b>note:</b> \n  x = 1\n  allow: yes"),
    ],
)
def test_arguments_stand_line_by_line_where_they_are_plain(args, shown):
    """No text passes for a number, nor one line of it for an argument of its own."""
    assert f"<pre>{shown}</pre>" in card_html(ToolRun(ToolCall("f", args), "asking"))


def test_code_and_json_are_coloured_and_nothing_of_them_is_lost():
    code = "def f():\n    return '<b>'  # \u202e"
    card = card_html(ToolRun(ToolCall("run", {"to": "me", "code": code, "days": 3}), "asking"))
    assert "<pre><b>to:</b> me\n<b>code:</b></pre>" in card
    assert '<span class="k">def</span>' in card
    assert "<pre><b>days:</b> 3</pre>" in card
    assert "return '<b>'  # ‹U+202E›" in shown_text(card)
    card = card_html(ToolRun(ToolCall("f", {"a": [1], "b": {"c": "<i>"}}), "asking"))
    assert '<span class="mi">1</span>' in card
    assert json.loads(shown_text(card[card.index("<pre>") :])) == {"a": [1], "b": {"c": "<i>"}}
    assert "no arguments" in card_html(ToolRun(ToolCall("f", {}), "asking"))


def test_a_long_result_is_folded_and_a_short_one_is_not():
    short = card_html(ToolRun(ToolCall("f", {"a": 1}), "done", {"output": "2"}))
    assert "<small>Result</small></p><pre>2</pre>" in short
    folded = card_html(ToolRun(ToolCall("f", {"a": 1}), "done", {"rows": [*range(200)], "more": "x"}))
    assert "<details><summary><small>Result · 1," in folded
    assert 'class="language-json"' in folded
    assert "<details><summary>" not in card_html(ToolRun(ToolCall("f", {"a": 1}), "running"))


def test_a_card_says_what_its_tool_is():
    call = ToolRun(ToolCall("f", {}), "asking", about="Send <b>mail</b> for $5")
    assert "<p><small>Send &lt;b&gt;mail&lt;/b&gt; for <span>$</span>5<br>chat a</small></p>" in card_html(call, "chat a")
    assert "<summary>Tool <b>f</b> · waiting for approval</summary>" in card_html(call)


def test_what_a_tool_prints_stands_between_its_arguments_and_its_result():
    run = ToolRun(ToolCall("f", {"a": 1}), "done", {"output": "r"}, printed="<b>line</b>\x07\nlast\n")
    html = card_html(run)
    assert "<p><small>Printed</small></p><pre>&lt;b&gt;line&lt;/b&gt;␇\nlast</pre>" in html
    assert html.index("<b>a:</b>") < html.index("Printed") < html.index("Result")
    assert card_text(run).endswith("Printed: <b>line</b>␇\nlast\nr")
    assert "<summary><small>Printed · 900 characters</small></summary>" in card_html(structs.replace(run, printed="x" * 900))
    running = card_html(ToolRun(ToolCall("f", {}), "running", printed="x" * 5_000 + "the end"))
    assert len(running) < 1_500
    assert "the end</pre>" in running
    assert "Printed" not in card_html(structs.replace(run, printed="\n"))


def shown_text(card):
    return html.unescape(re.sub(r"<[^>]*>", "", card))
