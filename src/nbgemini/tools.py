"""Python functions offered to the model: declared once, called with checked arguments, always answered.

Invariants: `run` answers whatever a tool does, but an end that comes from outside; a tool that isn't async runs in a thread of
its own, so it holds up neither the loop, nor another tool, nor the kernel's end; bad arguments never reach a function.
pydantic is imported at the first declaration.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import itertools
import json
import math
import re
import textwrap
import threading
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from contextvars import copy_context
from pathlib import PurePath
from time import monotonic
from types import CodeType, SimpleNamespace
from typing import Any, NoReturn, TypeVar

from msgspec import Struct, structs

from nbgemini.errors import PromptError, ToolError
from nbgemini.events import ToolCall
from nbgemini.tool_result import ToolResult, answer, converted

__all__ = ["Tool", "ToolResult", "answer", "canonical", "declare", "run"]

T = TypeVar("T")

TIMEOUT = 60.0  # seconds
GRACE = 1.0  # seconds that a cancelled tool has to tidy up
FAULTS = 8  # wrong arguments named in one answer
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")


class Tool(Struct, frozen=True, eq=False):
    """A function as the model may call it; `schema` is the JSON Schema of its parameters, `timeout` is in seconds."""

    name: str
    description: str
    schema: dict[str, Any]
    timeout: float | None
    fingerprint: str
    _function: Callable[..., Any]
    _signature: inspect.Signature
    _check: Callable[[bytes], dict[str, Any]]

    @property
    def in_thread(self) -> bool:
        """Whether it runs in a thread, which nobody can end."""
        return not _is(inspect.iscoroutinefunction, self._function)

    async def call(self, args: Mapping[str, Any]) -> Any:
        """Check the arguments and run the function: on this loop if it is async, else in a thread.

        Raises:
            ToolError: the arguments don't fit; one line names each.
            BaseException: whatever the function raises.
        """
        return await self._perform(args, lambda value: value)

    async def _perform(self, args: Mapping[str, Any], then: Callable[[Any], T]) -> T:
        """Run the function and, in a thread, what is to be done with its value."""
        bound = self._bound(args)
        if _is(inspect.iscoroutinefunction, self._function):
            return await _in_thread(functools.partial(then, await self._function(*bound.args, **bound.kwargs)))

        def work() -> Any:
            value = self._function(*bound.args, **bound.kwargs)
            return value if inspect.isawaitable(value) else then(value)

        value = await _in_thread(work)
        return await _in_thread(functools.partial(then, await value)) if inspect.isawaitable(value) else value

    def _bound(self, args: Mapping[str, Any]) -> inspect.BoundArguments:
        try:
            values = self._check(json.dumps(dict(args), ensure_ascii=False).encode("utf-8", "replace"))
        except (TypeError, ValueError, RecursionError) as error:
            raise ToolError(f"bad arguments for {self.name}: {_faults(error)}") from None
        bound = inspect.BoundArguments(self._signature, values)
        bound.apply_defaults()  # also those of positional parameters that others follow
        return bound


def declare(function: Callable[..., Any], *, name: str | None = None, timeout: float | None = TIMEOUT) -> Tool:
    """Make a tool out of a function, from its signature, type hints and docstring.

    Raises:
        PromptError: the model could not call it.
    """
    name = _named(function, name)
    if timeout is not None and not (isinstance(timeout, int | float) and 0 < timeout < math.inf):
        _refuse(name, f"a timeout of {timeout} is none; give seconds, or None to wait as long as it takes")
    core = _core(function)
    signature = _signature(function, name)
    adapter = _adapter(name, signature, getattr(core, "__globals__", {}))
    description, documented = _documented(inspect.getdoc(core) or "")
    schema = _schema(adapter, signature, documented)
    description = description or name.replace("_", " ")  # the service asks for one
    return Tool(name, description, schema, timeout, _fingerprint(function, core), function, signature, adapter.validate_json)


async def run(tool: Tool | None, call: ToolCall) -> ToolResult:
    """Run a call and return what goes back to the model.

    Raises:
        CancelledError: the task that waits here was cancelled; the tool is cancelled with it.
    """
    if tool is None:
        return answer(call, f"there is no tool named {call.name!r}; use one that is declared", "failed")
    began = monotonic()
    task = asyncio.create_task(_attempt(tool, call), name=f"nbgemini tool {tool.name}")
    try:
        await asyncio.wait({task}, timeout=tool.timeout)
        result = _ended(tool, call, task)
    finally:
        await _let_go(task)
    return structs.replace(result, seconds=monotonic() - began)


def canonical(args: Mapping[str, Any]) -> str:
    """Return arguments as JSON that is equal whenever they are."""
    return json.dumps(dict(args), sort_keys=True, separators=(",", ":"))


# --- running


_abandoned: set[asyncio.Task[ToolResult]] = set()  # a loop holds its tasks weakly


async def _attempt(tool: Tool, call: ToolCall) -> ToolResult:
    try:
        response, media = await tool._perform(call.args, converted)  # noqa: SLF001 - one room
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop, and with it the kernel
        state: Any = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
        return answer(call, _told(error), state)
    return ToolResult(call, "done", response, media)


def _ended(tool: Tool, call: ToolCall, task: asyncio.Task[ToolResult]) -> ToolResult:
    if not task.done():
        return answer(call, f"no result after {tool.timeout:g} s; what it had done by then is not known", "timed out")
    return answer(call, "the tool cancelled itself", "stopped") if task.cancelled() else task.result()


async def _let_go(task: asyncio.Task[ToolResult]) -> None:
    """Cancel what still runs and give it a moment to tidy up."""
    if not task.done():
        _abandoned.add(task)
        task.add_done_callback(_abandoned.discard)
        task.cancel()
        await asyncio.wait({task}, timeout=GRACE)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a daemon thread of its own: no pool to fill up, and none that Python waits for at its end."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()

    def report(outcome: tuple[T | None, BaseException | None]) -> None:
        if not ended.done():  # nobody waits any more
            ended.set_result(outcome)

    def body() -> None:
        try:
            outcome: tuple[T | None, BaseException | None] = work(), None
        except BaseException as error:  # noqa: BLE001 - a future refuses StopIteration, a thread shows SystemExit to nobody
            outcome = None, error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(report, outcome)

    threading.Thread(target=copy_context().run, args=(body,), name="nbgemini-tool", daemon=True).start()
    value, error = await ended
    if error is None:
        return typing.cast("T", value)
    try:
        raise error
    finally:
        del error  # its traceback holds this frame


def _told(error: BaseException) -> str:
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


def _faults(error: Exception) -> str:
    if not hasattr(error, "errors"):
        return f"they are no JSON ({error})"
    faults = error.errors(include_url=False, include_context=False)
    more = [f"and {len(faults) - FAULTS} more"] if len(faults) > FAULTS else []
    return "; ".join([*map(_fault, faults[:FAULTS]), *more])


def _fault(fault: dict[str, Any]) -> str:
    where = ".".join(map(str, fault["loc"])) or "arguments"
    got = "" if fault["type"] == "missing" else f", got {textwrap.shorten(repr(fault['input'])[:200], 60, placeholder='…')}"
    return f"{where[:100]}: {' '.join(fault['msg'][:200].split())}{got}"


# --- declaring


def _refuse(name: str, why: str) -> NoReturn:
    raise PromptError(f"{name} can't be a tool: {why}") from None


def _named(function: Callable[..., Any], name: str | None) -> str:
    core = function
    while isinstance(core, functools.partial):
        core = core.func
    found = name or str(getattr(core, "__name__", type(core).__name__))
    if not callable(function) or isinstance(function, type):
        _refuse(repr(found), "it is no function; pass a function or a method")
    if found == "<lambda>":
        _refuse("a lambda", "it has no name; write a function with def")
    if not _NAME.fullmatch(found):
        _refuse(repr(found), "a name has up to 64 of A-Z a-z 0-9 _ . : - and begins with a letter or _; give another by name=…")
    if _is(inspect.isasyncgenfunction, function):
        _refuse(found, "it yields asynchronously; return a list instead")
    return found


def _is(test: Callable[[Any], bool], function: Any) -> bool:
    return test(function) or test(type(function).__call__)


def _core(function: Any) -> Any:
    """Return the function somebody wrote, inside partials, decorators and callable objects."""
    while (inner := _inner(function)) is not None:
        function = inner
    return function if inspect.isroutine(function) else type(function).__call__


def _inner(function: Any) -> Any:
    return function.func if isinstance(function, functools.partial) else getattr(function, "__wrapped__", None)


def _signature(function: Callable[..., Any], name: str) -> inspect.Signature:
    """Return the signature, without what a partial has settled.

    Raises:
        PromptError: it can't be read, or doesn't name each parameter.
    """
    try:
        signature = inspect.signature(function)
    except Exception as error:  # noqa: BLE001 - since Python 3.14 this evaluates the hints
        _refuse(name, f"its parameters can't be read ({error}); wrap it in a function of your own")
    for parameter in signature.parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            _refuse(name, f"its parameter {parameter} takes anything, so the model can't know what; name each parameter")
    first = next(iter(signature.parameters), "")
    if first in {"self", "cls"}:
        _refuse(name, f"it asks for {first!r}; pass the method of an object")
    return signature.replace(parameters=[p for p in signature.parameters.values() if p.name not in _settled(function)])


def _settled(function: Any) -> set[str]:
    settled: set[str] = set()
    while isinstance(function, functools.partial):
        settled |= set(function.keywords)
        function = function.func
    return settled


def _adapter(name: str, signature: inspect.Signature, known: dict[str, Any]) -> Any:
    """Return pydantic's reader of the arguments: a TypedDict, whose keys may have any name and whose defaults stay Python's.

    Raises:
        PromptError: a type hint can't be read, or JSON can't carry it.
    """
    import typing_extensions  # noqa: PLC0415 - comes with pydantic

    entries = {}
    for key, parameter in signature.parameters.items():
        hint = _hint(name, parameter, known)
        _readable(name, key, hint)
        entries[key] = hint if parameter.default is parameter.empty else typing_extensions.NotRequired[hint]
    return _reader(entries)


def _reader(entries: dict[str, Any]) -> Any:
    import pydantic  # noqa: PLC0415 - 0.1 s, for those who declare tools
    import typing_extensions  # noqa: PLC0415

    make: Any = typing_extensions.TypedDict
    shape = make("Arguments", entries)
    shape.__pydantic_config__ = {"extra": "forbid"}
    return pydantic.TypeAdapter(shape)


def _hint(name: str, parameter: inspect.Parameter, known: dict[str, Any]) -> Any:
    if type(parameter.default).__name__ == "FieldInfo":
        _refuse(
            name, f"the default of {parameter.name!r} is a Field; write {parameter.name}: Annotated[type, Field(…)] = value"
        )
    if parameter.annotation is parameter.empty:
        return Any
    holder = SimpleNamespace(__annotations__={"it": parameter.annotation})
    try:
        hint = typing.get_type_hints(holder, known, include_extras=True)["it"]
    except Exception as error:  # noqa: BLE001 - a hint is any expression
        _refuse(name, f"the type hint of {parameter.name!r} can't be read ({error}); define what it names beside the function")
    return typing.Optional[hint] if parameter.default is None else hint  # noqa: UP045 - a hint may be a string's value


def _readable(name: str, key: str, hint: Any) -> None:
    try:
        _reader({key: hint}).json_schema(schema_generator=_generator())
    except Exception as error:  # noqa: BLE001 - pydantic runs what the types bring along
        if getattr(error, "code", "") == "typed-dict-version":
            _refuse(name, f"{key!r} is a TypedDict of typing, which can't be read before Python 3.12; use typing_extensions'")
        shown = inspect.formatannotation(hint)
        _refuse(name, f"{key!r} is of type {shown}, which JSON can't carry; take text, numbers, lists or a dataclass instead")


@functools.cache
def _generator() -> Any:
    from pydantic.json_schema import GenerateJsonSchema  # noqa: PLC0415

    class Quiet(GenerateJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as its base has it

    return Quiet


def _schema(adapter: Any, signature: inspect.Signature, documented: Mapping[str, str]) -> dict[str, Any]:
    schema = adapter.json_schema(schema_generator=_generator())
    for key, parameter in signature.parameters.items():
        entry = schema["properties"].get(key, {})
        if key in documented:
            entry.setdefault("description", documented[key])
        if parameter.default is not parameter.empty:
            entry.update(_default(parameter.default))
    defs = schema.pop("$defs", {})
    circular = _circular(defs)
    plain = {key: body for key, body in defs.items() if key not in circular}
    kept = {"$defs": {key: _tidy(defs[key], plain) for key in sorted(circular)}} if circular else {}
    return {**_tidy(schema, plain), **kept}


def _default(value: Any) -> dict[str, Any]:
    from pydantic_core import to_jsonable_python  # noqa: PLC0415

    with suppress(Exception):  # a default that JSON can't say is Python's own business
        said = to_jsonable_python(value)
        json.dumps(said, allow_nan=False)
        return {} if said is None else {"default": said}
    return {}


def _circular(defs: Mapping[str, Any]) -> set[str]:
    """Return the names of the types that contain themselves."""
    uses = {key: set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(body))) for key, body in defs.items()}
    for _ in defs:  # each pass looks at least one type farther
        uses = {key: found.union(*(uses[other] for other in found)) for key, found in uses.items()}
    return {key for key, found in uses.items() if key in found}


_NOISE = {"title", "discriminator", "examples"}  # the service refuses or ignores them
_FORMATS = {"date-time", "date", "time"}  # that it knows


def _tidy(schema: Any, defs: Mapping[str, Any]) -> Any:
    """Return a schema in the words the service takes; `defs` are put in place, a `$ref` stays only where a type is circular."""
    if not isinstance(schema, dict):
        return schema
    rest = {key: value for key, value in schema.items() if key not in _NOISE and key != "$ref"}
    if "$ref" in schema:
        body = defs.get(schema["$ref"].removeprefix("#/$defs/"))
        if body is not None:
            return _tidy({**body, **rest}, defs)
        kept = {"$ref": schema["$ref"]}  # which may have no neighbours
        return {"anyOf": [kept], **rest} if rest else kept
    return _reworded({key: _inside(key, value, defs) for key, value in rest.items()})


def _inside(key: str, value: Any, defs: Mapping[str, Any]) -> Any:
    match key:
        case "properties" | "patternProperties":
            return {name: _tidy(entry, defs) for name, entry in value.items()}
        case "anyOf" | "oneOf" | "allOf" | "prefixItems":
            return [_tidy(entry, defs) for entry in value]
        case "items" | "additionalProperties" | "propertyNames" | "contains" | "not":
            return _tidy(value, defs)
    return value


def _reworded(schema: dict[str, Any]) -> dict[str, Any]:
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    step = 1 if schema.get("type") == "integer" else 0
    for word, plain, off in (("exclusiveMinimum", "minimum", step), ("exclusiveMaximum", "maximum", -step)):
        if word in schema:
            schema[plain] = schema.pop(word) + off  # of other numbers, pydantic still refuses the edge
    if schema.get("format") not in {None, *_FORMATS} and schema.get("type") == "string":
        said = f"(format: {schema.pop('format')})"
        schema["description"] = f"{schema.get('description', '')} {said}".strip()
    return schema


def _fingerprint(function: Any, core: Any) -> str:
    """Return a hash of what runs: the source as written, or its code where there is none, and the values it was made with."""
    try:
        source: Any = inspect.getsource(core)
    except (OSError, TypeError):
        source = _compiled(getattr(core, "__code__", None)) or repr(core)
    digest = hashlib.sha256(repr(source).encode("utf-8", "replace"))
    for value in _made_with(function, core):
        said = _bytes(value)
        digest.update(f"{type(value).__qualname__} {len(said)} ".encode() + said)
    return digest.hexdigest()


def _bytes(value: Any) -> bytes:
    """Return a value that doesn't change by itself; of others, only the type counts."""
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return repr(value).encode() if isinstance(value, int | float | PurePath) else b""


def _made_with(function: Any, core: Any) -> Iterator[Any]:
    """Yield what partials have settled, the defaults, and what the function holds of the function around it."""
    while isinstance(function, functools.partial):
        yield from function.args
        yield from itertools.chain.from_iterable(sorted(function.keywords.items()))
        function = function.func
    yield from getattr(core, "__defaults__", None) or ()
    yield from (getattr(core, "__kwdefaults__", None) or {}).values()
    for cell in getattr(core, "__closure__", None) or ():
        with suppress(ValueError):  # an empty cell
            yield cell.cell_contents


def _compiled(code: CodeType | None) -> tuple[Any, ...]:
    if code is None:
        return ()
    consts = [_compiled(const) if isinstance(const, CodeType) else const for const in code.co_consts]
    return code.co_code, code.co_names, consts


# --- docstrings

_PARAMETERS = re.compile(r"(?i)((other |keyword )?(parameters|arguments)|params|args|keyword args)\s*:?\s*$")
_OTHERS = re.compile(
    r"(?i)(attributes|examples?|notes?|raises|references|returns?|see also|todo|warnings?|warns|yields?)\s*:?\s*$"
)
_FIELD = re.compile(r":(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:(.*)")
_ENTRY = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?:\(.*?\))?\s*(?::(.*))?$")


def _documented(doc: str) -> tuple[str, dict[str, str]]:
    """Return what a docstring says about the function, and about each parameter (Google, NumPy and reST)."""
    lines = doc.splitlines()
    opens = [number for number in range(len(lines)) if _opens(lines, number)]
    described: dict[str, str] = {}
    for start, end in itertools.pairwise([*opens, len(lines)]):
        described.update(_section(lines[start:end]))
    return "\n".join(lines[: opens[0] if opens else len(lines)]).strip(), described


def _opens(lines: list[str], number: int) -> bool:
    """Whether a section, or a field of reST, begins here."""
    line, after = lines[number], next((line for line in lines[number + 1 :] if line.strip()), "")
    if not (_PARAMETERS.match(line) or _OTHERS.match(line)):
        return bool(re.match(r":\w+[^:]*:", line))
    return _underlined(after) or (line.rstrip().endswith(":") and after.startswith((" ", "\t")))


def _underlined(line: str) -> bool:
    return set(line.strip()) == {"-"}


def _section(lines: list[str]) -> dict[str, str]:
    if field := _FIELD.match(lines[0]):
        return {field[1]: _joined([field[2], *itertools.takewhile(str.strip, lines[1:])])}
    if not _PARAMETERS.match(lines[0]):
        return {}
    numpy = len(lines) > 1 and _underlined(lines[1])
    block = lines[2:] if numpy else itertools.takewhile(lambda line: not line.strip() or line[0].isspace(), lines[1:])
    return _entries(textwrap.dedent("\n".join(block)).splitlines(), typed=numpy)


def _entries(lines: list[str], *, typed: bool) -> dict[str, str]:
    """Return names and texts; `typed`: a type follows the colon, the text comes on the next line."""
    described: dict[str, list[str]] = {}
    texts: list[str] = []
    for line in lines:
        entry = None if line[:1].isspace() else _ENTRY.match(line)
        if entry:
            texts = [] if typed else [entry[2] or ""]
            described.update((name.strip(" *"), texts) for name in entry[1].split(","))
        else:
            texts.append(line)
    return {name: text for name, found in described.items() if (text := _joined(found))}


def _joined(lines: Iterable[str]) -> str:
    return " ".join(" ".join(lines).split())
