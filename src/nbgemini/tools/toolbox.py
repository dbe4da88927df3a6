"""What is offered to the model in one chat, and who decides whether a call of it runs.

Invariants: only what was offered explicitly can be called; a call runs only after it was approved, and an approval holds for
one name, one set of arguments and one source of the function; nothing runs twice by itself; nobody to ask means refused; each
call gets one answer, whoever fails; what is masked in it is masked for all who see it. While the tools of one prompt together
read what is private, take in what strangers wrote and can send something out, a labelled one runs unasked only if its user says
`unguarded` with that prompt: a stranger's text could ask for what is private.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias

from msgspec import structs

from nbgemini._async.readers import WaitGuard, hold_up
from nbgemini.errors import PromptError
from nbgemini.messages.events import ToolCall, ToolProgress, ToolRun
from nbgemini.messages.turns import Declaration
from nbgemini.prompts.jsonable import cut
from nbgemini.prompts.secret_scan import redact_secrets
from nbgemini.tools.decorator import LABELS, as_tool
from nbgemini.tools.tool import Tool, canonical_json, run, text_result

Approve: TypeAlias = Callable[[Tool, ToolCall, int], Awaitable[bool]]

WORDS = ("ask", "auto", "never", "unguarded")
AT_ONCE = 8  # calls that run side by side
MOST_ROUNDS = 10
MOST_REPEATS = 3  # rounds of the same calls, in a row
_LONGEST_ABOUT = 200  # characters of what a tool says of itself that its card shows
_DEEDS = dict(zip(LABELS, ("read what is private", "take in what strangers wrote", "send something out"), strict=True))


async def allow_all(_tool: Tool, _call: ToolCall, _number: int) -> bool:
    """Approve everything: --approve auto."""
    return True


async def refuse_all(_tool: Tool, _call: ToolCall, _number: int) -> bool:
    """Approve nothing, because nobody can be asked."""
    return False


async def forbid(_tool: Tool, _call: ToolCall, _number: int) -> bool:
    """Approve nothing, because the user said so: --approve never."""
    return False


class Toolbox:
    """The tools of one prompt."""

    def __init__(self, tools: Iterable[Tool | Callable[..., Any]] = (), approve: Approve = refuse_all) -> None:
        """Offer functions; `approve` is asked before each call.

        Raises:
            PromptError: a function can't be declared, or two have one name.
        """
        self._tools: dict[str, Tool] = {}
        self._approve = approve
        for tool in map(as_tool, tools):
            if tool.name in self._tools:
                raise PromptError(f"two tools are called {tool.name!r}; give one of them another name")
            self._tools[tool.name] = tool

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """What the model is told."""
        return tuple(Declaration(tool.name, tool.description, tool.schema) for tool in self._tools.values())

    @property
    def refusal(self) -> str:
        """What the model is told of a call that may not run."""
        if self._approve is forbid:
            return "not run: the user set approve to never, so no tool may run"
        return "nobody was there to allow this call" if self._approve is refuse_all else "the user refused this call"

    def asks_nobody(self, tool: Tool | None) -> bool:
        """Whether a tool runs without asking and is not marked as safe: everything may run, or the user always allows it."""
        always = getattr(self._approve, "always", ())
        return tool is not None and not tool.safe and (self._approve is allow_all or tool in always)

    async def refreshed(self) -> Toolbox:
        """Return the tools as they are now: others than functions may have changed."""
        return self

    def find(self, name: str) -> Tool | None:
        """Return the tool of this name, if it is offered."""
        return self._tools.get(name)

    async def approved(self, tool: Tool, call: ToolCall, number: int) -> bool:
        """Whether the n-th call of the reply may run."""
        return tool.safe or await self._approve(tool, call, number) is True


def build_toolbox(tools: Iterable[Tool], approve: Approve | str, ask: Approve = refuse_all) -> Toolbox:
    """Return the tools of a prompt with who decides about their calls.

    Args:
        tools: what is offered.
        approve: one of `WORDS`, or a function of the user's own that says whether a call runs.
        ask: who is asked where that is wanted; nobody is there by default.

    Raises:
        PromptError: the word is none, or it may not be said about these tools; or two of them have one name.
    """
    offered = list(tools)
    if not isinstance(approve, str):
        return Toolbox(offered, approve)
    if approve not in WORDS:
        raise PromptError(f"approve is {', '.join(WORDS[:-1])} or {WORDS[-1]}, not {approve!r}")
    if approve == "never":
        return Toolbox([structs.replace(tool, safe=False) for tool in offered], forbid)
    if approve == "unguarded":
        return Toolbox(offered, allow_all)
    if set().union(*(tool.labels for tool in offered)) != set(LABELS):
        return Toolbox(offered, allow_all if approve == "auto" else ask)
    if approve == "auto":  # they do together what none should do for a stranger: the "lethal trifecta"
        deeds = [f"{_DEEDS[label]} ({', '.join(tool.name for tool in offered if label in tool.labels)})" for label in LABELS]
        raise PromptError(
            f"approve auto is refused: together these tools {deeds[0]}, {deeds[1]} and {deeds[2]}, so a stranger's text could"
            " have your data sent away; let each call ask (--approve ask), leave one tool out, or say --approve unguarded"
        )
    return Toolbox([structs.replace(tool, safe=False, guarded=True) if tool.labels else tool for tool in offered], ask)


class RoundLimit:
    """How long a model may go on calling in one reply."""

    def __init__(self) -> None:
        self._rounds = 0
        self._last: deque[list[str]] = deque(maxlen=MOST_REPEATS)

    def exceeded(self, calls: Iterable[ToolCall]) -> str:
        """Take note of a round of calls; return why it is one too many, or nothing."""
        self._rounds += 1
        self._last.append(sorted(f"{call.name} {canonical_json(call.args)}" for call in calls))
        if self._rounds > MOST_ROUNDS:
            return f"{MOST_ROUNDS} rounds of tool calls"
        again = len(self._last) == MOST_REPEATS and all(calls == self._last[0] for calls in self._last)
        return "the same tool call three times in a row" if again else ""


class ToolRunner:
    """The calls of one round, side by side, until each has its answer."""

    def __init__(
        self,
        toolbox: Toolbox,
        calls: Sequence[ToolCall],
        first: int,
        holds_up: WaitGuard = lambda _: False,
        mask: Callable[[Any], Any] = redact_secrets,
    ) -> None:
        """Answer `calls`, the first of which is the `first`-th of the reply.

        `holds_up` says what they must not wait for, `mask` takes out of an answer what nobody may see.
        """
        self._holds_up = holds_up
        self._mask = mask
        self._toolbox = toolbox
        self._calls = calls
        self._first = first
        self._free = asyncio.Semaphore(AT_ONCE)
        self._begun: set[int] = set()
        self._stopped_by_user: set[int] = set()  # calls that the user stopped
        self._unasked: set[int] = set()  # calls that run without asking
        self._tasks: list[asyncio.Task[None]] = []
        self._results: dict[int, ToolRun] = {}
        self._news: asyncio.Queue[ToolProgress] = asyncio.Queue()

    async def progress(self) -> AsyncGenerator[ToolProgress, None]:
        """Run the calls and yield each step; leaving it early stops those that run."""
        tasks = self._tasks = [asyncio.create_task(self._answer(number, call)) for number, call in enumerate(self._calls)]
        try:
            while len(self._results) < len(tasks) or not self._news.empty():
                yield await self._news.get()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self, number: int) -> None:
        """Stop the n-th call of the reply alone, if it is one of these and not over."""
        number -= self._first
        if 0 <= number < len(self._tasks) and not self._tasks[number].done():
            self._stopped_by_user.add(number)
            self._tasks[number].cancel()

    def results(self) -> list[ToolRun]:
        """Return an answer to every call, in the order of the calls."""
        return [
            self._results.get(number) or self._labelled(number, self._stopped(number)) for number in range(len(self._calls))
        ]

    async def _answer(self, number: int, call: ToolCall) -> None:
        """Answer a call; whoever cancels this task, and whatever an approval raises, it has its answer."""
        hold_up(self._holds_up)
        try:
            result = await self._result(number, call)
        except asyncio.CancelledError:
            result = self._stopped(number)
        except BaseException as error:  # noqa: BLE001 - nobody's leave is no leave, and a task must not end the loop
            result = text_result(call, f"nobody could be asked: {type(error).__name__}", "refused")
        result = self._results[number] = self._labelled(number, result)
        self._report(number, result)

    async def _result(self, number: int, call: ToolCall) -> ToolRun:
        tool = self._toolbox.find(call.name)
        if tool is not None:
            if fault := tool.fault(call.args):
                return text_result(call, fault, "failed")  # nobody need be asked about what can't run
            if self._toolbox.asks_nobody(tool):
                self._unasked.add(number)
            self._report(number, ToolRun(call, "asking"))
            if not await self._toolbox.approved(tool, call, self._first + number):
                return text_result(call, self._toolbox.refusal, "refused")
        async with self._free:
            self._begun.add(number)
            self._report(number, ToolRun(call, "running", unasked=number in self._unasked))
            return await run(tool, call)

    def _stopped(self, number: int) -> ToolRun:
        call = self._calls[number]
        stopped = "stopped by the user" if number in self._stopped_by_user else "stopped"
        if number not in self._begun:
            return text_result(call, f"{stopped} before it began; nothing was done", "stopped")
        tool = self._toolbox.find(call.name)
        left = tool is not None and tool.in_thread  # Python can't end a thread
        unknown = "its thread can't be ended and may still work" if left else "what it had done by then is not known"
        return text_result(call, f"{stopped}; {unknown}", "stopped")

    def _labelled(self, number: int, result: ToolRun) -> ToolRun:
        """Return the result with what its reader must always see: that it ran and nobody was asked; and no key in it."""
        unasked = number in self._begun and number in self._unasked
        return structs.replace(result, unasked=unasked, about=self._about(result.call), response=self._mask(result.response))

    def _about(self, call: ToolCall) -> str:
        tool = self._toolbox.find(call.name)
        return cut(tool.description.strip().split("\n")[0], _LONGEST_ABOUT) if tool is not None else ""

    def _report(self, number: int, run: ToolRun) -> None:
        run = structs.replace(run, about=self._about(run.call))
        self._news.put_nowait(ToolProgress(self._first + number, run))
