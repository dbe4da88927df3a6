"""A notebook run by nbclient holds everything, and reads well with no kernel, no JavaScript and no widget state."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from tests.kernel.conftest import kinds
from tests.kernel.test_streaming import FOUR
from tests.notebook.test_terminal import run_ipython

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def book():
    cells = [nbformat.v4.new_code_cell(code) for code in ("%load_ext nbgemini\n%gemini demo fast", f"%%gemini\n{FOUR}")]
    made = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(made, timeout=60, kernel_name="python3").execute()
    return made


def test_the_file_has_four_segments_in_order_and_nothing_live(book):
    outputs = book.cells[1].outputs
    assert kinds(outputs) == ["thought", "answer", "thought", "answer", "status"]
    assert [list(output.data) for output in outputs] == [["text/html", "text/plain"]] * 5
    assert "widgets" not in book.metadata
    thoughts = [output.data["text/html"] for output in outputs if output.metadata.nbgemini.kind == "thought"]
    answers = [str(output.data) for output in outputs if output.metadata.nbgemini.kind == "answer"]
    assert all(html.startswith("<details") and " open" not in html.split(">")[0] for html in thoughts)
    assert not any("first thought" in answer or "second thought" in answer for answer in answers)
    assert "offline service" in outputs[4].data["text/plain"]


def test_the_page_that_nbconvert_makes_is_readable(book, tmp_path):
    html, _ = HTMLExporter().from_notebook_node(book)
    (tmp_path / "book.html").write_text(html)
    body = html[html.index("<body") :]
    order = [body.rindex(text) for text in ("first thought", "first <em>answer</em>", "second thought", "second answer")]
    assert order == sorted(order)
    assert len(re.findall(r"<details[^>]*><summary>Thought for", body)) == 2


def test_a_failed_prompt_fails_the_cell():
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("%load_ext nbgemini"), nbformat.v4.new_code_cell("%%gemini\nhello")]
    )
    NotebookClient(made, timeout=60, kernel_name="python3", allow_errors=True).execute()
    (error,) = made.cells[1].outputs
    assert (error.output_type, error.ename, len(error.traceback)) == ("error", "ConfigurationError", 1)


def test_the_demo_of_the_command_line_prints_the_transcript():
    import subprocess
    import sys

    run = subprocess.run(
        [sys.executable, "-m", "nbgemini.cli", "demo", "--headless"], capture_output=True, text=True, timeout=100, check=True
    )
    assert "Why the sky is blue" in run.stdout
    assert "Your name is **Ada**" in run.stdout


def test_the_quick_start_is_the_notebook_in_the_repository():
    from nbgemini.cli import _quickstart

    assert _quickstart() == Path(__file__).parents[2] / "notebooks" / "01-quickstart.ipynb"


def test_a_plain_terminal_prints_the_answer(tmp_path):
    printed = run_ipython(tmp_path, "%load_ext nbgemini\n%gemini demo fast\n%gemini ask what is 2 + 3?\n")
    assert "2 + 3 = **5**" in printed
    assert "offline service" in printed
