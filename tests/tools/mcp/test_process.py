"""What an MCP server may write: all of it is bounded, read in threads, and hides nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import threading
from time import process_time

import pytest

from nbgemini import McpServer
from nbgemini.errors import ConfigurationError
from nbgemini.messages.events import ToolCall
from nbgemini.tools.mcp.process import LARGEST, MOST_BLOCKS, MOST_TOOLS, MOST_VALUES, Process, message
from nbgemini.tools.mcp.sanitize import SCHEMA, result_value, sanitized_schema, tool_names
from nbgemini.tools.tool import run
from tests.canary import CANARY, found_in

SERVER = """
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    if asked["method"] == "initialize":
        info = {"name": "s", "version": "1"}
        said = {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
    elif asked["method"] == "tools/list":
        said = {"tools": TOOLS}
    else:
        said = RESULT
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": said}) + "\\n")
    sys.stdout.flush()
"""
TOOL = '[{"name": "f", "inputSchema": {"type": "object"}}]'


def server_that_says(result, tools=TOOL):
    return McpServer([sys.executable, "-c", SERVER.replace("TOOLS", tools).replace("RESULT", result)], timeout=60)


async def result_of(result, tools=TOOL):
    async with server_that_says(result, tools) as server:
        (tool,) = await server.tools()
        return await run(tool, ToolCall("f", {}))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ('{"content": [{"type": "text", "text": "x"}] * 200_000}', "over 50,000 values"),
        ('{"content": [], "structuredContent": {"a": [0] * 60_000}}', "over 50,000 values"),
        ('{"content": [{"type": "text", "text": "x" * (17 * 2**20)}]}', "over 16 MiB"),
        ('{"content": [], "structuredContent": {"a": {}}, "_meta": {"x": [[]] * 60_000}}', "over 50,000 values"),
    ],
)
async def test_a_result_that_is_too_large_is_refused_unread(result, said):
    came = await result_of(result)
    assert came.state == "failed"
    assert said in came.response["error"]


async def test_of_many_blocks_the_first_come_and_the_rest_is_counted():
    came = await result_of('{"content": [{"type": "text", "text": str(n)} for n in range(1_005)]}')
    lines = came.response["output"].splitlines()
    assert lines[:3] == ["0", "1", "2"]
    assert lines[MOST_BLOCKS:] == ["… 5 more blocks left out …"]


async def test_a_schema_of_what_a_tool_returns_is_not_run():
    """It could be made to take for ever: this one tries a number of ways that doubles with each letter."""
    tools = '[{"name": "f", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}}}]'
    came = await result_of('{"content": [], "structuredContent": {"a": "a" * 40 + "!"}}', tools)
    assert came.response == {"output": {"a": "a" * 40 + "!"}}


@pytest.mark.parametrize("tools", ['[{"name": "f", "inputSchema": {}}]', '[{"name": 1}]', "[[]]", '{"a": 1}', '"x"'])
async def test_tools_that_are_none_are_told_in_one_line(tools):
    async with server_that_says("{}", tools) as server:
        with pytest.raises(ConfigurationError, match="does not list its tools") as caught:
            await server.tools()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("result", ['{"content": 1}', "[]", '"x"', '{"content": [{"type": "?"}]}'])
async def test_a_result_that_is_none_is_told_in_one_line(result):
    came = await result_of(result)
    assert came.state == "failed"
    assert "\n" not in came.response["error"]


async def test_a_schema_has_a_largest_size():
    server = server_that_says(
        "{}", f'[{{"name": "f", "inputSchema": {{"type": "object", "enum": ["x" * 1000] * {SCHEMA // 1000}}}}}]'
    )
    async with server:
        with pytest.raises(ConfigurationError, match=r"schema of its tool f has more than 256 KiB"):
            await server.tools()


INVISIBLE = [
    0x3164,
    0x115F,
    0x1160,
    0x034F,
    0xFE0F,
    0xFE0E,
    0x200B,
    0x200D,
    0x202E,
    0x2066,
    0xE0041,
    0xE0101,
    0x00AD,
    0xFFA0,
    0x180B,
]
INVISIBLE += [0x2800, 0x17B4, 0x7F, 0x9B, 0x1B]


@pytest.mark.parametrize("code", INVISIBLE, ids=hex)
def test_no_text_of_a_schema_hides_anything(code):
    hidden = f"a{chr(code)}b"
    schema = {
        "description": hidden,
        hidden: 1,
        "properties": {hidden: {"title": hidden, "enum": [hidden, 1], "default": hidden, "examples": [[hidden]]}},
        "required": [hidden],
        "$defs": {"x": {"const": hidden, "pattern": hidden, "$comment": hidden, "x-more": {hidden: [{hidden: hidden}]}}},
    }
    plain = json.loads(json.dumps(schema, ensure_ascii=False).replace(hidden, "ab")) if code > 0x20 and code != 0x7F else None
    assert chr(code) not in json.dumps(sanitized_schema(schema), ensure_ascii=False)
    assert plain is None or sanitized_schema(schema) == plain


def test_what_is_seen_stays():
    schema = {"description": "Größe in °C\n\t→ 日本語", "enum": ["é", "नी", "ไทย", "😀"], "maximum": 1.5, "x": None, "y": True}
    assert sanitized_schema(schema) == schema


def seconds(work, *args):
    took = []
    for _ in range(3):
        began = process_time()
        work(*args)
        took.append(process_time() - began)
    return min(took)


class Result:
    is_error = False
    structured_content = None

    def __init__(self, count):
        block = type("Block", (), {"type": "text", "text": "some words"})
        self.content = [block] * count


@pytest.mark.parametrize("work", [lambda count: result_value(Result(count)), lambda count: tool_names(["same"] * count)])
def test_results_and_names_cost_what_they_are_long(work):
    few = 4_000
    assert seconds(work, 8 * few) < 24 * max(seconds(work, few), 0.0005)


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{"x":[' + b"0," * MOST_VALUES + b"0]}}", 7),
        (b'{"jsonrpc":"2.0","result":{"x":[' + b"0," * MOST_VALUES + b'0]},"id": 8}', 8),
        (b'{"jsonrpc":"2.0","id":9,"result":{"x":"' + b"y" * LARGEST + b'"}}', 9),
    ],
)
def test_the_refusal_answers_the_request(line, number):
    refused = message(line).message
    assert (refused.id, "not read" in refused.error.message) == (number, True)


@pytest.mark.parametrize("line", [b"", b"{", b"[1]", b"\xff", b'{"a":1}', b"[" * 100_000, b'"id"' + b"[" * 100_000])
def test_what_is_no_message_is_an_error_and_no_exception(line):
    assert isinstance(message(line), ValueError)


@pytest.mark.parametrize("size", [0, 1, 70_000, LARGEST + 100, 2 * LARGEST])
def test_lines_come_whole_or_as_their_two_ends(size):
    script = f"import sys; sys.stdout.write('short\\n' + 'b' + 'x' * {size} + 'e\\nlast\\n')"
    process = Process([sys.executable, "-c", script], {})
    first, middle, last = process.lines()
    threading.Thread(target=process.write).start()
    process.end()
    assert (first, last) == (b"short", b"last")
    assert (middle[:1], middle[-1:], len(middle) > LARGEST) == (b"b", b"e", size > LARGEST)
    assert size > LARGEST or len(middle) == size + 2


async def test_no_key_is_in_the_environment_or_the_arguments_of_a_server(monkeypatch):
    """Nor in those of what it starts."""
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MINE_API_KEY", "NBGEMINI_CACHE"):
        monkeypatch.setenv(name, CANARY)
    shown = 'subprocess.run(["sh", "-c", "env; cat /proc/$PPID/cmdline /proc/$PPID/environ"], capture_output=True).stdout.decode("latin-1")'
    script = f'{{"content": [{{"type": "text", "text": __import__("subprocess").{shown.removeprefix("subprocess.")}}}]}}'
    came = await result_of(script)
    assert "PATH=" in came.response["output"]
    assert not found_in(json.dumps(came.response))


async def test_a_server_that_floods_is_read_one_message_a_turn():
    flood = SERVER.replace(
        "    said = RESULT", "    said = RESULT\n" + "        for n in range(2_000): sys.stdout.write('{}\\n' * 5)"
    )
    flood = flood.replace("TOOLS", TOOL).replace("RESULT", '{"content": []}')
    async with McpServer([sys.executable, "-c", flood], timeout=60) as server:
        (tool,) = await server.tools()
        turns, over = 0, asyncio.create_task(run(tool, ToolCall("f", {})))
        while not over.done():
            turns += 1
            await asyncio.sleep(0)
        assert over.result().state == "done"
    assert turns > 1_000


async def test_pages_of_tools_without_end_are_refused_though_nobody_set_a_time():
    endless = SERVER.replace('{"tools": TOOLS}', '{"tools": [], "nextCursor": "again"}').replace("RESULT", "{}")
    async with McpServer([sys.executable, "-c", endless], timeout=None) as server:
        with pytest.raises(ConfigurationError, match=f"more than {MOST_TOOLS} tools, or pages of them without end"):
            await server.tools()


ASKING = """
import json, sys
for number in range(100_000):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": f"s{number}", "method": "ping"}) + "\\n")
sys.stdout.flush()
"""


async def test_a_server_that_asks_and_never_listens_is_ended():
    """Or the answers that it does not read would fill the memory."""
    call = '    elif asked["method"] == "tools/call":\n' + textwrap.indent(ASKING, " " * 8)
    asking = SERVER.replace("TOOLS", TOOL).replace("    else:\n", f"{call}    else:\n").replace("RESULT", "{}")
    async with McpServer([sys.executable, "-c", asking], timeout=None) as server:
        (tool,) = await server.tools()
        came = await run(tool, ToolCall("f", {}))
    assert came.state == "failed"
    assert "the MCP server ended before it answered" in came.response["error"]


def test_nothing_stays_when_the_loop_ends_in_the_middle():
    script = (
        "import asyncio, sys\nfrom nbgemini import McpServer\n"
        f"server = McpServer([sys.executable, '-c', {SERVER.replace('TOOLS', TOOL).replace('RESULT', '{}')!r}])\n"
        "async def once():\n    await server.tools()\n    print(server._session._process.pid)\nasyncio.run(once())\n"
    )
    ran = subprocess.run([sys.executable, "-W", "error", "-c", script], check=False, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    with pytest.raises(ProcessLookupError):
        os.kill(int(ran.stdout), 0)
