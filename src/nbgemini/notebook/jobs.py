"""Running streams on the kernel's loop: start, list, wait, stop. The one owner of tasks.

Invariants: every task has a strong reference here until it ends; a job never raises into the loop (what went wrong stands
in its reply); stopping is harmless twice and after the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from nbgemini.chat import Chat
from nbgemini.notebook.gui import Gui
from nbgemini.reply import Reply
from nbgemini.running import Running
from nbgemini.segments import Change
from nbgemini.status_words import doing_text

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
        job.reply.begun()
        task = asyncio.get_running_loop().create_task(job.run(), name=f"nbgemini {job.chat.name or 'one-shot'}")
        job.open()  # after the task, whose request then goes out before the widgets are loaded
        self._tasks[job] = task
        self._gui.put_aside()
        task.add_done_callback(lambda ended: self._ended(job, ended))
        return task

    async def ended(self, replies: list[Running]) -> None:
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
