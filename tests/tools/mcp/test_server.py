"""Tools of a real MCP server, over real pipes: offered, called, cut off, and gone when they should be."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec import structs

from nbgemini.errors import ConfigurationError, PromptError
from nbgemini.messages.events import ToolCall
from nbgemini.prompts.jsonable import RESPONSE_BYTES
from nbgemini.tools.mcp.sanitize import DESCRIPTION
from nbgemini.tools.mcp.server import McpServer
from nbgemini.tools.tool import run
from nbgemini.tools.toolbox import Toolbox, allow_all

FAKE = str(Path(__file__).parents[2] / "fakes" / "mcp_server.py")


class Ear:
    """Hears what happens to servers: their words, and `gone` when a process has ended."""

    def __init__(self):
        self.heard = asyncio.Queue()
        self.writers = []

    async def listen(self, reader, writer):
        self.writers.append(writer)
        async for line in reader:
            self.heard.put_nowait(line.decode().strip())
        self.heard.put_nowait("gone")
        writer.close()

    async def next(self):
        return await asyncio.wait_for(self.heard.get(), 60)


@pytest.fixture
async def ear():
    ear = Ear()
    listening = await asyncio.start_server(ear.listen, "127.0.0.1", 0)
    ear.env = {"EAR": str(listening.sockets[0].getsockname()[1])}
    async with listening:
        yield ear
    for writer in ear.writers:  # of a process whose end was not heard yet
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def server(ear):
    async with McpServer([sys.executable, FAKE], env=ear.env) as server:
        yield server
    gc.collect()  # what was left open is an error


async def calling(server):
    """What calls a server's tools by their names."""
    tools = {tool.name: tool for tool in await server.tools()}

    async def call(name, within=60.0, **args):
        return await run(structs.replace(tools[name], timeout=within), ToolCall(name, args))

    return call


@pytest.fixture
async def call(server):
    return await calling(server)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared():
    """One server for those who do nothing to it: each start costs most of a second."""
    async with McpServer([sys.executable, FAKE]) as server:
        yield server


together = pytest.mark.asyncio(loop_scope="module")


@together
async def test_tools_are_offered_as_the_server_describes_them(shared):
    tools = {tool.name: tool for tool in await shared.tools()}
    assert tools["add"].description == "Add two numbers."
    assert tools["add"].schema["required"] == ["a", "b"]
    assert tools["add"].schema["properties"]["a"]["type"] == "integer"
    assert tools["add"].timeout == 60.0
    assert tools["add"].file.startswith("MCP server 'python")  # where a function's file would stand
    assert Toolbox(tools.values()).declarations[0].name == "add"


@together
async def test_names_are_made_valid_and_unique(shared):
    names = [tool.name for tool in await shared.tools()]
    assert names[-4:] == ["_1st_tool_", "a_b", "a_b_2", "long" * 16]
    prefixed = McpServer(shared.command, prefix="fake.")
    async with prefixed:
        assert "fake.add" in [tool.name for tool in await prefixed.tools()]


@together
async def test_descriptions_end_and_hide_nothing(shared):
    said = (await shared.tools())[-1].description
    assert said.startswith("Seen[2J. much")
    assert len(said) <= DESCRIPTION


@together
async def test_results(shared):
    call = await calling(shared)
    assert (await call("add", a=2, b=3)).response == {"output": {"result": 5}}
    assert (await call("structured", city="Rome")).response == {"output": {"Rome": [1, 2], "and": []}}
    failed = await call("fail", city="Oz")
    assert (failed.state, "there is no Oz" in failed.response["error"]) == ("failed", True)
    wrong = await call("add", a="x", b=3)
    assert (wrong.state, "integer" in wrong.response["error"]) == ("failed", True)


@together
async def test_pictures_go_beside_the_text(shared):
    call = await calling(shared)
    result = await call("image")
    assert result.response == {"output": ["a dot", "picture 1 (image/png), attached"]}
    assert [(media.mime, media.data[:10]) for media in result.media] == [("image/png", "iVBORw0KGg")]
    assert "which can't be sent" in (await call("gif")).response["output"]


@together
async def test_long_results_are_shortened_and_nothing_is_shown(shared, capfd, caplog):
    call = await calling(shared)
    result = await call("long", size=1_000_000)
    assert len(json.dumps(result.response)) <= RESPONSE_BYTES
    assert result.response["note"]
    assert (capfd.readouterr(), caplog.records) == (("", ""), [])


async def test_no_key_of_ours_reaches_the_server(server, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "secret")
    tool = next(tool for tool in await server.tools() if tool.name == "environment")
    names = (await run(tool, ToolCall("environment", {}))).response["output"]["result"]
    assert {"EAR", "PATH"} <= set(names)
    assert "GEMINI_API_KEY" not in names


@together
async def test_calls_run_side_by_side(shared):
    call = await calling(shared)
    met = await asyncio.gather(call("meet", me="a", other="b"), call("meet", me="b", other="a"))
    assert [result.response["output"]["result"] for result in met] == ["a met b", "b met a"]


async def test_a_call_that_takes_too_long_is_cancelled_at_the_server(ear, call):
    assert (await ear.next()).startswith("hello")
    assert (await call("slow", within=0.05)).state == "timed out"
    assert [await ear.next(), await ear.next()] == ["began", "cancelled"]
    assert (await call("add", a=1, b=1)).state == "done"


async def test_a_cancelled_call_is_cancelled_at_the_server(ear, call):
    assert (await ear.next()).startswith("hello")
    calling = asyncio.create_task(call("slow"))
    assert await ear.next() == "began"
    calling.cancel()
    assert await ear.next() == "cancelled"
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert (await call("add", a=1, b=1)).state == "done"


async def test_a_server_that_crashes_fails_its_calls_and_starts_again(ear, server, call):
    waiting = asyncio.create_task(call("slow"))
    assert [(await ear.next())[:5], await ear.next()] == ["hello", "began"]
    for result in (await call("crash"), await waiting):
        assert (result.state, "ended before it answered" in result.response["error"]) == ("failed", True)
    assert "must be asked for again" in (await call("add", a=1, b=1)).response["error"]
    async with asyncio.timeout(30):
        while not server.stderr.endswith("out of paper\n"):  # a thread reads it, which a busy machine keeps waiting
            await asyncio.sleep(0.01)
    again = {tool.name: tool for tool in await server.tools()}
    assert (await run(again["add"], ToolCall("add", {"a": 1, "b": 1}))).state == "done"


async def test_a_server_killed_between_calls_is_started_again(ear, server):
    await server.tools()
    os.kill(int((await ear.next()).split()[1]), signal.SIGKILL)
    assert await ear.next() == "gone"
    assert len(await server.tools()) > 5
    assert (await ear.next()).startswith("hello")


async def test_closing_ends_the_server_and_fails_its_calls(ear, server, call):
    waiting = asyncio.create_task(call("slow"))
    assert [(await ear.next())[:5], await ear.next()] == ["hello", "began"]
    await server.aclose()
    assert (await waiting).state == "failed"
    heard = await ear.next()
    assert (await ear.next() if heard == "cancelled" else heard) == "gone"
    await server.aclose()


async def test_a_forgotten_server_ends(ear):
    """A cell that makes a server is run again: the former one has no owner any more."""
    server = McpServer([sys.executable, FAKE], env=ear.env)
    tools = await server.tools()
    del server
    gc.collect()
    assert (await run(tools[0], ToolCall("add", {"a": 1, "b": 1}))).state == "done"
    assert (await ear.next()).startswith("hello")
    owner = next(task for task in asyncio.all_tasks() if "MCP server" in task.get_name())
    del tools
    gc.collect()
    assert await ear.next() == "gone"
    await owner


async def test_the_tools_of_two_prompts_come_from_one_server(ear, server):
    first, second = await asyncio.gather(server.tools(), server.tools())
    assert [tool.source_hash for tool in first] == [tool.source_hash for tool in second]
    await server.aclose()
    assert [(await ear.next())[:5], await ear.next()] == ["hello", "gone"]


async def test_another_loop_gets_another_process(ear, server):
    await asyncio.to_thread(lambda: asyncio.run(server.tools()))
    assert [(await ear.next())[:5], await ear.next()] == ["hello", "gone"]
    tools = await server.tools()
    assert (await run(tools[0], ToolCall("add", {"a": 1, "b": 1}))).state == "done"


async def test_a_server_without_tools_says_so(ear):
    async with McpServer([sys.executable, FAKE, "bare"], env=ear.env) as bare:
        with pytest.raises(ConfigurationError, match="does not list its tools: no tools today"):
            await bare.tools()


async def test_a_tool_that_changes_is_another(server, call):
    """Leave that was given for good ends with the tool it was given for."""
    before = {tool.name: tool.source_hash for tool in await server.tools()}
    await call("change")
    after = {tool.name: tool.source_hash for tool in await server.tools()}
    assert {name for name in before if before[name] != after[name]} == {"add"}
    async with McpServer([*server.command, "other"], env=server._env) as other:
        assert not set(before.values()) & {tool.source_hash for tool in await other.tools()}


@pytest.mark.parametrize(
    ("words", "within", "said"),
    [
        (["no-such-program-anywhere"], 60, "no-such-program-anywhere: not found"),
        ([sys.executable, FAKE, "broken"], 60, "can't be started: no licence"),
        ([sys.executable, FAKE, "mute"], 2, "did not answer within 2 s"),
    ],
)
async def test_a_server_that_does_not_start_is_named_in_one_line(ear, words, within, said, capfd):
    server = McpServer(words, env=ear.env, timeout=within)
    with pytest.raises(ConfigurationError, match=said) as caught:
        await server.tools()
    assert "\n" not in str(caught.value)
    await server.aclose()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("command", ["python server.py", []])
def test_a_command_is_a_list(command):
    with pytest.raises(ConfigurationError, match="is a list"):
        McpServer(command)


async def test_a_missing_extra_is_named(monkeypatch):
    from nbgemini.tools.mcp import server as mcp_tools

    mcp_tools._imported.cache_clear()
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'nbgemini\[mcp\]'"):
        await McpServer(["x"]).tools()


@together
async def test_two_servers_with_tools_of_one_name_need_a_prefix(shared):
    tools = await shared.tools()
    with pytest.raises(PromptError, match="two tools"):
        Toolbox([*tools, *tools])


LEFT = """
import asyncio, sys
from nbgemini.tools.mcp.server import McpServer
server = McpServer(sys.argv[1:], env={"EAR": "%s"})
"""
ENDS = {
    "run": "asyncio.run(server.tools())",
    "left open": "loop = asyncio.new_event_loop(); loop.run_until_complete(server.tools())",
    "killed": "asyncio.run(server.tools()); import os; os.kill(os.getpid(), 9)",
}


@pytest.mark.parametrize(
    ("end", "kind"), [("run", "stubborn"), ("left open", "stubborn"), ("left open", "deaf"), ("killed", "")]
)
async def test_the_server_ends_with_the_interpreter(ear, end, kind):
    """Even one that stays when its pipes are closed; of a killed interpreter it only sees that."""
    code = LEFT % ear.env["EAR"] + ENDS[end]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, sys.executable, FAKE, kind, stderr=asyncio.subprocess.PIPE
    )
    assert [(await ear.next())[:5], await ear.next()] == ["hello", "gone"]
    assert (await process.communicate())[1] == b""


async def test_tools_of_a_server_are_called_side_by_side_in_a_conversation(client, server):
    toolbox = Toolbox(await server.tools(), allow_all)
    prompt = "Please call meet(me='a', other='b') and call meet(me='b', other='a')"
    reply = await client.chat("mcp").ask(prompt, toolbox=toolbox)
    assert "a met b" in reply.text
    assert "b met a" in reply.text
