"""What is offered to the model in one chat, and who decides whether a call of it runs.

Invariants: only what was offered explicitly can be called; a call runs only after it was approved, and an approval holds for
one name, one set of arguments and one source of the function; nothing runs twice by itself; nobody to ask means refused.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias

from nbgemini.errors import PromptError
from nbgemini.events import ToolCall, ToolProgress, ToolRun
from nbgemini.tools import Tool, ToolResult, answer, canonical, declare, run
from nbgemini.turns import Declaration

Approve: TypeAlias = Callable[[Tool, ToolCall, int], Awaitable[bool]]
Report: TypeAlias = Callable[[ToolRun], None]

AT_ONCE = 8  # calls that run side by side
MOST_ROUNDS = 10
MOST_REPEATS = 3  # the same call, in a row


async def allow(_tool: Tool, _call: ToolCall, _number: int) -> bool:
    """Approve everything: --approve auto."""
    return True


async def refuse(_tool: Tool, _call: ToolCall, _number: int) -> bool:
    """Approve nothing: --approve never, and where nobody can be asked."""
    return False


class Toolbox:
    """The tools of one prompt."""

    def __init__(self, tools: Iterable[Tool | Callable[..., Any]] = (), approve: Approve = refuse) -> None:
        """Offer functions; `approve` is asked before each call.

        Raises:
            PromptError: a function can't be declared, or two have one name.
        """
        self._tools: dict[str, Tool] = {}
        self._approve = approve
        self._free = asyncio.Semaphore(AT_ONCE)
        self._last: deque[str] = deque(maxlen=MOST_REPEATS)
        for offered in tools:
            self._add(offered if isinstance(offered, Tool) else declare(offered))

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """What the model is told."""
        return tuple(Declaration(tool.name, tool.description, tool.schema) for tool in self._tools.values())

    def repeats(self, call: ToolCall) -> bool:
        """Take note of a call; return whether it is the same for the third time in a row."""
        self._last.append(f"{call.name} {canonical(call.args)}")
        return len(self._last) == MOST_REPEATS and len(set(self._last)) == 1

    async def run(self, call: ToolCall, number: int, report: Report) -> ToolResult:
        """Ask, run and return what goes back to the model, telling every step; never raises but when it is cancelled."""
        tool = self._tools.get(call.name)
        if tool is not None:
            report(ToolRun(call, "asking"))
            if not await self._approve(tool, call, number):
                return answer(call, "the user refused this call", "refused")
        async with self._free:
            report(ToolRun(call, "running"))
            return await run(tool, call)

    def _add(self, tool: Tool) -> None:
        if tool.name in self._tools:
            raise PromptError(f"two tools are called {tool.name!r}; give one of them another name")
        self._tools[tool.name] = tool


class Answers:
    """The calls of one round, side by side, until each has its answer."""

    def __init__(self, toolbox: Toolbox, calls: Sequence[ToolCall], first: int) -> None:
        """Answer `calls`, the first of which is the `first`-th of the reply."""
        self._toolbox = toolbox
        self._calls = calls
        self._first = first
        self._results: dict[int, ToolResult] = {}
        self._news: asyncio.Queue[ToolProgress] = asyncio.Queue()

    async def progress(self) -> AsyncGenerator[ToolProgress, None]:
        """Run the calls and yield each step; leaving it early stops those that run."""
        tasks = [asyncio.create_task(self._one(number, call)) for number, call in enumerate(self._calls)]
        try:
            while len(self._results) < len(tasks) or not self._news.empty():
                yield await self._news.get()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def all(self) -> list[ToolResult]:
        """Return an answer to every call, in the order of the calls."""
        stopped = "the user stopped this call; what it had done by then is not known"
        return [self._results.get(number) or answer(call, stopped, "stopped") for number, call in enumerate(self._calls)]

    async def _one(self, number: int, call: ToolCall) -> None:
        result = await self._toolbox.run(call, self._first + number, lambda run: self._tell(number, run))
        self._results[number] = result
        self._tell(number, ToolRun(call, result.state, result.response, result.media, result.seconds))

    def _tell(self, number: int, run: ToolRun) -> None:
        self._news.put_nowait(ToolProgress(self._first + number, run))
