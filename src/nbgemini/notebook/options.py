"""What one prompt's line asks for (`PromptArgs`), and what %config and the chat add to it (`OptionResolver`)."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from nbgemini.errors import PromptError
from nbgemini.notebook.kernel.environment import is_unattended
from nbgemini.replay.session import AT_ONCE, Record, Replay, Taping, resolve_path
from nbgemini.services import split_model, usual_service

if TYPE_CHECKING:
    from nbgemini.messages.turns import Options
    from nbgemini.notebook.config import Gemini

THINK_LEVELS = ("off", "minimal", "low", "medium", "high", "xhigh", "max")

_MIN_PREFIX = 3  # characters from which the beginning of a name means the name
_CUTOFF = 0.7  # similarity below which a suggestion would only confuse


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


class OptionResolver:
    """Resolves a prompt's options: its own line first, then its chat, then %config."""

    def __init__(self, shell: Any, config: Gemini) -> None:
        """Read the settings of `config` as they stand at each prompt."""
        self._shell = shell
        self._config = config

    def resolve(self, args: PromptArgs, chat: Options) -> dict[str, Any]:
        """Return the options of a prompt in a chat whose own options are `chat`.

        Raises:
            PromptError: the model belongs to a service that must be named.
        """
        config = self._config
        defaults = {
            "model": self.model(config.model),
            "system": chat.system or config.system,
            "think": think_level(config.think) if config.think else None,
            "format": None if args.schema else config.format,
        }
        given = {**args.changes, **({"model": self.model(args.model)} if args.model else {})}
        return {name: value for name, value in defaults.items() if value} | given

    def model(self, name: str) -> str:
        """Return the model that a name or an alias of %config stands for.

        Raises:
            PromptError: it is the model of a service that must be named.
        """
        model = str(self._config.aliases.get(name, name))
        service = usual_service(model) if split_model(model) == ("gemini", model) else "gemini"
        if service != "gemini":
            raise PromptError(f"{model} is not a model of Gemini; say -m {service}:{model}")
        return model

    def chat_name(self, args: PromptArgs) -> str:
        """Return the name of the chat that a prompt belongs to."""
        return args.chat or self._config.chat

    def approve(self, args: PromptArgs) -> str:
        """Return how a prompt's tool calls are approved."""
        return args.approve or self._config.approve

    def taping(self, args: PromptArgs) -> Taping | None:
        """Return the cassette that a prompt is recorded in or replayed from, if there is one."""
        if args.record:
            return Record(resolve_path(args.record))
        return Replay(resolve_path(args.replay), speed=usual_speed(self._shell)) if args.replay else None


def nearest(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean …?)" with the name that is most like `word`; empty if none is close."""
    names = list(known)
    bare = {name.lstrip("-"): name for name in reversed(names)}
    typed = word.lstrip("-")
    near = [name for name in names if len(typed) >= _MIN_PREFIX and name.lstrip("-").startswith(typed)]
    near = near or [bare[match] for match in difflib.get_close_matches(typed, bare, n=1, cutoff=_CUTOFF)]
    return f" (did you mean {near[0]}?)" if near else ""


def usual_speed(shell: Any) -> float:
    """Return how fast a cassette is played: as it was recorded, but at once in unattended runs."""
    return AT_ONCE if is_unattended(shell) else 1.0


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
