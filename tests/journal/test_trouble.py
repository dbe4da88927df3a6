"""A file that can't be used costs the record, never an answer, and is told once; what is damaged is kept beside a new one."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from nbgemini import Client, Settings
from nbgemini._storage.sqlite import Database, LockedError, on_network
from nbgemini.journal import Journal
from nbgemini.journal.schema import SCHEMA, VERSION
from nbgemini.secrets import Secret
from tests.journal.conftest import ASK, THOROUGH, later


def client_of(service, journal):
    return Client(Settings(key=Secret("k"), base_url=service.url), log=journal)


@pytest.fixture
def told():
    """What was told, as it comes."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.getLogger("nbgemini").addHandler(handler)
    yield lines
    logging.getLogger("nbgemini").removeHandler(handler)


async def hello(client):
    reply = await client.generate("hello")
    assert reply.state == "complete"
    return reply


def not_a_database(path):
    path.write_bytes(b"This was never a database. " * 100)


def of_an_older_version(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE exchange (id TEXT)")


def without_a_table(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (id TEXT)")
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("CREATE TABLE request (at REAL)")


@pytest.mark.parametrize("damage", [not_a_database, of_an_older_version, without_a_table])
async def test_a_damaged_file_is_moved_aside_and_told_once(asking, journal, path, told, damage):
    path.parent.mkdir()
    damage(path)
    before = path.read_bytes()
    for _ in range(2):
        assert (await asking.chat().ask("hello")).state == "complete"
    assert journal.flush()
    (line,) = told
    (aside,) = path.parent.glob("*.corrupt-*")
    assert aside.name in line
    assert "\n" not in line
    if damage is not without_a_table:
        assert aside.read_bytes() == before
    journal.close()
    assert len(later(path).exchanges("main")) == len(later(path).requests(10)) == 2


async def test_an_empty_file_becomes_a_journal(asking, journal, path, told):
    path.parent.mkdir()
    path.touch()
    await hello(asking)
    assert journal.flush()
    assert told == []
    assert len(journal.requests(10)) == 1


async def test_a_file_of_a_newer_version_is_left_alone(asking, journal, path, told):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE exchange (id TEXT)")
        connection.execute(f"PRAGMA user_version={VERSION + 1}")
    before = path.read_bytes()
    for _ in range(2):
        await hello(asking)
    assert journal.flush()
    (line,) = told
    assert "newer" in line
    assert (journal.chats(), journal.requests(3)) == ([], [])
    journal.close()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_a_directory_stays_where_it_is(asking, journal, path, told):
    """It may be anybody's home."""
    path.mkdir(parents=True)
    (path / "precious").touch()
    for _ in range(2):
        await hello(asking)
    assert journal.flush()
    (line,) = told
    assert "directory" in line
    assert (path / "precious").exists()
    assert (journal.chats(), journal.exchanges("main"), journal.requests(3)) == ([], [], [])


@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing yet"])
async def test_a_link_is_not_followed(asking, journal, path, told, there):
    """What it leads to is neither written, nor made, nor moved."""
    precious = path.parent.parent / "precious"
    if there:
        precious.write_bytes(b"")  # an empty file would become a journal
    path.parent.mkdir()
    path.symlink_to(precious)
    for _ in range(2):
        await hello(asking)
    assert journal.flush()
    (line,) = told
    assert "symbolic link" in line
    assert "\n" not in line
    assert path.is_symlink()
    assert precious.read_bytes() == b"" if there else not precious.exists()
    assert (journal.chats(), journal.exchanges("main"), journal.requests(3)) == ([], [], [])


async def test_a_folder_may_be_a_link(asking, journal, path, told, tmp_path):
    """A home on another disk: whoever may lay a link into it owns it."""
    (tmp_path / "elsewhere").mkdir()
    path.parent.symlink_to(tmp_path / "elsewhere")
    await hello(asking)
    assert journal.flush()
    assert told == []
    assert len(journal.requests(3)) == 1


def journal_threads():
    return {thread for thread in threading.enumerate() if thread.name == "nbgemini journal"}


async def test_a_place_that_cannot_be_made_costs_the_record_only(service, tmp_path, told):
    before = journal_threads()
    (tmp_path / "file").touch()
    journal = Journal(tmp_path / "file" / "journal", "a.ipynb")
    async with client_of(service, journal) as client:
        for _ in range(2):
            await hello(client)
        assert journal.flush()
    assert len(told) == 1
    assert journal.trouble == told[0]
    assert (journal.chats(), journal.exchanges("main"), journal.requests(3)) == ([], [], [])
    journal.close()
    assert journal_threads() <= before


async def test_a_journal_that_gave_up_ends_when_it_is_retired(service, tmp_path):
    before = journal_threads()
    (tmp_path / "file").touch()
    journal = Journal(tmp_path / "file" / "journal", "a.ipynb")
    async with client_of(service, journal) as client:
        await hello(client)
        assert journal.flush()
    (thread,) = journal_threads() - before
    journal.retire()
    thread.join(30)
    assert not thread.is_alive()
    assert journal.flush()


@pytest.mark.skipif(sys.platform == "win32", reason="folders there are not read-only")
@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_is_read_only_costs_the_record_only(service, tmp_path, what):
    """Root may write everywhere, but not into a file system that is read-only."""
    path = tmp_path / "folder" / "journal"
    path.parent.mkdir()
    if what == "file":
        shutil.copy(_made(tmp_path / "made"), path)
        path.chmod(0o444)
    path.parent.chmod(0o555)
    command = [sys.executable, "-c", ASK, service.url, str(path), "hello", "2"]
    if os.getuid() == 0:
        _skip_unless_mounts()
        mounts = f"mount --bind {path.parent} {path.parent} && mount -o remount,bind,ro {path.parent}"
        command = ["unshare", "-m", "sh", "-c", mounts + ' && exec "$@"', "sh", *command]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    path.parent.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nothing is written to the journal") == 1, done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_costs_the_record_only(service, path):
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n" + ASK
    done = subprocess.run(
        [sys.executable, "-c", code, service.url, str(path), "x" * 30_000, "6"], capture_output=True, text=True, check=True
    )
    assert done.stderr.count("nothing is written to the journal") == 1
    _sound(path)


def test_a_full_file_system_costs_the_record_only(service, tmp_path):
    """A disk of 300 kB, where one may be made."""
    place = tmp_path / "disk"
    place.mkdir()
    _skip_unless_mounts()
    steps = f'mount -t tmpfs -o size=300k none {place} && "$@"; code=$?; cp {place}/* {tmp_path}; exit $code'
    ask = [sys.executable, "-c", ASK, service.url, str(place / "journal"), "x" * 30_000, "12"]
    done = subprocess.run(["unshare", "-m", "sh", "-c", steps, "sh", *ask], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nothing is written to the journal") == 1
    _sound(tmp_path / "journal")
    assert len(later(tmp_path / "journal").exchanges("main")) >= 1


async def test_a_file_that_is_deleted_or_moved_meanwhile_is_begun_anew(asking, journal, path):
    reply = asking.chat().begin("hello")
    assert journal.flush()
    path.rename(path.with_name("elsewhere"))
    assert journal.flush()
    await asking.chat().drive(reply)
    journal.close()
    (exchange,) = later(path).exchanges("main")
    assert exchange.parts == reply.exchange.parts


class Lock:
    """Another program that keeps the file locked."""

    def __init__(self, path):
        self._connection = sqlite3.connect(path, isolation_level=None)

    def __enter__(self):
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_):
        self._connection.execute("ROLLBACK")
        self._connection.close()


async def test_a_locked_file_is_written_when_it_is_free(asking, journal, path, told):
    """Answers come meanwhile, and the loop runs."""
    await hello(asking)
    assert journal.flush()
    with Lock(path):
        replies = [await asking.chat().ask("hello") for _ in range(3)]
        await journal.saved()
        assert not journal.flush(0.1)
        assert len(journal.requests(10)) == 1
    await asyncio.to_thread(journal.close)
    assert told == []
    assert len(later(path).requests(10)) == 4
    assert [exchange.parts for exchange in later(path).exchanges("main")] == [reply.exchange.parts for reply in replies]


async def test_what_waits_too_long_for_a_locked_file_is_dropped_and_counted(asking, journal, path, told):
    reply = await hello(asking)
    assert journal.flush()
    with Lock(path):
        for _ in range(10_100):
            journal.follow(reply)
        assert len(told) == 1
        assert "locked" in told[0]
    while not journal.flush():
        pass
    assert len(told) == 2
    assert int(told[1].split()[0]) >= 90
    await hello(asking)
    assert journal.flush()
    assert len(told) == 2


def test_a_program_that_ends_does_not_wait_long_for_a_locked_file(service, path):
    _made(path)
    with Lock(path):
        done = subprocess.run(
            [sys.executable, "-c", ASK, service.url, str(path), "hello", "1"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_any_damage_costs_a_record_at_most(service, tmp_path, told):
    """The file changed at random: bytes, its length, its tables. What is written after that is there."""
    whole = _made(tmp_path / "made", 6).read_bytes()
    reply = asyncio.run(_answer(service))
    chance, off = random.Random(1), 0
    for number in range(25 * THOROUGH):
        path = tmp_path / f"{number}"
        path.write_bytes(_mutated(whole, chance))
        told.clear()
        journal = Journal(path, "a.ipynb")
        assert isinstance(journal.chats(), list)
        assert all(exchange.state for exchange in journal.exchanges("main"))
        journal.follow(reply)
        assert journal.flush()
        found = journal.requests(1)
        journal.close()
        off += not found
        assert len(told) <= 1, told
        assert [row["provider"] for row in found] == ["gemini"] or "nothing is written" in told[0], (number, told)
        assert len(list(tmp_path.glob(f"{number}.corrupt-*"))) <= 1
        for file in tmp_path.glob(f"{number}*"):
            file.unlink()
    print(f"{25 * THOROUGH} damaged files, {off} of them left no record of this kernel")


def test_a_rollback_journal_does_where_several_machines_may_write(path, tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nhome:/export {path.parent} nfs4 rw 0 0\n")
    ours, theirs = (Database(path, SCHEMA, VERSION, mounts=mounts) for _ in range(2))
    ours.open()
    theirs.open()
    assert ours.begin().execute("PRAGMA journal_mode").fetchone() == ("truncate",)
    with pytest.raises(LockedError):
        theirs.begin()
    ours.commit()
    theirs.begin()
    theirs.commit()
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    ("mounts", "remote"),
    [
        ("/dev/a / ext4 rw 0 0\n", False),
        ("/dev/a / ext4 rw 0 0\nhost:/x /home nfs rw 0 0\n", True),
        ("host:/x / nfs rw 0 0\n/dev/b /home/ada ext4 rw 0 0\n", False),
        ("host:/x /home/ada/my\\040files nfs rw 0 0\n", False),
        ("nonsense\n", False),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(tmp_path, mounts, remote):
    (tmp_path / "mounts").write_text(mounts)
    assert on_network(type(tmp_path)("/home/ada/journal"), tmp_path / "mounts") == remote
    assert not on_network(tmp_path, tmp_path / "none")


async def _answer(service):
    async with client_of(service, None) as client:
        return await hello(client)


def _made(path, count=1):
    """A journal with some exchanges."""

    async def ask():
        from nbgemini.offline.server import OfflineService

        journal = Journal(path, "a.ipynb")
        with OfflineService(pace=0) as service:
            async with client_of(service, journal) as client:
                for _ in range(count):
                    await client.chat().ask("hello " * 50)
        journal.close()

    asyncio.run(ask())
    return path


def _skip_unless_mounts():
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")


def _mutated(whole, chance):
    match chance.randrange(5):
        case 0:
            return whole[: chance.randrange(len(whole))]
        case 1:
            return chance.randbytes(chance.randrange(5000))
        case 2:
            start = chance.randrange(len(whole))
            return whole[:start] + bytes(chance.randrange(1, 9000)) + whole[start:]
        case _:
            changed = bytearray(whole)
            for _ in range(chance.choice([1, 20, 500])):
                changed[chance.randrange(len(changed) if chance.random() < 0.5 else 200)] = chance.randrange(256)
            return bytes(changed)


def _sound(path):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
