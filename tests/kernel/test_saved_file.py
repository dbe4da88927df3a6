"""A notebook run by nbclient holds everything, and reads well with no kernel, no JavaScript and no widget state."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter

from nbgemini.cli import _copy_examples
from tests.kernel.conftest import PATIENCE, kinds
from tests.support.kernel_cells import FOUR
from tests.support.outputs import kind_of
from tests.support.runners import execute
from tests.support.terminal import IPythonTerminal, run_ipython

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def book():
    cells = [nbformat.v4.new_code_cell(code) for code in ("%load_ext nbgemini\n%gemini demo fast", f"%%gemini\n{FOUR}")]
    made = nbformat.v4.new_notebook(cells=cells)
    execute(made)
    return made


def test_the_file_has_four_segments_in_order_and_nothing_live(book):
    outputs = book.cells[1].outputs
    assert kinds(outputs) == ["thought", "answer", "thought", "answer", "status"]
    assert [sorted({*output.data} - {"text/latex"}) for output in outputs] == [["text/html", "text/plain"]] * 5
    assert "widgets" not in book.metadata
    thoughts = [output.data["text/html"] for output in outputs if kind_of(output.data) == "thought"]
    answers = [str(output.data) for output in outputs if kind_of(output.data) == "answer"]
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
    execute(made, allow_errors=True)
    (error,) = made.cells[1].outputs
    assert (error.output_type, error.ename, len(error.traceback)) == ("error", "ConfigurationError", 1)


def test_the_demo_of_the_command_line_prints_the_transcript():
    run = subprocess.run(
        [sys.executable, "-m", "nbgemini.cli", "demo", "--headless"], capture_output=True, text=True, timeout=100, check=True
    )
    assert "Why the sky is blue" in run.stdout
    assert "Your name is **Ada**" in run.stdout


def test_the_examples_are_the_notebooks_in_the_repository(tmp_path):
    folder = Path(__file__).parents[2] / "notebooks"
    assert _copy_examples(tmp_path).read_bytes() == (folder / "01-quickstart.ipynb").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in folder.glob("*.ipynb")}


def test_ctrl_c_in_a_terminal_stops_the_answer_and_keeps_it():
    terminal = IPythonTerminal()
    terminal.type("%load_ext nbgemini", until="In [2]")
    terminal.type("%gemini demo", until="In [3]")
    terminal.type("%gemini ask Why is the sky blue?", until="Sunlight holds")
    terminal.type("\x03", until="In [4]", enter=False)
    assert "stopped" in terminal.seen
    assert "Traceback" not in terminal.seen
    terminal.type("print(_gemini.state, bool(_gemini.text))", until="interrupted True")
    terminal.close()


def test_the_offline_service_can_be_served_for_others():
    command = [sys.executable, "-m", "nbgemini.cli", "serve", "--port", "0", "--pace", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        url = serving.stdout.readline().split(" at ")[1].split()[0]
        request = urllib.request.Request(f"{url}/v1beta/models", headers={"x-goog-api-key": "k"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            assert b"gemini-3.8-flash" in answer.read()
        serving.send_signal(signal.SIGINT)
        assert serving.wait(PATIENCE) in (0, 130)


def test_a_plain_terminal_prints_the_answer(tmp_path):
    printed = run_ipython(tmp_path, "%load_ext nbgemini\n%gemini demo fast\n%gemini ask what is 2 + 3?\n")
    assert "2 + 3 = **5**" in printed
    assert "offline service" in printed
