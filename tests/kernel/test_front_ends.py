"""Whoever runs the notebook: the saved file is complete and static, and a reader in a terminal sees what there is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from tests.kernel.conftest import PATIENCE, kinds
from tests.support import runners
from tests.support.kernel_cells import FOUR
from tests.support.outputs import is_live

SANITIZE = Path(__file__).parents[2] / "notebooks" / "sanitize.cfg"
CELLS = ("%load_ext nbgemini\n%gemini demo fast", f"%%gemini\n{FOUR}", "print(_gemini.state)")
FRONT_END = "front-end"  # the kernel's name
ANSWERS = ("first *answer*", "second answer")


@pytest.fixture(autouse=True)
def kernelspec(python, tmp_path, monkeypatch):
    """Let front ends find the interpreter's kernel by its name."""
    folder = tmp_path / "jupyter" / "kernels" / FRONT_END
    folder.mkdir(parents=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": FRONT_END, "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))


@pytest.fixture
def book(tmp_path):
    """A notebook that was never run."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in CELLS])
    made.metadata.kernelspec = {"name": FRONT_END, "display_name": FRONT_END, "language": "python"}
    nbformat.write(made, tmp_path / "book.ipynb")
    return tmp_path / "book.ipynb"


def run(*command, cwd, python=sys.executable):
    """Run a module; again where its kernel died at once."""
    for _ in range(3):
        ran = subprocess.run([python, "-m", *command], cwd=cwd, capture_output=True, text=True, timeout=100, check=False)
        if runners.DIED not in ran.stderr:
            break
    return ran


def by_nbclient(book):
    made = nbformat.read(book, as_version=4)
    runners.execute(made, kernel_name=FRONT_END)
    nbformat.write(made, book.with_name("ran.ipynb"))


def by_papermill(book):
    ran = run("papermill", "book.ipynb", "ran.ipynb", "--kernel", FRONT_END, "--no-progress-bar", cwd=book.parent)
    assert ran.returncode == 0, ran.stderr


def by_nbconvert(book):
    ran = run("nbconvert", "--execute", "--to", "notebook", "--output", "ran.ipynb", "book.ipynb", cwd=book.parent)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of theirs
@pytest.mark.parametrize("execute", [by_nbclient, by_papermill, by_nbconvert])
def test_the_saved_file_is_complete_and_static(book, execute):
    execute(book)
    ran = nbformat.read(book.with_name("ran.ipynb"), as_version=4)
    nbformat.validate(ran)
    shown = ran.cells[-2].outputs
    assert kinds(shown) == ["thought", "answer", "thought", "answer", "status"]
    assert not any(is_live(output.data) for output in shown)
    assert [set(output.data) - {"text/latex"} for output in shown] == [{"text/html", "text/plain"}] * 5
    assert (shown[1].data["text/plain"], shown[3].data["text/plain"]) == ANSWERS
    assert "second thought" in shown[2].data["text/html"]
    assert "offline service" in shown[4].data["text/plain"]
    assert [output.text for output in ran.cells[-1].outputs] == ["complete\n"]  # the cell waited
    assert "widgets" not in ran.metadata


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of theirs
def test_a_cell_that_does_not_wait_says_that_its_answer_is_not_kept(book):
    """A runner drops what comes after the cell; the reply is there for the next one."""
    made = nbformat.read(book, as_version=4)
    made.cells[1].source = made.cells[1].source.replace("%%gemini", "%%gemini --no-wait")
    made.cells[2].source = "print(_gemini.text)"
    runners.execute(made, kernel_name=FRONT_END)
    (line,) = made.cells[1].outputs
    assert "leave out --no-wait" in line.data["text/plain"]
    assert not is_live(line.data)
    assert ANSWERS[1] in made.cells[2].outputs[0].text


def test_nbconvert_runs_it_and_makes_a_page(book):
    ran = run("nbconvert", "--execute", "--to", "html", "book.ipynb", cwd=book.parent)
    assert ran.returncode == 0, ran.stderr
    html = book.with_suffix(".html").read_text(encoding="utf-8")
    body = html[html.index("<body") :]
    order = [body.rindex(text) for text in ("first thought", "first <em>answer</em>", "second thought", "second answer")]
    assert order == sorted(order)
    assert len(re.findall(r"<details[^>]*><summary>Thought for", body)) == 2
    assert "widget-view" not in body


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of theirs
def test_nbval_agrees_with_a_saved_file_and_notices_a_change(book, monkeypatch):
    """Strict compares what is shown, times aside; lax only looks for errors."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the others take 2 s
    by_nbclient(book)
    same, other = book.with_name("ran.ipynb"), book.with_name("other.ipynb")
    other.write_text(same.read_text().replace("second answer", "another answer"))
    (book.parent / "pytest.ini").write_text("[pytest]\naddopts = -q -p nbval.plugin -p no:cacheprovider\n")
    check = ("pytest", "-c", "pytest.ini", "--nbval-sanitize-with", str(SANITIZE))
    compared = (("--nbval", same.name, other.name), ("--nbval-lax", other.name))
    with ThreadPoolExecutor() as both:
        strict, lax = both.map(lambda options: run(*check, *options, cwd=book.parent), compared)
    assert "1 failed, 5 passed" in strict.stdout, strict.stdout
    assert "FAILED other.ipynb::Cell 1" in strict.stdout, strict.stdout
    assert "3 passed" in lax.stdout, lax.stdout


# The console gives a cell up when the kernel misses a heartbeat of 1 s, which a busy machine does; and it waits for ever for the
# end of a cell that began before its subscription had reached the kernel.
PATIENT_CONSOLE = f"""
from jupyter_client.channels import HBChannel
from jupyter_console.app import main
from jupyter_console.ptshell import ZMQTerminalInteractiveShell as Shell
HBChannel.time_to_dead = {PATIENCE}
without_waiting = Shell.init_kernel_info
def once_subscribed(shell):
    shell.client.wait_for_ready(timeout={PATIENCE})
    without_waiting(shell)
Shell.init_kernel_info = once_subscribed
main()
"""


@pytest.fixture
def console():
    """A function that types a line into a `jupyter console` and returns what is seen until the next prompt."""
    import pexpect

    options = ["-c", PATIENT_CONSOLE, "--kernel", FRONT_END, "--simple-prompt", "--ZMQTerminalInteractiveShell.banner="]
    terminal = pexpect.spawn(sys.executable, options, encoding="utf-8", timeout=PATIENCE, dimensions=(50, 200))
    terminal.expect_exact("In [1]: ")
    number = 1

    def type_line(line):
        nonlocal number
        terminal.sendline(line)
        number += bool(line)
        terminal.expect_exact(f"In [{number}]: ")
        return terminal.before

    type_line("%load_ext nbgemini")
    type_line("%gemini demo fast")
    yield type_line
    terminal.sendline("exit")
    terminal.expect(pexpect.EOF)
    terminal.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_console_is_free_at_once_and_can_print_the_answer(console):
    """It shows what is displayed and no update: the status line at once, and the answer for whoever asks for it."""
    seen = console("%gemini ask --no-wait what is 20 + 3")
    assert "gemini-flash-latest" in seen
    seen += console("_ = _gemini.result()")
    printed = console("%gemini show")
    assert printed.index("what is 20 + 3") < printed.index("This needs no model.") < printed.index("20 + 3 = **23**")
    assert "20 + 3 = **23**" in console("print(_gemini)")
    assert "Traceback" not in seen + printed


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_console_shows_the_answer_of_a_waiting_cell(console):
    """It can't update what it has printed, so it is shown what is whole."""
    console("%config Gemini.live = False")
    assert console("%gemini ask --wait what is 20 + 3").count("20 + 3 = **23**") == 1


def test_a_script_for_ipython_prints_everything_in_order(python, tmp_path, monkeypatch):
    """A line, a function, and an answer's text in an expression; nothing in it needs a kernel."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    (tmp_path / "script.ipy").write_text(
        f"%load_ext nbgemini\n%gemini demo fast\n%gemini ask {FOUR}\n"
        "def half(prompt):\n    get_ipython().run_cell_magic('gemini', '--once', prompt)\n    return _gemini.text[:6]\n"
        "print('half:', half('what is 20 + 3'))\n"
    )
    ran = run("IPython", "--no-banner", "--colors=NoColor", "script.ipy", cwd=tmp_path, python=python)
    texts = ("first thought", ANSWERS[0], "second thought", ANSWERS[1], "— offline service", "20 + 3 = **23**", "half: 20 + 3")
    order = [ran.stdout.index(text) for text in texts]
    assert order == sorted(order)
    assert (ran.returncode, ran.stderr) == (0, "")
