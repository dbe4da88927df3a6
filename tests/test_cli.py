"""`nbgemini serve --cassette` plays what was recorded, for any client; what is no cassette is one line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from importlib.metadata import version

import pytest

from nbgemini import Client, Settings, cli
from nbgemini.cli import main
from nbgemini.offline.server import OfflineService
from nbgemini.secrets import Secret
from tests.conftest import soon
from tests.fakes.tape import record

FRAME = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Recorded."}]}, "finishReason": "STOP"}]}


@pytest.fixture
def serve(tmp_path):
    """Start `nbgemini serve` and return its process."""
    started = []

    def start(tape):
        command = [sys.executable, "-m", "nbgemini.cli", "serve", "--port", "0", "--pace", "0", "--cassette", str(tape)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


async def test_a_cassette_answers_other_programs(serve, tmp_path):
    tape = tmp_path / "talk.gemini.jsonl"
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    record(tape, "gemini-2.0-flash", body, [(0, FRAME)])
    process = serve(tape)
    url = process.stdout.readline().split(" at ")[1].split()[0]
    async with Client(Settings(key=Secret("k"), base_url=url, model="gemini-2.0-flash"), sleep=soon) as client:
        reply = await client.generate("hi")
    assert (reply.text, reply.offline) == ("Recorded.", False)
    settings = [process.stdout.readline().split()[0] for _ in range(3)]
    assert settings == [f"GOOGLE_GEMINI_BASE_URL={url}", f"ANTHROPIC_BASE_URL={url}", f"OPENAI_BASE_URL={url}/v1"]
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130


def test_what_is_no_cassette_is_one_line(serve, tmp_path):
    (tmp_path / "notes.txt").write_text("dear diary")
    process = serve(tmp_path / "notes.txt")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (1, "", 1)
    assert "notes.txt is not a cassette" in err


def test_a_port_that_is_taken_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        command = [sys.executable, "-m", "nbgemini.cli", "serve", "--port", str(number)]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert ended.stderr.startswith(f"nbgemini serve: port {number} is taken → --port")


@pytest.mark.parametrize("port", ["65536", "-1", "http", "9" * 5000])
def test_a_port_that_is_none_is_refused(port, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["serve", f"--port={port}"])
    assert ended.value.code == 2
    assert "a port is a number from 0 to 65535" in capsys.readouterr().err


def test_a_port_that_can_not_be_used_is_said_by_the_service_too():
    with pytest.raises(OverflowError):
        OfflineService(port=70_000).start()


def test_the_demo_s_notebooks_stay_where_it_says(tmp_path, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(cli, "_open_lab", lambda notebook: opened.append(notebook) or 0)
    folder = tmp_path / "here" / "examples"
    assert main(["demo", str(folder)]) == 0
    assert f"The example notebooks are in {folder}" in capsys.readouterr().out
    names = sorted(path.name for path in folder.iterdir())
    assert names[0] == "01-quickstart.ipynb"
    assert len(names) >= 7
    (folder / "02-tools.ipynb").write_text("mine")
    (folder / "03-data.ipynb").unlink()
    assert main(["demo", str(folder)]) == 0
    assert (folder / "02-tools.ipynb").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == names
    assert opened == [folder / "01-quickstart.ipynb"] * 2


def test_a_demo_that_can_not_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["demo", str(tmp_path / "file" / "inside")]) == 1
    assert capsys.readouterr().err.startswith(f"nbgemini demo: can't write to {tmp_path / 'file' / 'inside'}: ")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("serve --port 65536", "nbgemini serve: --port: a port is a number from 0 to 65535, not '65536'"),
        ("serve --pace x", "nbgemini serve: --pace: a pace is 0 or more, not 'x'"),
        ("serve --pace nan", "nbgemini serve: --pace: a pace is 0 or more, not 'nan'"),
        ("serve --pace=-1", "nbgemini serve: --pace: a pace is 0 or more, not '-1'"),
        ("serve --pace", "nbgemini serve: --pace: a value is missing → nbgemini serve --help"),
        ("serve --prot 80", "nbgemini serve: unexpected --prot 80 (did you mean --port?) → nbgemini serve --help"),
        ("frobnicate", "nbgemini: no command 'frobnicate'; there are demo, serve, doctor → nbgemini --help"),
        ("sevre", "nbgemini: no command 'sevre' (did you mean serve?); there are "),
        ("doctor x", "nbgemini doctor: unexpected x → nbgemini doctor --help"),
        ("--nope", "nbgemini: unexpected --nope"),
    ],
)
def test_a_line_that_can_not_be_understood_is_one_line(line, why, capsys):
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(why)
    assert err.endswith(" --help\n")


def test_a_demo_that_breaks_off_is_one_line(monkeypatch, capsys):
    class Broken:
        def __init__(self, *_, **__): ...

        def execute(self):
            raise RuntimeError("Traceback\n\nNoSuchKernel: No such kernel named python3")

    monkeypatch.setattr("nbclient.NotebookClient", Broken)
    assert main(["demo", "--headless"]) == 1
    line = "nbgemini demo: the notebook did not run to its end: NoSuchKernel: No such kernel named python3 → nbgemini doctor\n"
    assert capsys.readouterr().err == line


def test_no_command_shows_the_help(capsys):
    assert main([]) == 2
    assert "demo" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "nothing", "endless"])
def test_a_cassette_that_can_not_be_read_is_one_line(kind, serve, tmp_path):
    path = tmp_path / "tape.gemini.jsonl"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    process = serve(path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"nbgemini serve: can't read the cassette {path}")


@pytest.mark.parametrize(
    "command", [["-m", "nbgemini", "--version"], ["-c", "import nbgemini; print('nbgemini', nbgemini.__version__)"]]
)
def test_the_version_is_said(command, tmp_path):
    ended = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, f"nbgemini {version('nbgemini')}", "")
