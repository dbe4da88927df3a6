"""A real MCP server from PyPI, by stdio: its tools are offered, called, and their results taken."""

from __future__ import annotations

import json

from nbgemini import Client, McpServer, Settings
from nbgemini.offline.server import OfflineService
from nbgemini.secrets import Secret
from tests.real.conftest import INTERPRETER


async def test_a_server_tells_the_time():
    async with McpServer([INTERPRETER, "-m", "mcp_server_time", "--local-timezone", "UTC"]) as server:
        tools = {tool.name: tool for tool in await server.tools()}
        assert set(tools) == {"get_current_time", "convert_time"}
        with OfflineService(pace=0) as offline:
            async with Client(Settings(key=Secret("offline"), base_url=offline.url)) as client:
                args = {"source_timezone": "Europe/Berlin", "time": "12:00", "target_timezone": "Asia/Tokyo"}
                called = json.dumps({"parts": [["call", "convert_time", args]]})
                reply = await client.chat("time", tools=[server], approve="auto").ask(f"offline: {called}")
                wrong = json.dumps({"parts": [["call", "get_current_time", {"timezone": "Nowhere/Here"}]]})
                refused = await client.chat("wrong", tools=[server], approve="auto").ask(f"offline: {wrong}")
    (call,) = [segment for segment in reply.segments if segment.kind == "tool_call"]
    assert (call.content.state, "Asia/Tokyo" in json.dumps(call.content.response)) == ("done", True)
    (call,) = [segment for segment in refused.segments if segment.kind == "tool_call"]
    assert (call.content.state, "Nowhere/Here" in json.dumps(call.content.response)) == ("failed", True)
