"""The line of `%gemini map`: its options, what is gone through, and the template."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeGuard

from msgspec import Struct

from nbgemini.bulk.sources import RowSource
from nbgemini.bulk.template import Template
from nbgemini.errors import PromptError
from nbgemini.notebook.magics.options import LineParser, count, identifier, number, think_level, whole
from nbgemini.notebook.magics.parsing import Ask, leading_options, nearest, next_word
from nbgemini.prompts.tables import may_be_table, package_of

OUT = "_gemini_map"
_MANUAL = "%gemini map"  # without anything it shows its manual
_CHANGES = ("system", "think", "temperature", "max_tokens", "seed", "timeout")


class MapAsk(Struct, frozen=True):
    """What the line says; `ask` holds what any prompt's line may say."""

    ask: Ask
    name: str
    template: str
    into: str | None = None
    concurrency: int = 20
    first: int | None = None
    fresh: bool = False


def _no_tools(_: str) -> NoReturn:
    raise argparse.ArgumentTypeError("a map offers the model no tools; %%gemini -t does, prompt by prompt")


def build_map_parser() -> argparse.ArgumentParser:
    """Return the parser of a map's options; the manual is made from it too."""
    parser = LineParser(prog="%gemini map", add_help=False, allow_abbrev=False)
    add = parser.add_argument
    add("-m", "--model", metavar="NAME", help="model; %%gemini models lists them")
    add("-o", "--out", metavar="VAR", type=identifier, help=f"bind the rows to this name too (they are always in {OUT})")
    add("--into", metavar="COLUMN", help="add the answers to the DataFrame as this column, when all is done")
    add("-n", "--concurrency", metavar="N", type=count, help="how many rows are asked at once at most (default: 20)")
    add("--first", metavar="N", type=count, help="only the first N rows: try it before it costs")
    add("--fresh", action="store_true", help="ask also for rows that an earlier run has paid for")
    add("--schema", metavar="TYPE", help="answer each row with an object of a type of the notebook")
    add("-s", "--system", metavar="TEXT", help="system instruction of each row")
    add("-k", "--think", metavar="LEVEL", type=think_level, help="off, low, medium, high, or a token budget")
    add("--temperature", metavar="X", type=number(0, 2), help="0 to 2: how freely words are chosen")
    add("--max-tokens", metavar="N", type=count, help="longest answer of a row, in tokens")
    add("--seed", metavar="N", type=whole, help="ask for repeatable choices")
    add("--timeout", metavar="S", type=number(0.001, 1e6), help="longest time for one row, in seconds")
    wait = parser.add_mutually_exclusive_group()
    wait.add_argument("-w", "--wait", action="store_true", default=None, help="the cell ends when the map does")
    wait.add_argument("--no-wait", dest="wait", action="store_false", default=None, help="the cell ends at once")
    add("-t", "--tools", metavar="f", type=_no_tools, help=argparse.SUPPRESS)
    return parser


def parse_map(line: str) -> MapAsk:
    """Return what the line of `%gemini map` says.

    Raises:
        PromptError: it can't be understood.
    """
    words, rest = leading_options(line, build_map_parser(), _MANUAL)
    space = build_map_parser().parse_args(words)
    name, template = next_word(rest) if rest else ("", "")
    if not template:
        raise PromptError("%gemini map [options] NAME TEMPLATE…: a DataFrame, list or column, and what to ask of each row")
    said = {name: getattr(space, name) for name in _CHANGES}
    ask = Ask(
        model=space.model,
        out=space.out,
        wait=space.wait,
        schema=space.schema,
        once=True,
        changes={name: value for name, value in said.items() if value is not None},
    )
    return MapAsk(ask, name, template, space.into, space.concurrency or 20, space.first, space.fresh)


def in_a_cell(line: str, text: str) -> str | None:
    """Return the line of a map whose template is the text of a cell, `%%gemini map [options] NAME`; None if it is no map."""
    command, _, rest = line.strip().partition(" ")
    return f"{rest}\n{text.strip()}" if command == "map" else None


def rows_named(names: Mapping[str, Any], word: str) -> Any:
    """Return what is gone through: a name of the notebook, or an attribute of one, as `df.text`.

    Raises:
        PromptError: there is nothing of that name.
    """
    first, *attributes = word.split(".")
    if first not in names:
        known = [name for name, value in names.items() if not name.startswith("_") and is_rows(value)]
        raise PromptError(f"no name {first!r} in this notebook{nearest(first, known)}; %gemini map [options] NAME TEMPLATE…")
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


def check_into(rows: Any, word: str, column: str | None) -> None:
    """Look whether answers can become a column.

    Raises:
        PromptError: there is no table to take it.
    """
    kind = f"{package_of(rows)}.{type(rows).__name__}" if may_be_table(rows) else type(rows).__name__
    if column is not None and not (hasattr(type(rows), "iloc") and hasattr(type(rows), "columns")):
        raise PromptError(
            f"--into adds a column to a DataFrame, and {word} is a {kind}, which takes none in place; {OUT}.answers has them"
        )


def without_answers(rows: Any, template: str, column: str | None) -> Any:
    """Return a DataFrame without the column that answers go into: those of an earlier run are neither sent nor shown again.

    Raises:
        PromptError: the template reads that column.
    """
    if column is None or column not in rows.columns:
        return rows
    if Template(template).names(column):
        raise PromptError(f"--into {column} would overwrite the column that the template reads; name another one")
    return rows.drop(columns=[column])


def put_into(frame: Any, column: str, answers: list[Any]) -> None:
    """Add answers to a DataFrame as a column; rows that were not asked keep what they had, or have none."""
    former = frame[column].tolist() if column in frame.columns else [None] * len(frame)
    frame[column] = answers + former[len(answers) :]


def _inside(value: Any) -> list[str]:
    return column_names(value) or [name for name in dir(value) if not name.startswith("_")]
