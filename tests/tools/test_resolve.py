"""What was named as tools becomes tools: functions, servers, lists of them, and one line about all else."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

import pytest

from nbgemini.errors import ConfigurationError, PromptError
from nbgemini.tools import resolve
from nbgemini.tools.decorator import declare, tool
from nbgemini.tools.mcp.server import McpServer
from nbgemini.tools.resolve import McpToolRef, declare_all, resolve_toolbox, resolve_tools

SMALL = str(Path(__file__).parents[1] / "fakes" / "small_mcp_server.py")


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@tool(labels="external")
def send(text: str) -> str:
    """Send."""
    return text


@pytest.fixture
async def server():
    async with McpServer([sys.executable, SMALL], prefix="fake_", labels={"private", "untrusted"}) as server:
        yield server


def names(tools):
    return [tool.name for tool in tools]


async def test_functions_tools_servers_and_lists_of_them(server):
    found = names(await resolve_tools([add, (declare(send), [server]), iter([max_of])]))
    assert [found[0], found[1], found[-1]] == ["add", "send", "max_of"]
    assert "fake_add" in found
    assert names(await resolve_tools(add)) == ["add"]
    assert names(await resolve_tools({"a": add}.values())) == ["add"]


def max_of(numbers: list[int]) -> int:
    """Return the largest."""
    return max(numbers)


async def test_functions_are_declared_off_the_loop(monkeypatch):
    """pydantic takes 0.1 s to import."""
    where = []

    def noted(function):
        where.append(threading.current_thread() is threading.main_thread())
        return declare(function)

    monkeypatch.setattr(resolve, "declare", noted)
    await resolve_tools([add, send])
    assert where == [False, False]


@pytest.mark.parametrize("name", ["add", "fake_add"])
async def test_one_tool_of_a_server(server, name):
    assert names(await resolve_tools(McpToolRef(server, name))) == ["fake_add"]


async def test_a_tool_that_the_server_has_not_is_one_line_with_the_nearest(server):
    with pytest.raises(PromptError, match=r"MCP server 'python.*' has no tool 'fake_ad'; did you mean fake_add\?"):
        await resolve_tools(McpToolRef(server, "fake_ad"))
    with pytest.raises(PromptError, match="has no tool 'zzz'; it has fake_add, fake_nap"):
        await resolve_tools(McpToolRef(server, "zzz"))


@pytest.mark.parametrize("what", [5, "add", None, {"a": add}, [add, 5]])
async def test_what_is_no_tool_is_one_line(what):
    with pytest.raises(PromptError, match="tools are functions, tools, MCP servers or lists of them, not of type "):
        await resolve_tools(what)
    with pytest.raises(PromptError, match="tools are functions"):
        resolve_toolbox(what, "auto")


def test_without_a_server_nothing_is_waited_for():
    assert names(declare_all([add, [send]])) == ["add", "send"]
    assert declare_all([add, McpServer(["x"])]) is None


async def test_a_chat_takes_a_server_like_a_function(client, server):
    chat = client.chat(tools=[add, server], approve="auto")
    reply = await chat.ask("Please call add(a=1, b=2) and call fake_add(a=3, b=4)")
    assert [segment.content.response for segment in reply.segments if segment.kind == "tool_call"] == [
        {"output": 3},
        {"output": {"result": 7}},
    ]
    await server.aclose()  # it is asked again, so started anew
    async for _ in chat.stream("Please call fake_add(a=5, b=6)"):
        pass
    assert "11" in chat.segments(chat.transcript.exchanges[-1])[-1].text


async def test_a_server_must_be_asked_before_its_tools_are_offered(client, server):
    with pytest.raises(PromptError, match=r"use await chat\.ask"):
        client.chat(tools=server).begin("hello")
    assert len(client.chat().transcript) == 0


async def test_a_server_that_does_not_start_stores_and_sends_nothing(client, service):
    chat = client.chat(tools=McpServer(["no-such-program-anywhere"]))
    with pytest.raises(ConfigurationError, match="can't be started"):
        await chat.ask("hello")
    assert (len(chat.transcript), len(service.requests)) == (0, 0)


async def test_labels_of_a_server_count_too(client, server):
    """Known only once it is asked: then `auto` is refused before anything is sent."""
    chat = client.chat(tools=[server, send], approve="auto")
    with pytest.raises(PromptError, match="approve auto is refused"):
        await chat.ask("hello")
    assert (await client.chat(tools=[server, add], approve="auto").ask("what is 1 + 1")).state == "complete"


def test_a_server_with_an_unknown_label_is_refused_at_once():
    with pytest.raises(PromptError, match="there is no label 'secret'"):
        McpServer(["x"], labels={"secret"})


async def test_servers_start_side_by_side():
    """Two that wait for each other would never both answer one after the other."""
    meeting = asyncio.Barrier(2)

    class Slow(McpServer):
        async def tools(self):
            await asyncio.wait_for(meeting.wait(), 30)
            return []

    assert await resolve_tools([Slow(["x"]), Slow(["y"])]) == []
