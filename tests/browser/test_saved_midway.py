"""A notebook that was saved in mid-answer and is opened again after its kernel's end shows what had come by then, and says so."""

from __future__ import annotations

from tests.support.jupyter import CELLS, start
from tests.support.stories import long, wait_for


def test_a_file_saved_in_mid_answer_is_read_without_its_kernel(notebook):
    book = start(notebook, long())
    book.run(1)
    book.wait_text(1, "Some words of a long answer. Some words")
    wait_for(lambda: "widgets" in book.save()["metadata"])  # the page looks once a second at what it would have to save
    wait_for(lambda: "widgets" not in book.held()["metadata"])  # the file is written before the page hears that it is
    book.leave()
    book.forget()
    book.open()
    book.wait(f"() => {CELLS}[1].innerText.includes('saved while the answer was being written')")
    text = book.cell(1).inner_text()
    assert "Some words of a long answer." in text
    assert "Error" not in text
    assert "Thinking about it" in book.cell(1).text_content()
    book.screenshot("saved-midway")
