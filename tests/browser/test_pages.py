"""Pages that go away, come back, move their cells or lose their kernel while answers stream: nothing of an answer is lost.

Ten cells hold the same story, each slower than the one before, so that one moment of the page is ten moments of the story.
"""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.support.jupyter import CELLS, kinds
from tests.support.stories import ENDS, MOMENTS, assert_whole, at_rest, begun, wait_for


@pytest.mark.parametrize("saved", [True, False])
def test_a_page_loaded_again_holds_the_whole_answer(notebook, go, saved):
    """Also where the file on disk knows nothing of the outputs."""
    book = begun(notebook, go)
    if saved:
        book.save()
    over = 0 if saved else book.page.evaluate(f"() => [...{CELLS}].filter(cell => !cell.querySelector('.nbg-live')).length - 3")
    book.open()
    book.screenshot(f"pages-reloaded-{saved}")
    go.touch()
    first = 2 + max(0, over)  # outputs at rest that were never saved are gone like any others
    assert_whole(at_rest(book, first), first)
    book.screenshot(f"pages-reloaded-rest-{saved}")


def test_a_page_closed_until_the_end_holds_the_whole_answer(notebook, go, tmp_path):
    done = tmp_path / "done"
    tell = f"import asyncio, pathlib\nasync def tell():\n    await _gemini\n    pathlib.Path({str(done)!r}).touch()\ntask = asyncio.create_task(tell())"
    book = begun(notebook, go, tell)
    book.run(2 + MOMENTS)
    book.wait("n => jupyterapp.shell.currentWidget.content.model.cells.get(n).executionCount", 2 + MOMENTS)
    book.save()
    book.leave()
    go.touch()
    wait_for(done.exists)
    book.open()
    assert_whole(at_rest(book))


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_what_came_stays_where_the_kernel_ends(notebook, go, how):
    """The page stops counting and says why, and the file holds what was seen."""
    book = begun(notebook, go)
    book.cell(1 + MOMENTS).get_by_role("button", name="Stop this answer").wait_for()
    book.page.evaluate("() => { window.seen = document.querySelectorAll('.jp-Notebook .jp-Cell')[11].innerText }")
    if how == "restart":
        book.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    else:
        os.kill(int(book.execute("import os", "os.getpid()")), signal.SIGKILL)
    book.wait(f"n => {CELLS}[n].innerText.includes('the kernel ended')", 1 + MOMENTS)
    saved = at_rest(book)
    book.screenshot(f"pages-{how}")
    for number in range(2, 2 + MOMENTS):
        text = json.dumps(saved["cells"][number]["outputs"])
        assert "widget-view" not in text
        assert ENDS[0][:7] in text
        whole = ENDS[-1] in text and "the kernel ended" not in text
        assert whole or "the kernel ended" in text
    assert "The" in "".join(saved["cells"][1 + MOMENTS]["outputs"][0]["data"]["text/plain"])
    assert kinds(saved, 1 + MOMENTS)[0] == "thought"


@pytest.mark.parametrize("how", ["move", "cut"])
def test_a_cell_that_is_moved_or_cut_and_put_back_keeps_its_answer(notebook, go, how):
    book = begun(notebook, go)
    for number in range(2, 2 + MOMENTS):
        book.cell(number).locator(".jp-InputPrompt").click()
        if how == "move":  # down, and up again
            book.page.evaluate("""async () => {
              await jupyterapp.commands.execute('notebook:move-cell-down');
              await jupyterapp.commands.execute('notebook:move-cell-up');
            }""")
        else:
            book.page.evaluate("""async () => {
              await jupyterapp.commands.execute('notebook:cut-cell');
              await jupyterapp.commands.execute('notebook:undo-cell-action');
            }""")
    book.screenshot(f"pages-{how}")
    go.touch()
    assert_whole(at_rest(book))
    book.screenshot(f"pages-{how}-rest")


def test_two_tabs_hold_the_same(notebook, go):
    """The second tab opens the file in mid-stream; each holds the whole answer."""
    book = begun(notebook, go)
    book.save()
    other = book.second_tab()
    other.screenshot("pages-second-tab")
    go.touch()
    assert_whole(at_rest(other))
    book.page.bring_to_front()  # a tab behind another one paints nothing
    assert_whole(at_rest(book))
