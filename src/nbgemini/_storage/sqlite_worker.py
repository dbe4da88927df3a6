"""Work on a SQLite file in a thread of its own: the event loop never waits for the disk.

Invariants: jobs are done in their order, and writes that wait are committed together; a new file takes the place of a damaged
one; a forked process begins with a thread and a connection of its own (sqlite.org/howtocorrupt.html, 2.6), and no process forks
while a thread is inside SQLite, whose locks would never be released in the child.
"""

from __future__ import annotations

import atexit
import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from itertools import groupby
from queue import Empty, SimpleQueue
from sqlite3 import Connection
from time import monotonic
from typing import Any, NamedTuple, TypeVar
from weakref import WeakSet

from nbgemini._storage.sqlite import Database, LockedError, is_damage

T = TypeVar("T")

_LOCKED_PAUSE = 0.05  # seconds between two attempts at a locked file
_IDLE = 60.0  # seconds without work after which the file is closed
_LEAVING = 10.0  # seconds that an ending interpreter waits for the disk, which a locked file does not take
_FORKING = 1.0  # seconds that a fork waits for a thread to leave SQLite


class _Job(NamedTuple):
    work: Callable[[Connection], Any]
    future: Future[Any]
    writes: bool
    due: float = 0.0  # by the monotonic clock


class SqliteWorker:
    """The thread that has one file open; it starts with the first job, and again with the next after it has ended.

    What a job raises is raised by its future. On a damaged file the job is run again, on a new one.
    """

    def __init__(
        self,
        database: Callable[[], Database],  # a new one for each thread
        name: str,  # of the thread, and of the file in what users are told
        tell: Callable[[str], object],  # hears in the thread, in one line, that a damaged file was moved aside
        *,
        on_reset: Callable[[], object] = lambda: None,  # called in the thread when former writes may be missing
        persistent: bool = False,  # whether writes to a locked file wait until it is free, or raise LockedError
    ) -> None:
        self.database, self.name, self.tell = database, name, tell
        self.on_reset, self.persistent = on_reset, persistent
        self.before_exit: Callable[[], object] = lambda: None  # called when the interpreter ends, to give it the last jobs
        self.begin_anew()
        _workers.add(self)

    def begin_anew(self) -> None:
        """Begin without a thread, as a forked process must: the thread, its locks and its connection are its parent's."""
        self.inside_sqlite = threading.Lock()  # held while the thread may hold locks of SQLite's
        self._starting = threading.Lock()
        self._thread: _WorkerThread | None = None

    @property
    def pending(self) -> int:
        """The number of jobs that are not done."""
        return 0 if self._thread is None else self._thread.jobs.qsize() + len(self._thread.taken)

    @property
    def closed(self) -> bool:
        """Whether it has no thread that takes jobs; the next job starts one."""
        return self._thread is None

    @property
    def locked(self) -> bool:
        """Whether another program kept the file locked at the last attempt to write."""
        return self._thread is not None and self._thread.locked

    def read(self, work: Callable[[Connection], T]) -> Future[T]:
        """Run `work` in its turn, outside of any transaction."""
        return self._submit(work, writes=False)

    def write(self, work: Callable[[Connection], T], after: float = 0.0) -> Future[T]:
        """Run `work` in a transaction, perhaps together with other writes; it is done once that is committed.

        It waits its turn, and before that `after` seconds, or less if the thread ends.
        """
        return self._submit(work, writes=True, due=monotonic() + after if after else 0.0)

    def close(self, timeout: float | None = 0) -> None:
        """Let the thread end once all jobs are done, and wait for that so many seconds (None: without a limit)."""
        with self._starting:
            thread, self._thread = self._thread, None
            if thread is not None:
                thread.jobs.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def finish(self, thread: _WorkerThread) -> None:
        """End this thread before the interpreter ends, whether it was told to end by then or not."""
        if self._thread is thread:
            self.before_exit()
            self.close()
        thread.join(_LEAVING)

    def closes_when_idle(self, thread: _WorkerThread) -> bool:
        """Whether this thread ends because nothing is to be done."""
        with self._starting:
            if self._thread is not thread or not thread.jobs.empty():
                return False
            self._thread = None
            return True

    def _submit(self, work: Callable[[Connection], T], *, writes: bool, due: float = 0.0) -> Future[T]:
        job = _Job(work, Future(), writes, due)
        with self._starting:
            if self._thread is None:
                self._thread = _WorkerThread(self)
                self._thread.start()
            self._thread.jobs.put(job)
        return job.future


class _WorkerThread(threading.Thread):
    """One life of a worker's thread, from its first job to its last."""

    def __init__(self, worker: SqliteWorker) -> None:
        super().__init__(name=f"nbgemini {worker.name}", daemon=True)
        self.jobs: SimpleQueue[_Job | None] = SimpleQueue()  # None is the last
        self.taken: list[_Job] = []
        self.locked = False
        self._worker = worker
        self._database = worker.database()
        self._delayed: list[_Job] = []
        self._ends = False

    def run(self) -> None:
        finish = partial(self._worker.finish, self)
        atexit.register(finish)
        try:
            while not self._ends:
                self._wait_for_jobs()
                with self._worker.inside_sqlite:
                    self._run_jobs()
        finally:
            self._database.close()
            atexit.unregister(finish)

    def _wait_for_jobs(self) -> None:
        """Wait for a job that is due, and take all that are."""
        try:
            self._receive(self.jobs.get(timeout=self._pause()))
            while True:
                self._receive(self.jobs.get_nowait())
        except Empty:
            now = math.inf if self._ends else monotonic()
            self.taken += [job for job in self._delayed if job.due <= now]
            self._delayed = [job for job in self._delayed if job.due > now]
            if not self.taken and not self._delayed:
                self._ends |= self._worker.closes_when_idle(self)

    def _receive(self, job: _Job | None) -> None:
        if job is None:
            self._ends = True
        elif job.future.set_running_or_notify_cancel():
            (self._delayed if job.due else self.taken).append(job)

    def _pause(self) -> float:
        """Return how long to wait for the next job."""
        if self.taken:
            return _LOCKED_PAUSE
        return max(0.0, min(job.due for job in self._delayed) - monotonic()) if self._delayed else _IDLE

    def _run_jobs(self) -> None:
        """Do all that was taken; writes to a locked file stay."""
        waiting: list[_Job] = []
        for writes, jobs in groupby(self.taken, key=lambda job: job.writes):
            if writes:
                waiting += self._write(list(jobs))
            else:
                for job in jobs:
                    self._read(job)
        self.taken = waiting

    def _read(self, job: _Job) -> None:
        try:
            result = self._recovered(lambda: job.work(self._database.connection))
        except Exception as error:  # noqa: BLE001 - it is the job's own
            job.future.set_exception(error)
        else:
            job.future.set_result(result)

    def _write(self, jobs: list[_Job]) -> list[_Job]:
        """Do these in one transaction, or each in its own if that fails; return those that wait for a locked file."""
        try:
            results = self._recovered(lambda: self._database.transact(*(job.work for job in jobs)))
        except LockedError as error:
            self.locked = True
            if self._worker.persistent and not self._ends:
                return jobs
            for job in jobs:
                job.future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - as above
            self.locked = False
            self._worker.on_reset()
            if len(jobs) > 1:
                return [waiting for job in jobs for waiting in self._write([job])]
            jobs[0].future.set_exception(error)
        else:
            self.locked = False
            for job, result in zip(jobs, results, strict=True):
                job.future.set_result(result)
        return []

    def _recovered(self, work: Callable[[], T]) -> T:
        """Return what comes of work on the file, or, if it is damaged, on a new one."""
        try:
            return self._on_open_file(work)
        except Exception as error:
            if not is_damage(error):
                raise
            aside = self._database.move_aside()
            if aside is not None:
                what = f"{self._worker.name} {self._database.path}"
                self._worker.tell(f"the {what} is damaged ({error}); it was moved to {aside.name}, a new one begins")
        return self._on_open_file(work)

    def _on_open_file(self, work: Callable[[], T]) -> T:
        if self._database.stale:
            self._database.close()
            try:
                self._database.open()
                self._database.transact()  # creates the tables
            except Exception as error:
                if not is_damage(error):
                    self._database.close()  # it may open the next time
                raise
            self._worker.on_reset()
        return work()


_workers: WeakSet[SqliteWorker] = WeakSet()
_held: list[SqliteWorker] = []  # while the process forks


def _before_fork() -> None:
    """Let no thread be inside SQLite while the process forks."""
    _held[:] = [worker for worker in list(_workers) if worker.inside_sqlite.acquire(timeout=_FORKING)]


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().inside_sqlite.release()


def _after_fork_in_child() -> None:
    _held.clear()
    for worker in list(_workers):
        worker.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
