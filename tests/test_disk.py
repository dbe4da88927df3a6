"""Files are their owner's alone from the first byte, whole or not there, and nothing that blocks is read."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from nbgemini import Client, ConfigurationError
from nbgemini._storage import open_regular, read_regular, write_atomically
from nbgemini.messages.media import MediaFile
from nbgemini.notebook.commands.chats import _write
from nbgemini.prices import read_prices
from nbgemini.replay.cassette import LARGEST, read_cassette


@pytest.fixture(autouse=True)
def _open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_0600_from_its_first_byte(tmp_path, monkeypatch):
    seen = []
    path = tmp_path / "chat.md"
    replace = Path.replace

    def looked(self, target):
        seen.append((mode(self), target.exists()))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", looked)
    write_atomically(path, b"secret")
    assert seen == [(0o600, False)]
    assert (path.read_bytes(), mode(path), list(tmp_path.iterdir())) == (b"secret", 0o600, [path])


def test_what_stood_there_is_replaced_and_never_written_through(tmp_path):
    precious, link, wide = tmp_path / "precious", tmp_path / "link", tmp_path / "wide"
    precious.write_bytes(b"precious")
    wide.write_bytes(b"old")
    wide.chmod(0o644)
    link.symlink_to(precious)
    write_atomically(link, b"new")
    write_atomically(wide, b"new")
    assert precious.read_bytes() == b"precious"
    assert (link.is_symlink(), link.read_bytes(), wide.read_bytes(), mode(wide)) == (False, b"new", b"new", 0o600)


def test_no_name_that_can_be_guessed_is_written_to(tmp_path, monkeypatch):
    """Whoever may write into a folder may lay links there for files that are to come."""
    opened = []
    open_ = os.open
    monkeypatch.setattr(
        os, "open", lambda path, flags, *more, **named: opened.append((path, flags)) or open_(path, flags, *more, **named)
    )
    write_atomically(tmp_path / "a.md", b"x")
    ((path, flags),) = opened
    assert flags & os.O_EXCL
    assert Path(path).name != "a.md"


def test_what_can_not_be_written_leaves_what_was_there(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path, b"")
    with pytest.raises(FileNotFoundError, match=r"none/a.md"):
        write_atomically(tmp_path / "none" / "a.md", b"")


@pytest.fixture(params=["a pipe", "a device", "a folder", "a link to a pipe"])
def no_file(request, tmp_path):
    path = tmp_path / "x.gemini.jsonl"
    if request.param == "a device":
        return Path("/dev/zero")
    if request.param == "a folder":
        path.mkdir()
        return path
    os.mkfifo(path)
    if request.param == "a pipe":
        return path
    link = tmp_path / "link.gemini.jsonl"
    link.symlink_to(path)
    return link


def test_what_is_no_regular_file_is_refused_at_once(no_file):
    for read in (lambda path: read_regular(path, 10), read_cassette, read_prices, lambda path: open_regular(path, "ab+")):
        with pytest.raises((OSError, ConfigurationError), match=r"not a regular file|[Ii]s a directory"):
            read(no_file)


async def test_nothing_is_recorded_into_or_replayed_from_it(no_file, client):
    with pytest.raises(ConfigurationError, match=r"not a regular file|[Ii]s a directory"):
        await client.record(no_file)
    with pytest.raises(ConfigurationError, match=r"not a regular file|[Ii]s a directory"):
        await client.replay(no_file)


async def test_a_cassette_is_its_owners_alone(settings, tmp_path):
    path = tmp_path / "talk.gemini.jsonl"
    async with Client(settings) as client:
        await client.record(path)
        assert mode(path) == 0o600, "before the first answer"
        await client.generate("Why is the sky blue?")
        path.unlink()  # and made anew at the next
        await client.generate("Why is the sea blue?")
        await client.record(None)
    assert (path.stat().st_size > 0, mode(path)) == (True, 0o600)


def test_an_export_and_its_pictures_are_their_owners_alone(tmp_path):
    picture, page = tmp_path / "a_files" / "1.png", tmp_path / "a.md"
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    page.symlink_to(precious)
    _write({page: b"text", picture: b"\x89PNG"})
    assert (mode(page), mode(picture), mode(picture.parent)) == (0o600, 0o600, 0o700)
    assert (page.read_bytes(), precious.read_bytes()) == (b"text", b"precious")


def test_a_saved_picture_is_its_owners_alone(tmp_path):
    assert mode(MediaFile("image/png", b"\x89PNG").save(tmp_path / "a.png")) == 0o600


def test_a_cassette_of_blank_lines_takes_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("nbgemini.replay.cassette.LARGEST", 2**21)
    path = tmp_path / "x.gemini.jsonl"
    path.write_bytes(b"\n" * 2**21)
    assert read_cassette(path) == []
    path.write_bytes(b"\n" * (2**21 + 1))
    with pytest.raises(ConfigurationError, match="too large for a cassette"):
        read_cassette(path)
    assert LARGEST == 2**28


HOSTILE = [
    b'{"date": "2026-11-21", "models": {"m": {"input": -1, "output": 1}}}',
    b'{"date": "2026-11-21", "models": {"m": {"input": 1e999, "output": 1}}}',
    b'{"date": "2026-11-21", "models": {"m": {"input": NaN, "output": 1}}}',
    b'{"date": "2026-11-21", "models": {"m": {"input": 1, "output": 1, "long_from": -5}}}',
    b'{"date": "2026-11-21", "models": {"m": {"input": 1, "output": 1, "x": "\x1b[31m"}}}',
    b'{"date": "2026-11-21", "models": {"\xff": {"input": 1, "output": 1}}}',
    b"[" * 100_000,
    b"{" + b" " * (4 * 2**20) + b"}",
    b"",
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_list_of_prices_is_one_line(data, tmp_path):
    (tmp_path / "prices.json").write_bytes(data)
    with pytest.raises(ConfigurationError) as caught:
        read_prices(tmp_path / "prices.json")
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_a_pipe_does_not_keep_the_writer_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = threading.Event()

    def look():
        with pytest.raises(OSError, match="not a regular file"):
            read_regular(tmp_path / "pipe", 10)
        done.set()

    threading.Thread(target=look, daemon=True).start()
    assert done.wait(60)
