"""Answers that browser tests let stream: a long one, and ten stories of which each is slower than the one before."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.support.jupyter import CELLS, PATIENCE, kinds, start

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01-quickstart.ipynb"


def until(file, *parts, stall, pieces=60, gap=0.1, options="--once"):
    """A cell whose answer goes silent after so many frames, until the file is there."""
    told = {"parts": parts, "pieces": pieces, "gap": gap, "stall": stall, "until": str(file)}
    return f"%%gemini {options}\noffline: {json.dumps(told)}"


def long(file="/no/such/file"):
    """A long answer that ends when the file is there: a page may take its time."""
    thought = ["thought", "**First**\n\nThinking about it, slowly and in many words.\n\n"]
    return until(file, thought, ["answer", "Some words of a long answer. " * 60 + "The end."], stall=110)


TOOL = 'def look(what: str) -> str:\n    """Look at something."""\n    return f"looked at {what}"'
PARTS = [
    ["thought", "The *first* thought, in some words. Thought one ends."],
    ["answer", "The **first** answer:\n\n- an item\n- another\n\nAnswer one ends."],
    ["call", "look", {"what": "the sky"}],
    ["thought", "The second thought, in some words. Thought two ends."],
    ["answer", "The **second** answer has a table.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nAnswer two ends."],
]
KINDS = ["thought", "answer", "tool_call", "thought", "answer", "status"]
ENDS = ["Thought one ends.", "Answer one ends.", "look", "Answer two ends."]
MOMENTS = 10


def stories(go):
    """Ten cells; however slow the page, the last two answers don't end before the file `go` is there."""
    for number in range(MOMENTS):
        waits = {"stall": 2, "until": str(go)} if number >= MOMENTS - 2 else {}
        told = json.dumps({"parts": PARTS, "pieces": 6, "gap": 0.02 + 0.06 * number, **waits})
        yield f"%%gemini --once -t look --approve auto\nTell me story {number}.\noffline: {told}"


def begun(notebook, go, *more):
    """A notebook whose ten stories have begun; the slowest has shown its first words."""
    book = start(notebook, TOOL, *stories(go), *more)
    book.run(1)
    for number in range(MOMENTS):
        book.run(2 + number)
    book.wait(f"n => {CELLS}[n].querySelector('.jupyter-widget-Collapse .nbg-live')?.textContent.includes('The')", MOMENTS + 1)
    return book


def at_rest(book, first=2):
    """Wait until no cell from the `first` on shows a widget of ours, and return what the page would save."""
    book.wait(
        f"([from, to]) => [...{CELLS}].slice(from, to).every(cell => cell.querySelector('.nbgemini-status')"
        " && !cell.querySelector('.nbg-live, .nbgemini-live'))",
        [first, 2 + MOMENTS],
    )
    return book.held()


def wait_for(condition):
    """Wait for what happens outside the page."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)  # a poll of another process


def assert_whole(saved, first=2):
    for number in range(first, 2 + MOMENTS):
        shown = kinds(saved, number)
        text = json.dumps(saved["cells"][number]["outputs"])
        assert shown == KINDS, (number, shown)
        assert "widget-view" not in text, (number, text[:3000])
        places = [text.index(end) for end in ENDS]
        assert places == sorted(places)
