"""Everything raised on purpose; each class answers "what can the user do about it?" (docs/reference/errors.md).

Invariants: a message is one line of visible characters and names the way out; no message, attribute or chained exception
holds a key.
Stopping is not an error.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from nbgemini._environment import HOST

# What options and commands of the magics are called where nobody has loaded them.
_IN_PYTHON: dict[str, str | Callable[[re.Match[str]], str] | None] = {
    r"%%gemini -t and client\.chat offer\b": "client.chat offers",
    r"(?:, or|;) write it below the %%gemini line, or behind %gemini ask": "",
    r", %gemini ask --once": "",
    r"(?:;| →) %gemini models lists them": "; client.list_models() returns them",
    r"%gemini models (\w[\w-]*): lists": r'client.list_models("\1") returns',
    r"%gemini models lists": "client.list_models() returns",
    r"%gemini models": "client.list_models()",
    r"%gemini drop, (?:reset or fork the|or begin another) chat": "begin another chat",
    r"%gemini drop, reset or fork before": "begin another chat before",
    r"%gemini export": "the notebook",
    r", run %gemini key, or try %gemini demo, which needs none": ", or say Client(api_key=…)",
    r", run %gemini key \w+, or try %gemini demo, which needs none": "",
    r" or run %gemini key(?: \w+)?": "",
    r", or %gemini demo": "",
    r"%config Gemini\.(\w+) = (\S+)": r"Settings(\1=\2)",
    r"-m (a|another) model": r"\1 model",
    r"--(think|approve) (off|low|medium|high|ask|auto|never|unguarded)\b": None,
    r"(?<![\w-])-(k|f) (\w+)": None,
    r"(?<![\w-])-(m) ([\w.-]+:[\w.-]+)": None,
    r"(?<![\w-])--([a-z]+)(?:-([a-z]+))?(?![\w-])": lambda match: "_".join(filter(None, match.groups())),
    r"\(-k\)": "(think)",
    r"\bin -m\b": "in a model's name",
}
DASHES = "-\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}\N{EN DASH}\N{EM DASH}\N{HORIZONTAL BAR}\N{MINUS SIGN}"
_MIN_PREFIX = 3  # characters from which the beginning of a name means the name
_CUTOFF = 0.7  # similarity below which a suggestion would only confuse
_NAMES = {"k": "think", "f": "format", "m": "model"}


def adapt(message: str) -> str:
    """Return a message that names options and commands as its reader has them: those of the magics, or of Python."""
    if HOST.magics or ("%" not in message and "-" not in message):
        return message
    for pattern, replace in _rules():
        message = pattern.sub(replace, message)
    return message


@cache
def _rules() -> list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]]:
    return [(re.compile(rule), _option if words is None else words) for rule, words in _IN_PYTHON.items()]


def _option(match: re.Match[str]) -> str:
    """Return an option with its value as an argument in Python."""
    return f'{_NAMES.get(match[1], match[1])}="{match[2]}"'


def root_cause(error: BaseException) -> BaseException:
    """Return what an error was raised for; not what its caller was just handling."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def nearest_name(word: str, known: Iterable[str]) -> str:
    """Return the name that is most like `word`; empty if none is close, or if `word` is one of them."""
    import difflib  # noqa: PLC0415 - not before something went wrong

    names = list(known)
    bare = {name.lstrip(DASHES).casefold(): name for name in reversed(names)}
    typed = word.lstrip(DASHES).casefold()
    near = [name for start, name in bare.items() if len(typed) >= _MIN_PREFIX and start.startswith(typed)][::-1]
    near = near or [bare[match] for match in difflib.get_close_matches(typed, bare, n=1, cutoff=_CUTOFF)]
    return near[0] if near and word not in names else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean …?)" with the name that is most like `word`; empty if none is close."""
    near = nearest_name(word, known)
    return f" (did you mean {near}?)" if near else ""


class QuotedMessage(str):
    """A message that quotes somebody else's options, which are not adapted to its reader."""

    __slots__ = ()


class NbGeminiError(Exception):
    """Base class of all errors that nbgemini raises.

    Attributes:
        reply: the reply with whatever had arrived, if there is one.
        passing: whether the failure is transient: the same request may succeed a little later.
        played: whether it was replayed from a cassette.
    """

    reply: Any = None
    passing: bool = False
    played: bool = False

    def __init__(self, message: str = "") -> None:
        """Show what a terminal would obey or a reader not see: services and models are quoted in messages."""
        text = message if isinstance(message, QuotedMessage) else adapt(message)
        super().__init__("".join(char if char.isprintable() else repr(char)[1:-1] for char in text))

    def _render_traceback_(self) -> list[str]:
        """Show one line in a cell that fails (IPython's hook), and the full chain when `%tb` asks afterwards."""
        if sys.exception() is None and getattr(sys, "last_value", None) is self:  # it failed some time ago
            return "".join(traceback.format_exception(self)).splitlines()
        return [f"{type(self).__name__}: {self}"]


class ConfigurationError(NbGeminiError):
    """Nothing was sent: a key, a package or a service is missing, or a setting is wrong."""


class PromptError(NbGeminiError):
    """Nothing was sent: an option, a name or the prompt itself is wrong."""


class TransportError(NbGeminiError):
    """The network failed: no connection, a timeout, or an answer that was cut off."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        """Say whether it may pass."""
        super().__init__(message)
        self.passing = passing


class ApiError(NbGeminiError):
    """The service answered with an error.

    Attributes:
        code: the HTTP status code, 0 if there is none.
        status: the service's name for it, such as `NOT_FOUND`; `reason` is its ErrorInfo reason, if any.
        retry_after: how many seconds the service asks to wait.
    """

    retry_after: float | None = None

    def __init__(self, message: str, *, code: int = 0, status: str = "", reason: str = "") -> None:
        """Keep the service's own facts beside the message."""
        super().__init__(message)
        self.code = code
        self.status = status
        self.reason = reason


class AuthenticationError(ApiError):
    """The key is wrong, missing, or not allowed to do this."""


class RateLimitError(ApiError):
    """Too many requests; `daily` is true if a daily quota is used up, so that waiting is useless."""

    daily: bool = False


class ServerError(ApiError):
    """The service failed; try again later."""


class WireError(NbGeminiError):
    """The response does not follow the service's protocol."""


class BlockedError(NbGeminiError):
    """The service blocked the prompt or the answer."""


class ToolError(NbGeminiError):
    """A tool is unknown or failed, or the model kept calling tools without end."""


class UnfinishedError(NbGeminiError):
    """A value of a running reply was read where it can't be waited for."""
