"""The reader's leave for each tool call, asked on its card, without holding anything else up.

An answer counts once and for the call it was given to; "always" holds in this kernel for this function's name, the object it is
bound to and all that it runs, and is forgotten when one of them changes or can't be told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Literal, TypeAlias, get_args

from nbgemini.messages.events import ToolCall
from nbgemini.tools.decorator import Tool

Verdict: TypeAlias = Literal["once", "always", "refuse"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


class Approvals:
    """The open questions of one reply."""

    def __init__(self, always: set[str], title_of: Callable[[str], str] = str, decided: list[float] | None = None) -> None:
        """Know what may always run.

        Args:
            always: shared by all replies of the kernel.
            title_of: what a file is called where the reader sees it, such as the number of a cell.
            decided: when the last decision fell, by the monotonic clock, shared like `always`.
        """
        self._always = always
        self._title_of = title_of
        self._open: dict[int, tuple[asyncio.Future[Verdict], Tool]] = {}
        self._closed = False
        self._decided = decided if decided is not None else [0.0]

    async def ask(self, tool: Tool, _call: ToolCall, number: int) -> bool:
        """Wait for the reader's verdict about the n-th call; a guarded tool must be asked about each time."""
        if self._always and not tool.guarded and _mark(tool) in self._always:
            return True
        if self._closed:
            return False
        verdict = asyncio.get_running_loop().create_future()
        self._open[number] = verdict, tool
        try:
            said = await verdict
        finally:
            self._open.pop(number, None)
        if (
            said == "always" and not tool.guarded and tool.fingerprint_now() == tool.fingerprint
        ):  # as it was when it was offered
            self._always.add(_mark(tool))
        return said != "refuse"

    def verdicts(self, number: int) -> tuple[Verdict, ...]:
        """Return what may be said about the n-th call; nothing unless it waits for it."""
        question = self._open.get(number)
        if question is None:
            return ()
        return tuple(verdict for verdict in VERDICTS if verdict != "always" or not question[1].guarded)

    def where(self, number: int) -> str:
        """Return where the function is written that the n-th call would run."""
        question = self._open.get(number)
        if question is None or not question[1].file:
            return ""
        tool = question[1]
        return f"{self._title_of(tool.file)}:{tool.line}" if tool.line else tool.file

    def close(self) -> None:
        """Refuse all calls from now on: there is no page on which somebody could allow them."""
        self._closed = True
        for number in list(self._open):
            self.decide(number, "refuse")

    @property
    def last_decision(self) -> float:
        """When a decision about any call of the kernel fell: the second click of a double click may hit another card."""
        return self._decided[0]

    @property
    def asking(self) -> bool:
        """Whether a call waits."""
        return bool(self._open)

    def decide(self, number: int, verdict: Verdict) -> None:
        """Give the verdict, from any thread; what was decided before stays."""
        question = self._open.get(number)
        if question is not None:
            self._decided[0] = monotonic()
            with suppress(RuntimeError):  # the loop is gone
                question[0].get_loop().call_soon_threadsafe(_settle, question[0], verdict)


def _mark(tool: Tool) -> str:
    return f"{tool.name} {tool.fingerprint_now()}"


def _settle(question: asyncio.Future[Verdict], verdict: Verdict) -> None:
    if not question.done():
        question.set_result(verdict)
