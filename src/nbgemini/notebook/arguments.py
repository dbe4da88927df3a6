"""The magic's line as options: parsing, the manual, and "did you mean"."""

from __future__ import annotations

import argparse
import difflib
import io
import shlex
from collections.abc import Iterable
from typing import Any, NoReturn, get_args

from msgspec import Struct

from nbgemini.errors import PromptError
from nbgemini.leave import WORDS
from nbgemini.turns import Format

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


class LineParser(argparse.ArgumentParser):
    """A parser of a magic's line."""

    def error(self, message: str) -> NoReturn:
        """Raise one line instead of leaving the interpreter."""
        raise PromptError(f"{message[:1].upper()}{message[1:]}; {self.prog.replace('%%gemini', '%%gemini?')} is the manual")


def number(low: float, high: float) -> Any:
    """Return what reads a number between two others."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low:g} and {high:g}")
        return value

    return read


def whole(text: str) -> int:
    """Return a whole number.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def count(text: str) -> int:
    """Return a positive whole number.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    value = whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _natural(text: str) -> int:
    value = whole(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than none")
    return value


def think_level(text: str) -> str | int:
    """Return a thinking level or budget as typed.

    Raises:
        argparse.ArgumentTypeError: neither a level nor a number.
    """
    if text.lower() in ("off", "minimal", "low", "medium", "high", "xhigh", "max"):
        return text.lower()
    if text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not off, low, medium, high or a number of tokens")


def identifier(text: str) -> str:
    """Return a Python name.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not a Python name")
    return text


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of a prompt's options; the manual is made from it too."""
    parser = LineParser(prog="%%gemini", add_help=False, allow_abbrev=False)
    add = parser.add_argument
    add("-m", "--model", metavar="NAME", help="model; %%gemini models lists them")
    add("-c", "--chat", metavar="NAME", help="conversation this cell belongs to (default: main)")
    add("--once", action="store_true", help="no history: neither read nor written")
    add("-o", "--out", metavar="VAR", type=identifier, help="bind the reply to this name too (it is always in _gemini)")
    add(
        "-t",
        "--tools",
        metavar="f,g",
        action="append",
        help="functions, MCP servers or lists of them in the notebook, offered to the model (repeatable)",
    )
    add(
        "--approve",
        choices=WORDS,
        help="may a tool run? ask (default): buttons; auto: unasked; never: no; unguarded: auto, also for dangerous company",
    )
    add(
        "-a",
        "--attach",
        metavar="X",
        action="append",
        help="what goes with the prompt: a name in the notebook, a file, 'data/*.png', or plot (the last one) (repeatable)",
    )
    add("--search", action="store_true", help="let the service search the web; its sources stand below the answer")
    add("--run-code", action="store_true", help="let the model run Python of its own at the service; code and output are shown")
    add("--urls", action="store_true", help="let the service read the pages whose addresses stand in the prompt")
    add("--context", metavar="N", type=_natural, help="tell the last N cells too: what was typed, their results and errors")
    add("-s", "--system", metavar="TEXT", help="system instruction of this chat, from now on")
    add("-k", "--think", metavar="LEVEL", type=think_level, help="off, low, medium, high, or a token budget")
    add("--temperature", metavar="X", type=number(0, 2), help="0 to 2: how freely words are chosen")
    add("--max-tokens", metavar="N", type=count, help="longest answer, in tokens")
    add("--seed", metavar="N", type=whole, help="ask for repeatable choices")
    add("--stop-at", metavar="TEXT", action="append", help="end the answer before this text (repeatable)")
    add(
        "--schema",
        metavar="TYPE",
        help="answer with an object of a type of the notebook: Planet, list[Planet]; reply.parsed holds it",
    )
    add(
        "-f",
        "--format",
        choices=FORMATS,
        help="markdown; code: only code, for a new cell; json: any JSON, decoded in reply.parsed; text: shown as it is",
    )
    wait = parser.add_mutually_exclusive_group()
    wait.add_argument("-w", "--wait", action="store_true", default=None, help="the cell ends when the answer does")
    wait.add_argument("--no-wait", dest="wait", action="store_false", default=None, help="the cell ends at once")
    tape = parser.add_mutually_exclusive_group()
    tape.add_argument("--record", metavar="FILE", help="write the answer, piece by piece, into this cassette too")
    tape.add_argument("--replay", metavar="FILE", help="answer from this cassette: no key, no network; else it is an error")
    add("--fresh", action="store_true", help="ask anew, whatever the cache holds; the new answer takes the old one's place")
    add("--timeout", metavar="S", type=number(0.001, 1e6), help="longest time for the whole answer, in seconds")
    return parser


def option_names() -> list[str]:
    """Return every option string, for completion and for "did you mean"."""
    return [name for action in build_parser()._actions for name in action.option_strings]  # noqa: SLF001 - no public list


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
