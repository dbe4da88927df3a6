"""What was named as tools becomes tools: functions are declared, MCP servers are asked what they offer now.

What is none is a PromptError; a server that can't be started or doesn't answer is a ConfigurationError.
Invariant: `tools_of` holds the loop up for nothing: to declare, which imports pydantic the first time, is work for the loading
thread, and servers start side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, ValuesView
from functools import partial
from typing import Any, TypeAlias

from msgspec import Struct

from nbgemini._async.threads import run_in_import_thread
from nbgemini.errors import PromptError, nearest_name
from nbgemini.messages.turns import Declaration
from nbgemini.tools.decorator import as_tool, declare
from nbgemini.tools.mcp.server import McpServer
from nbgemini.tools.tool import Tool
from nbgemini.tools.toolbox import Approve, Toolbox, build_toolbox


class McpToolRef(Struct, frozen=True, eq=False):
    """One tool of an MCP server, by the server's name for it."""

    server: McpServer
    name: str

    async def tools(self) -> list[Tool]:
        """Return the one tool; raise PromptError if the server has none of this name."""
        known = {tool.name: tool for tool in await self.server.tools()}
        found = known.get(self.name) or known.get(self.server.prefix + self.name)
        if found is None:
            near = nearest_name(self.name, known)
            hint = f"did you mean {near}?" if near else f"it has {', '.join(sorted(known)[:9]) or 'none'}"
            raise PromptError(f"{self.server} has no tool {self.name!r}; {hint}")
        return [found]


Source: TypeAlias = McpServer | McpToolRef


def resolve_toolbox(offered: Any, approve: Approve | str) -> Toolbox:
    """Return a chat's tools: functions are declared now, servers are asked before each prompt."""
    known = [one if isinstance(one, Source) else as_tool(one) for one in flatten_tools(offered)]
    served = any(isinstance(one, Source) for one in known)
    return LazyToolbox(known, approve) if served else build_toolbox([one for one in known if isinstance(one, Tool)], approve)


def declare_all(offered: Iterable[Any]) -> list[Tool] | None:
    """Return the tools if no server need be asked for them."""
    known = list(flatten_tools(offered))
    return None if any(isinstance(one, Source) for one in known) else [as_tool(one) for one in known]


async def resolve_tools(offered: Any) -> list[Tool]:
    """Return what functions, tools, servers and lists of these offer now."""

    async def tools_of(one: Any) -> list[Tool]:
        if isinstance(one, Source):
            return await one.tools()
        return [one if isinstance(one, Tool) else await run_in_import_thread(partial(declare, one))]

    found = await asyncio.gather(*map(tools_of, list(flatten_tools(offered))))  # none is begun unless all can be
    return [tool for tools in found for tool in tools]


def flatten_tools(offered: Any) -> Iterator[Any]:
    """Yield what is offered, one by one."""
    if isinstance(offered, list | tuple | set | frozenset | ValuesView | Iterator):
        for one in offered:
            yield from flatten_tools(one)
    elif isinstance(offered, Source | Tool) or callable(offered):
        yield offered
    else:
        raise PromptError(f"tools are functions, tools, MCP servers or lists of them, not of type {type(offered).__name__}")


class LazyToolbox(Toolbox):
    """Tools of which some are known only once their server is asked."""

    def __init__(self, offered: list[Any], approve: Approve | str) -> None:
        super().__init__()
        self._offered = offered
        self._word = approve

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """Raise: nobody knows yet."""
        raise PromptError("the tools of an MCP server must be listed first: use await chat.ask(…) or chat.stream(…)")

    async def refreshed(self) -> Toolbox:
        """Return the tools as they are now."""
        return build_toolbox(await resolve_tools(self._offered), self._word)
