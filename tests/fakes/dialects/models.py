"""The models that the offline service plays for other protocols, and what is particular to each: data, dated 2026-11-21.

Sources: the model lists of anthropic 2.12 and openai 3.52, and platform.claude.com's pages about models and thinking.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from tests.fakes.dialects.errors import RequestError

_DAY = "2026-11-21T00:00:00Z"
_SECONDS = 1_795_219_200  # the same day
_WINDOW, _MOST = 1_000_000, 128_000  # tokens
_PAGE, _LARGEST_PAGE = 20, 1000


class Claude(Struct, frozen=True):
    """What a model of Anthropic's takes.

    Attributes:
        name: its id.
        thinking: the values of `thinking.type` that it takes.
        thinks: whether it thinks when nothing is said of it.
        shows: whether its thinking is readable when nothing is said of it.
        samples: whether it takes `temperature`, in the older version of the API.
        forced: whether it can be made to call a tool.
    """

    name: str
    thinking: tuple[str, ...]
    thinks: bool = True
    shows: bool = False
    samples: bool = False
    forced: bool = True


CLAUDES = {
    claude.name: claude
    for claude in (
        Claude("claude-offline", ("adaptive", "enabled", "disabled"), thinks=False, shows=True, samples=True),
        Claude("claude-fable-5-1", ("adaptive",), forced=False),
        Claude("claude-opus-5-5", ("adaptive",), forced=False),
        Claude("claude-sonnet-5-5", ("adaptive", "between_tools"), forced=False),
        Claude("claude-haiku-5-5", ("adaptive", "disabled")),
        Claude("claude-sonnet-4-6", ("adaptive", "enabled", "disabled"), thinks=False, shows=True, samples=True),
        Claude("claude-haiku-4-5", ("enabled", "disabled"), thinks=False, shows=True, samples=True),
    )
}
GPTS = ("gpt-offline", "gpt-6-astra", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna", "gpt-5.6-luna", "gpt-5.4-mini")


def claude(name: str) -> Claude:
    """Return a model of Anthropic's.

    Raises:
        RequestError: there is none of this name.
    """
    if name not in CLAUDES:
        raise RequestError(404, f"model: {name}")
    return CLAUDES[name]


def gpt(name: str) -> str:
    """Return the name of a model of OpenAI's.

    Raises:
        RequestError: there is none of this name.
    """
    if name not in GPTS:
        message = f"The model `{name}` does not exist or you do not have access to it."
        raise RequestError(404, message, code="model_not_found")
    return name


def claude_page(query: dict[str, str]) -> dict[str, Any]:
    """Return a page of Anthropic's list.

    Raises:
        RequestError: the page's size is none, or it is to begin nowhere.
    """
    names, limit = list(CLAUDES), query.get("limit", str(_PAGE))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= _LARGEST_PAGE):
        raise RequestError(400, f"limit: Input should be between 1 and {_LARGEST_PAGE}")
    if not {query.get("after_id", names[0]), query.get("before_id", names[0])} <= set(names):
        raise RequestError(400, "after_id and before_id: Not a model's id")
    rest = names[names.index(query["after_id"]) + 1 :] if "after_id" in query else names
    rest = rest[: rest.index(query["before_id"])] if query.get("before_id") in rest else rest
    page = [claude_entry(name) for name in rest[: int(limit)]]
    ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
    return {"data": page, "has_more": len(rest) > len(page), **ends}


def claude_entry(name: str) -> dict[str, Any]:
    """Return a model as Anthropic lists it.

    Raises:
        RequestError: there is none of this name.
    """
    return {
        "type": "model",
        "id": claude(name).name,
        "display_name": f"{name.replace('-', ' ').title()}, as the offline service plays it",
        "created_at": _DAY,
        "lifecycle": "active",
        "max_input_tokens": _WINDOW,
        "max_tokens": _MOST,
        "capabilities": _capabilities(claude(name)),
    }


def _capabilities(model: Claude) -> dict[str, Any]:
    """Return what a model can do here: it looks at files and calls tools, and has none of the service's own."""
    can, cannot = {"supported": True}, {"supported": False}
    kinds = ("adaptive", "between_tools", "disabled", "enabled")
    types = {kind: can if kind in model.thinking else cannot for kind in kinds}
    efforts = ("low", "medium", "high", "xhigh", "max")
    return {
        **dict.fromkeys(("image_input", "pdf_input", "structured_outputs"), can),
        **dict.fromkeys(("batch", "citations", "code_execution", "context_management"), cannot),
        "effort": {"supported": "adaptive" in model.thinking, **dict.fromkeys(efforts, can)},
        "server_tools": {"supported": False, "code_execution": cannot, "web_search": cannot},
        "thinking": {"supported": True, "types": types},
    }


def gpt_page() -> dict[str, Any]:
    """Return OpenAI's list, which has one page."""
    return {"object": "list", "data": [gpt_entry(name) for name in GPTS]}


def gpt_entry(name: str) -> dict[str, Any]:
    """Return a model as OpenAI lists it.

    Raises:
        RequestError: there is none of this name.
    """
    return {"id": gpt(name), "object": "model", "created": _SECONDS, "owned_by": "nbgemini-offline"}
