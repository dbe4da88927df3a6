"""One run of a stdio MCP server: a process of ours, spoken to through its pipes.

Its lines are read, bounded and parsed in a thread, and reach the loop as messages. Invariants: one task owns the process and
the scopes around it, from start to end; the process ends with `end`, with `stop` or with the interpreter; whatever a server
writes, the loop gets one bounded message a turn; what is too large is refused by an error in its place, unread; of ours a
server inherits PATH, HOME and the like, and no key. The package mcp is imported before, in the loading thread.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from nbgemini.errors import ConfigurationError, ToolError
from nbgemini.tools.mcp.sanitize import error_line

if TYPE_CHECKING:
    import mcp
    from mcp.shared.message import SessionMessage
    from mcp.types import CallToolResult, Tool as Told

MOST_TOOLS = 512
KEPT = 4_096  # bytes of what the server says beside its messages
LAST_WORDS = 1.0  # seconds to hear what a server says that does not start
AT_EXIT = 0.2  # seconds that a server has to end by itself with the interpreter
LARGEST = 16 * 2**20  # bytes of one message
MOST_VALUES = 50_000  # of one message: as many are parsed in 20 ms, which hold the interpreter
MOST_UNREAD = 1_000  # messages that a server leaves unread
MOST_BLOCKS = 1_000  # of one result
_BUFFER = 65_536  # bytes that are read at once
_COUNTED = 2**18  # bytes in which values are counted at once
_ENDS = 4_096  # bytes of a message that is too large in which its number is looked for
_GRACE = 2.0  # seconds that a server has to end once its pipes are closed, and again once it is told to
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_ID = re.compile(rb'"id"\s*:\s*(\d{1,15})')


class ServerEndedError(ToolError):
    """The server has ended."""


class McpProcess:
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
        self._process: Process | None = None
        self._task = asyncio.create_task(self._run(), name=f"nbgemini {name}")
        atexit.register(self._kill)

    @property
    def over(self) -> bool:
        """Whether it takes no more calls, at least on this loop."""
        return self._stop.is_set() or self._task.done() or self._task.get_loop() is not asyncio.get_running_loop()

    @property
    def last_words(self) -> str:
        """The last of what the server said beside its messages."""
        return self._process.last_words.decode("utf-8", "replace") if self._process else ""

    async def started(self) -> None:
        """Return when it takes calls; raise ConfigurationError if it can't be started."""
        await self._ready.wait()
        if self._fault:
            raise ConfigurationError(f"{self._name} can't be started: {self._fault}")

    async def tools(self) -> list[Told]:
        """Return all pages of what the server offers; raise ConfigurationError if they have no end."""
        found: list[Told] = []
        cursor: str | None = None
        for _ in range(MOST_TOOLS):  # a page may hold one tool, or none
            page = await self._ask("list_tools", cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if not cursor or len(found) > MOST_TOOLS:
                break
        if cursor or len(found) > MOST_TOOLS:
            raise ConfigurationError(f"{self._name} offers more than {MOST_TOOLS} tools, or pages of them without end")
        return found

    async def call(self, name: str, arguments: dict[str, Any]) -> CallToolResult:
        """Call a tool; raise ToolError if the server has ended or refuses the call."""
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
        for how, after in ((signal.SIGTERM, 0.0), (_KILL, AT_EXIT)):
            if self._process is not None and not self._process.silent.wait(after):
                self._process.kill(how)

    async def _ask(self, what: str, **how: Any) -> Any:
        import mcp  # noqa: PLC0415 - loaded before
        from mcp.types import CONNECTION_CLOSED  # noqa: PLC0415

        if self._client is None or self._stop.is_set():
            raise ServerEndedError("the MCP server has ended; its tools must be asked for again")
        try:
            return await getattr(self._client, what)(**how)
        except ValueError:  # pydantic's is one, and quotes what it does not understand
            raise ToolError("the MCP server sent an invalid response") from None
        except mcp.MCPError as error:
            if error.code != CONNECTION_CLOSED:
                raise ToolError(error.message) from None
            self._stop.set()
            raise ServerEndedError("the MCP server ended before it answered; what it had done by then is not known") from None

    async def _run(self) -> None:
        import mcp  # noqa: PLC0415 - loaded before

        try:
            self._process = Process(self._command, self._env)
            async with mcp.Client(pipes(self._process), cache=None) as self._client:
                self._ready.set()
                await self._stop.wait()
        except Exception as error:  # noqa: BLE001 - whoever waits for the start is told
            self._fault = await self._failure_line(error)
        finally:
            self._client = None
            self._stop.set()
            self._ready.set()
            atexit.unregister(self._kill)

    async def _failure_line(self, error: BaseException) -> str:
        """Return in one line why it did not start: the server's own last line says most."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if self._process is not None and not isinstance(error, OSError):
            await asyncio.to_thread(self._process.silent.wait, LAST_WORDS)
        if isinstance(error, FileNotFoundError):
            return f"{self._command[0]}: not found"
        said = [line for line in self.last_words.splitlines() if line.strip()]
        reason = error.strerror if isinstance(error, OSError) else None
        return error_line(reason or (said[-1] if said else str(error))) or type(error).__name__


class Process:
    """A server's process, and the threads at its pipes."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start it; raise OSError if that is not possible, ValueError if no command can be like this."""
        from mcp.client.stdio import get_default_environment  # noqa: PLC0415 - loaded before

        if os.name == "nt":
            from mcp.os.win32.utilities import get_windows_executable_command  # noqa: PLC0415

            command = [get_windows_executable_command(command[0]), *command[1:]]
        self._process = subprocess.Popen(  # noqa: S603 - the user's own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**get_default_environment(), **env},
            bufsize=_BUFFER,
            start_new_session=os.name != "nt",
        )
        self.pid = self._process.pid
        self.last_words = b""  # of what it says beside its messages, none of which is shown
        self.silent = threading.Event()  # once nobody can say more there: it has ended, and what it started too
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        _start_thread(self._listen)

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as pipe:
            while chunk := os.read(pipe.fileno(), KEPT):
                self.last_words = (self.last_words + chunk)[-KEPT:]
        self.silent.set()

    def lines(self) -> Generator[bytes, None, None]:
        """Yield its messages as it writes them; of one that is too large, its beginning and its end."""
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            while line := pipe.readline(LARGEST + 1):
                if line.endswith(b"\n"):
                    yield line[:-1]
                elif len(line) > LARGEST:
                    end = b""
                    while not end.endswith(b"\n") and (more := pipe.readline(_ENDS)):
                        end = (end + more)[-_ENDS:]
                    yield line + end.rstrip(b"\n")

    def say(self, data: bytes | None) -> None:
        """Write something soon, in order; nothing more comes after None. A server that asks and never listens is ended."""
        self._outgoing.put(data)
        if self._outgoing.qsize() > MOST_UNREAD:
            self.kill(_KILL)

    def write(self) -> None:
        """Write what is to be said, until there is nothing more or nobody."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError), self._process.stdin as pipe:
            while data := self._outgoing.get():
                pipe.write(data)
                pipe.flush()

    def end(self) -> None:
        """Return when it is gone: by itself, or told to or killed with its children; blocks for seconds at most."""
        self.say(None)
        for how in (None, signal.SIGTERM, _KILL):
            if how is not None:
                self.kill(how)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
                break

    def kill(self, how: signal.Signals) -> None:
        """Send a signal to it and its children."""
        with suppress(OSError):
            if os.name == "nt":
                subprocess.run(["taskkill", "/T", "/F", "/PID", str(self.pid)], capture_output=True, check=False)  # noqa: S603, S607
            else:
                os.killpg(self.pid, how)


def _start_thread(work: Callable[[], object]) -> None:
    """Run this in a thread that Python does not wait for at its end."""
    threading.Thread(target=work, name="nbgemini-mcp", daemon=True).start()


@asynccontextmanager
async def pipes(process: Process) -> AsyncIterator[Any]:
    """Yield what an MCP client reads messages from and writes them to, and end the process afterwards."""
    import anyio  # noqa: PLC0415 - loaded with mcp

    incoming, read = anyio.create_memory_object_stream[Any](0)
    write, outgoing = anyio.create_memory_object_stream[Any](0)
    loop = asyncio.get_running_loop()

    def hear() -> None:
        with (
            closing(process.lines()) as lines,
            suppress(RuntimeError, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError, ValueError),
        ):
            for line in lines:
                sending = incoming.send(message(line))
                try:
                    sent = asyncio.run_coroutine_threadsafe(sending, loop)
                except RuntimeError:  # the loop is closed
                    sending.close()
                    return
                sent.result()
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(incoming.close)

    async def say() -> None:
        async with outgoing:
            async for said in outgoing:
                process.say(said.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")

    _start_thread(hear)
    _start_thread(process.write)
    saying = asyncio.create_task(say())
    try:
        yield read, write
    finally:
        ending = asyncio.create_task(asyncio.to_thread(process.end))
        for stream in (read, write, incoming):
            stream.close()
        with suppress(asyncio.CancelledError):
            await asyncio.shield(ending)
        saying.cancel()
        await asyncio.wait({saying, ending})


def message(line: bytes) -> SessionMessage | Exception:
    """Return what a line says; what is too large, or no message, becomes the error that answers its request."""
    from mcp import types  # noqa: PLC0415 - loaded before
    from mcp.shared.message import SessionMessage  # noqa: PLC0415

    if large := _too_much(line):
        why = f"the server's answer is too large: {large}; it was not read"
    else:
        why = "what the server says is no message"
        with suppress(ValueError):
            said = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
            if isinstance(said, types.JSONRPCResponse):
                said = said.model_copy(update={"result": _in_bounds(said.result)})
            return SessionMessage(said)
    found = _ID.search(line[:_ENDS]) or _ID.search(line[-_ENDS:])
    if found is None:
        return ValueError(why)
    refusal = types.ErrorData(code=types.INTERNAL_ERROR, message=why)
    return SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=int(found[1]), error=refusal))


def _in_bounds(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result with as many blocks as are shown, and tools without the schemas of what they return.

    These would be compiled and run on the loop, and a schema can be made to take for ever.
    """
    blocks, tools = result.get("content"), result.get("tools")
    if isinstance(blocks, list) and len(blocks) > MOST_BLOCKS:
        left = {"type": "text", "text": f"… {len(blocks) - MOST_BLOCKS:,} more blocks left out …"}
        return {**result, "content": [*blocks[:MOST_BLOCKS], left]}
    if isinstance(tools, list):
        for tool in tools:
            if isinstance(tool, dict):
                tool.pop("outputSchema", None)
    return result


def _too_much(line: bytes) -> str:
    if len(line) > LARGEST:
        return f"over {LARGEST >> 20} MiB"
    values, at = 0, 0
    while at < len(line) and values <= MOST_VALUES:
        values += sum(line.count(sign, at, at + _COUNTED) for sign in (b",", b"[", b"{"))
        at += _COUNTED
    return f"over {MOST_VALUES:,} values" if values > MOST_VALUES else ""
