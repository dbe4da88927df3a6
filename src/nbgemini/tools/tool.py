"""A tool, a call of it, and its result: run beside the loop, and always answered.

Invariants: `run` answers whatever a tool does, but an end that comes from outside; a tool that isn't async runs in a thread of
its own, so it holds up neither the loop, nor another tool, nor the kernel's end; bad arguments never reach a function. A result
encodes to at most 64 KiB of valid JSON: what can't be read becomes words about it, and what was left out is counted there.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, TypeVar

from msgspec import Struct, structs

from nbgemini._async.threads import run_in_daemon_thread
from nbgemini.errors import ToolError
from nbgemini.messages.events import RunState, ToolCall, ToolRun
from nbgemini.prompts.jsonable import converted, cut
from nbgemini.tools.stdout import PRINTED, PrintedText

T = TypeVar("T")
GRACE = 1.0  # seconds that a cancelled tool has to tidy up
ERROR_CHARACTERS = 4_000
FAULTS = 8  # wrong arguments named in one answer
_abandoned: set[asyncio.Task[ToolRun]] = set()  # a loop holds its tasks weakly


def note_of(result: ToolRun) -> dict[str, Any]:
    """Return what its reader is to see again and the service has no word for."""
    note = {"state": result.state, "seconds": round(result.seconds, 2)}
    more = {"unasked": result.unasked, "about": result.about, "printed": result.printed}
    return note | {name: value for name, value in more.items() if value}


def text_result(call: ToolCall, text: str, state: RunState, seconds: float = 0.0) -> ToolRun:
    """Return a result in words: for a call that was refused, stopped, cut off or failed."""
    words = cut(text, ERROR_CHARACTERS)
    return ToolRun(call, state, {"output" if state == "done" else "error": words}, (), seconds)


class Tool(Struct, frozen=True, eq=False):
    """A function as the model may call it."""

    name: str
    description: str
    schema: dict[str, Any]  # the JSON Schema of its parameters
    timeout: float | None  # seconds that a call may take; None for as long as it takes
    source_hash: str  # of what runs; approval given for good ends with it
    _function: Callable[..., Any]
    _signature: inspect.Signature
    _check: Callable[[bytes], dict[str, Any]]
    safe: bool = False  # whether its user says that it may run unasked
    labels: frozenset[str] = frozenset()  # what its user says of it: `private`, `untrusted`, `external`
    guarded: bool = False  # whether each call must be asked for, in the company it is offered in
    file: str = ""  # where its function is written, if it is
    line: int = 0
    _anew: Callable[[], str] | None = None

    def current_hash(self) -> str:
        """Return the hash as it is by now: what a function reaches may have changed since it was declared."""
        return self.source_hash if self._anew is None else self._anew()

    @property
    def in_thread(self) -> bool:
        """Whether it runs in a thread, which nobody can end."""
        return not satisfies(inspect.iscoroutinefunction, self._function)

    def fault(self, args: Mapping[str, Any]) -> str:
        """Return why a call with these arguments can't run, or nothing."""
        try:
            self._bind(args)
        except ToolError as error:
            return str(error)
        return ""

    async def call(self, args: Mapping[str, Any]) -> Any:
        """Check the arguments and run the function: on this loop if it is async, else in a thread.

        Raises:
            ToolError: the arguments don't fit; one line names each.
            BaseException: whatever the function raises.
        """
        return await self._perform(args, lambda value: value)

    async def _perform(self, args: Mapping[str, Any], then: Callable[[Any], T]) -> T:
        """Run the function and, in a thread, what is to be done with its value."""
        bound = self._bind(args)
        if satisfies(inspect.iscoroutinefunction, self._function):
            return await run_in_daemon_thread(functools.partial(then, await self._function(*bound.args, **bound.kwargs)))

        def work() -> Any:
            value = self._function(*bound.args, **bound.kwargs)
            return value if inspect.isawaitable(value) else then(value)

        value = await run_in_daemon_thread(work)
        return await run_in_daemon_thread(functools.partial(then, await value)) if inspect.isawaitable(value) else value

    def _bind(self, args: Mapping[str, Any]) -> inspect.BoundArguments:
        try:
            values = self._check(json.dumps(dict(args), ensure_ascii=False).encode("utf-8", "replace"))
        except (TypeError, ValueError, RecursionError) as error:
            raise ToolError(f"bad arguments for {self.name}: {_faults_text(error)}") from None
        bound = inspect.BoundArguments(self._signature, values)
        bound.apply_defaults()  # also those of positional parameters that others follow
        return bound


async def run(tool: Tool | None, call: ToolCall, report: Callable[[str], object] = lambda _: None) -> ToolRun:
    """Run a call and return what goes back to the model; cancelled, the tool is cancelled with it.

    `report` is called with what it prints, now and then.
    """
    if tool is None:
        return text_result(call, f"there is no tool named {call.name!r}; use one that is declared", "failed")
    began, printed = monotonic(), PrintedText(report)
    task = asyncio.create_task(_attempt(tool, call, printed), name=f"nbgemini tool {tool.name}")
    try:
        await asyncio.wait({task}, timeout=tool.timeout)
        if not task.done():
            words = f"no result after {tool.timeout:g} s; what it had done by then is not known"
            result = text_result(call, words, "timed out")
        else:
            result = text_result(call, "the tool cancelled itself", "stopped") if task.cancelled() else task.result()
    finally:
        printed.close()
        if not task.done():
            _abandoned.add(task)
            task.add_done_callback(_abandoned.discard)
            task.cancel()
            await asyncio.wait({task}, timeout=GRACE)
    return structs.replace(result, seconds=monotonic() - began, printed=printed.text)


def canonical_json(args: Mapping[str, Any]) -> str:
    """Return arguments as JSON that is equal whenever they are."""
    return json.dumps(dict(args), sort_keys=True, separators=(",", ":"))


def satisfies(test: Callable[[Any], bool], function: Any) -> bool:
    """Whether a function, or what a callable object is called by, passes a test."""
    return test(function) or test(type(function).__call__)


async def _attempt(tool: Tool, call: ToolCall, printed: PrintedText) -> ToolRun:
    PRINTED.set(printed)  # in the context of this task
    try:
        response, media = await tool._perform(call.args, converted)  # noqa: SLF001 - one room
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop, and with it the kernel
        state: Any = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
        return text_result(call, _error_text(error), state)
    return ToolRun(call, "done", response, media)


def _error_text(error: BaseException) -> str:
    """Return what went wrong in the words of the model's interface: the kind, and what the tool says."""
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration):
        error = error.__cause__  # a coroutine can't raise it
    if isinstance(error, KeyboardInterrupt):
        return "the tool was interrupted"
    try:
        words = str(error)
    except Exception:  # noqa: BLE001 - it is a stranger's
        words = ""
    return words if words and isinstance(error, ToolError) else ": ".join(filter(None, (type(error).__name__, words)))


def _faults_text(error: Exception) -> str:
    if not hasattr(error, "errors"):
        return f"they are no JSON ({error})"
    faults, lines = error.errors(include_url=False, include_context=False), []
    for fault in faults[:FAULTS]:
        where = ".".join(map(str, fault["loc"])) or "arguments"
        got = f", got {textwrap.shorten(repr(fault['input'])[:200], 60, placeholder='…')}" if fault["type"] != "missing" else ""
        lines.append(f"{where[:100]}: {' '.join(fault['msg'][:200].split())}{got}")
    return "; ".join([*lines, *([f"and {len(faults) - FAULTS} more"] if len(faults) > FAULTS else [])])
