"""Functions are declared as they are written, and what the model could not call is refused."""

from __future__ import annotations

import functools
import json
import sys
import typing
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from nbgemini.errors import PromptError
from nbgemini.tools.decorator import declare
from tests.fakes.functions import (
    Adder,
    AsyncAdder,
    Spot,
    Tree,
    Unit,
    cached,
    called,
    no_parameters,
    three,
)

# --- what can be declared


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@decorated
async def decorated_async(x: int):
    return x + 1


@pytest.mark.parametrize(
    ("function", "name", "result"),
    [
        (Adder(1).add, "add", 2),
        (Adder.make, "make", 1),
        (Adder.twice, "twice", 2),
        (Adder(1), "Adder", 2),
        (AsyncAdder(), "AsyncAdder", 2),
        (decorated_async, "decorated_async", 2),
        (cached, "cached", 2),
        (functools.partial(AsyncAdder()), "AsyncAdder", 2),
        (functools.partial(decorated(Adder.twice)), "twice", 2),
    ],
)
async def test_methods_partials_decorators_and_objects_are_functions_too(function, name, result):
    tool = declare(function)
    assert (tool.name, tool.schema["properties"]) == (name, {"x": {"type": "integer"}})
    assert await tool.call({"x": 1}) == result


async def test_a_parameter_may_have_another_name_for_the_model():
    def find(x: Annotated[int, Field(alias="id")], schema: str = "", model_config: int = 0):
        return [x, schema, model_config]

    tool = declare(find)
    assert set(tool.schema["properties"]) == {"id", "schema", "model_config"}
    assert await tool.call({"id": 1, "schema": "s"}) == [1, "s", 0]


async def test_positional_only_parameters_keep_their_places():
    assert await declare(three).call({"a": 1, "c": 3}) == [1, 10, 3, "public"]


async def test_what_a_partial_has_settled_is_neither_shown_nor_taken():
    tool = declare(functools.partial(functools.partial(three, 1), key="secret"))
    assert set(tool.schema["properties"]) == {"b", "c"}
    assert "secret" not in json.dumps(tool.schema)
    assert await tool.call({"c": 3}) == [1, 10, 3, "secret"]
    assert (await called(tool, key="mine")).state == "failed"


async def test_json_becomes_what_the_hints_say():
    def seen(*, unit: Unit, at: datetime, spots: tuple[Spot, ...], tags: set[int], file: Path, n: int, tree: Tree):  # noqa: PLR0913
        return unit, at, spots, tags, file, n, tree

    got = await declare(seen).call(
        {
            "unit": "imperial", "at": "2026-01-02T03:04:05Z", "spots": [{"lat": 1}], "tags": [1, 1.0, "2"], "file": "a/b",
            "n": 3.0, "tree": {"title": "t", "children": [{"title": "u"}]},
        }
    )  # fmt: skip
    leaf = Tree(title="u")
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert got == (Unit.IMPERIAL, at, (Spot(1.0),), {1, 2}, Path("a/b"), 3, Tree(title="t", children=[leaf]))


async def test_lone_surrogates_in_arguments_become_question_marks():
    def echo(text: str, any_value):
        return [text, any_value]

    assert await declare(echo).call({"text": "a\ud800", "any_value": {"k": "\udfff"}}) == ["a?", {"k": "?"}]


# --- what can't


def var_positional(*rest): ...
def var_keyword(a, **rest): ...
def unknown_hint(a, b: Nowhere): ...  # noqa: F821
def no_json(a: int, page: list[BytesIO]): ...
def field_default(x: int = Field(3)): ...


async def yields_asynchronously():
    yield 1


class Standard(typing.TypedDict):
    a: int


def old_typed_dict(it: Standard): ...


@pytest.mark.parametrize(
    ("function", "options", "says"),
    [
        (lambda x: x, {}, "a lambda can't be a tool: it has no name"),
        (int, {}, "'int' can't be a tool: it is no function"),
        (5, {}, "'int' can't be a tool"),
        (var_positional, {}, "var_positional can't be a tool: its parameter *rest"),
        (var_keyword, {}, "its parameter **rest"),
        (unknown_hint, {}, "the type hint of 'b' can't be read (name 'Nowhere' is not defined)"),
        (no_json, {}, "'page' is of type list[_io.BytesIO], which JSON can't carry"),
        (Adder.add, {}, "it asks for 'self'"),
        (dict.fromkeys, {"name": "größe"}, "'größe' can't be a tool: a name has"),
        (no_parameters, {"name": "x" * 65}, "a name has up to 64"),
        (no_parameters, {"name": "a\n"}, "a name has"),
        (no_parameters, {"timeout": 0}, "timeout=0 is not valid"),
        (no_parameters, {"timeout": "5"}, "timeout=5 is not valid"),
        (no_parameters, {"timeout": float("inf")}, "or None for no limit"),
        (field_default, {}, "the default of 'x' is a Field; write x: Annotated[type, Field(…)] = value"),
        (no_parameters, {"timeout": float("nan")}, "timeout=nan is not valid"),
        (yields_asynchronously, {}, "it yields asynchronously; return a list"),
        (type, {}, "it is no function"),
        (getattr, {}, "can't be"),
    ],
)
def test_what_the_model_could_not_call_is_refused_in_one_line(function, options, says):
    with pytest.raises(PromptError) as refused:
        declare(function, **options)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="it can be read there")
def test_a_typed_dict_that_pydantic_can_not_read_is_refused_with_the_way_out():
    with pytest.raises(PromptError, match="use typing_extensions'"):
        declare(old_typed_dict)


def test_a_lambda_with_a_name_is_a_tool():
    assert declare(lambda x: x, name="echo").name == "echo"
