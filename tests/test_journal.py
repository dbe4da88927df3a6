"""What was asked and what came is on disk a moment later, whoever dies; a bad file costs the record, never an answer."""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from nbgemini import Client, Settings
from nbgemini.journal import Journal
from nbgemini.secret import Secret
from tests.fakes.raw import STALL, RawServer, event, head, text_frame

ASK = """
import asyncio, sys
from pathlib import Path
from nbgemini import Client, Settings
from nbgemini.journal import Journal
from nbgemini.secret import Secret
url, path, prompt, count = sys.argv[1:]
async def main():
    journal = Journal(Path(path), "a.ipynb")
    client = Client(Settings(key=Secret("k"), base_url=url), log=journal)
    for _ in range(int(count)):
        def came(changes):
            if any("20" in getattr(change, "text", "") for change in changes):
                print("came", flush=True)
        reply = client.chat().begin(prompt)
        await client.chat().drive(reply, came)
    journal.close()
asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "journal.sqlite3"


@pytest.fixture
def journal(path):
    one = Journal(path, "a.ipynb")
    yield one
    one.close()


@pytest.fixture
async def asking(service, journal):
    async with Client(Settings(key=Secret("k"), base_url=service.url), log=journal) as client:
        yield client


def later(path):
    """What another kernel finds."""
    return Journal(path, "a.ipynb")


async def test_a_later_kernel_finds_what_was_asked_and_came(asking, journal, path):
    reply = await asking.chat().ask("Why is the sky blue?")
    await asking.chat("other").ask("hello")
    journal.close()
    assert [(name, count) for name, count, _ in later(path).chats()] == [("main", 1), ("other", 1)]
    (exchange,) = later(path).exchanges("main")
    assert (exchange.asked, exchange.state) == (reply.exchange.asked, "complete")
    assert exchange.parts == reply.exchange.parts
    assert exchange.turns() == reply.exchange.turns()


async def test_a_loaded_chat_goes_on_with_its_signatures_and_is_the_new_kernels_own(asking, journal, path, service):
    await asking.chat().ask("My name is Zoe.")
    journal.close()
    second = later(path)
    async with Client(Settings(key=Secret("k"), base_url=service.url), log=second) as client:
        client.chat().transcript.exchanges += second.exchanges("main")
        second.adopt("main", client.chat().transcript.exchanges)
        assert "Zoe" in (await client.chat().ask("What is my name?")).text  # the service checks the signatures
        second.close()
    assert [exchange.state for exchange in later(path).exchanges("main")] == ["complete"] * 2


async def test_a_replaced_exchange_is_there_once_and_a_forgotten_chat_is_gone(asking, journal, path):
    for prompt in ("one", "two"):
        await asking.chat().drive(asking.chat().begin(prompt, cell="c#1"))
    assert journal.flush()
    assert [exchange.asked.parts[0]["text"] for exchange in later(path).exchanges("main")] == ["two"]
    journal.forget("main")
    assert journal.flush()
    assert later(path).chats() == []
    assert len(journal.requests(10)) == 2


async def test_one_shots_leave_a_request_but_no_text(asking, journal, path):
    await asking.generate("The word is xylophone.")
    journal.close()
    assert later(path).chats() == []
    (row,) = later(path).requests(5)
    assert (row["state"], row["offline"], row["provider"], row["cost"]) == ("complete", 1, "gemini", None)
    assert row["output"] > 0
    assert 0 <= row["first"] <= row["seconds"]
    assert b"xylophone" not in path.read_bytes()


async def test_a_killed_process_loses_next_to_nothing(path):
    """Killed 0.2 s after a text was shown: it is on disk, with the prompt."""
    prompt = "Which year?"
    async with RawServer([head() + event(text_frame("The year 20")), STALL]) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ASK, server.url, str(path), prompt, "1", stdout=asyncio.subprocess.PIPE
        )
        assert await process.stdout.readline() == b"came\n"
        await asyncio.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    (exchange,) = later(path).exchanges("main")
    assert exchange.asked.parts == ({"text": prompt},)
    assert exchange.parts == [{"text": "The year 20"}]
    assert (exchange.state, exchange.note) == ("interrupted", "the kernel ended")


def test_eight_kernels_write_at_once(service, path):
    command = [sys.executable, "-c", ASK, service.url, str(path), "hello", "5"]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(8)]
    assert [process.communicate()[1] for process in processes] == [b""] * 8
    assert len(later(path).requests(100)) == 40
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT COUNT(*) FROM exchange").fetchone() == (40,)


async def test_a_damaged_file_is_moved_aside_and_told_once(asking, journal, path, caplog):
    path.parent.mkdir()
    path.write_bytes(b"This was never a database. " * 100)
    with caplog.at_level(logging.WARNING, "nbgemini"):
        for _ in range(2):
            assert (await asking.chat().ask("hello")).state == "complete"
        assert journal.flush()
    assert len(caplog.records) == 1
    assert "moved to" in caplog.text
    assert len(list(path.parent.glob("*.corrupt-*"))) == 1
    assert len(journal.requests(10)) == 2


async def test_a_file_of_another_version_is_moved_aside_too(asking, journal, path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE exchange (id TEXT)")
        connection.commit()
    assert (await asking.chat().ask("hello")).state == "complete"
    journal.close()
    assert "version" in journal.trouble
    assert len(later(path).exchanges("main")) == 1


async def test_a_place_that_cannot_be_written_costs_the_record_only(service, tmp_path, caplog):
    (tmp_path / "file").touch()
    journal = Journal(tmp_path / "file" / "journal", "a.ipynb")
    async with Client(Settings(key=Secret("k"), base_url=service.url), log=journal) as client:
        with caplog.at_level(logging.WARNING, "nbgemini"):
            for _ in range(2):
                assert (await client.chat().ask("hello")).state == "complete"
            assert journal.flush()
    assert len(caplog.records) == 1
    assert "journal" in journal.trouble
    assert (journal.chats(), journal.exchanges("main"), journal.requests(3)) == ([], [], [])
    journal.close()
    assert "nbgemini journal" not in [thread.name for thread in threading.enumerate()]


def test_a_full_disk_costs_the_record_only(service, path):
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n" + ASK
    done = subprocess.run(
        [sys.executable, "-c", code, service.url, str(path), "x" * 30_000, "6"], capture_output=True, text=True, check=True
    )
    assert done.stderr.count("nothing is written to the journal") == 1
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_only_its_owner_can_read_it_and_no_key_is_in_it(service, journal, path):
    async with Client(Settings(key=Secret("CANARY-123"), base_url=service.url), log=journal) as client:
        await client.chat().ask("hello")
    journal.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert all(b"CANARY" not in file.read_bytes() for file in path.parent.iterdir())


async def test_a_long_answer_is_written_piece_by_piece(asking, journal, path):
    """What is written grows with the answer, not with its square."""
    prompt = f"offline: {json.dumps({'frames': 2000, 'chars': 100, 'gap': 0.001})}"
    reply = asking.chat().begin(prompt)
    await asking.chat().drive(reply)
    assert journal.flush()
    assert len(reply.text) == 200_000
    assert later(path).exchanges("main")[0].parts == reply.exchange.parts
    assert sum(file.stat().st_size for file in path.parent.iterdir()) <= 2_000_000
