"""Plain IPython: answers as rendered Markdown, all text kept, and nothing the model says can steer the terminal."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from time import monotonic, perf_counter

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from nbgemini.chat.reply import Reply
from nbgemini.messages.events import (
    AnswerDelta,
    Citation,
    Citations,
    CodeResult,
    ExecutedCode,
    InlineMedia,
    ThoughtDelta,
    ToolCall,
    ToolCallGrowing,
    ToolProgress,
    ToolRun,
)
from nbgemini.notebook.terminal.markdown import Renderer, RichRenderer
from nbgemini.notebook.terminal.view import Plain, TerminalView
from nbgemini.render.escape import harmless
from tests.corpus.pieces import PIECES
from tests.support.terminal import ANSWER, OURS, answer, new_reply, show, terminal


def letters(text):
    return sorted(char for char in text if char.isalnum())


def test_without_a_terminal_text_is_printed_exactly_as_it_arrives(capsys):
    reply = new_reply()
    view = TerminalView(reply)
    view.open()
    view.apply(reply.feed([ThoughtDelta("**hm**")]))
    assert capsys.readouterr().out == "· thinking\n**hm**"
    for piece in ("# T", "\n\n- *a*\n", "- [b](https://b.example)"):
        view.apply(reply.feed([AnswerDelta(piece)]))
        assert capsys.readouterr().out.endswith(piece)
    view.apply(reply.end())
    assert capsys.readouterr().out == "\n"
    asyncio.run(view.finish())
    assert re.fullmatch(r"— m · [\d.]+ s · cut off\n", capsys.readouterr().out)


def test_escape_sequences_of_the_model_are_shown_not_obeyed(capsys):
    reply = new_reply()
    view = TerminalView(reply)
    view.apply(reply.feed([ThoughtDelta("\x1b]0;title\x07"), AnswerDelta("\x1b[2J"), AnswerDelta("red \x9b31m")]))
    view.apply(reply.end())
    printed = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\x9b"} & set(printed)
    assert "red" in printed


def test_a_dumb_terminal_gets_no_escape_code(monkeypatch):
    with terminal(monkeypatch) as made:
        monkeypatch.setenv("TERM", "dumb")
        reply = new_reply()
        view = TerminalView(reply)
        view.open()
        view.apply(reply.feed([ThoughtDelta("hm"), AnswerDelta("# **T**\n")]))
        asyncio.run(view.finish())
    assert "\x1b" not in made.sent
    assert "# **T**" in made.sent


def test_an_answer_is_rendered(monkeypatch):
    made = show(monkeypatch, answer(ANSWER, range(0, len(ANSWER), 5)))
    seen = "\n".join(made.seen)
    for source in ("**", "`", "# ", "](", "| x", "```"):
        assert source not in seen
    for shown in (" • one", "a link (https://a.example/path)", "▌ quoted", "def f(x):", "$x_1$", "E = mc^2"):
        assert shown in seen
    assert "\x1b[1mbold" in made.sent
    assert "\n\n\n" not in seen.strip()


def test_thoughts_are_dim_text_and_the_status_comes_last(monkeypatch):
    made = show(monkeypatch, [[ThoughtDelta("I **th")], [ThoughtDelta("ink**\n\n\n")], [AnswerDelta("so")]])
    assert made.seen[:5] == ["· thinking", "I **think**", "", "so", ""]
    assert made.seen[5].startswith("— m · ")
    assert "\x1b[2mI **th\x1b[0m" in made.sent


def test_no_colour_means_no_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    styles = re.findall(r"\x1b\[([\d;]*)m", show(monkeypatch, answer(ANSWER)).sent)
    assert styles
    assert all(int(code or 0) < 30 for style in styles for code in style.split(";"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[bold]x[/bold] :smile: [red]", "[bold]x[/bold] :smile: [red]"),
        ("<b>x</b> <script>y</script>", "<b>x</b> <script>y</script>"),
        ("<div>\nx\n</div>", "<div>"),
        ("[bank](https://evil.example/a)", "bank (https://evil.example/a)"),
        ("[https://bank.example](https://evil.example)", "https://bank.example (https://evil.example)"),
        ("[**b** `c`](https://evil.example)", "b c (https://evil.example)"),
        ("[x][r]\n\n[r]: https://evil.example", "x"),
        ("<https://bank.example@evil.example/>", "(https://evil.example/)"),
        ("[x](https://b\u0430nk.example)", "x (https://xn--bnk-6cd.example)"),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("![cat](https://evil.example/c.png)", "[image not loaded: cat, https://evil.example/c.png]"),
        ("[![cat](https://a.example/c.png)](https://b.example)", "cat, https://a.example/c.png] (https://b.example)"),
        ("| a |\n|---|\n| [l](https://evil.example) |\n", "l (https://evil.example)"),
        (r"\(a_b\) and $c_d$ and $5", r"\(a_b\) and $c_d$ and $5"),
        ("```[bold]\n[red]x\n```", "[red]x"),
        ("<https://a.example>", "https://a.example"),
    ],
)
def test_what_is_shown_of_a_text(monkeypatch, text, shown):
    assert shown in "\n".join(show(monkeypatch, answer(text)).seen)


HOSTILE = [
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x9b31m",
    "`\x1b[31m`",
    "```\x1b[31m\n\x1b]8;;x\x1b\\\n```",
    "<https://a.example/%1b[2J>",
    "<https://a.example/%c2%9b31m>",
    "<https://a.example/%e2%80%ae>",
    "[x](https://a.example/%1b%5b2J)",
    "[x](<https://a.example/\x1b[2J>)",
    "![\x1b[2J](x)",
    "&#27;[2J &#x9b; &#x202e; &rlm; &#12; &#13; &#8232;",
    "&#27",
    "$\x1b[2J$",
    "| \x1b[2J |\n|---|\n| \x08\x08\x08 |\n",
    "\u202eabc\u2066",
    "a\rb",
    "\x1b",
    "[2J",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(HOSTILE + PIECES), max_size=12), cuts=st.lists(st.integers(0, 120), max_size=6))
@example(pieces=HOSTILE, cuts=[])
@example(pieces=["\x1b", "[2J"], cuts=[1])
@example(pieces=["\n\n".join(HOSTILE)], cuts=[])
def test_nothing_of_the_models_steers_the_terminal(monkeypatch, pieces, cuts):
    steps = answer("".join(pieces), cuts)
    for events in (steps, [[ThoughtDelta(delta.text) for delta in step] for step in steps]):
        rest = OURS.sub("", show(monkeypatch, events).sent).replace("\r\n", "\n").replace("\r", "")
        assert harmless(rest) == rest


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(st.sampled_from([*PIECES, "a-long-word-that-is-wider-than-a-column", "日本語"]), max_size=20),
    cuts=st.lists(st.integers(0, 150), max_size=8),
    columns=st.integers(1, 90),
    lines=st.integers(1, 30),
)
def test_the_cuts_do_not_show_on_any_terminal(monkeypatch, pieces, cuts, columns, lines):
    monkeypatch.setattr(Reply, "seconds", 1.0)
    text = "".join(pieces)
    whole, cut = (show(monkeypatch, answer(text, at), columns=columns, lines=max(3, lines)).seen for at in ([], cuts))
    assert cut == whole


@pytest.mark.parametrize("columns", [1, 2, 3, 7, 20, 40, 79, 200])
def test_no_letter_is_lost_however_narrow_it_is(monkeypatch, columns):
    deep = "".join(f"{'  ' * depth}- level{depth}\n" for depth in range(12))
    wide = f"| {'a' * 60} | {'b' * 60} |\n|---|---|\n| {'c' * 30} | d |\n"
    for text in (ANSWER.replace("https://a.example/path", "x"), deep, "> " * 9 + "quoted", wide, "10. ten\n11. eleven"):
        seen = "".join(show(monkeypatch, answer(text), columns=columns).seen)
        missing = [char for char in set(letters(text)) if seen.count(char) < text.count(char)]
        assert not set(missing) - set("python"), (text, seen)  # the name of a code's language is not shown


def test_of_a_block_taller_than_the_terminal_the_end_is_seen_growing(monkeypatch):
    text = "```\n" + "".join(f"line {n}\n" for n in range(100))
    made = show(monkeypatch, answer(text, range(0, len(text), 50)), lines=10, end=False)
    assert [row.strip() for row in made.seen if "line" in row] == [f"line {n}" for n in range(100)]
    assert "⋮" in made.sent
    assert "⋮" not in made.seen


def test_a_stopped_answer_keeps_what_arrived_rendered(monkeypatch):
    made = show(monkeypatch, answer("one\n\n**two** and"), end=False)
    assert made.seen[:4] == ["one", "", "two and", ""]
    assert "stopped" in made.seen[4]


def test_a_stopped_thought_is_not_joined_with_the_status(monkeypatch):
    made = show(monkeypatch, [[ThoughtDelta("half a thou")]], end=False)
    assert made.seen[1:3] == ["half a thou", ""]


def test_what_is_not_text_is_a_harmless_line_or_two_that_say_how_to_get_at_it(monkeypatch):
    events = [
        InlineMedia("image/png", "iVBORw0KGgo" + "AAAA" * 1000),
        InlineMedia("audio/L16", "AAAA"),
        InlineMedia("text/\x1b", ""),
    ]
    more = [
        ExecutedCode("print(1)\n" * 50),
        CodeResult("\x1b[2J", ok=False),
        Citations((Citation("https://a.example", "A\n\nB"),)),
    ]
    made = show(monkeypatch, [[AnswerDelta("so")], events, more], lines=200)
    seen = "\n".join(made.seen)
    for text in (
        "[Picture from the model (PNG, 3.0 kB) → _gemini.images[0].save('…')]",
        "[Sound from the model → _gemini.audio[0].save('…')]",
        "→ _gemini.media[2].save('…')]",
        "[code that the model ran, python]\n    print(1)",
        "… 11 lines more",
        "[⚠ It failed]\n    ␛[2J",
        "Sources\n[1] A",
    ):
        assert text in seen, seen
    assert seen.count("print(1)") == 39
    rest = OURS.sub("", made.sent)
    assert "\x1b" not in rest


@pytest.mark.parametrize("rows", [True, False])
def test_a_call_is_shown_when_it_runs_and_when_it_is_over(monkeypatch, capsys, rows):
    """Its name, its arguments and its result: harmless, and of bounded length."""
    call = ToolCall("look\x1b[2J", {"a": "\u202e", "b": "x" * 10_000})
    growing = [ToolCallGrowing("", call.name, text) for text in ("", '{"a": "b', '{"a": "bc')]
    runs = [ToolProgress(0, ToolRun(call, state)) for state in ("asking", "running")]
    over = ToolProgress(0, ToolRun(call, "done", {"output": "\n".join("so\x1b[2J" for _ in range(1000))}))
    events = [[*growing], [call], runs, [over], [AnswerDelta("so")]]
    if rows:
        made = show(monkeypatch, events)
        sent = OURS.sub("", made.sent)
    else:
        reply = new_reply()
        way = Plain()
        for some in events:
            for change in reply.feed(some):
                way.take(change)
        sent = capsys.readouterr().out
    titles = [line.split(" · ")[1] for line in sent.splitlines() if line.startswith("Tool look")]
    assert titles == ["running…", "done"]
    assert not set("\x1b\u202e") & set(sent)
    assert "U+202E" in sent
    assert re.search(r"… 9\d\d lines more", sent)
    assert len(sent) < 4_000


async def test_what_others_print_meanwhile_comes_to_stand_above(monkeypatch):
    with terminal(monkeypatch) as made:
        reply = new_reply()
        view = TerminalView(reply)
        view.open()
        print("before")
        view.apply(reply.feed([AnswerDelta("one\n\ntw")]))
        await until(lambda: "tw" in made.sent)
        print("from afar")
        sys.stderr.write("no line end")
        view.apply(reply.feed([AnswerDelta("o **three**")]))
        await view.finish()
        assert sys.stdout is sys.stderr is made.out
        print("after")
    assert made.seen[:7] == ["before", "one", "from afar", "no line end", "", "two three", ""]
    assert made.seen[-2] == "after"


async def test_a_second_reply_at_the_same_time_is_printed_too(monkeypatch):
    with terminal(monkeypatch) as made:
        first, second = new_reply(), new_reply()
        views = [TerminalView(first)]
        views[0].open()
        views.append(TerminalView(second))
        views[1].open()
        views[0].apply(first.feed([AnswerDelta("**one**")]))
        await until(lambda: "\x1b[1mone" in made.sent)
        views[1].apply(second.feed([AnswerDelta("**two**\n")]))
        await views[1].finish()
        await views[0].finish()
    assert "**two**" in made.seen
    assert "one" in made.seen


async def test_a_cancelled_finish_still_prints_all(monkeypatch):
    with terminal(monkeypatch) as made:
        reply = new_reply()
        view = TerminalView(reply)
        view.open()
        view.apply(reply.feed([AnswerDelta("**" + "word " * 10 + "end**\n\n") for _ in range(200)]))
        finishing = asyncio.ensure_future(view.finish())
        await asyncio.sleep(0)
        finishing.cancel()
        await asyncio.wait([finishing])
        assert sys.stdout is made.out
    assert "".join(made.seen).count("end") == 200


async def until(condition):
    deadline = monotonic() + 30
    while not condition():
        assert monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_the_loop_goes_on_while_a_long_answer_is_painted(monkeypatch):
    text = ANSWER * 86
    with terminal(monkeypatch) as made:
        reply, gaps, turns = new_reply(), [], 0
        view = TerminalView(reply)
        view.open()
        began = perf_counter()
        for events in answer(text, range(0, len(text), 400)):
            before = perf_counter()
            view.apply(reply.feed(events))
            await asyncio.sleep(0)
            gaps.append(perf_counter() - before)
        finishing = asyncio.ensure_future(view.finish())
        while not finishing.done():
            before = perf_counter()
            await asyncio.sleep(0)
            gaps.append(perf_counter() - before)
            turns += 1
    print(
        f"\n{len(text):,} characters: {perf_counter() - began:.2f} s, longest gap {max(gaps) * 1000:.0f} ms, {len(made.sent):,} sent"
    )
    assert turns > 2
    assert "".join(made.seen).count("Title") == 86


def test_what_is_sent_grows_with_the_answer_only(monkeypatch):
    sent = []
    for count in (10, 40):
        text = (
            "A paragraph that goes on for a while, with **bold** words.\n\n" * count + "```\n" + "a line of code\n" * 8 * count
        )
        sent.append(len(show(monkeypatch, answer(text, range(0, len(text), 20))).sent) / len(text))
    assert sent[1] < sent[0] * 1.5 < 30


def test_where_rich_fails_the_source_is_shown(monkeypatch):
    rendering = RichRenderer()
    assert "a" * 50_000 in rendering.block("a" * 50_000, 80)
    assert rendering.block("> " * 200 + "deep", 80).count("deep") == 1
    monkeypatch.setattr(rendering, "_rendered", lambda *_: 1 / 0)
    assert rendering.block("**a**", 80) == "**a**\n"
    assert Renderer().block("\n**a**\n\n", 80) == "**a**\n"
    assert Renderer().rows("abcdef\ng", 4, 3) == ["abcd", "ef", "g"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("H<sub>2</sub>O, x<sup>2</sup>, <kbd>Esc</kbd>, a<br>b", ["H_2O, x^2, Esc, a", "b"]),
        ("| a<br>b | <kbd>c</kbd> |\n|---|---|\n| 1 | 2 |", ["a", "b", "c"]),
        ("so[^1]\n\n[^1]: says *who*\n", ["[1]", "says who"]),
        ("\\[\na\n= b\n- c\n\\]", ["\\[", "= b", "- c", "\\]"]),
        ("- [x] done\n- [ ] to do", ["☑ done", "☐ to do"]),
        ("```markdown\n# a\n```python\nb\n```\nc\n```", ["# a", "```python", "b", "c"]),
        ("```cheetah\n$x = 1\n```", ["$x = 1"]),
        ("これは**「重要」**な点", ["これは「重要」な点"]),
        ("at https://a.example/x.", ["at https://a.example/x."]),
        ("\u05e9\u05dc\u05d5\u05dd\u200f!", ["\u05e9\u05dc\u05d5\u05dd\u200f!"]),
    ],
)
def test_what_models_write_is_rendered_in_a_terminal_too(text, shown):
    rendered = re.sub(r"\x1b\[[\d;]*m", "", RichRenderer().block(text, 60))
    for words in shown:
        assert words in rendered
    for sign in ("<sub>", "<kbd>", "<br>", "[^1]", "**", "[x]"):
        assert sign not in rendered


def test_without_rich_the_answer_is_still_there():
    code = """import os, pty, sys
sys.modules["rich"] = None
import asyncio, pytest
from nbgemini.messages.events import AnswerDelta, ThoughtDelta
from tests.support.terminal import TerminalView, new_reply, terminal
async def main(made):
    reply = new_reply()
    view = TerminalView(reply)
    view.open()
    view.apply(reply.feed([ThoughtDelta("hm"), AnswerDelta("# **T**\\n\\nmore")]))
    await view.finish()
with terminal(pytest.MonkeyPatch()) as made:
    asyncio.run(main(made))
print(made.seen)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "'# **T**', '', 'more'" in run.stdout
