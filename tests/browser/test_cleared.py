"""A cell whose output is cleared, or that is deleted, while its answer streams: the stream goes on, and all of it can be shown."""

from __future__ import annotations

import pytest

from tests.support.jupyter import CELLS, start
from tests.support.stories import until

PARTS = ["thought", "Hm."], ["answer", f"Some words of an answer. {'And more. ' * 60} The end."]


@pytest.mark.parametrize("command", ["notebook:clear-cell-output", "notebook:delete-cell"], ids=["cleared", "deleted"])
def test_the_stream_goes_on(notebook, command, tmp_path):
    """And no page complains: the fixture asks it."""
    one = until(tmp_path / "go", *PARTS, pieces=25, stall=45, options="")
    book = start(notebook, one, "print((await _gemini).state, len(_gemini.text))", "%gemini show")
    book.run(1)
    book.wait_text(1, "Some words of an answer.")
    book.page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 1 }")
    book.page.evaluate("command => jupyterapp.commands.execute(command)", command)
    left = 2 if command.endswith("clear-cell-output") else 1
    book.wait(f"count => {CELLS}.length === count", left + 2)
    assert book.execute("", "_gemini.state") == "'running'"
    (tmp_path / "go").touch()
    book.run(left)
    book.wait_text(left, "complete")
    book.run(left + 1)
    book.wait_text(left + 1, "The end.")
    book.wait_text(left + 1, "Some words of an answer.")
    assert "Error" not in "".join(book.texts(left + 1))
