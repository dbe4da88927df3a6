"""The options of a prompt's line: what each is called, what it takes, what it means; the manual is made from them."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn, get_args

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Format
from nbgemini.tools.approval import WORDS

FORMATS = get_args(Format)


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
    for add in (_who, _with_what, _by_what_means, _how, _in_what_form, _when):
        add(parser)
    return parser


def option_names() -> list[str]:
    """Return every option string, for completion and for "did you mean"."""
    return [name for action in build_parser()._actions for name in action.option_strings]  # noqa: SLF001 - no public list


def _who(parser: argparse.ArgumentParser) -> None:
    """Add who is asked, and in which chat."""
    add = parser.add_argument
    add(
        "-m",
        "--model",
        metavar="NAME",
        help="model, of another service as service:model (anthropic:, openai:, ollama: …); %%gemini models lists them",
    )
    add("-c", "--chat", metavar="NAME", help="conversation this cell belongs to (default: main)")
    add("--once", action="store_true", help="no history: neither read nor written")
    add("-o", "--out", metavar="VAR", type=identifier, help="bind the reply to this name too (it is always in _gemini)")


def _with_what(parser: argparse.ArgumentParser) -> None:
    """Add what goes with the prompt: tools, and what the notebook holds."""
    add = parser.add_argument
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
    add("--context", metavar="N", type=_natural, help="tell the last N cells too: what was typed, their results and errors")


def _by_what_means(parser: argparse.ArgumentParser) -> None:
    """Add what the service may do by itself."""
    add = parser.add_argument
    add("--search", action="store_true", help="let the service search the web; its sources stand below the answer")
    add("--run-code", action="store_true", help="let the model run Python of its own at the service; code and output are shown")
    add("--urls", action="store_true", help="let the service read the pages whose addresses stand in the prompt")


def _how(parser: argparse.ArgumentParser) -> None:
    """Add how the answer is made."""
    add = parser.add_argument
    add("-s", "--system", metavar="TEXT", help="system instruction of this chat, from now on")
    add("-k", "--think", metavar="LEVEL", type=think_level, help="off, low, medium, high, or a token budget")
    add("--temperature", metavar="X", type=number(0, 2), help="0 to 2: how freely words are chosen")
    add("--max-tokens", metavar="N", type=count, help="longest answer, in tokens")
    add("--seed", metavar="N", type=whole, help="ask for repeatable choices")
    add("--stop-at", metavar="TEXT", action="append", help="end the answer before this text (repeatable)")


def _in_what_form(parser: argparse.ArgumentParser) -> None:
    """Add what kind of answer it is to be."""
    add = parser.add_argument
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


def _when(parser: argparse.ArgumentParser) -> None:
    """Add when the cell ends, and what else is asked: a cassette, a cache."""
    add = parser.add_argument
    wait = parser.add_mutually_exclusive_group()
    wait.add_argument("-w", "--wait", action="store_true", default=None, help="the cell ends when the answer does")
    wait.add_argument("--no-wait", dest="wait", action="store_false", default=None, help="the cell ends at once")
    tape = parser.add_mutually_exclusive_group()
    tape.add_argument("--record", metavar="FILE", help="write the answer, piece by piece, into this cassette too")
    tape.add_argument("--replay", metavar="FILE", help="answer from this cassette: no key, no network; else it is an error")
    add("--fresh", action="store_true", help="ask anew, whatever the cache holds; the new answer takes the old one's place")
    add("--timeout", metavar="S", type=number(0.001, 1e6), help="longest time for the whole answer, in seconds")
