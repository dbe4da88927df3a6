"""The same promises in Notebook 7."""

from __future__ import annotations

from tests.support.jupyter import CELLS, kinds, start
from tests.support.stories import QUICKSTART, long


def test_quick_start_from_the_top_in_notebook_7(notebook):
    book = notebook(QUICKSTART, front_end="notebook")
    assert book.page.evaluate("() => jupyterapp.name") == "Jupyter Notebook"
    for number in (1, 2):
        book.run(number)
    book.wait_text(2, "offline service")
    book.run(4)
    book.wait(f"() => {CELLS}[4].querySelector('.jupyter-widget-Collapse')")
    assert book.cell(4).locator(".jupyter-widget-Collapse-open").count() == 0
    book.run(6)
    # the other cell has run while the answer above still grows
    book.wait(f"() => {CELLS}[6].innerText.includes('[4]:') && {CELLS}[4].querySelector('.nbg-status')")
    book.screenshot("notebook7-live")
    book.wait(f"() => {CELLS}[4].querySelector('.nbgemini-status')")
    book.screenshot("notebook7")
    saved = book.save()
    assert kinds(saved, 4) == ["thought", "answer", "thought", "answer", "status"]
    assert all(
        sorted({*output["data"]} - {"text/latex"}) == ["text/html", "text/plain"] for output in saved["cells"][4]["outputs"]
    )


def test_accordion_and_stop_work_in_notebook_7(notebook):
    book = start(notebook, long(), front_end="notebook")
    book.run(1)
    header = book.cell(1).locator(".jupyter-widget-Collapse-header").first
    header.wait_for()
    assert book.prompt(1) == "[2]:"  # the cell has returned
    header.click()
    book.wait("() => document.querySelector('.jupyter-widget-Collapse-open .nbg-live')?.innerText.includes('many words')")
    book.wait_text(1, "Some words of a long answer. Some words")
    book.cell(1).get_by_role("button", name="Stop this answer").click()
    book.wait_text(1, "stopped")
    book.wait(f"() => !{CELLS}[1].querySelector('.nbg-live')")
    assert "The end." not in book.outputs(1).nth(1).inner_text()
    assert book.cell(1).locator("details.nbgemini-thought[open]").count() == 1
    assert kinds(book.save(), 1) == ["thought", "answer", "status"]
