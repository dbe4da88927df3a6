"""What runs on the kernel's loop: streamed replies and maps, started, listed, waited for and stopped here.

Invariants: every task has a strong reference here until it ends; an activity never raises into the loop (its handle holds the
error); stopping is harmless twice and after the end.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeAlias

from nbgemini._async.handle import StreamHandle
from nbgemini.bulk.table import MapResult
from nbgemini.chat.chat import Chat
from nbgemini.chat.reply import Reply
from nbgemini.chat.status_text import doing_text
from nbgemini.messages.segments import Change
from nbgemini.notebook.display.map_progress import MapView
from nbgemini.notebook.kernel.gui import Gui

Complete: TypeAlias = Callable[[Reply], Awaitable[None]]


class View(Protocol):
    """Shows a reply."""

    def open(self) -> None:
        """Show a first sign of life."""
        ...

    def apply(self, changes: list[Change]) -> None:
        """Take in what changed; cheap, never awaits."""
        ...

    async def finish(self) -> None:
        """Show the end; everything is at rest afterwards."""
        ...


class Job(ABC):
    """Something that runs for a cell until it ends or is stopped.

    Attributes:
        handle: how it is stopped, and waited for.
        cell: which prompt of which cell it belongs to; None where the front end names no cells.
        chat: the name of its chat; None outside all chats.
    """

    def __init__(self, handle: Reply | MapResult, view: View | MapView, cell: str | None, chat: str | None = None) -> None:
        self.handle = handle
        self.cell = cell
        self.chat = chat
        self._view = view

    @property
    def state(self) -> str:
        """`running`, `waiting`, or how it ended."""
        return self.handle.state

    @property
    @abstractmethod
    def description(self) -> str:
        """What it is, how far it is, and what it waits for, in one line."""

    @abstractmethod
    def will_run(self) -> None:
        """Let what reads the result wait for it from now on, as the running loop is about to run this."""

    @abstractmethod
    async def work(self) -> None:
        """Run to the end."""

    def open(self) -> None:
        """Show a first sign of life, while the cell still runs."""
        self._view.open()

    async def run(self) -> None:
        """Run to the end and show it; what arrived before a stop is shown too."""
        try:
            await self.work()
        finally:
            await self._view.finish()


class ReplyJob(Job):
    """One streamed reply."""

    def __init__(self, chat: Chat, reply: Reply, view: View, cell: str | None, complete: Complete) -> None:
        """Stream `reply` to `view`; `complete` adds to the finished reply what only the service knows."""
        super().__init__(reply, view, cell, chat.name)
        self.reply = reply
        self._chat, self._apply, self._complete = chat, view.apply, complete

    @property
    def description(self) -> str:
        """Chat, model, time, and what the reply waits for."""
        reply = self.reply
        facts = (self.chat or "no chat", reply.model, f"{reply.seconds:.0f} s", doing_text(reply))
        return " · ".join(filter(None, facts))

    def will_run(self) -> None:
        """Let what reads the reply wait for it from now on."""
        self._chat.will_drive(self.reply)

    async def work(self) -> None:
        """Stream to the end."""
        await self._chat.drive(self.reply, self._apply)
        await self._complete(self.reply)


class MapJob(Job):
    """One map over rows."""

    def __init__(self, table: MapResult, view: MapView, cell: str | None, done: Callable[[], None]) -> None:
        """Run `table` and show it in `view`; `done` is called once all rows are over."""
        super().__init__(table, view, cell)
        self.table = table
        self._done = done

    @property
    def description(self) -> str:
        """How far it is."""
        return f"map · {self.table.progress.line()}"

    def will_run(self) -> None:
        """Let what reads the rows wait for them from now on."""
        self.table.lifecycle.start()

    async def work(self) -> None:
        """Ask for all rows."""
        await asyncio.wait([self.table.start()])
        self._done()


class Jobs:
    """All that runs in the kernel; the one owner of the tasks."""

    def __init__(self, gui: Gui | None = None) -> None:
        """Let the loop of a `gui` stand aside while something runs."""
        self._gui = gui or Gui(None)
        self._tasks: dict[Job, asyncio.Task[None]] = {}

    @property
    def running(self) -> list[Job]:
        """What has not ended, oldest first."""
        return list(self._tasks)

    def start(self, job: Job) -> asyncio.Task[None]:
        """Start something on the running loop; what the same cell started before is stopped."""
        if job.cell:
            self.stop(other for other in self.running if other.cell == job.cell)
        job.will_run()
        task = asyncio.get_running_loop().create_task(job.run(), name=f"nbgemini {job.chat or 'one-shot'}")
        job.open()  # after the task, whose request then goes out before the widgets are loaded
        self._tasks[job] = task
        self._gui.put_aside()
        task.add_done_callback(lambda ended: self._ended(job, ended))
        return task

    async def ended(self, handles: list[StreamHandle]) -> None:
        """Return when what has these handles is over."""
        tasks = [task for job, task in self._tasks.items() if job.handle in handles]
        if tasks:
            await asyncio.wait(tasks)

    def stop(self, jobs: Iterable[Job] | None = None) -> None:
        """Stop these, or all."""
        for job in self.running if jobs is None else list(jobs):
            job.handle.stop()

    def _ended(self, job: Job, task: asyncio.Task[Any]) -> None:
        if self._tasks.pop(job, None):
            self._gui.let_back()
        if not task.cancelled():
            task.exception()  # seen here, so that the loop does not complain; the handle holds the error
