"""A notebook that is attached is its cells and what they printed; its pictures are counted and left out."""

from __future__ import annotations

import json

import pytest

from nbgemini.messages.turns import NOTE
from nbgemini.prompts.file_text import notebook_text
from nbgemini.prompts.values import parts_of

OUTPUTS = [
    {"output_type": "display_data", "data": {"image/png": "A" * 6_000_000, "text/plain": "<Figure size 640x480 with 1 Axes>"}},
    {"output_type": "stream", "name": "stdout", "text": ["done\n"]},
    {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["\x1b[31m…"]},
    {"output_type": "execute_result", "data": {"text/html": "<table>", "text/plain": ["   a\n", "0  1"]}},
]
CELLS = [
    {"cell_type": "markdown", "source": ["# Title\n", "words"], "attachments": {"a.png": {}}},
    {"cell_type": "code", "source": "plot()", "outputs": OUTPUTS},
    {"cell_type": "code", "source": "x = '```'", "outputs": []},
]


def test_it_is_its_cells_without_the_pictures(tmp_path):
    path = tmp_path / "work.ipynb"
    path.write_text(json.dumps({"cells": CELLS, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))
    [part] = parts_of(path, "path")
    assert part["text"] == (
        "work.ipynb:\n# Title\nwords\n\n[cell 2]\n```python\nplot()\n```\n```output\ndone\nValueError: no\n   a\n0  1\n```\n\n"
        "[cell 3]\n````python\nx = '```'\n````\n\n(2 pictures among its outputs left out)\n"
    )
    assert part[NOTE]["kind"] == "notebook"


@pytest.mark.parametrize("data", ["", "{}", "[]", "5", '{"cells": 5}', '{"cells": [5]}', '{"cells": [{}]}', "[" * 10_000])
def test_what_is_no_notebook_is_none(data):
    assert notebook_text(data) is None


def test_what_is_called_a_notebook_and_is_none_is_text(tmp_path):
    path = tmp_path / "work.ipynb"
    path.write_text("not yet")
    assert parts_of(path, "path")[0]["text"] == "work.ipynb:\n```ipynb\nnot yet\n```\n"
