"""What -t names: looked up in the notebook as it is written, by name or by name and attribute; nothing is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.mcp_tools import McpServer
from nbgemini.notebook.arguments import nearest
from nbgemini.offering import Chosen, flat


def named_tool(names: Mapping[str, Any], name: str) -> Any:
    """Return the function, tool, MCP server or list of them that is called `name`; `server.tool` is one of a server's.

    Raises:
        PromptError: there is none.
    """
    first, _, rest = name.partition(".")
    found = names.get(first)
    if rest and isinstance(found, McpServer):
        return Chosen(found, rest)
    for part in filter(None, rest.split(".")):
        found = getattr(found, part, None)
    if found is None or not _offers(found):
        known = [known for known, value in names.items() if not known.startswith("_") and _offers(value)]
        raise PromptError(f"-t: no function {name!r} in this notebook{_instead(found)}{nearest(name, known)}")
    return found


def _offers(value: Any) -> bool:
    """Whether something can be a tool; what is wrong with a function is told when it is declared."""
    try:
        return bool(list(flat(value)))
    except PromptError:
        return False


def _instead(found: Any) -> str:
    return "" if found is None else f"; it is of type {type(found).__name__}, no function, tool, MCP server or list of them"
