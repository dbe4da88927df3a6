"""What the line of a prompt (`PromptArgs`) or of a map (`MapArgs`) asks for, and the words that its options know."""

from __future__ import annotations

import argparse
from typing import Any

from msgspec import Struct

LAST_REPLY, LAST_MAP = "_gemini", "_gemini_map"  # the names that always hold the last ones
MAP_USAGE = "%gemini map [OPTIONS] NAME TEMPLATE"
THINK_LEVELS = ("off", "minimal", "low", "medium", "high", "xhigh", "max")


class PromptArgs(Struct, frozen=True, kw_only=True):
    """The options on one prompt's line; None means that the option was not given.

    Attributes:
        literal: the text follows `--`: it is words, and not the name of an object.
        changes: options of the request itself, such as `temperature`.
    """

    model: str | None = None
    chat: str | None = None
    once: bool = False
    out: str | None = None
    wait: bool | None = None
    tools: tuple[str, ...] = ()
    approve: str | None = None
    attach: tuple[str, ...] = ()
    context: int = 0
    schema: str | None = None
    record: str | None = None
    replay: str | None = None
    help: bool = False
    literal: bool = False
    changes: dict[str, Any] = {}


class MapArgs(Struct, frozen=True):
    """The arguments of a map; `prompt` holds the options that all prompts share."""

    prompt: PromptArgs
    name: str
    template: str
    into: str | None = None
    concurrency: int = 20
    first: int | None = None
    fresh: bool = False


def think_level(text: str) -> str | int:
    """Return a thinking level or a budget in tokens.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if text.lower() in THINK_LEVELS:
        return text.lower()
    if text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not {', '.join(THINK_LEVELS)} or a number of tokens")
