"""What the README promises, seen in JupyterLab by a reader with a mouse."""

from __future__ import annotations

from tests.support.jupyter import CELLS, kinds, start
from tests.support.stories import QUICKSTART, long


def test_quick_start_from_the_top(notebook):
    book = notebook(QUICKSTART)
    for number in (1, 2):
        book.run(number)
    book.wait_text(2, "offline service")
    book.run(4)
    book.wait(f"() => {CELLS}[4].querySelector('.jupyter-widget-Collapse')")
    assert book.cell(4).locator(".jupyter-widget-Collapse-open").count() == 0
    book.run(6)
    # the other cell has run while the answer above still grows
    book.wait(f"() => {CELLS}[6].innerText.includes('[4]:') && {CELLS}[4].querySelector('.nbg-status')")
    book.wait_text(4, "our eyes see it poorly")
    book.wait(f"() => {CELLS}[4].querySelector('.nbgemini-status')")
    book.screenshot("quickstart")
    saved = book.save()
    assert kinds(saved, 4) == ["thought", "answer", "thought", "answer", "status"]
    assert all("application/vnd.jupyter.widget-view+json" not in output["data"] for output in saved["cells"][4]["outputs"])
    assert book.strangers == []


def test_accordion_stays_as_the_reader_left_it_and_stop_stops(notebook):
    book = start(notebook, long())
    book.run(1)
    header = book.cell(1).locator(".jupyter-widget-Collapse-header").first
    header.wait_for()
    assert book.prompt(1) == "[2]:"  # the cell has returned
    assert book.cell(1).locator(".jupyter-widget-Collapse-open").count() == 0
    book.screenshot("live-closed")
    header.click()
    book.wait("() => document.querySelector('.jupyter-widget-Collapse-open .nbg-live')?.innerText.includes('many words')")
    book.wait_text(1, "Some words of a long answer. Some words")
    book.screenshot("live-open")
    before = len(book.outputs(1).nth(1).inner_text())
    book.wait(
        "([n, before]) => document.querySelectorAll('.jp-Notebook .jp-Cell')[n]"
        ".querySelectorAll('.jp-OutputArea-child')[1].innerText.length > before + 100",
        [1, before],
    )
    assert book.cell(1).locator(".jupyter-widget-Collapse-open").count() == 1  # still open
    book.cell(1).locator("button", has_text="Stop").click()
    book.wait_text(1, "stopped")
    assert "The end." not in book.outputs(1).nth(1).inner_text()
    assert book.cell(1).locator("details.nbgemini-thought[open]").count() == 1
    book.screenshot("stopped")
    assert kinds(book.save(), 1) == ["thought", "answer", "status"]
    assert book.strangers == []


def test_three_streams_at_once_find_their_cells_while_another_prints(notebook):
    cells = [
        f'%%gemini --once\noffline: {{"parts": [["answer", "{name * 400}"]], "pieces": 30, "gap": 0.05}}' for name in "ABC"
    ]
    book = start(notebook, *cells, "for n in range(3):\n    print('printed', n)")
    for number in (1, 2, 3, 4):
        book.run(number)
    book.wait_text(4, "printed 2")
    for number, name in ((1, "A"), (2, "B"), (3, "C")):
        book.wait_text(number, name * 400)
        assert not set("ABC") - {name} & set(book.outputs(number).first.inner_text())


def test_dark_theme_is_readable(notebook):
    book = start(notebook, "%%gemini\nWrite a Python generator of prime numbers.", long())
    book.dark()
    book.run(1)
    book.wait_text(1, "Take the first ten")
    book.run(2)
    book.wait_text(2, "Some words of a long answer. Some words")
    book.screenshot("dark-live")


def test_page_shows_everything_again_after_a_reload(notebook, tmp_path):
    book = start(notebook, long(tmp_path / "go"))
    book.run(1)
    book.wait_text(1, "Some words of a long answer. Some words")
    book.save()
    book.open()
    (tmp_path / "go").touch()
    book.wait_text(1, "The end.")
    book.screenshot("reloaded")
