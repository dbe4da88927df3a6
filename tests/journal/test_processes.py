"""Processes that are killed, that fork, that write all at once: what was acknowledged is there, and nothing is damaged."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tests.journal.conftest import ASK, THOROUGH, later

HEAD = """
import asyncio, json, sys, time
from pathlib import Path
from nbgemini import Client, Settings
from nbgemini.journal import Journal
from nbgemini.secrets import Secret
url, path, *rest = sys.argv[1:]
journal = Journal(Path(path), "a.ipynb")
client = Client(Settings(key=Secret("k"), base_url=url), log=journal)
"""

STREAM = (
    HEAD
    + """
async def main():
    for number in range(10_000):
        prompt = "offline: " + json.dumps({"frames": 60, "chars": 10, "gap": 0.005})
        reply = client.chat(str(number)).begin(prompt)
        await client.chat(str(number)).drive(reply, lambda _: print(number, len(reply.so_far.text), time.monotonic(), flush=True))
        await journal.saved()
        print("saved", number, flush=True)
asyncio.run(main())
"""
)

COUNT = (
    HEAD
    + """
async def main():
    reply = await client.generate("hello")
    assert journal.flush(60)
    for _ in range(int(rest[0]) - 1):
        journal.follow(reply)
        assert journal.flush(60)
    journal.close()
asyncio.run(main())
"""
)

FORK = (
    HEAD
    + """
import multiprocessing, warnings
warnings.simplefilter("ignore")
async def main():
    def child():
        for _ in range(20):
            journal.follow(reply)
            assert journal.flush(60)
        journal.replace("child", [reply.exchange])
        assert journal.flush(60)
        raise SystemExit
    reply = await client.chat().ask("hello")
    growing = client.chat("b").begin("offline: " + json.dumps({"frames": 200, "chars": 10, "gap": 0.005}))
    begun = asyncio.Event()
    task = asyncio.create_task(client.chat("b").drive(growing, lambda _: begun.set()))
    await begun.wait()
    forked = [multiprocessing.get_context("fork").Process(target=child) for _ in range(3)]
    for process in forked:
        process.start()
    await task
    for process in forked:
        await asyncio.to_thread(process.join)
        assert process.exitcode == 0, process.exitcode
    journal.close()
asyncio.run(main())
"""
)


def command(code, service, path, *rest):
    return [sys.executable, "-c", code, service.url, str(path), *map(str, rest)]


def check(path, query, expected):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute(query).fetchone() == (expected,)


def test_what_a_killed_process_had_saved_is_there_and_next_to_all_that_it_showed(service, path):
    """Killed at random times: of what was acknowledged nothing is lost, of what was shown the last moment at most."""
    chance, unsaved = random.Random(2), []
    for number in range(2 * THOROUGH):
        file = path.with_name(f"{number}")
        with subprocess.Popen(command(STREAM, service, file), stdout=subprocess.PIPE, text=True) as process:
            seen = [process.stdout.readline() for _ in range(chance.randrange(20, 300))]
            process.kill()
            seen += process.stdout.readlines()
        lines = [line.split() for line in seen if line.endswith("\n")]
        journal = later(file)
        for _, chat in [line for line in lines if line[0] == "saved"]:
            (exchange,) = journal.exchanges(chat)
            assert (exchange.state, sum(len(part["text"]) for part in exchange.parts)) == ("complete", 600)
        unsaved.append(_seconds_lost(journal, [line for line in lines if line[0] != "saved"]))
    print(f"shown but not saved at the moment of death: {max(unsaved) * 1000:.0f} ms at most of {len(unsaved)} times")
    assert THOROUGH == 1 or max(unsaved) < 2  # 0.2 on a machine that is not busy


def _seconds_lost(journal, shown):
    """From when the first lost text was shown to the last sign of life."""
    number, _, last = shown[-1]
    saved = journal.exchanges(number)
    length = sum(len(part["text"]) for exchange in saved for part in exchange.parts)
    lost = [float(at) for chat, so_far, at in shown if chat == number and int(so_far) > length]
    return float(last) - lost[0] if lost else 0.0


def test_eight_kernels_ask_at_once(service, path):
    processes = [
        subprocess.Popen(command(ASK, service, path, "hello", 5), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(8)
    ]
    assert [process.communicate()[1] for process in processes] == [b""] * 8
    assert len(later(path).requests(100)) == 40
    check(path, "SELECT COUNT(*) FROM exchange", 40)


def test_eight_processes_that_wait_for_each_row_lose_none(service, path):
    count = 25 * THOROUGH
    processes = [subprocess.Popen(command(COUNT, service, path, count), stderr=subprocess.PIPE) for _ in range(8)]
    assert [process.communicate()[1] for process in processes] == [b""] * 8
    check(path, "SELECT COUNT(*) FROM request", 8 * count)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork there")
def test_after_a_fork_each_process_writes_for_itself(service, path):
    """In mid-stream, with the file open."""
    done = subprocess.run(command(FORK, service, path), check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    check(path, "SELECT COUNT(*) FROM request", 2 + 3 * 20)
    check(path, "SELECT COUNT(*) FROM exchange", 2 + 3 * 2)
    (exchange,) = later(path).exchanges("b")
    assert (exchange.state, sum(len(part["text"]) for part in exchange.parts)) == ("complete", 2000)


SLOW_DISK = """
from nbgemini._storage.sqlite import Database
from nbgemini.journal import writer
writer._LEAVING, fast = 0, Database.transact
def slow(*what):
    time.sleep(0.3)
    return fast(*what)
Database.transact = slow
"""


@pytest.mark.parametrize("end", ["    journal.close()\n", ""], ids=["closes its journal", "does not close it"])
def test_a_program_that_ends_waits_for_a_slow_disk(service, path, end):
    code = "import time" + SLOW_DISK + ASK.replace("    journal.close()\n", end)
    assert subprocess.run(command(code, service, path, "hello", 3), check=False, capture_output=True).stderr == b""
    assert [exchange.state for exchange in later(path).exchanges("main")] == ["complete"] * 3
