"""The notebook is a valid one, shows what the chat showed, and holds no HTML that has not been sanitised."""

from __future__ import annotations

import json

import nbformat
import pytest

from nbgemini.render.export import to_notebook
from nbgemini.render.mimebundle import bundle
from tests.corpus import PAYLOADS
from tests.render.checker import controls, faults
from tests.render.export.conftest import said_by, said_in
from tests.support.outputs import kinds_in


def read(said):
    notebook = nbformat.reads(to_notebook(said), as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    return notebook


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_it_is_valid_and_shows_what_the_chat_showed(chat):
    notebook = read(said_in(chat))
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code", "code", "code", "code"]
    assert [cell.source.split("\n")[0] for cell in notebook.cells[1:]] == ["%load_ext nbgemini", *["%%gemini -c main"] * 3]
    assert notebook.cells[2].source.endswith("\nWhy is the sky blue?")
    shown = [dict(output.data) for output in outputs(notebook)]
    for exchange in chat.transcript:
        for segment in chat.segments(exchange):
            assert bundle(segment) in shown
    kinds = kinds_in(outputs(notebook))
    assert {"prompt", "thought", "answer", "tool_call", "status"} == set(kinds)
    assert "application/vnd.jupyter.widget-view+json" not in to_notebook(said_in(chat))


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: repr(payload)[1:50])
def test_every_output_is_sanitised_and_the_title_is_text(payload):
    notebook = read(said_by(payload, chat=payload, prompt=payload))
    for output in outputs(notebook):
        assert set(output.data) - {"text/latex"} == {"text/html", "text/plain"}
        assert faults(output.data["text/html"]) == []
        assert controls(output.data["text/html"]) == controls(output.data["text/plain"]) == []
    title = notebook.cells[0].source.split("\n")[0]
    assert "<" not in title.replace("\\<", "")
    assert "![" not in title.replace("\\[", "")


def test_a_chat_of_a_strange_name_is_one_word_of_the_line():
    (cell,) = read(said_by("x", chat="a 'b'\n%%bash", prompt="p")).cells[2:]
    assert cell.source == """%%gemini -c 'a '"'"'b'"'"' %%bash'\np"""
    assert json.loads(to_notebook(said_by("x")))["metadata"]["kernelspec"]["name"] == "python3"
