"""A page that is closed in mid-stream and opened again after the end shows all of the answer, and no error in its place."""

from __future__ import annotations

from tests.support.jupyter import CELLS, start
from tests.support.stories import until, wait_for

ANSWER = ["answer", f"Some words of an answer. {'And more. ' * 60} The end."]


def test_page_closed_midway_and_opened_after_the_end(notebook, tmp_path):
    book = start(notebook, until(tmp_path / "go", ANSWER, pieces=20, stall=18), "reply = await _gemini\nprint(reply.state)")
    book.run(1)
    book.wait_text(1, "Some words of an answer.")
    book.save()
    book.leave()
    (tmp_path / "go").touch()
    book.open()
    book.run(2)
    book.wait_text(2, "complete")
    book.leave()
    book.open()
    book.wait(f"() => {CELLS}[1].innerText.includes('The end.')")
    assert "Error" not in book.cell(1).inner_text()


def test_page_closed_until_the_end(notebook, tmp_path):
    """Nobody is there when the answer ends; a file tells when."""
    done = tmp_path / "done"
    tell = f"import asyncio, pathlib\nasync def tell():\n    await _gemini\n    pathlib.Path({str(done)!r}).touch()\ntask = asyncio.create_task(tell())"
    book = start(notebook, until(tmp_path / "go", ANSWER, pieces=20, stall=18), tell)
    book.run(1)
    book.run(2)
    book.wait_text(1, "Some words of an answer.")
    book.save()
    book.leave()
    (tmp_path / "go").touch()
    wait_for(done.exists)
    book.open()
    book.wait(f"() => {CELLS}[1].innerText.includes('The end.')")
    assert "Error" not in book.cell(1).inner_text()
