"""A page that is loaded again while answers stream: what begins later is shown, Stop works, and all is whole at rest."""

from __future__ import annotations

import json

from tests.support.jupyter import CELLS, kinds, start

TOOL = '''
import asyncio

let_go = asyncio.Event()

async def wait_here(name: str) -> str:
    """Wait until somebody lets go."""
    if name == "the first":
        await let_go.wait()
    else:
        await asyncio.Event().wait()
    return f"{name} waited"
'''


def waiting(name):
    parts = [["thought", "A *thought*."], ["answer", "An **answer**."], ["call", "wait_here", {"name": name}]]
    return f"%%gemini --once -t wait_here --approve auto\noffline: {json.dumps({'parts': parts})}"


def test_segments_that_begin_after_a_reload_are_shown_and_stop_works(notebook):
    book = start(notebook, TOOL, waiting("the first"), waiting("the second"))
    for number in (1, 2, 3):
        book.run(number)
    for number in (2, 3):
        book.wait(f"n => {CELLS}[n].querySelector('.nbg-card')?.textContent.includes('running')", number)
    book.save()
    book.open()
    for number in (2, 3):
        book.wait(f"n => {CELLS}[n].querySelector('.nbg-card')?.textContent.includes('running')", number)
    assert book.cell(2).locator(".jupyter-widget-Collapse-open").count() == 0
    book.screenshot("reloaded-midway")
    book.execute("let_go.set()")
    book.wait_text(2, "The tools have answered")
    book.cell(3).get_by_role("button", name="Stop this answer").click()
    book.wait_text(3, "stopped")
    for number in (2, 3):
        book.wait(f"n => {CELLS}[n].querySelector('.nbgemini-status') && !{CELLS}[n].querySelector('.nbg-live')", number)
    saved = book.save()
    assert kinds(saved, 2) == ["thought", "answer", "tool_call", "answer", "status"]
    assert kinds(saved, 3) == ["thought", "answer", "tool_call", "status"]
