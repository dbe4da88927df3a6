"""What runs on the kernel's loop: streamed replies and maps, started, listed, waited for and stopped here.

Invariants: every task has a strong reference here until it ends; an activity never raises into the loop (its handle holds the
error); stopping is harmless twice and after the end.
"""

from __future__ import annotations

import asyncio
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


class ReplyJob:
    """One streamed reply."""

    def __init__(self, chat: Chat, reply: Reply, view: View, cell: str | None, complete: Complete) -> None:
        """Stream `reply` to `view`; `complete` adds to the finished reply what only the service knows."""
        self.reply = reply
        self.cell = cell
        self._chat = chat
        self._view = view
        self._complete = complete

    @property
    def handle(self) -> StreamHandle:
        """The reply."""
        return self.reply

    @property
    def chat(self) -> str | None:
        """The name of the chat; None for a prompt outside all chats."""
        return self._chat.name

    @property
    def state(self) -> str:
        """The state of the reply."""
        return self.reply.state

    @property
    def description(self) -> str:
        """Chat, model, time, and what the reply waits for."""
        reply = self.reply
        facts = (self.chat or "no chat", reply.model, f"{reply.seconds:.0f} s", doing_text(reply))
        return " · ".join(filter(None, facts))

    def will_run(self) -> None:
        """Let what reads the reply wait for it from now on."""
        self._chat.will_drive(self.reply)

    def open(self) -> None:
        """Show a first sign of life, while the cell still runs."""
        self._view.open()

    async def run(self) -> None:
        """Stream to the end and show it; what arrived before a stop is shown too."""
        try:
            await self._chat.drive(self.reply, self._view.apply)
            await self._complete(self.reply)
        finally:
            await self._view.finish()


class MapJob:
    """One map over rows."""

    chat = None

    def __init__(self, table: MapResult, view: MapView, cell: str | None, done: Callable[[], None]) -> None:
        """Run `table` and show it in `view`; `done` is called once all rows are over."""
        self.table = table
        self.cell = cell
        self._view = view
        self._done = done

    @property
    def handle(self) -> StreamHandle:
        """The map."""
        return self.table

    @property
    def state(self) -> str:
        """The state of the map."""
        return self.table.state

    @property
    def description(self) -> str:
        """How far it is."""
        return f"map · {self.table.progress.line()}"

    def will_run(self) -> None:
        """Let what reads the rows wait for them from now on."""
        self.table.lifecycle.start()

    def open(self) -> None:
        """Show a first sign of life, while the cell still runs."""
        self._view.open()

    async def run(self) -> None:
        """Ask for all rows and show the answers."""
        try:
            await asyncio.wait([self.table.start()])
            self._done()
        finally:
            await self._view.finish()


Activity: TypeAlias = ReplyJob | MapJob
"""What runs for a cell until it ends or is stopped; `cell` is None where the front end names no cells."""


class Jobs:
    """All that runs in the kernel; the one owner of the tasks."""

    def __init__(self, gui: Gui | None = None) -> None:
        """Start with none; the loop of a `gui` stands aside while there are some."""
        self._gui = gui or Gui(None)
        self._tasks: dict[Activity, asyncio.Task[None]] = {}

    @property
    def running(self) -> list[Activity]:
        """What has not ended, oldest first."""
        return list(self._tasks)

    def start(self, job: Activity) -> asyncio.Task[None]:
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

    def stop(self, jobs: Iterable[Activity] | None = None) -> None:
        """Stop these, or all."""
        for job in self.running if jobs is None else list(jobs):
            job.handle.stop()

    def _ended(self, job: Activity, task: asyncio.Task[Any]) -> None:
        if self._tasks.pop(job, None):
            self._gui.let_back()
        if not task.cancelled():
            task.exception()  # seen here, so that the loop does not complain; the handle holds the error
