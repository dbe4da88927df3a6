"""A stdio MCP server with two tools, that wants nothing from whoever starts it."""

from __future__ import annotations

import time

from mcp.server.mcpserver import MCPServer

server = MCPServer("small", log_level="ERROR")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def nap(seconds: float) -> str:
    """Sleep."""
    time.sleep(seconds)
    return "slept"


if __name__ == "__main__":
    server.run()
