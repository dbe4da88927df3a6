"""One run of a stdio MCP server: a process of ours, spoken to through its pipes.

Invariants: one task owns the process and the scopes around it, from start to end; the process ends with `end`, with `stop` or
with the interpreter. The package mcp is imported before, in the loading thread.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbgemini.errors import ConfigurationError, ToolError
from nbgemini.tools.mcp.pipes import Process, pipes
from nbgemini.tools.mcp.sanitize import one_line

if TYPE_CHECKING:
    import mcp
    from mcp.client import Transport
    from mcp.types import CallToolResult
    from mcp.types import Tool as Told

MOST_TOOLS = 512
KEPT = 4_096  # bytes of what the server says beside its messages
LAST_WORDS = 1.0  # seconds to hear what a server says that does not start
AT_EXIT = 0.2  # seconds that a server has to end by itself with the interpreter


class EndedError(ToolError):
    """The server has ended."""


class Session:
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
        self._process: Process | None = None
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
        if self._process is None:
            return
        for how, after in ((signal.SIGTERM, 0.0), (getattr(signal, "SIGKILL", signal.SIGTERM), AT_EXIT)):
            if not self._stderr.ended.wait(after):
                self._process.kill(how)

    async def _ask(self, what: str, **how: Any) -> Any:
        import mcp  # noqa: PLC0415 - loaded before
        from mcp.types import CONNECTION_CLOSED  # noqa: PLC0415

        if self._client is None or self._stop.is_set():
            raise EndedError("the MCP server has ended; its tools must be asked for again")
        try:
            return await getattr(self._client, what)(**how)
        except ValueError:  # pydantic's is one, and quotes what it does not understand
            raise ToolError("the MCP server answers with what is no answer to this") from None
        except mcp.MCPError as error:
            if error.code != CONNECTION_CLOSED:
                raise ToolError(error.message) from None
            self._stop.set()
            raise EndedError("the MCP server ended before it answered; what it had done by then is not known") from None

    async def _live(self) -> None:
        import mcp  # noqa: PLC0415 - loaded before

        try:
            async with mcp.Client(self._pipes(), cache=None) as self._client:
                self._ready.set()
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
        try:
            self._process = Process(self._command, self._env, self._stderr.file)
        finally:
            self._stderr.file.close()  # the server has its own; ours would hide when that is closed
        return pipes(self._process)

    async def _why(self, error: BaseException) -> str:
        """Return in one line why it did not start: the server's own last line says most."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        await asyncio.to_thread(self._stderr.ended.wait, 0 if isinstance(error, OSError) else LAST_WORDS)
        if isinstance(error, FileNotFoundError):
            return f"{self._command[0]}: not found"
        said = [line for line in self.last_words.splitlines() if line.strip()]
        reason = error.strerror if isinstance(error, OSError) else None
        return one_line(reason or (said[-1] if said else str(error))) or type(error).__name__


class _Stderr:
    """What a server says beside its messages: the last of it is kept, and none is shown."""

    def __init__(self) -> None:
        """Open a pipe, and read it in a thread that Python does not wait for."""
        source, sink = os.pipe()
        self.file = os.fdopen(sink, "w")
        self.kept = b""
        self.ended = threading.Event()
        threading.Thread(target=self._read, args=(source,), name="nbgemini-mcp-stderr", daemon=True).start()

    def _read(self, source: int) -> None:
        with os.fdopen(source, "rb", buffering=0) as pipe:
            while chunk := pipe.read(KEPT):
                self.kept = (self.kept + chunk)[-KEPT:]
        self.ended.set()
