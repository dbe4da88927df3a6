"""What --schema names is read as a type hint is, and nothing in it is called."""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Annotated, Literal, Optional

import pytest

from nbgemini.errors import PromptError
from nbgemini.notebook.magics.parsing import parse_ask
from nbgemini.notebook.prompt.lookup import named_type


class Planet:
    pass


class Colour(enum.Enum):
    RED = 1


NAMES = {"Planet": Planet, "Colour": Colour, "models": SimpleNamespace(Planet=Planet), "number": 5, "make": lambda: Planet}


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("Planet", Planet),
        ("models.Planet", Planet),
        ("list[Planet]", list[Planet]),
        ("dict[str, int]", dict[str, int]),
        ("Planet | None", Planet | None),
        ("list[Planet | int]", list[Planet | int]),
        ("Literal['yes', 'no']", Literal["yes", "no"]),
        ("Literal[1, -2]", Literal[1, -2]),
        ("Optional[Planet]", Optional[Planet]),  # noqa: UP045 - as it is written
        ("Annotated[int, 'a']", Annotated[int, "a"]),
        ("tuple[int, ...]", tuple[int, ...]),
        ("Colour", Colour),
    ],
)
def test_a_type_as_in_a_hint(written, kind):
    assert named_type(NAMES, written) == kind
    ask, rest = parse_ask(
        f"--schema {written} what is there?" if " | " not in written else f'--schema "{written}" what is there?'
    )
    assert (ask.schema, rest) == (written, "what is there?")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("Plant", r"no type 'Plant' in this notebook \(did you mean Planet\?\)"),
        ("list[Colours]", r"no type 'Colours' in this notebook \(did you mean Colour\?\)"),
        ("number", "number is of type int, no type itself"),
        ("make", "make is of type function"),
        ("make()", r"'make\(\)' is more than a type hint may hold"),
        ("models.Moon", "no attribute 'Moon'"),
        ("Planet[int]", r"'Planet' makes no type"),
        ("list[", "is not written as a type is"),
        ("Literal[yes]", "is written as in Python"),
        ("Planet | 5", "makes no type"),
        ("'Planet'", "is of type str"),
    ],
)
def test_what_is_no_type_is_one_line_with_the_nearest_name(written, why):
    with pytest.raises(PromptError, match=why) as caught:
        named_type(NAMES, written)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "schema", "rest"),
    [
        ("--schema list[Planet]", "list[Planet]", ""),
        ("--schema dict[str, int] -f json", "dict[str, int]", ""),
        ("--schema 'dict[str, int]' hello [a]", "dict[str, int]", "hello [a]"),
        ('--schema Literal["yes", "no"] is it?', 'Literal["yes", "no"]', "is it?"),
        ("--schema=Planet hi", "Planet", "hi"),
    ],
)
def test_where_a_type_ends(line, schema, rest):
    ask, left = parse_ask(line)
    assert (ask.schema, left) == (schema, rest)
