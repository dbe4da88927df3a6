"""Types of attrs, of msgspec and of pydantic's first version are forms of answers and types of arguments, wherever they stand."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sys
from typing import Annotated, Optional, Union

import msgspec
import pytest
import typing_extensions
from pydantic import BaseModel

from nbgemini.bulk.table import _fields
from nbgemini.chat.structured_output import SchemaMismatch, answer_schema
from nbgemini.errors import PromptError
from nbgemini.tools.decorator import declare
from nbgemini.tools.record_types import with_readers
from tests.fakes.functions import called, output

attrs = pytest.importorskip("attrs")


@attrs.define
class Point:
    x: int
    y: float = 0.5


@attrs.define
class Line:
    """Between two points."""

    a: Point
    b: Point
    tags: list[str] = attrs.field(factory=list)
    _hidden: int = 3
    made: int = attrs.field(init=False, default=1)


@attrs.define
class Positive:
    n: int = attrs.field(validator=attrs.validators.gt(0))


class Star(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    star_name: str
    age: Annotated[int, msgspec.Meta(ge=0, description="in years")] = 0
    seen: dt.date | None = None


class Tree(msgspec.Struct):
    children: list[Tree] = []


@attrs.define
class Node:
    children: list[Node] = attrs.field(factory=list)


@dataclasses.dataclass
class Sky:
    star: Star
    at: Point | None = None
    note: Annotated[str, "what was seen"] = ""


class Night(typing_extensions.TypedDict):
    star: Star
    other: typing_extensions.NotRequired[Star]


class Unknown:
    pass


class Loose(BaseModel, arbitrary_types_allowed=True):
    thing: Unknown


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Point, '{"x": 1}', Point(1)),
        (Line, '{"a": {"x": 1}, "b": {"x": 2, "y": 3}, "_hidden": 4}', Line(Point(1), Point(2, 3.0), hidden=4)),
        (Star, '{"starName": "Vega", "seen": "2024-01-15"}', Star("Vega", seen=dt.date(2024, 1, 15))),
        (Sky, '{"star": {"starName": "Vega"}, "at": {"x": 1}}', Sky(Star("Vega"), Point(1))),
        (Night, '{"star": {"starName": "Vega"}}', {"star": Star("Vega")}),
        (list[Point], '[{"x": 1}]', [Point(1)]),
        (dict[str, Star], '{"a": {"starName": "Vega"}}', {"a": Star("Vega")}),
        (Point | None, "null", None),
        (Optional[Star], '{"starName": "Vega"}', Star("Vega")),  # noqa: UP045 - as many write it
        (Union[int, list[Line]], "5", 5),  # noqa: UP007 - as many write it
        (tuple[Point, Star], '[{"x": 1}, {"starName": "Vega"}]', (Point(1), Star("Vega"))),
        (Annotated[Point, "where"], '{"x": 1}', Point(1)),
    ],
)  # fmt: skip
def test_an_answer_becomes_an_object_of_the_type(kind, text, value):
    assert answer_schema(kind).read(text) == value


def test_the_model_is_told_what_the_type_says():
    star = answer_schema(Star).body
    assert star["properties"]["age"] == {"type": "integer", "minimum": 0, "description": "in years"}
    assert star["required"] == ["starName"]
    line = answer_schema(Line).body
    assert line["description"] == "Between two points."
    assert (line["required"], "made" in line["properties"]) == (["a", "b"], False)
    assert answer_schema(Sky).body["properties"]["note"]["description"] == "what was seen"


def test_pydantic_as_it_was_before_version_2():
    if sys.version_info >= (3, 14):
        pytest.skip("it does not know this Python")
    from pydantic import v1

    class Moon(v1.BaseModel):
        __annotations__ = {"name": str, "size": int}
        size = v1.Field(3, ge=1, description="in km")

    class Planet(v1.BaseModel):
        __annotations__ = {"moons": list[Moon]}

    found = answer_schema(Planet)
    size = found.body["properties"]["moons"]["items"]["properties"]["size"]
    assert (size["minimum"], size["description"]) == (1, "in km")
    assert found.read('{"moons": [{"name": "Io"}]}') == Planet(moons=[Moon(name="Io")])
    with pytest.raises(SchemaMismatch, match=r"^moons\.0\.size: ensure this value is greater than or equal to 1$"):
        found.read('{"moons": [{"name": "Io", "size": 0}]}')
    assert output(Moon(name="Io")) == {"name": "Io", "size": 3}


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        (Point, '{"x": "no"}', "^at x: Input should be a valid integer"),
        (Positive, '{"n": -1}', "'n' must be > 0: -1"),
        (Star, '{"starName": "Vega", "age": -1}', r"Expected `int` >= 0 - at `\$.age`"),
        (Star, '{"starName": "Vega", "more": 1}', "unknown field `more`"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(kind, text, why):
    with pytest.raises(SchemaMismatch, match=why):
        answer_schema(kind).read(text)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Tree, "Tree contains itself; make it a pydantic model"),
        (Node, "Node contains itself; make it a pydantic model"),
        (Unknown, "Unknown can't be read from JSON; use a pydantic model, a dataclass or a TypedDict"),
        (list[Unknown], "Unknown can't be read from JSON"),
        (Loose, "Unknown can't be read from JSON"),
    ],
)
def test_what_can_not_be_read_is_one_line_of_ours(kind, why):
    with pytest.raises(PromptError, match=f"can't be a schema: {why}") as raised:
        answer_schema(kind)
    assert "\n" not in str(raised.value)
    assert "core" not in str(raised.value)


async def test_they_are_arguments_of_tools_and_what_tools_return():
    def look(where: Point, star: Star, more: list[Line] | None = None):
        """Look."""
        assert isinstance(where, Point)
        assert isinstance(star, Star)
        return [where, star, more]

    tool = declare(look)
    assert tool.schema["properties"]["star"]["required"] == ["starName"]
    line = {"a": {"x": 1}, "b": {"x": 2}}
    result = await called(tool, where={"x": 1}, star={"starName": "Vega"}, more=[line])
    points = [{"x": 1, "y": 0.5}, {"x": 2, "y": 0.5}]
    lines = [{"a": points[0], "b": points[1], "tags": [], "_hidden": 3, "made": 1}]
    assert result.response == {"output": [points[0], {"star_name": "Vega", "age": 0, "seen": None}, lines]}
    wrong = await called(tool, where={"x": "no"}, star={"starName": "Vega", "age": -1})
    assert "where.x: Input should be a valid integer" in wrong.response["error"]
    assert "star: Expected `int` >= 0 - at `$.age`" in wrong.response["error"]


def test_their_fields_are_columns_of_a_map():
    assert _fields(Point(1)) == {"x": 1, "y": 0.5}
    assert _fields(Star("Vega"))["star_name"] == "Vega"


def test_all_other_hints_stay_what_they_are():
    for hint in (int, list[int], dict[str, int], int | None, Annotated[int, "n"], BaseModel, Optional[str], tuple[int, ...]):  # noqa: UP045 - as many write it
        assert with_readers(hint) is hint
