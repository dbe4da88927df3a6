"""Tools of a stdio MCP server, offered like functions: a process of ours, spoken to through its pipes.

Invariants: one task owns the process and the scopes around it, from start to end; a call ends with its answer, its timeout, its
cancellation or the server's end, whatever the server does; the process ends with `aclose`, with the last reference to it or
with the interpreter; what a server says about its tools is shortened, and holds no character that can't be seen.
The package mcp is imported at the first use, in the loading thread.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import functools
import hashlib
import inspect
import json
import logging
import os
import re
import signal
import threading
import unicodedata
import weakref
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from nbgemini.errors import ConfigurationError, ToolError
from nbgemini.loading import load
from nbgemini.tool_result import MEDIA_BYTES
from nbgemini.tools import TIMEOUT, Tool

if TYPE_CHECKING:
    import mcp
    from mcp.client import Transport
    from mcp.types import CallToolResult
    from mcp.types import Tool as Told

MOST_TOOLS = 512
DESCRIPTION = 1_024  # characters
NAME = 64
LINE = 300  # characters of an error
KEPT = 4_096  # bytes of what the server says beside its messages
LAST_WORDS = 1.0  # seconds to hear what a server says that does not start
AT_EXIT = 0.2  # seconds that a server has to end by itself with the interpreter
PICTURES = {"image/png", "image/jpeg", "image/webp"}  # that the service takes
# mcp does not say which process it has started; the shell does, and then becomes the server.
_TELLS_PID: tuple[str, ...] = () if os.name == "nt" else ("/bin/sh", "-c", 'echo $$ >&2; exec "$@"', "start")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.:-]")


class McpServer:
    """One stdio MCP server: its tools, offered like functions.

    Attributes:
        command: what is run.
        timeout: seconds that the server has to start, and each call to be answered.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float | None = TIMEOUT,
        prefix: str = "",
    ) -> None:
        """Name the server; it starts when its tools are asked for.

        Args:
            command: program and arguments.
            env: variables of its environment; of ours it gets PATH, HOME and the like, and no key.
            timeout: seconds to start, and for each call; None waits as long as it takes.
            prefix: put before the tools' names, where two servers have tools of one name.

        Raises:
            ConfigurationError: the command is not a list.
        """
        if isinstance(command, str) or not command:
            raise ConfigurationError("the command of an MCP server is a list, like ['npx', '-y', 'some-server']")
        self.command = tuple(str(word) for word in command)
        self.timeout = timeout
        self._env = dict(env or {})
        self._prefix = prefix
        self._session: _Session | None = None

    @property
    def stderr(self) -> str:
        """The last of what the server said beside its messages."""
        return self._session.last_words if self._session else ""

    async def tools(self) -> list[Tool]:
        """Return what the server offers now; it is started if it isn't running.

        Raises:
            ConfigurationError: it can't be started, doesn't answer, or the package mcp is not installed.
        """
        await load(_imported)
        try:
            async with asyncio.timeout(self.timeout):
                session, listed = await self._listed()
        except TimeoutError:
            await self.aclose()
            raise ConfigurationError(f"{self} did not answer within {self.timeout:g} s") from None
        except ToolError as error:
            raise ConfigurationError(f"{self} does not tell its tools: {' '.join(_seen(str(error), LINE).split())}") from None
        names = _names(self._prefix + told.name for told in listed)
        return [self._tool(session, told, name) for told, name in zip(listed, names, strict=True)]

    async def aclose(self) -> None:
        """End the server; calls that still run fail."""
        session, self._session = self._session, None
        if session is not None:
            await session.end()

    async def __aenter__(self) -> Self:
        """Enter."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """End the server."""
        await self.aclose()

    def __repr__(self) -> str:
        """Return its program: arguments may hold keys."""
        return f"MCP server {Path(self.command[0]).name!r}"

    async def _listed(self) -> tuple[_Session, list[Told]]:
        session = await self._running()
        try:
            return session, await session.tools()
        except _Ended:  # unnoticed, since it was asked last
            session = await self._running()
            return session, await session.tools()

    async def _running(self) -> _Session:
        while (former := self._session) is not None and former.over:
            await former.end()
            if self._session is former:
                self._session = None
        if self._session is None:
            self._session = _Session(str(self), self.command, self._env)
            weakref.finalize(self, self._session.stop)  # a cell that is run again forgets its server
        await self._session.started()
        return self._session

    async def _call(self, session: _Session, name: str, arguments: dict[str, Any]) -> Any:
        return _value(await session.call(name, arguments))

    def _tool(self, session: _Session, told: Told, name: str) -> Tool:
        async def call(arguments: dict[str, Any]) -> Any:
            return await self._call(session, told.name, arguments)  # `self`: whoever holds a tool holds its server

        said = told.description or told.title or name.replace("_", " ")  # the service asks for one
        source = [self.command, self._env, told.name, told.description, told.input_schema]
        fingerprint = hashlib.sha256(json.dumps(source, sort_keys=True).encode("utf-8", "replace")).hexdigest()
        schema = {"type": "object", **_shortened(told.input_schema)}
        return Tool(name, _seen(said), schema, self.timeout, fingerprint, call, inspect.signature(call), _arguments)


@functools.cache
def _imported() -> None:
    try:
        import mcp  # noqa: PLC0415 - 1 s, for those who have a server
    except ImportError:
        raise ConfigurationError("tools of MCP servers need the package mcp: pip install 'nbgemini[mcp]'") from None
    logging.getLogger(mcp.__name__).addHandler(logging.NullHandler())  # else each bad line of a server lands in the notebook


@functools.cache
def _imported_checks() -> None:
    """Import what mcp would import on the loop, at the first result: that takes 2 s."""
    with suppress(ImportError):
        import_module("jsonschema")
        import_module("referencing.exceptions")


# --- one run of the server


class _Ended(ToolError):  # noqa: N818 - a fact first, and an error to whom it concerns
    """The server has ended."""


class _Session:
    """One run of a server: its process and the scopes around it, all in one task of their own."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start the server, on the running loop."""
        self._name = name
        self._command = command
        self._env = env
        self._client: mcp.Client | None = None
        self._fault = ""
        self._ready = asyncio.Event()
        self._stop = asyncio.Event()
        self._stderr = _Stderr()
        self._task = asyncio.create_task(self._live(), name=f"nbgemini {name}")
        atexit.register(self._kill)

    @property
    def over(self) -> bool:
        """Whether it takes no more calls, at least on this loop."""
        return self._stop.is_set() or self._task.done() or self._task.get_loop() is not asyncio.get_running_loop()

    @property
    def last_words(self) -> str:
        """The last of what the server said beside its messages."""
        return self._stderr.kept.decode("utf-8", "replace")

    async def started(self) -> None:
        """Return when it takes calls.

        Raises:
            ConfigurationError: it can't be started.
        """
        await self._ready.wait()
        if self._fault:
            raise ConfigurationError(f"{self._name} can't be started: {self._fault}")

    async def tools(self) -> list[Told]:
        """Return all pages of what the server offers.

        Raises:
            ConfigurationError: it offers nothing, or without end.
        """
        found: list[Told] = []
        cursor: str | None = None
        while True:
            page = await self._ask("list_tools", cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if len(found) > MOST_TOOLS:
                raise ConfigurationError(f"{self._name} offers more than {MOST_TOOLS} tools")
            if not cursor:
                return found

    async def call(self, name: str, arguments: dict[str, Any]) -> CallToolResult:
        """Call a tool.

        Raises:
            ToolError: the server has ended, or refuses the call.
        """
        await load(_imported_checks)
        result: CallToolResult = await self._ask("call_tool", name=name, arguments=arguments)
        return result

    async def end(self) -> None:
        """Return when the process is gone."""
        if self._task.get_loop() is not asyncio.get_running_loop():
            return self._kill()
        self._stop.set()
        if not self._ready.is_set():
            self._task.cancel()
        await asyncio.wait({self._task})
        return None

    def stop(self) -> None:
        """Let the process end, from any thread."""
        with suppress(RuntimeError):  # the loop is closed
            self._task.get_loop().call_soon_threadsafe(self._stop.set)

    def _kill(self) -> None:
        """End the process and its children, although its loop does not run: closed pipes end most servers, but not all."""
        if not self._stderr.pid:
            return
        for how, after in ((signal.SIGTERM, 0.0), (signal.SIGKILL, AT_EXIT)):
            if not self._stderr.ended.wait(after):
                with suppress(OSError):
                    os.killpg(self._stderr.pid, how)

    async def _ask(self, what: str, **how: Any) -> Any:
        import mcp  # noqa: PLC0415 - loaded before
        from mcp.types import CONNECTION_CLOSED  # noqa: PLC0415

        if self._client is None or self._stop.is_set():
            raise _Ended("the MCP server has ended; its tools must be asked for again")
        try:
            return await getattr(self._client, what)(**how)
        except mcp.MCPError as error:
            if error.code != CONNECTION_CLOSED:
                raise ToolError(error.message) from None
            self._stop.set()
            raise _Ended("the MCP server ended before it answered; what it had done by then is not known") from None

    async def _live(self) -> None:
        import mcp  # noqa: PLC0415 - loaded before

        try:
            async with mcp.Client(self._pipes(), cache=None) as self._client:
                self._ready.set()
                await load(_imported_checks)
                await self._stop.wait()
        except Exception as error:  # noqa: BLE001 - whoever waits for the start is told
            self._fault = await self._why(error)
        finally:
            self._client = None
            self._stop.set()
            self._ready.set()
            self._stderr.file.close()
            atexit.unregister(self._kill)

    def _pipes(self) -> Transport:
        from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: PLC0415

        program, *arguments = (*_TELLS_PID, *self._command)
        given = StdioServerParameters(command=program, args=arguments, env=dict(self._env))

        @asynccontextmanager
        async def pipes() -> AsyncIterator[Any]:
            async with stdio_client(given, self._stderr.file) as streams:
                self._stderr.file.close()  # the server has its own; ours would hide when that is closed
                yield streams

        return pipes()

    async def _why(self, error: BaseException) -> str:
        """Return in one line why it did not start: the server's own last line says most."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        await asyncio.to_thread(self._stderr.ended.wait, 0 if isinstance(error, OSError) else LAST_WORDS)
        said = [line for line in self.last_words.splitlines() if line.strip()]
        reason = error.strerror if isinstance(error, OSError) else None
        return " ".join(_seen(reason or (said[-1] if said else str(error)), LINE).split()) or type(error).__name__


class _Stderr:
    """What a server says beside its messages: the last of it is kept, and none is shown.

    Attributes:
        pid: the server's process and its group, as the first line says; 0 while that is not known.
    """

    def __init__(self) -> None:
        """Open a pipe, and read it in a thread that Python does not wait for."""
        source, sink = os.pipe()
        self.file = os.fdopen(sink, "w")
        self.kept = b""
        self.pid = 0
        self.ended = threading.Event()
        threading.Thread(target=self._read, args=(source,), name="nbgemini-mcp-stderr", daemon=True).start()

    def _read(self, source: int) -> None:
        with os.fdopen(source, "rb", buffering=0) as pipe:
            if _TELLS_PID:
                self.pid = int(pipe.readline() or 0)
            while chunk := pipe.read(KEPT):
                self.kept = (self.kept + chunk)[-KEPT:]
        self.ended.set()


# --- what the server says


def _arguments(data: bytes) -> dict[str, Any]:
    """Return the arguments as the one that a tool of a server has; it checks them itself."""
    return {"arguments": json.loads(data)}


def _names(wanted: Iterable[str]) -> list[str]:
    """Return names that the service takes, each once."""
    names: list[str] = []
    for want in wanted:
        plain = _FORBIDDEN.sub("_", want)
        name = plain = (plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}")[:NAME]
        number = 2
        while name in names:
            name = f"{plain[: NAME - 4]}_{number}"
            number += 1
        names.append(name)
    return names


def _seen(text: str, limit: int = DESCRIPTION) -> str:
    """Return a stranger's text, shortened, without what a reader would not see and a model would."""
    short = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return "".join(sign for sign in short if sign in "\n\t" or not unicodedata.category(sign).startswith("C")).strip()


def _shortened(schema: Any) -> Any:
    """Return the schema as it came, with descriptions that end."""
    if isinstance(schema, dict):
        return {
            key: _seen(value) if key in {"description", "title"} and isinstance(value, str) else _shortened(value)
            for key, value in schema.items()
        }
    return [_shortened(item) for item in schema] if isinstance(schema, list) else schema


def _value(result: CallToolResult) -> Any:
    """Return what a tool returned as Python would: data, text, pictures as bytes, or a list of these.

    Raises:
        ToolError: the tool failed, in its own words.
    """
    blocks = [_block(block) for block in result.content]
    texts = [block for block in blocks if isinstance(block, str)]
    if result.is_error:
        raise ToolError("\n".join(texts) or "the tool failed and did not say why")
    data = result.structured_content
    if data is None:
        return _single(_joined(blocks))
    kept = [block for block in blocks if isinstance(block, bytes)] if _repeats(texts, data) else _joined(blocks)
    return _single([data, *kept])


def _single(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items or ""


def _joined(blocks: Iterable[str | bytes]) -> list[str | bytes]:
    """Return the blocks with neighbouring texts as one."""
    joined: list[str | bytes] = []
    for block in blocks:
        if isinstance(block, str) and joined and isinstance(joined[-1], str):
            joined[-1] += f"\n{block}"
        else:
            joined.append(block)
    return joined


def _repeats(texts: list[str], data: Any) -> bool:
    """Whether the texts only say the data again, as servers do for clients that know no data."""
    inner = next(iter(data.values())) if isinstance(data, dict) and len(data) == 1 else data
    said = [_parsed(text) for text in texts]
    return said in (data, inner) or texts == inner or (len(said) == 1 and (said[0] in (data, inner) or texts[0] == inner))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _block(block: Any) -> str | bytes:
    """Return one block of a result: its text, its picture's bytes, or words about what can't be sent."""
    match block.type:
        case "text":
            return str(block.text)
        case "image" | "audio":
            return _bytes(block.data, block.mime_type, block.type)
        case "resource" if hasattr(block.resource, "blob"):
            return _bytes(block.resource.blob, block.resource.mime_type or "", f"resource {block.resource.uri}")
        case "resource":
            return f"{block.resource.uri}:\n{block.resource.text}"
    return f"resource {block.uri} ({block.name})"


def _bytes(data: str, mime: str, what: str) -> str | bytes:
    size = len(data) * 3 // 4
    if mime in PICTURES and size <= MEDIA_BYTES:
        with suppress(ValueError):
            return base64.b64decode(data)
    return f"{what} ({mime}, {size:,} bytes), which can't be sent"
