"""A runner that ends a cell after a time keeps what had come by then, whether it interrupts the cell or kills the kernel."""

from __future__ import annotations

import asyncio
import json

import nbformat
import papermill
import pytest
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from tests.support.runners import again, execute, execute_soon

WORDS = 4000
ENDLESS = json.dumps({"parts": [["thought", "hm " * 4], ["answer", "word " * WORDS]], "pieces": WORDS, "gap": 0.02})
TIMEOUT = 8  # seconds; the kernel starts before they count


def notebook(code):
    cells = [nbformat.v4.new_code_cell("%load_ext nbgemini\n%gemini demo fast"), nbformat.v4.new_code_cell(code)]
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    )


def came(cell):
    """Words of the answer, and all that the file holds as plain text."""
    texts = [output["data"]["text/plain"] for output in cell.outputs if "data" in output]
    return max((text.count("word") for text in texts), default=0), "\n".join(texts)


WAYS = [f"%%gemini\noffline: {ENDLESS}", f"x = %gemini ask offline: {ENDLESS}", f"%time %gemini ask offline: {ENDLESS}"]
KILLED, INTERRUPTED = (False, CellTimeoutError), (True, CellExecutionError)


@pytest.fixture(scope="module")
def cut_off():
    """All of them at once, for each takes its time: what each was, and the file and the error that came of it."""
    ways = [*((way, *KILLED) for way in WAYS), *((way, *INTERRUPTED) for way in WAYS[:2])]

    async def run_all():
        books = [notebook(way) for way, *_ in ways]
        runs = (
            execute_soon(book, timeout=TIMEOUT, interrupt_on_timeout=interrupts)
            for book, (_, interrupts, _) in zip(books, ways, strict=True)
        )
        return zip(ways, books, await asyncio.gather(*runs, return_exceptions=True), strict=True)

    return list(asyncio.run(run_all()))


@pytest.mark.parametrize("number", range(5))
def test_what_had_come_is_kept(cut_off, number):
    (_, _, expected), book, error = cut_off[number]
    assert isinstance(error, expected)
    words, text = came(book.cells[1])
    assert 20 < words < WORDS
    assert "hm hm" in text


def test_papermill_keeps_it_too(tmp_path):
    files = (tmp_path / "in.ipynb", tmp_path / "out.ipynb")
    nbformat.write(notebook(f"%%gemini\noffline: {ENDLESS}"), files[0])
    with pytest.raises(CellTimeoutError):
        asyncio.run(
            again(lambda: asyncio.to_thread(papermill.execute_notebook, *files, execution_timeout=TIMEOUT, progress_bar=False))
        )
    words, _ = came(nbformat.read(files[1], 4).cells[1])
    assert 20 < words < WORDS


def test_an_answer_that_ends_in_time_is_as_it_would_be_at_rest():
    made = notebook("%%gemini\nHello")
    execute(made)
    shown = [output["data"] for output in made.cells[1].outputs]
    assert [{"text/html", "text/plain"} <= set(data) for data in shown] == [True] * 3
    assert not any("nbgemini-tail" in data["text/html"] for data in shown)
