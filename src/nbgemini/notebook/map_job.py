"""A running map among the running streams: listed, waited for and stopped as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from nbgemini.chat import Chat
from nbgemini.mapped import Mapped
from nbgemini.notebook.jobs import Job, View
from nbgemini.notebook.map_view import MapView
from nbgemini.reply import Reply
from nbgemini.turns import Usage


class MapJob(Job):
    """One running map."""

    def __init__(self, chat: Chat, table: Mapped, view: MapView, cell: str | None, done: Callable[[], None]) -> None:
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

    def __init__(self, table: Mapped) -> None:
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
