"""What is offered to the model in one chat, and who decides whether a call of it runs.

Invariants: only what was offered explicitly can be called; a call runs only after it was approved, and an approval holds for
one name, one set of arguments and one source of the function; nothing runs twice by itself; nobody to ask means refused; each
call gets one answer, whoever fails; what is masked in it is masked for all who see it. While the tools of one prompt together
read what is private, take in what strangers wrote and can send something out, a labelled one runs unasked only if its user says
`unguarded` with that prompt: a stranger's text could ask for what is private.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias

from msgspec import Struct, structs

from nbgemini._async.readers import WaitGuard, hold_up
from nbgemini.errors import PromptError
from nbgemini.messages.events import ToolCall, ToolProgress, ToolRun
from nbgemini.messages.turns import Declaration
from nbgemini.prompts.jsonable import cut
from nbgemini.prompts.secret_scan import redact_secrets
from nbgemini.tools.decorator import LABELS, as_tool
from nbgemini.tools.tool import Tool, canonical_json, run, text_result

Approve: TypeAlias = Callable[[Tool, ToolCall, int], Awaitable[bool] | bool]

WORDS = ("ask", "auto", "never", "unguarded")
AT_ONCE = 8  # calls that run side by side
MOST_ROUNDS = 10
MOST_REPEATS = 3  # rounds of the same calls, in a row
_LONGEST_ABOUT = 200  # characters of what a tool says of itself that its card shows
_DEEDS = dict(zip(LABELS, ("read private data", "read what strangers wrote", "send data out"), strict=True))


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
        """Offer functions, each under a name of its own; `approve` is asked before each call."""
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
        said = tool.safe or self._approve(tool, call, number)
        return (await said if inspect.isawaitable(said) else said) is True


def build_toolbox(tools: Iterable[Tool], approve: Approve | str, ask: Approve = refuse_all) -> Toolbox:
    """Return the tools of a prompt with who decides about their calls.

    `approve` is one of `WORDS`, or a function of the user's own; `ask` is who is asked where that is wanted. A word that is
    none, or may not be said about these tools, is a PromptError.
    """
    offered = list(tools)
    if callable(approve):
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
            f"approve auto is refused: together these tools {deeds[0]}, {deeds[1]} and {deeds[2]}, so a stranger's text"
            " could make the model send data away; approve each (--approve ask), leave a tool out, or use --approve unguarded"
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


class _RunningCall(Struct, eq=False):
    """One call on its way to its answer."""

    number: int  # in the reply
    call: ToolCall
    tool: Tool | None
    begun: bool = False
    unasked: bool = False  # whether it runs without asking
    stopped_by_user: bool = False
    task: asyncio.Task[None] | None = None
    result: ToolRun | None = None

    @property
    def about(self) -> str:
        """What the tool says of itself, for the card."""
        return cut(self.tool.description.strip().split("\n")[0], _LONGEST_ABOUT) if self.tool is not None else ""

    def stopped(self) -> ToolRun:
        """Return the answer to a call that was stopped."""
        words = "stopped by the user" if self.stopped_by_user else "stopped"
        if not self.begun:
            return text_result(self.call, f"{words} before it began; nothing was done", "stopped")
        left = self.tool is not None and self.tool.in_thread  # Python can't end a thread
        unknown = "its thread can't be ended and may still work" if left else "what it had done by then is not known"
        return text_result(self.call, f"{words}; {unknown}", "stopped")


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
        self._toolbox, self._holds_up, self._mask, self._first = toolbox, holds_up, mask, first
        self._calls = [_RunningCall(number, call, toolbox.find(call.name)) for number, call in enumerate(calls, first)]
        self._unanswered = len(self._calls)
        self._free = asyncio.Semaphore(AT_ONCE)
        self._news: asyncio.Queue[ToolProgress] = asyncio.Queue()

    async def progress(self) -> AsyncGenerator[ToolProgress, None]:
        """Run the calls and yield each step; leaving it early stops those that run."""
        tasks = []
        for running in self._calls:
            running.task = asyncio.create_task(self._answer(running))
            tasks.append(running.task)
        try:
            while self._unanswered or not self._news.empty():
                yield await self._news.get()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self, number: int) -> None:
        """Stop the n-th call of the reply alone, if it is one of these and not over."""
        if not 0 <= number - self._first < len(self._calls):
            return
        running = self._calls[number - self._first]
        if running.task is not None and not running.task.done():
            running.stopped_by_user = True
            running.task.cancel()

    def results(self) -> list[ToolRun]:
        """Return an answer to every call, in the order of the calls."""
        return [running.result or self._labelled(running, running.stopped()) for running in self._calls]

    async def _answer(self, running: _RunningCall) -> None:
        """Answer a call; whoever cancels this task, and whatever an approval raises, it has its answer."""
        hold_up(self._holds_up)
        try:
            result = await self._result(running)
        except asyncio.CancelledError:
            result = running.stopped()
        except BaseException as error:  # noqa: BLE001 - nobody's leave is no leave, and a task must not end the loop
            result = text_result(running.call, f"nobody could be asked: {type(error).__name__}", "refused")
        running.result = self._labelled(running, result)
        self._unanswered -= 1
        self._report(running, running.result)

    async def _result(self, running: _RunningCall) -> ToolRun:
        call, tool = running.call, running.tool
        if tool is not None:
            if fault := tool.fault(call.args):
                return text_result(call, fault, "failed")  # nobody need be asked about what can't run
            running.unasked = self._toolbox.asks_nobody(tool)
            self._report(running, ToolRun(call, "asking"))
            if not await self._toolbox.approved(tool, call, running.number):
                return text_result(call, self._toolbox.refusal, "refused")
        async with self._free:
            running.begun = True
            run_so_far = ToolRun(call, "running", unasked=running.unasked)
            self._report(running, run_so_far)
            return await run(
                tool, call, lambda text: self._report(running, structs.replace(run_so_far, printed=self._mask(text)))
            )

    def _labelled(self, running: _RunningCall, result: ToolRun) -> ToolRun:
        """Return the result with what its reader must always see: that it ran and nobody was asked; and no key in it."""
        unasked = running.begun and running.unasked
        masked = {"response": self._mask(result.response), "printed": self._mask(result.printed)}
        return structs.replace(result, unasked=unasked, about=running.about, **masked)

    def _report(self, running: _RunningCall, run: ToolRun) -> None:
        self._news.put_nowait(ToolProgress(running.number, structs.replace(run, about=running.about)))
