"""Parses the line of a prompt: options first, then the text as it was typed."""

from __future__ import annotations

import argparse
import io
import shlex

from nbgemini.errors import PromptError
from nbgemini.notebook.magics.options import LineParser, build_parser
from nbgemini.notebook.options import PromptArgs, nearest


def parse_cell(line: str) -> PromptArgs:
    """Parse the line of a `%%gemini` cell.

    Raises:
        PromptError: it can't be understood; the message names the word and the nearest option.
    """
    args, rest = parse_ask(line)
    if rest:
        raise PromptError(f"{rest.split()[0]!r} is not an option; the prompt goes below the %%gemini line")
    return args


def parse_ask(line: str) -> tuple[PromptArgs, str]:
    """Split the line of a prompt into its options and its text, which is everything after them, as typed."""
    parser = build_parser()
    words, text = leading_options(line, parser)
    literal = line.strip().removesuffix(text).rstrip().endswith("--")
    return _prompt_args(parser.parse_args(words), literal=literal), text


def leading_options(line: str, parser: LineParser) -> tuple[list[str], str]:
    """Split a line into the words of its options, as a parser takes them, and the rest, as typed.

    Raises:
        PromptError: an option is unknown, or a quote is not closed.
    """
    options = parser.options
    words: list[str] = []
    rest = line.strip()
    while rest.startswith("-") and rest != "-":
        word, rest = split_word(rest)
        name = word.split("=", 1)[0]
        if word == "--":
            break
        if name not in options:
            raise PromptError(f"unknown option {name}{nearest(name, options)}; {parser.prog} --help lists the options")
        words.append(word)
        if options[name].nargs != 0 and "=" not in word and rest:
            value, rest = (_split_type if name == "--schema" else split_word)(rest)
            words[-1:] = [f"{name}={value}"] if name.startswith("--") else [name, value]
    return words, rest


def split_word(text: str) -> tuple[str, str]:
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


def _prompt_args(space: argparse.Namespace, *, literal: bool) -> PromptArgs:
    """Return parsed options as the arguments of a prompt."""
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
    return PromptArgs(
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
        help=space.help,
        literal=literal,
        changes={name: value for name, value in changes.items() if value is not None},
    )
