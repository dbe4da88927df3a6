"""A file in a thread of its own: work in its turn, one commit for all that waits, a new file for a damaged one, forks."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from concurrent.futures import wait
from contextlib import closing
from functools import partial

import pytest

from nbgemini._storage import sqlite_worker
from nbgemini._storage.sqlite import DamagedError, Database, LockedError, NewerError, check_integrity
from nbgemini._storage.sqlite_worker import SqliteWorker

SCHEMA = "CREATE TABLE IF NOT EXISTS word (text TEXT UNIQUE)"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "words.sqlite3"


@pytest.fixture
def damage():
    return []


@pytest.fixture
def make(path, damage):
    workers = []

    def make(**options):
        database = partial(Database, path, SCHEMA, 1, patience=0.01)
        worker = SqliteWorker(database, "file of words", damage.append, **options)
        workers.append(worker)
        return worker

    yield make
    for worker in workers:
        worker.close(30)


def add(text):
    return lambda connection: connection.execute("INSERT INTO word VALUES (?)", (text,)).rowcount


def words(connection):
    return [text for (text,) in connection.execute("SELECT text FROM word ORDER BY rowid")]


class Gate:
    """Work that holds the thread until it is opened, so that what comes meanwhile waits."""

    def __init__(self, worker):
        self._entered, self._opened = threading.Event(), threading.Event()
        self.done = worker.read(self)
        self._entered.wait(30)

    def __call__(self, _connection):
        self._entered.set()
        self._opened.wait(30)

    def open(self):
        self._opened.set()


def locked(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return closing(connection)


def test_work_is_done_in_its_turn_and_gives_back_what_it_returns(make):
    worker = make()
    done = [worker.write(add("a")), worker.read(words), worker.write(add("b")), worker.read(words)]
    assert [future.result(30) for future in done] == [1, ["a"], 1, ["a", "b"]]


def test_what_waits_is_committed_at_once_and_is_on_disk_when_it_is_done(make, path):
    worker, begun = make(), []
    worker.write(lambda connection: connection.set_trace_callback(lambda line: begun.append(line.startswith("BEGIN")))).result(
        30
    )
    begun.clear()
    gate = Gate(worker)
    done = [worker.write(add(f"{number}")) for number in range(500)]
    assert worker.pending >= 500
    gate.open()
    assert [future.result(30) for future in done] == [1] * 500
    assert sum(begun) == 1
    with closing(sqlite3.connect(path)) as other:
        assert len(words(other)) == 500


def test_one_that_fails_fails_alone(make):
    worker, resets = make(), []
    worker.on_reset = lambda: resets.append(None)
    gate = Gate(worker)
    resets.clear()
    first, twin, last = worker.write(add("a")), worker.write(add("a")), worker.write(add("b"))
    gate.open()
    assert isinstance(twin.exception(30), sqlite3.IntegrityError)
    assert (first.result(30), last.result(30), worker.read(words).result(30)) == (1, 1, ["a", "b"])
    assert resets, "whoever counts what is written hears that it may not be"


def test_a_cancelled_one_is_left_out(make):
    worker = make()
    gate = Gate(worker)
    cancelled, other = worker.write(add("a")), worker.write(add("b"))
    assert cancelled.cancel()
    gate.open()
    other.result(30)
    assert worker.read(words).result(30) == ["b"]


def test_a_locked_file_is_an_error_or_is_waited_for(make, path):
    hasty, patient = make(), make(persistent=True)
    patient.write(add("a")).result(30)
    with locked(path):
        assert isinstance(hasty.write(add("b")).exception(30), LockedError)
        waiting = patient.write(add("c"))
        assert wait([waiting], 0.2).not_done
        assert patient.locked
        assert patient.pending == 1
    assert waiting.result(30) == 1
    assert not patient.locked
    assert patient.read(words).result(30) == ["a", "c"]


def test_one_that_ends_tries_a_locked_file_once_more_and_no_longer(make, path):
    worker = make(persistent=True)
    worker.write(add("a")).result(30)
    with locked(path):
        waiting = worker.write(add("b"))
        worker.close(30)
        assert isinstance(waiting.exception(30), LockedError)


@pytest.mark.parametrize("at", ["the start", "any time"])
def test_work_on_a_damaged_file_is_done_on_a_new_one(make, path, damage, at):
    if at == "the start":
        path.write_bytes(b"This was never a database. " * 100)
    worker = make()
    if at == "any time":
        worker.write(add("before")).result(30)

    def work(connection):
        if at == "any time" and not damage:
            raise DamagedError("a page is torn")
        return add("after")(connection)

    assert worker.write(work).result(30) == 1
    (line,) = damage
    assert line.startswith(f"the file of words {path} is damaged (")
    assert path.with_name(re.search(r"moved to (\S+),", line)[1]).exists()
    assert worker.read(words).result(30) == ["after"]
    worker.write(check_integrity).result(30)


def test_a_file_of_a_newer_version_is_left_alone_each_time(make, path, damage):
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version=2")
    worker = make()
    for _ in range(2):
        assert isinstance(worker.write(add("a")).exception(30), NewerError)
    assert damage == []


def test_what_is_due_later_is_done_then_or_at_the_end(make):
    worker = make()
    soon, at_the_end = worker.write(add("soon"), after=0.01), worker.write(add("at the end"), after=3600)
    assert soon.result(30) == 1
    assert not at_the_end.done()
    worker.close(30)
    assert at_the_end.result(30) == 1
    assert worker.read(words).result(30) == ["soon", "at the end"], "and it begins again"


def test_a_thread_without_work_ends_and_the_next_work_has_another(make, monkeypatch):
    monkeypatch.setattr(sqlite_worker, "_IDLE", 0.01)
    worker = make()
    first = worker.write(lambda _: threading.current_thread()).result(30)
    first.join(30)
    assert not first.is_alive()
    assert worker.write(add("a")).result(30) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork there")
def test_a_forked_process_has_a_thread_of_its_own(make):
    worker = make()
    worker.write(add("parent")).result(30)
    child = os.fork()
    if not child:
        os._exit(worker.write(add("child")).result(30) != 1)
    assert os.waitpid(child, 0)[1] == 0
    worker.write(add("parent again")).result(30)
    assert worker.read(words).result(30) == ["parent", "child", "parent again"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork there")
def test_no_process_forks_while_a_thread_is_inside_sqlite(make):
    """The lock that a fork waits for is the one that work is done under; after it, it is free in both."""
    worker = make()
    held = worker.read(lambda _: worker.inside_sqlite.locked()).result(30)
    child = os.fork()
    if not child:
        os._exit(worker.inside_sqlite.locked())
    assert os.waitpid(child, 0)[1] == 0
    assert held
    assert worker.read(lambda _: "goes on").result(30) == "goes on"
