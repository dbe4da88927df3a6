"""Whatever -a or a path in braces names: read in bounds, or refused in one line before anything is stored or sent."""

from __future__ import annotations

import os
import tracemalloc
from types import SimpleNamespace

import pytest

from nbgemini.errors import PromptError
from nbgemini.notebook.options import PromptArgs
from nbgemini.notebook.prompt.builder import draft_prompt

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
GB = 1000**3


def fifo(path):
    os.mkfifo(path)


def loop(path):
    path.symlink_to(path.name)


def dangling(path):
    path.symlink_to("nowhere")


def sparse(path, size=3 * GB, begin=b"\x89PNG\r\n\x1a\n"):
    with path.open("wb") as file:
        file.write(begin)
        file.truncate(size)


def sparse_text(path):
    sparse(path, 3 * GB, b"It begins as text does. " * 1000)


def locked(path):
    path.write_text("x")
    path.chmod(0)


REFUSED = {
    "missing": (lambda _: None, "no name and no file"),
    "a folder": (lambda path: path.mkdir(), "is a folder"),
    "a pipe": (fifo, "no regular file"),
    "a loop": (loop, "no name and no file"),
    "dangling": (dangling, "no name and no file"),
    "too large": (sparse, "too large"),
    "too much text": (sparse_text, "too long for a prompt, 3.0 GB"),
    "another encoding": (lambda path: path.write_bytes("Привет, мир".encode("cp1251")), "UTF-8"),
    "binary": (lambda path: path.write_bytes(bytes(range(256))), "can't be sent"),
}


def composed(*attach, text="What is this?", **names):
    shell = SimpleNamespace(user_ns=names, user_ns_hidden={})
    return draft_prompt(shell, None, PromptArgs(attach=tuple(attach)), text).build_now(print)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield tmp_path / "here"
    for large in (path for path in (tmp_path / "here").iterdir() if path.is_file()):
        large.unlink()  # the search for keys would read gigabytes of nothing


@pytest.mark.timeout(60)  # a pipe that is read waits for ever
@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_attached_is_refused_in_one_line(folder, kind):  # U6
    make, said = REFUSED[kind]
    make(folder / "it.txt")
    with pytest.raises(PromptError, match=said) as refused:
        composed("it.txt")
    line = str(refused.value)
    assert "\n" not in line
    assert len(line) < 500


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is locked to root")
def test_a_file_that_may_not_be_read_is_named(folder):  # U6
    locked(folder / "it.txt")
    with pytest.raises(PromptError, match=r"it\.txt can't be read"):
        composed("it.txt")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", [fifo, loop, dangling, lambda path: path.mkdir()], ids=["pipe", "loop", "dangling", "folder"])
def test_a_path_in_braces_to_no_file_is_its_name(folder, make):  # U6
    make(folder / "it")
    turn = composed(text="Look at {path}.", path=folder / "it")
    assert "".join(part["text"] for part in turn.parts) == f"Look at {folder / 'it'}."


def test_a_drawing_that_can_hold_scripts_goes_as_text(folder):  # U6
    (folder / "it.svg").write_text(SVG)
    turn = composed("it.svg")
    assert not any("inlineData" in part or "fileData" in part for part in turn.parts)
    assert SVG in "".join(part["text"] for part in turn.parts)


def test_a_file_above_this_folder_may_be_named(folder):  # U6
    """Who types a path may read it; the model gets its name and none of the folders."""
    (folder.parent / "notes.txt").write_text("Mind the gap.")
    turn = composed("../notes.txt")
    text = "".join(part["text"] for part in turn.parts)
    assert "Mind the gap." in text
    assert "notes.txt:" in text
    assert ".." not in text
    assert folder.parent.name not in text


def test_an_empty_file_is_sent_as_one(folder):  # U6
    (folder / "it.txt").touch()
    assert "it.txt:\n```txt\n" in "".join(part["text"] for part in composed("it.txt").parts)


def test_what_is_too_large_is_never_read(folder):  # U6
    sparse_text(folder / "it.txt")
    tracemalloc.start()
    with pytest.raises(PromptError):
        composed("it.txt")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
