"""A real MCP server over stdio, made with the official package; it tells a socket of the test, if there is one, what happens to it.

Arguments: `mute` never answers, `broken` ends at once, `bare` has no tools, `deaf` stays when its pipes are closed, `stubborn`
when it is asked to end too.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

import anyio
from mcp import MCPError
from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63f8cfc0f01f00050001ff5699a53d0000000049454e44ae426082"
)
server = MCPServer("fake", log_level="ERROR")
ear = socket.create_connection(("127.0.0.1", int(os.environ["EAR"]))) if "EAR" in os.environ else None


def say(word):
    if ear is not None:
        ear.sendall(f"{word}\n".encode())


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def fail(city: str) -> str:
    """Fail."""
    raise ToolError(f"there is no {city}")


@server.tool()
async def slow() -> str:
    """Never come back."""
    say("began")
    try:
        await anyio.sleep_forever()
    finally:
        say("cancelled")


waiting: dict[str, anyio.Event] = {}


@server.tool()
async def meet(me: str, other: str) -> str:
    """Come back when the other one has come too."""
    waiting.setdefault(me, anyio.Event()).set()
    await waiting.setdefault(other, anyio.Event()).wait()
    return f"{me} met {other}"


@server.tool()
def image() -> list:
    """Draw a dot."""
    return ["a dot", Image(data=PNG, format="png")]


@server.tool()
def gif() -> Image:
    """Draw what the service does not take."""
    return Image(data=b"GIF89a", format="gif")


@server.tool()
def structured(city: str) -> dict[str, list[int]]:
    """Return data."""
    return {city: [1, 2], "and": []}


@server.tool()
def long(size: int) -> str:
    """Say much, beside the messages too."""
    sys.stderr.write("noise " * size)
    print("noise " * size, flush=True)
    return "x" * size


@server.tool()
def crash() -> str:
    """End the process."""
    sys.stderr.write("out of paper\n")
    sys.stderr.flush()
    os._exit(3)


@server.tool()
def change() -> str:
    """Become another."""
    server.remove_tool("add")
    server.add_tool(fail, name="add", description="Add two numbers.")
    return "changed"


@server.tool()
def environment() -> list[str]:
    """Return the names of all variables."""
    return sorted(os.environ)


for odd in ("1st tool!", "a/b", "a b", "long" * 20):
    server.add_tool(add, name=odd, description="Seen\u200b\U000e0041\x1b[2J. " + "much " * 1000)


async def refuse():
    raise MCPError(-32601, "no tools today")


def main(*words):
    say(f"hello {os.getpid()}")
    if "broken" in words:
        sys.exit("no licence\n")
    if "mute" in words:
        print("this is no message", flush=True)
        sys.stdin.read()
    if "bare" in words:
        server.list_tools = refuse
    if "stubborn" in words:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "mute" not in words:
        server.run()
    while {"deaf", "stubborn"} & {*words}:
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
