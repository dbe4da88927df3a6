"""Running streams on the kernel's loop: start, list, wait, stop. The one owner of tasks.

Invariants: every task has a strong reference here until it ends; a job never raises into the loop (what went wrong stands
in its reply); stopping is harmless twice and after the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias, cast

from nbgemini._async.handle import StreamHandle
from nbgemini.bulk.table import MapResult
from nbgemini.chat.chat import Chat
from nbgemini.chat.reply import Reply
from nbgemini.chat.status_text import doing_text
from nbgemini.messages.segments import Change
from nbgemini.messages.turns import Usage
from nbgemini.notebook.display.map_progress import MapView
from nbgemini.notebook.kernel.gui import Gui

Complete: TypeAlias = Callable[[Reply], Awaitable[None]]


class View(Protocol):
    """Who shows a reply."""

    def open(self) -> None:
        """Show a first sign of life."""
        ...

    def apply(self, changes: list[Change]) -> None:
        """Take in what changed; cheap, never awaits."""
        ...

    async def finish(self) -> None:
        """Show the end; everything is at rest afterwards."""
        ...


class Job:
    """One running stream."""

    def __init__(self, chat: Chat, reply: Reply, view: View, cell: str | None, complete: Complete) -> None:
        """Hold what belongs together."""
        self.chat = chat
        self.reply = reply
        self.cell = cell
        self._view = view
        self._complete = complete

    @property
    def doing(self) -> str:
        """Which chat it is, who answers, for how long, and what it waits for."""
        reply = self.reply
        said = (self.chat.name or "one-shot", reply.model, f"{reply.seconds:.0f} s", doing_text(reply))
        return " · ".join(filter(None, said))

    def will_run(self) -> None:
        """Let what reads the reply wait for it from now on."""
        self.chat.will_drive(self.reply)

    def open(self) -> None:
        """Show a first sign of life, while the cell still runs."""
        self._view.open()

    async def run(self) -> None:
        """Stream to the end and show it; a stop still shows what arrived."""
        try:
            await self.chat.drive(self.reply, self._view.apply)
            await self._complete(self.reply)
        finally:
            await self._view.finish()


class Jobs:
    """All running streams of the kernel."""

    def __init__(self, gui: Gui | None = None) -> None:
        """Start with none; the loop of a `gui` stands aside while there are some."""
        self._gui = gui or Gui(None)
        self._tasks: dict[Job, asyncio.Task[None]] = {}

    @property
    def running(self) -> list[Job]:
        """The jobs that have not ended, oldest first."""
        return list(self._tasks)

    def start(self, job: Job) -> asyncio.Task[None]:
        """Start a job on the running loop; an older one of the same cell is stopped."""
        for other in self.running:
            if job.cell and other.cell == job.cell:
                other.reply.stop()
        job.will_run()
        task = asyncio.get_running_loop().create_task(job.run(), name=f"nbgemini {job.chat.name or 'one-shot'}")
        job.open()  # after the task, whose request then goes out before the widgets are loaded
        self._tasks[job] = task
        self._gui.put_aside()
        task.add_done_callback(lambda ended: self._ended(job, ended))
        return task

    async def ended(self, replies: list[StreamHandle]) -> None:
        """Return when the jobs of these replies are over."""
        tasks = [task for job, task in self._tasks.items() if job.reply in replies]
        if tasks:
            await asyncio.wait(tasks)

    def stop(self, chat: str | None = None) -> list[Reply]:
        """Stop the streams of one chat, or all; return what was stopped."""
        stopped = [job.reply for job in self.running if chat is None or job.chat.name == chat]
        for reply in stopped:
            reply.stop()
        return stopped

    def _ended(self, job: Job, task: asyncio.Task[Any]) -> None:
        if self._tasks.pop(job, None):
            self._gui.let_back()
        if not task.cancelled():
            task.exception()  # seen here, so that the loop does not complain; the reply holds the error


class MapJob(Job):
    """One running map."""

    def __init__(self, chat: Chat, table: MapResult, view: MapView, cell: str | None, done: Callable[[], None]) -> None:
        """Hold what belongs together; `done` is called once all rows are over."""
        handle, shown = (
            cast("Reply", table),
            cast("View", view),
        )  # it is stopped and waited for as a reply is, and is told no changes
        super().__init__(chat, handle, shown, cell, _nothing_more)
        self.table = table
        self._done = done

    @property
    def doing(self) -> str:
        """How far it is."""
        return f"map · {self.table.progress.line()}"

    def will_run(self) -> None:
        """Let what reads the rows wait for them from now on."""
        self.table.lifecycle.start()

    async def run(self) -> None:
        """Ask all rows and show what came."""
        try:
            await asyncio.wait([self.table.start()])
            self._done()
        finally:
            await self._view.finish()


class Bill:
    """What a map spends in this run, as replies tell it."""

    offline = False  # rows that no service answered have no cost

    def __init__(self, table: MapResult) -> None:
        """Read what it tells of its progress."""
        self._table = table
        self.so_far = self
        self.when_done = table.when_done

    @property
    def usage(self) -> Usage:
        """Tokens."""
        return self._table.progress.usage

    @property
    def cost(self) -> float | None:
        """USD."""
        return self._table.progress.cost


async def _nothing_more(_: Reply) -> None:
    """A map is complete as it is."""
