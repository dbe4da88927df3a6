"""Tools of a stdio MCP server, offered like functions.

Invariants: a call ends with its answer, its timeout, its cancellation or the server's end, whatever the server does; the
process ends with `aclose`, with the last reference to it or with the interpreter; what a server says about its tools is
shortened, and holds no character that can't be seen. The package mcp is imported at the first use, in the loading thread.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import json
import logging
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from nbgemini._async.threads import run_in_import_thread
from nbgemini._environment import hush
from nbgemini.errors import ConfigurationError, ToolError
from nbgemini.tools.decorator import TIMEOUT, checked_labels
from nbgemini.tools.mcp.process import McpProcess, ServerEndedError
from nbgemini.tools.mcp.sanitize import SCHEMA, error_line, result_value, sanitized_schema, tool_names, visible_text
from nbgemini.tools.tool import Tool

if TYPE_CHECKING:
    from mcp.types import Tool as Told


class McpServer:
    """A stdio MCP server whose tools are offered like functions.

    Attributes:
        command: program and arguments.
        timeout: limit in seconds for its start and for each call.
        prefix: prefix of the tools' names.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float | None = TIMEOUT,
        prefix: str = "",
        labels: Iterable[str] = (),
    ) -> None:
        """Describe the server; it starts when its tools are first needed.

        Args:
            command: program and arguments.
            env: environment variables for the server; it also gets PATH, HOME and the like, but no API key.
            timeout: limit in seconds for its start and for each call; None for no limit.
            prefix: prefix of the tools' names, for servers with tools of the same name.
            labels: labels of all its tools, as for `@tool`.

        Raises:
            ConfigurationError: the command is not a list.
            PromptError: an unknown label.
        """
        if not isinstance(command, Sequence) or isinstance(command, str) or not command:
            raise ConfigurationError("the command of an MCP server is a list, like ['npx', '-y', 'some-server']")
        self.command = tuple(str(word) for word in command)
        self.timeout = timeout
        self._env = dict(env or {})
        self.prefix = prefix
        self._labels = checked_labels(repr(self), labels)
        self._session: McpProcess | None = None

    @property
    def stderr(self) -> str:
        """The end of the server's stderr."""
        return self._session.last_words if self._session else ""

    async def tools(self) -> list[Tool]:
        """Return the tools of the server, which is started if it isn't running.

        Raises:
            ConfigurationError: the server can't be started or doesn't answer, or the package mcp is not installed.
        """
        await run_in_import_thread(_imported)
        try:
            async with asyncio.timeout(self.timeout):
                session, listed = await self._listed()
        except TimeoutError:
            await self.aclose()
            raise ConfigurationError(f"{self} did not answer within {self.timeout:g} s") from None
        except ToolError as error:
            raise ConfigurationError(f"{self} does not list its tools: {error_line(str(error))}") from None
        return await asyncio.to_thread(self._tools, session, listed)

    async def aclose(self) -> None:
        """Stop the server; running calls fail."""
        session, self._session = self._session, None
        if session is not None:
            await session.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"MCP server {Path(self.command[0]).name!r}"  # arguments may hold keys

    def _tools(self, session: McpProcess, listed: list[Told]) -> list[Tool]:
        called = tool_names(self.prefix + told.name for told in listed)
        return [self._tool(session, told, name) for told, name in zip(listed, called, strict=True)]

    async def _listed(self) -> tuple[McpProcess, list[Told]]:
        session = await self._running()
        try:
            return session, await session.tools()
        except ServerEndedError:  # unnoticed, since it was asked last
            session = await self._running()
            return session, await session.tools()

    async def _running(self) -> McpProcess:
        while (former := self._session) is not None and former.over:
            await former.end()
            if self._session is former:
                self._session = None
        if self._session is None:
            self._session = McpProcess(str(self), self.command, self._env)
            weakref.finalize(self, self._session.stop)  # a cell that is run again forgets its server
        await self._session.started()
        return self._session

    async def _call(self, session: McpProcess, name: str, arguments: dict[str, Any]) -> Any:
        return await asyncio.to_thread(result_value, await session.call(name, arguments))

    def _tool(self, session: McpProcess, told: Told, name: str) -> Tool:
        async def call(arguments: dict[str, Any]) -> Any:
            return await self._call(session, told.name, arguments)  # `self`: whoever holds a tool holds its server

        said = told.description or told.title or name.replace("_", " ")  # the service asks for one
        if len(json.dumps(told.input_schema)) > SCHEMA:
            raise ConfigurationError(f"{self}: the schema of its tool {error_line(told.name)} has more than {SCHEMA >> 10} KiB")
        source = [self.command, self._env, told.name, told.description, told.input_schema]
        source_hash = hashlib.sha256(json.dumps(source, sort_keys=True).encode("utf-8", "replace")).hexdigest()
        schema = {"type": "object", **sanitized_schema(told.input_schema)}
        known = name, visible_text(said), schema, self.timeout, source_hash, call, inspect.signature(call), _arguments
        return Tool(*known, labels=self._labels, file=repr(self))


@functools.cache
def _imported() -> None:
    try:
        import mcp  # noqa: PLC0415 - 1 s, for those who have a server
    except ImportError:
        raise ConfigurationError("tools of MCP servers need the package mcp: pip install 'nbgemini[mcp]'") from None
    hush("asyncio", mcp.__name__)
    logging.getLogger(mcp.__name__).addHandler(logging.NullHandler())  # else each bad line of a server lands in the notebook


def _arguments(data: bytes) -> dict[str, Any]:
    """Return the arguments as the one that a tool of a server has; it checks them itself."""
    return {"arguments": json.loads(data)}
