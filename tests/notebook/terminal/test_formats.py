"""What a terminal shows of answers that are data or plain text."""

from __future__ import annotations

import asyncio

import pytest

from nbgemini.messages.events import Finish
from nbgemini.notebook.terminal.view import TerminalView
from tests.support.replies import WrittenReply
from tests.support.terminal import answer, terminal


def printed(monkeypatch, text, form):
    with terminal(monkeypatch) as made:
        reply = WrittenReply(format=form)
        view = TerminalView(reply)
        for events in answer(text, [3, 9]):
            view.apply(reply.feed(events))
        view.apply([*reply.feed([Finish("complete", "STOP")]), *reply.end()])
        asyncio.run(view.finish())
    return [row.rstrip().removeprefix(" ") for row in made.seen]  # rich sets code in by one column


@pytest.mark.parametrize(
    ("text", "form", "lines"),
    [
        ('[{"a":1,"b":"x"}]', "json", ["[", "  {", '    "a": 1,', '    "b": "x"', "  }", "]"]),
        ("# no *heading*\n```\nx", "text", ["# no *heading*", "```", "x"]),
    ],
)
def test_it_is_laid_out_as_what_it_is(monkeypatch, text, form, lines):
    shown = printed(monkeypatch, text, form)
    start = shown.index(lines[0])
    assert shown[start : start + len(lines)] == lines


def test_where_json_does_not_fit_is_said_last(monkeypatch):
    shown = [row for row in printed(monkeypatch, "Sorry.", "json") if row]
    assert shown[0].strip() == "Sorry."
    assert any(row.startswith("⚠ the answer does not match JSON: it is not JSON") for row in shown[1:])
