"""The arguments of `%gemini map`: its options, the rows, and the template."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeGuard

from msgspec import Struct

from nbgemini.bulk.rows import RowSource
from nbgemini.bulk.template import Template
from nbgemini.errors import PromptError
from nbgemini.notebook.magics.options import LineParser, add_generation, add_wait, count, identifier, number
from nbgemini.notebook.magics.parsing import leading_options, split_word
from nbgemini.notebook.options import PromptArgs, nearest
from nbgemini.prompts.tables import may_be_table, package_of

OUT = "_gemini_map"
_USAGE = "%gemini map [OPTIONS] NAME TEMPLATE"
_CHANGES = ("system", "think", "temperature", "max_tokens", "seed", "timeout")


class MapArgs(Struct, frozen=True):
    """The arguments of a map; `prompt` holds the options that all prompts share."""

    prompt: PromptArgs
    name: str
    template: str
    into: str | None = None
    concurrency: int = 20
    first: int | None = None
    fresh: bool = False


def _no_tools(_: str) -> NoReturn:
    raise argparse.ArgumentTypeError("a map can't use tools; %%gemini -t offers them, prompt by prompt")


def build_map_parser() -> LineParser:
    """Return the parser of a map's options."""
    parser = LineParser("%gemini map")
    add = parser.add_argument
    add("-m", "--model", metavar="NAME", help="model; %%gemini models lists them")
    add("-o", "--out", metavar="VAR", type=identifier, help=f"bind the rows to this name too (they are always in {OUT})")
    add("--into", metavar="COLUMN", help="add the answers to the DataFrame as this column once all rows are done")
    add("-n", "--concurrency", metavar="N", type=count, help="at most so many rows at once (default: 20)")
    add("--first", metavar="N", type=count, help="only the first N rows: a cheap trial")
    add("--fresh", action="store_true", help="ask again for rows that an earlier run has paid for")
    add("--schema", metavar="TYPE", help="answer each row with an object of a type in the notebook")
    add_generation(parser, system="system instruction for each row", answer="each answer")
    add("--timeout", metavar="S", type=number(0.001, 1e6), help="time limit for each row, in seconds")
    add_wait(parser, end="the map does")
    add("-h", "--help", action="store_true", help="show this help")
    add("-t", "--tools", metavar="f", type=_no_tools, help=argparse.SUPPRESS)
    return parser


def parse_map(line: str) -> MapArgs:
    """Parse the line of `%gemini map`, or of a `%%gemini map` cell with the cell's text after it.

    Raises:
        PromptError: it can't be understood.
    """
    words, rest = leading_options(line, build_map_parser())
    space = build_map_parser().parse_args(words)
    name, template = split_word(rest) if rest else ("", "")
    if not template and not space.help:
        raise PromptError(f"usage: {_USAGE}: a DataFrame, list or column, and what to ask for each row")
    given = {name: getattr(space, name) for name in _CHANGES}
    args = PromptArgs(
        model=space.model,
        out=space.out,
        wait=space.wait,
        schema=space.schema,
        once=True,
        help=space.help,
        changes={name: value for name, value in given.items() if value is not None},
    )
    return MapArgs(args, name, template, space.into, space.concurrency or 20, space.first, space.fresh)


def map_line(line: str, text: str) -> str | None:
    """Return the line of a map whose template is the text of its cell, `%%gemini map [options] NAME`; None for a prompt."""
    command, _, rest = line.strip().partition(" ")
    if command == "map?":
        return "--help"
    return f"{rest}\n{text.strip()}" if command == "map" else None


def rows_named(names: Mapping[str, Any], word: str) -> Any:
    """Return the rows of a map: a name of the notebook, or an attribute of one, as `df.text`.

    Raises:
        PromptError: there is no such name.
    """
    first, *attributes = word.split(".")
    if first not in names:
        known = [name for name, value in names.items() if not name.startswith("_") and is_rows(value)]
        raise PromptError(f"no name {first!r} in this notebook{nearest(first, known)}; usage: {_USAGE}")
    value = names[first]
    for attribute in attributes:
        try:
            value = (
                getattr(value, attribute)
                if hasattr(value, attribute) or attribute not in column_names(value)
                else value[attribute]
            )
        except AttributeError:
            raise PromptError(f"{word}: there is no {attribute!r}{nearest(attribute, _inside(value))}") from None
    return value


def is_rows(value: Any) -> bool:
    """Whether a map can go through a value."""
    return may_be_table(value) or isinstance(value, list | tuple | set)


def column_names(value: Any) -> list[str]:
    """Return the names of a table's columns; none if it is no table, or they are known only when it is computed."""
    if not may_be_table(value):
        return []
    ways = (getattr(value, ability, None) for ability in ("column_names", "columns", "data_vars"))
    return next(([str(name) for name in names] for names in ways if _are_names(names)), [])


def _are_names(found: Any) -> TypeGuard[Iterable[Any]]:
    """Whether something is a collection of names, and not the columns themselves."""
    return isinstance(found, Iterable) and not callable(found) and all(isinstance(name, str | int | tuple) for name in found)


def only_first(rows: Any, many: int | None) -> Any:
    """Return the first so many rows, or all."""
    if many is None:
        return rows
    if hasattr(type(rows), "iloc"):
        return rows.head(many)
    if isinstance(rows, list | tuple):
        return rows[:many]
    return list(itertools.islice(RowSource(rows).rest() if may_be_table(rows) else rows, many))


def check_into(rows: Any, args: MapArgs) -> None:
    """Check that the answers can become a column.

    Raises:
        PromptError: there is no DataFrame to take it, or the template reads the column of that name.
    """
    if args.into is None:
        return
    if not (hasattr(type(rows), "iloc") and hasattr(type(rows), "columns")):
        kind = f"{package_of(rows)}.{type(rows).__name__}" if may_be_table(rows) else type(rows).__name__
        where = f"the answers are in {OUT}.answers"
        raise PromptError(f"--into adds a column to a pandas DataFrame, and {args.name} is a {kind}; {where}")
    if Template(args.template).names(args.into):
        raise PromptError(f"--into {args.into} would overwrite the column that the template reads; name another one")


def without_column(rows: Any, column: str | None) -> Any:
    """Return the rows without the column that is to hold the answers: an earlier run may have added it."""
    return rows.drop(columns=[column]) if column is not None and column in rows.columns else rows


def add_column(frame: Any, column: str, answers: list[Any]) -> None:
    """Add answers to a DataFrame as a column; rows that were not asked keep what they had, or get None."""
    former = frame[column].tolist() if column in frame.columns else [None] * len(frame)
    frame[column] = answers + former[len(answers) :]


def _inside(value: Any) -> list[str]:
    return column_names(value) or [name for name in dir(value) if not name.startswith("_")]
