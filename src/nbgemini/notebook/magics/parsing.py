"""A prompt's line, parsed: what it says, and "did you mean"."""

from __future__ import annotations

import argparse
import difflib
import io
import shlex
from collections.abc import Iterable
from typing import Any, get_args

from msgspec import Struct

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Format
from nbgemini.notebook.magics.options import build_parser

FORMATS = get_args(Format)

_BEGUN = 2  # characters above which the beginning of a name means the name


class Ask(Struct, frozen=True, kw_only=True):
    """What one prompt's line says; None means: not said."""

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
    changes: dict[str, Any] = {}


def parse_cell(line: str) -> Ask:
    """Return what the line of a `%%gemini` cell says.

    Raises:
        PromptError: it can't be understood; the message names the word and the nearest option.
    """
    ask, rest = parse_ask(line)
    if rest:
        raise PromptError(f"{rest.split()[0]!r} is not an option; the prompt goes below the %%gemini line")
    return ask


def parse_ask(line: str) -> tuple[Ask, str]:
    """Split `%gemini ask`'s line into its options and the prompt, which is everything after them, as typed."""
    words, rest = leading_options(line, build_parser())
    return ask_of(build_parser().parse_args(words)), rest


def nearest(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean …?)", or nothing if nothing is near."""
    names = list(known)
    begun = [name for name in names if len(word) > _BEGUN and name.startswith(word)]
    near = begun or difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f" (did you mean {near[0]}?)" if near else ""


def leading_options(line: str, parser: argparse.ArgumentParser, manual: str = "%%gemini?") -> tuple[list[str], str]:
    """Split a line into the words of its options, as a parser wants them, and all that follows, as typed.

    Raises:
        PromptError: an option is unknown, or a quote is not closed.
    """
    options = {name: action for action in parser._actions for name in action.option_strings}  # noqa: SLF001 - no public list
    words: list[str] = []
    rest = line.strip()
    while rest.startswith("-") and rest != "-":
        word, rest = next_word(rest)
        name = word.split("=", 1)[0]
        if word == "--":
            break
        if name not in options:
            raise PromptError(f"unknown option {name}{nearest(name, options)}; {manual} is the manual")
        words.append(word)
        if options[name].nargs != 0 and "=" not in word and rest:
            value, rest = (_next_type if name == "--schema" else next_word)(rest)
            words[-1:] = [f"{name}={value}"] if name.startswith("--") else [name, value]
    return words, rest


def next_word(text: str) -> tuple[str, str]:
    """Split a word off, with or without quotes.

    Raises:
        PromptError: a quote is not closed.
    """
    stream = io.StringIO(text)
    lexer = shlex.shlex(stream, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        word = lexer.get_token() or ""
    except ValueError:
        raise PromptError(f"a quote is not closed in: {text}") from None
    return word, text[stream.tell() :].lstrip()


def _next_type(text: str) -> tuple[str, str]:
    """Split a type off, with or without quotes around it; in its brackets spaces and quotes stand as in Python."""
    if text[0] in "'\"":
        return next_word(text)
    depth = 0
    for end, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char.isspace() and depth <= 0:
            return text[:end], text[end:].lstrip()
    return text, ""


def ask_of(space: argparse.Namespace) -> Ask:
    """Return what parsed options say."""
    changes = {
        "system": space.system,
        "think": space.think,
        "temperature": space.temperature,
        "max_tokens": space.max_tokens,
        "seed": space.seed,
        "stop_at": tuple(space.stop_at) if space.stop_at else None,
        "timeout": space.timeout,
        "format": space.format,
        "search": space.search or None,
        "run_code": space.run_code or None,
        "urls": space.urls or None,
        "fresh": space.fresh or None,
    }
    said = {name: value for name, value in changes.items() if value is not None}
    return Ask(
        model=space.model,
        chat=space.chat,
        once=space.once,
        out=space.out,
        wait=space.wait,
        tools=tuple(name.strip() for names in space.tools or () for name in names.split(",") if name.strip()),
        approve=space.approve,
        attach=tuple(space.attach or ()),
        context=space.context or 0,
        schema=space.schema,
        record=space.record,
        replay=space.replay,
        changes=said,
    )
