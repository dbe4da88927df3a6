"""The options of `%%gemini` and `%gemini map`: their names, values and help, from which the manuals are made."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, NoReturn, get_args

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Format
from nbgemini.notebook.options import THINK_LEVELS, think_level
from nbgemini.tools.toolbox import WORDS

FORMATS = get_args(Format)


class LineParser(argparse.ArgumentParser):
    """A parser for the options of one magic."""

    def __init__(self, command: str) -> None:
        """Parse the options of `command`, which messages name as the user types it."""
        super().__init__(prog=command, add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise one line instead of leaving the interpreter."""
        problem = message.removeprefix("argument ").replace("expected one argument", "a value is missing")
        raise PromptError(f"{problem}; {self.prog} --help lists the options")

    @property
    def options(self) -> Mapping[str, argparse.Action]:
        """Every option string with its action; hidden options too."""
        return {name: action for action in self._actions for name in action.option_strings}

    @property
    def actions(self) -> list[argparse.Action]:
        """The options that the manual lists, in its order."""
        return [action for action in self._actions if action.help != argparse.SUPPRESS]


def number(low: float, high: float) -> Any:
    """Return a function that parses a number between `low` and `high`."""

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
    """Parse a whole number.

    Raises:
        argparse.ArgumentTypeError: it is not one.
    """
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def count(text: str) -> int:
    """Parse a positive whole number.

    Raises:
        argparse.ArgumentTypeError: it is not one.
    """
    value = whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _natural(text: str) -> int:
    value = whole(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def identifier(text: str) -> str:
    """Parse a Python name.

    Raises:
        argparse.ArgumentTypeError: it is not one.
    """
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not a Python name")
    return text


def build_parser() -> LineParser:
    """Return the parser of a prompt's options."""
    parser = LineParser("%%gemini")
    _add_chat(parser)
    _add_content(parser)
    _add_server_tools(parser)
    add_generation(parser, system="system instruction for this chat, from now on", answer="the answer")
    parser.add_argument("--stop-at", metavar="TEXT", action="append", help="end the answer before this text (repeatable)")
    _add_output(parser)
    add_wait(parser, end="the answer does")
    _add_replay(parser)
    add = parser.add_argument
    add("--fresh", action="store_true", help="ignore the cache; the new answer replaces the cached one")
    add("--timeout", metavar="S", type=number(0.001, 1e6), help="time limit for the whole answer, in seconds")
    add("-h", "--help", action="store_true", help="show this help")
    return parser


def add_generation(parser: LineParser, *, system: str, answer: str) -> None:
    """Add the options that shape an answer; `system` is the help of -s, `answer` what the limits apply to."""
    add = parser.add_argument
    levels = f"{', '.join(THINK_LEVELS)}, or a token budget"
    add("-s", "--system", metavar="TEXT", help=system)
    add(
        "-k",
        "--think",
        metavar="LEVEL",
        type=think_level,
        help=f"how much to think: {levels}; %%gemini models shows what each model takes",
    )
    add("--temperature", metavar="X", type=number(0, 2), help="0 to 2: how freely words are chosen")
    add("--max-tokens", metavar="N", type=count, help=f"length limit for {answer}, in tokens")
    add("--seed", metavar="N", type=whole, help="ask for repeatable choices")


def add_wait(parser: LineParser, *, end: str) -> None:
    """Add -w and --no-wait; `end` is what a waiting cell ends with."""
    wait = parser.add_mutually_exclusive_group()
    wait.add_argument("-w", "--wait", action="store_true", default=None, help=f"the cell ends when {end}")
    wait.add_argument("--no-wait", dest="wait", action="store_false", default=None, help="the cell ends at once")


def _add_chat(parser: LineParser) -> None:
    """Add the model, the chat and the name of the reply."""
    add = parser.add_argument
    add(
        "-m",
        "--model",
        metavar="NAME",
        help="model; for another service service:model (anthropic:, openai:, ollama: …); %%gemini models lists them",
    )
    add("-c", "--chat", metavar="NAME", help="chat this prompt belongs to (default: main)")
    add("--once", action="store_true", help="outside all chats: no history is read or written")
    add("-o", "--out", metavar="VAR", type=identifier, help="bind the reply to this name too (it is always in _gemini)")


def _add_content(parser: LineParser) -> None:
    """Add tools, and what goes with the prompt."""
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
        help="may tools run? ask (default): buttons on the card; auto: without asking; never: no; "
        "unguarded: like auto, even for risky combinations",
    )
    add(
        "-a",
        "--attach",
        metavar="X",
        action="append",
        help="attach a name in the notebook, a file, 'data/*.png', or plot (the last figure) (repeatable)",
    )
    add("--context", metavar="N", type=_natural, help="send the last N cells too: their code, results and errors")


def _add_server_tools(parser: LineParser) -> None:
    """Add what the service may do by itself."""
    add = parser.add_argument
    add("--search", action="store_true", help="let the service search the web; sources are listed below the answer")
    add("--run-code", action="store_true", help="let the service run Python that the model writes; code and output are shown")
    add("--urls", action="store_true", help="let the service read the pages whose addresses are in the prompt")


def _add_output(parser: LineParser) -> None:
    """Add the form of the answer."""
    add = parser.add_argument
    add(
        "--schema",
        metavar="TYPE",
        help="answer with an object of a type in the notebook: Planet, list[Planet]; reply.parsed holds it",
    )
    add(
        "-f",
        "--format",
        choices=FORMATS,
        help="markdown; code: only code, for a new cell; json: any JSON, decoded in reply.parsed; text: shown as it is",
    )


def _add_replay(parser: LineParser) -> None:
    """Add --record and --replay."""
    tape = parser.add_mutually_exclusive_group()
    tape.add_argument("--record", metavar="FILE", help="also record the answer, frame by frame, in this cassette")
    tape.add_argument("--replay", metavar="FILE", help="answer from this cassette: no key, no network; a miss is an error")
