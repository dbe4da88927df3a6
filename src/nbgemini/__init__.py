"""Gemini in a Jupyter notebook that never freezes it.

`%load_ext nbgemini`, then a `%%gemini` cell; or, without a notebook, `from nbgemini import Client`. This file defines nothing:
each name is imported when it is first used, so that loading stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbgemini.chat.chat import Chat as Chat
    from nbgemini.chat.reply import Reply as Reply
    from nbgemini.client import Client as Client
    from nbgemini.errors import (
        ApiError as ApiError,
        AuthenticationError as AuthenticationError,
        BlockedError as BlockedError,
        ConfigurationError as ConfigurationError,
        NbGeminiError as NbGeminiError,
        PromptError as PromptError,
        RateLimitError as RateLimitError,
        ToolError as ToolError,
        TransportError as TransportError,
    )
    from nbgemini.settings import Settings as Settings
    from nbgemini.tools.decorator import tool as tool
    from nbgemini.tools.mcp.server import McpServer as McpServer
    from nbgemini.tools.tool import Tool as Tool

_HOME = {
    "Chat": "nbgemini.chat.chat",
    "Client": "nbgemini.client",
    "McpServer": "nbgemini.tools.mcp.server",
    "Reply": "nbgemini.chat.reply",
    "Settings": "nbgemini.settings",
    "Tool": "nbgemini.tools.tool",
    "tool": "nbgemini.tools.decorator",
    "ApiError": "nbgemini.errors",
    "AuthenticationError": "nbgemini.errors",
    "BlockedError": "nbgemini.errors",
    "ConfigurationError": "nbgemini.errors",
    "NbGeminiError": "nbgemini.errors",
    "PromptError": "nbgemini.errors",
    "RateLimitError": "nbgemini.errors",
    "ToolError": "nbgemini.errors",
    "TransportError": "nbgemini.errors",
}

__all__ = [*sorted(_HOME.keys() - {"Tool"})]  # noqa: PLE0604 - the names stand in _HOME, once; Tool is for annotations


def __getattr__(name: str) -> Any:
    """Import a public name at its first use; `__version__` is that of the installed package."""
    if name == "__version__":
        return import_module("importlib.metadata").version("nbgemini")
    if name not in _HOME:
        raise AttributeError(f"module 'nbgemini' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def load_ipython_extension(shell: Any) -> None:
    """Do what %load_ext nbgemini asks for."""
    import_module("nbgemini.extension").load_extension(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Do what %unload_ext nbgemini asks for."""
    import_module("nbgemini.extension").unload_extension(shell)
