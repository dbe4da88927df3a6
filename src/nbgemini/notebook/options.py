"""The options of `%%gemini` and `%gemini map`, from which the manuals are made, and the parsing of their lines.

What a line asks for is `PromptArgs` or `MapArgs`. Options come first; the text after them stays as it was typed.
"""

from __future__ import annotations

import argparse
import io
import keyword
import re
import shlex
from collections.abc import Mapping
from typing import Any, NoReturn, get_args

from msgspec import Struct

from nbgemini.errors import DASHES, PromptError, nearest
from nbgemini.messages.turns import Format
from nbgemini.tools.toolbox import WORDS

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
    """Return a thinking level or a budget in tokens."""
    if text.lower() in THINK_LEVELS:
        return text.lower()
    if text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not {', '.join(THINK_LEVELS)} or a number of tokens")


FORMATS = get_args(Format)
_WORDS = {  # for those of argparse
    "expected one argument": "a value is missing",
    "ignored explicit argument": "it takes no value; leave out",
    "not allowed with argument": "can't be combined with",
}
_MAY_BE_EMPTY = {"system"}  # which is how it is taken back
_CURLY = tuple("\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb")
_ELSEWHERE = {"--code": "-f code", "--file": "--attach", "--image": "--attach", "--json": "-f json", "--web": "--search"}
_CHOICE = re.compile(r"(?P<option>.*): invalid choice: (?P<value>.*) \(choose from (?P<choices>.*)\)")


class LineParser(argparse.ArgumentParser):
    """A parser for the options of one magic."""

    def __init__(self, command: str) -> None:
        """Parse the options of `command`, which messages name as the user types it."""
        super().__init__(prog=command, add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise one line instead of leaving the interpreter."""
        problem = message.removeprefix("argument ")
        for said, words in _WORDS.items():
            problem = problem.replace(said, words)
        if match := _CHOICE.fullmatch(problem):
            choices = match["choices"].replace("'", "").split(", ")
            problem = f"{match['option']}: {match['value']} is not {', '.join(choices[:-1])} or {choices[-1]}"
        raise PromptError(f"{problem}; {self.prog} --help lists the options")

    def add_flag(self, *names: str, help: str) -> None:  # noqa: A002 - as argparse calls it
        """Add an option without a value."""
        self.add_argument(*names, action="store_true", default=None, help=help)

    @property
    def options(self) -> Mapping[str, argparse.Action]:
        """Every option string with its action; hidden options too."""
        return {name: action for action in self._actions for name in action.option_strings}

    @property
    def actions(self) -> list[argparse.Action]:
        """The options that the manual lists, in its order."""
        return [action for action in self._actions if action.help != argparse.SUPPRESS]


def _number(low: float, high: float) -> Any:
    """Return a function that parses a number between `low` and `high`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low:,g} and {high:,.10g}")
        return value

    return read


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def _positive(text: str) -> int:
    if _integer(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return int(text)


def _natural(text: str) -> int:
    if _integer(text) < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return int(text)


def _identifier(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a Python name")
    return text


def build_parser() -> LineParser:
    """Return the parser of a prompt's options."""
    parser = LineParser("%%gemini")
    _add_content(parser)
    add = parser.add_argument
    parser.add_flag("--search", help="let the service search the web; sources are listed below the answer")
    parser.add_flag("--run-code", help="let the service run Python code that the model writes; code and output are shown")
    parser.add_flag("--urls", help="let the service read the web pages whose addresses are in the prompt")
    add_generation(parser, system="system instruction for this chat, from now on", answer="the answer")
    add("--stop-at", metavar="TEXT", action="append", help="stop sequence: end the answer before this text (repeatable)")
    add(
        "--schema",
        metavar="TYPE",
        help="structured output: answer with an object of this type, such as Planet or list[Planet]; it is in reply.parsed",
    )
    add(
        "-f",
        "--format",
        choices=FORMATS,
        type=str.lower,
        help="markdown (default); code: only code, for a new cell; json: any JSON, parsed in reply.parsed; text: plain text",
    )
    add_wait(parser, end="the answer is complete")
    tape = parser.add_mutually_exclusive_group()
    tape.add_argument("--record", metavar="FILE", help="also record the answer in this file, a cassette")
    tape.add_argument("--replay", metavar="FILE", help="answer from this cassette, offline; an unrecorded prompt is an error")
    parser.add_flag("--fresh", help="ignore the cache; the new answer replaces the cached one")
    add("--timeout", metavar="S", type=_number(0.001, 1e6), help="time limit for the whole answer, in seconds")
    parser.add_flag("-h", "--help", help="show this help")
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
    add("--temperature", metavar="X", type=_number(0, 2), help="sampling temperature, from 0 (most predictable) to 2")
    add("--max-tokens", metavar="N", type=_positive, help=f"maximum length of {answer}, in tokens")
    add("--seed", metavar="N", type=_integer, help="seed for sampling, for more repeatable answers")


def add_wait(parser: LineParser, *, end: str) -> None:
    """Add -w and --no-wait; `end` is what a waiting cell ends with."""
    wait = parser.add_mutually_exclusive_group()
    wait.add_argument("-w", "--wait", action="store_true", default=None, help=f"wait in the cell until {end}")
    wait.add_argument("--no-wait", dest="wait", action="store_false", default=None, help="return at once")


def _add_content(parser: LineParser) -> None:
    """Add the model, the chat, the name of the reply, tools, and what goes with the prompt."""
    add = parser.add_argument
    add(
        "-m",
        "--model",
        metavar="NAME",
        help="model to ask; SERVICE:MODEL for another service (anthropic:, openai:, ollama: …); %%gemini models lists them",
    )
    chat = parser.add_mutually_exclusive_group()
    chat.add_argument("-c", "--chat", metavar="NAME", help="chat this prompt belongs to (default: main)")
    once = "ask outside all chats: no history is sent, nothing is remembered"
    chat.add_argument("--once", action="store_true", default=None, help=once)
    add("-o", "--out", metavar="VAR", type=_identifier, help="store the reply in this variable (the last is in _gemini)")
    add(
        "-t",
        "--tools",
        metavar="f,g",
        action="append",
        help="let the model call these functions or MCP servers of the notebook, or lists of them (repeatable)",
    )
    add(
        "--approve",
        choices=WORDS,
        type=str.lower,
        help="when tool calls may run: ask (default): after your approval; auto: without asking; never; "
        "unguarded: like auto, even for risky combinations",
    )
    add(
        "-a",
        "--attach",
        metavar="X",
        action="append",
        help="attach a variable, a file, a pattern such as 'data/*.png', or plot (the last figure shown) (repeatable)",
    )
    add("--context", metavar="N", type=_natural, help="also send the last N cells with their output and errors")


def parse_cell(line: str) -> PromptArgs:
    """Parse the line of a `%%gemini` cell."""
    args, rest = parse_ask(line)
    if rest:
        word, options = rest.split()[0], build_parser().options
        before = line.strip().removesuffix(rest).split()[-2:-1]  # "-s" of `-s Answer as a pirate`
        in_value = any(option in options and options[option].nargs != 0 for option in before)
        hint = ", and text with spaces needs quotes" if in_value else nearest(word, options)
        where = "the prompt goes below the %%gemini line (in one line: %gemini ask …)"
        raise PromptError(f"{word!r} is not an option{hint}; {where}")
    return args


def parse_ask(line: str) -> tuple[PromptArgs, str]:
    """Split the line of a prompt into its options and its text, which is everything after them, as typed."""
    parser = build_parser()
    words, text = leading_options(line, parser)
    literal = line.strip().removesuffix(text).rstrip().endswith("--")
    given = _given(parser, words)
    named = (name.strip() for names in given.get("tools", ()) for name in names.split(","))
    given["tools"] = tuple(dict.fromkeys(filter(None, named)))  # twice is once
    return _prompt_args(given, literal=literal), text


def leading_options(line: str, parser: LineParser) -> tuple[list[str], str]:
    """Split a line into the words of its options, as a parser takes them, and the rest, as typed."""
    options = parser.options
    words: list[str] = []
    rest = line.strip()
    while rest.startswith("-") and rest != "-":
        word, rest = split_word(rest)
        name = word.split("=", 1)[0]
        if word == "--":
            return words, rest
        if name not in options:
            hint = nearest(name, options) or _hint(name, options)
            raise PromptError(f"unknown option {name}{hint}; {parser.prog} --help lists the options")
        words.append(word)
        option, value = options[name], word.partition("=")[2]
        if option.nargs != 0 and "=" not in word and rest:
            value, rest = (_split_type if name == "--schema" else split_word)(rest)
            words[-1:] = [f"{name}={value}"] if name.startswith("--") else [name, value]
        if value.startswith(_CURLY):
            raise PromptError(f"{value} begins with a curly quote → straight quotes, \" or '")
        if option.nargs != 0 and not value and option.dest not in _MAY_BE_EMPTY:
            parser.error(f"{'/'.join(option.option_strings)}: a value is missing")
    word = re.split(r"[\s=]", rest, maxsplit=1)[0]
    if word and word[0] in DASHES[1:]:  # as word processors and web pages write them
        for name in options:
            if name.lstrip("-") == word.lstrip(DASHES):
                raise PromptError(f"{word} begins with a long dash → {name}")
    return words, rest


def _hint(word: str, options: Mapping[str, argparse.Action]) -> str:
    """Return what an unknown option may mean: another program's name, a longer one, or `-n50` or `-wo`."""
    other, begun = _ELSEWHERE.get(word, ""), next((name for name in options if name[2:] and word.startswith(name)), "")
    if other.partition(" ")[0] in options or begun:
        return f" (did you mean {other or begun}?)"
    short = options.get(word[:2])
    return f" (did you mean {word[:2]} {'-' if short.nargs == 0 else ''}{word[2:]}?)" if short else ""


def late_option(text: str) -> str:
    """Return a line about an option at the end of a prompt in one line, whose words it then is; empty if there is none."""
    *_, before, last = ["", "", *text.split()]
    option = next((word for word in (before, last) if word.partition("=")[0] in build_parser().options), "")
    return f"⚠ {option} is part of the prompt, as options go before it" if option else ""


def split_word(text: str) -> tuple[str, str]:
    """Split a word off, with or without quotes."""
    stream = io.StringIO(text)
    lexer = shlex.shlex(stream, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    lexer.whitespace += "\N{NO-BREAK SPACE}"  # as web pages have it
    try:
        word = lexer.get_token() or ""
    except ValueError:
        raise PromptError(f"a quote is not closed in: {text}") from None
    return word, text[stream.tell() :].lstrip()


def _split_type(text: str) -> tuple[str, str]:
    """Split a type off, with or without quotes around it; in its brackets spaces and quotes stand as in Python."""
    if text[0] in "'\"":
        return split_word(text)
    depth = 0
    for end, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char.isspace() and depth <= 0:
            return text[:end], text[end:].lstrip()
    return text, ""


_OF_THE_REQUEST = {
    *("system", "think", "temperature", "max_tokens", "seed", "stop_at", "timeout", "format", "search", "run_code", "urls"),
    "fresh",
}


def _given(parser: LineParser, words: list[str]) -> dict[str, Any]:
    """Return the options that words give."""
    found = vars(parser.parse_args(words)).items()
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found if value is not None}


def _prompt_args(given: dict[str, Any], **more: Any) -> PromptArgs:
    """Return options as the arguments of a prompt; `more` are those that no option gives."""
    changes = {name: given[name] for name in _OF_THE_REQUEST & given.keys()}
    own = {name: value for name, value in given.items() if name not in changes}
    return PromptArgs(**own, **more, changes=changes)


def _no_tools(_: str) -> NoReturn:
    raise argparse.ArgumentTypeError("a map can't use tools; %%gemini -t offers them, prompt by prompt")


def build_map_parser() -> LineParser:
    """Return the parser of a map's options."""
    parser = LineParser("%gemini map")
    add = parser.add_argument
    add("-m", "--model", metavar="NAME", help="model to ask; %%gemini models lists them")
    add("-o", "--out", metavar="VAR", type=_identifier, help=f"store the rows in this variable (the last are in {LAST_MAP})")
    add("--into", metavar="COLUMN", help="add the answers to the DataFrame as this column once all rows are done")
    add("-n", "--concurrency", metavar="N", type=_positive, help="how many rows are asked at once, at most (default: 20)")
    add("--first", metavar="N", type=_positive, help="ask only the first N rows, as a cheap trial")
    parser.add_flag("--fresh", help="ask all rows again, even those that an earlier run has answered")
    add("--schema", metavar="TYPE", help="structured output: answer each row with an object of this type")
    add_generation(parser, system="system instruction for each row", answer="each answer")
    add("--timeout", metavar="S", type=_number(0.001, 1e6), help="time limit for each row, in seconds")
    add_wait(parser, end="all rows are done")
    parser.add_flag("-h", "--help", help="show this help")
    add("-t", "--tools", metavar="f", type=_no_tools, help=argparse.SUPPRESS)
    return parser


def parse_map(line: str) -> MapArgs:
    """Parse the line of `%gemini map`, or of a `%%gemini map` cell with the cell's text after it."""
    parser = build_map_parser()
    words, rest = leading_options(line, parser)
    given = _given(parser, words)
    name, template = split_word(rest) if rest else ("", "")
    if template.partition("=")[0].split()[:1] in [[option] for option in parser.options]:
        raise PromptError(f"options go before {name}; usage: {MAP_USAGE}")
    if not template and "help" not in given:
        raise PromptError(f"usage: {MAP_USAGE}: a DataFrame, list or column, and what to ask for each row")
    own = {option: given.pop(option) for option in ("into", "concurrency", "first", "fresh") if option in given}
    return MapArgs(_prompt_args(given, once=True), name, template, **own)


def map_line(line: str, text: str) -> str | None:
    """Return the line of a map whose template is the text of its cell, `%%gemini map [options] NAME`; None for a prompt."""
    command, _, rest = line.strip().partition(" ")
    if command == "map?":
        return "--help"
    if command != "map":
        return None
    named = leading_options(rest, build_map_parser())[1]
    return f"{rest}\n{text.strip()}" if named else rest
