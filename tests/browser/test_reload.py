"""A page that is loaded again while answers stream: what begins later finds its home there, and Stop works."""

from __future__ import annotations

import json

from tests.browser.test_quickstart import CELLS, kinds, start

KINDS = ("thought", "answer", "thought", "answer")
PARTS = [[kind, f"The {kind} that is number {n}, with *many* words. Number {n} ends."] for n, kind in enumerate(KINDS, 1)]
FOUR = f"%%gemini -c story\noffline: {json.dumps({'parts': PARTS, 'pieces': 12, 'gap': 0.25})}"
LATER = f"{CELLS}[1].querySelector('.widget-vbox')"


def all_text(saved, number):
    """What a file holds of a cell's outputs, in every form."""
    return "".join("".join(text) for output in saved["cells"][number]["outputs"] for text in output["data"].values() if text)


def test_segments_that_begin_after_a_reload_are_shown_and_stop_works(notebook):
    book = start(notebook, FOUR, FOUR.replace("story", "stopped").replace("0.25", "0.9"))
    for number in (1, 2):
        book.run(number)
    for number in (1, 2):
        book.wait(f"n => {CELLS}[n].querySelector('.jupyter-widget-Collapse .nbg-live')?.textContent.includes('The')", number)
    book.save()
    book.open()
    book.wait(f"() => {LATER}?.querySelector('.jupyter-widget-Collapse')")
    assert book.cell(1).locator(".jupyter-widget-Collapse-open").count() == 0
    book.screenshot("reloaded-midway")
    later = book.cell(1).locator(".widget-vbox")
    later.locator(".jupyter-widget-Collapse-header").click()
    book.wait(f"() => {LATER}.querySelector('.jupyter-widget-Collapse-open .nbg-live').textContent.includes('number 3')")
    book.cell(2).get_by_role("button", name="Stop this answer").click()
    book.wait_text(2, "stopped")
    assert "ends" not in book.cell(2).locator(".jp-Cell-outputWrapper").inner_text()
    book.wait(f"() => {LATER}.textContent.includes('Number 4 ends.') && /\\d\\.\\d s$/.test({LATER}.innerText.trim())")
    shown = later.inner_text()
    assert shown.index("Number 3 ends.") < shown.index("Number 4 ends.") < shown.index("offline service")
    assert later.locator(".nbg-status button:visible").count() == 0
    assert kinds(book.save(), 1) == ["thought", "status"]
