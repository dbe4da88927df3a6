"""A type asks for JSON of its form, and what came is an object of it, or one line says where it is none."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Callable
from typing import Any, Literal

import pydantic
import pytest
from typing_extensions import TypedDict

from nbgemini.chat.structured_output import SchemaMismatch, answer_schema, parse_json, value_so_far
from nbgemini.errors import PromptError


class Planet(pydantic.BaseModel):
    name: str
    mass: float = pydantic.Field(gt=0, description="in Earths")
    moons: int = 0


class Tree(pydantic.BaseModel):
    name: str
    branches: list[Tree] = []


class Endless(pydantic.BaseModel):
    inner: Endless | None


class Ping(pydantic.BaseModel):
    pong: list[Pong]


class Pong(pydantic.BaseModel):
    ping: Ping | None = None


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Movie(TypedDict):
    title: str
    year: int


@dataclasses.dataclass
class Point:
    x: int
    colour: Colour


Ping.model_rebuild()
TYPES = [
    *(Planet, Tree, Colour, Movie, Point, list[Planet], dict[str, int], Literal["yes", "no"], int | None, tuple[int, str]),
    *(list[Tree], Ping, str, float, bool, list[str], Literal[True], Literal["a"] | None, set[Colour], Any),
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
async def test_the_service_takes_it_and_its_answer_is_an_object_of_the_type(client, kind):
    reply = await client.generate("The planets?", schema=kind)
    assert reply.misfit == ""
    assert (reply.state, pydantic.TypeAdapter(kind).validate_python(reply.parsed)) == ("complete", reply.parsed)


async def test_objects_of_the_type_not_dicts(client):
    reply = await client.generate("The planets?", schema=list[Planet])
    assert reply.parsed[2] == Planet(name="Earth", mass=1.0, moons=1)
    assert reply.partial[2] == {"name": "Earth", "mass": 1.0, "moons": 1}
    assert (await client.generate("x", schema=Point)).parsed == Point(1, Colour.RED)


async def test_the_request_says_it(client, service):
    await client.generate("hi", schema=Planet)
    config = service.requests[-1].body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseJsonSchema"] == {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "mass": {"type": "number", "minimum": 0, "description": "in Earths"},
            "moons": {"type": "integer"},
        },
        "required": ["name", "mass"],
    }


async def test_a_chat_may_always_answer_so(client):
    chat = client.chat("c", schema=list[Planet])
    assert len((await chat.ask("planets")).parsed) == 8
    assert (await chat.ask("hi", schema=None)).parsed is None
    assert (await chat.ask("hi", schema=int)).parsed == 1


def directed(text, **more):
    return f"offline: {json.dumps({'parts': [['answer', text]], **more})}"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[{"name": "Mars", "mass": "heavy"}]', "at [0].mass: Input should be a valid number"),
        ('[{"name": "Mars"}]', "at [0].mass: Field required"),
        ('[{"name": 1, "mass": -1}]', "(and 1 more)"),
        ("I can't.", "Invalid JSON"),
        ("", "it is empty"),
    ],
)
async def test_an_answer_that_does_not_fit_is_no_error_but_one_line(client, text, where):
    reply = await client.generate(directed(text or " "), schema=list[Planet])
    assert (reply.state, reply.parsed, reply.error) == ("complete", None, None)
    assert reply.misfit.startswith("the answer does not match list[tests.chat.test_structured_output.Planet]: ")
    assert where in reply.misfit
    assert "\n" not in reply.misfit


async def test_an_answer_cut_off_is_partial(client):
    reply = await client.generate(directed('[{"name": "Ma', finish="MAX_TOKENS"), schema=list[Planet])
    assert (reply.state, reply.parsed, reply.partial) == ("truncated", None, [{"name": "Ma"}])
    assert reply.misfit.startswith("the answer is truncated")


async def test_a_fence_around_the_json_does_no_harm(client):
    reply = await client.generate(directed('```json\n{"name": "Mars", "mass": 0.1}\n```'), schema=Planet)
    assert reply.parsed == Planet(name="Mars", mass=0.1)


@pytest.mark.parametrize(
    "text",
    [
        'Here it is:\n\n```json\n{"name": "Mars", "mass": 0.1}\n```\nAnything else?',
        'Sure! {"name": "Mars", "mass": 0.1}',
        'The type is\n```json\n{"type": "object"}\n```\nand the answer:\n```json\n{"name": "Mars", "mass": 0.1}\n```',
        'Hm.</think>{"name": "Mars", "mass": 0.1}',
    ],
)
async def test_words_before_the_json_do_no_harm(client, text):
    reply = await client.generate(directed(text), schema=Planet)
    assert (reply.parsed, reply.misfit) == (Planet(name="Mars", mass=0.1), "")
    assert (await client.generate(directed(text), format="json")).parsed == {"name": "Mars", "mass": 0.1}


@pytest.mark.parametrize("text", ["red", '"red"', "red\n", '```json\n"red"\n```'])
async def test_a_choice_may_come_bare(client, text):
    assert (await client.generate(directed(text), schema=Literal["red", "blue"])).parsed == "red"
    assert (await client.generate(directed(text), schema=Literal["green", "blue"])).parsed is None


async def test_a_validator_may_raise_what_it_likes(client):
    class Odd(pydantic.BaseModel):
        x: int

        @pydantic.field_validator("x")
        @classmethod
        def _check(cls, _value):
            raise RuntimeError("boom\nbang")

    reply = await client.generate("hi", schema=Odd)
    assert reply.misfit.startswith("the answer does not match Odd: boom bang")


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (5, "it is not a type"),
        ("Planet", "it is not a type"),
        (len, "it is not a type"),
        (Endless, "Endless.inner contains itself without end"),
        (dataclasses.make_dataclass("Empty", []), "it has no fields"),
        (
            dataclasses.make_dataclass("Acting", [("act", Callable[[int], int])]),
            "Callable can't be read from JSON; use a pydantic",
        ),
        (dataclasses.make_dataclass("Open", [("x", "Missing")]), "a type hint in it names what is not defined"),
    ],
)
async def test_what_can_not_be_asked_for_is_said_before_anything_is_sent(client, service, kind, why):
    with pytest.raises(PromptError, match=why) as caught:
        await client.generate("hi", schema=kind)
    assert "\n" not in str(caught.value)
    assert not service.requests


async def test_models_before_3_give_no_json_where_they_have_tools(client, service):
    def add(a: int) -> int:
        return a

    chat = client.chat("c", tools=[add], approve="auto")
    with pytest.raises(PromptError, match=r"gemini-2.5-flash can't combine JSON with tools"):
        await chat.ask("hi", schema=Planet, model="gemini-2.5-flash")
    assert not service.requests
    reply = await chat.ask("call add(a=1)", schema=Planet)
    assert [reply.tool_calls[0].name, reply.parsed] == ["add", Planet(name="name 1", mass=1.0, moons=1)]


async def test_json_without_a_schema(client):
    reply = await client.generate("hi", format="json")
    assert reply.parsed == {"asked": "hi", "from": "nbgemini's offline service, not Gemini"}
    reply = await client.generate(directed("[1, 2"), format="json")
    assert (reply.parsed, reply.partial) == (None, [1, 2])
    assert "it is not JSON at line 1, column 6" in reply.misfit


async def test_a_schema_is_no_code(client):
    with pytest.raises(PromptError, match="schema can't be combined with"):
        await client.generate("hi", schema=int, format="code")


async def test_code_only(client, service):
    reply = await client.generate("write a generator of primes", format="code", system="Be brief.")
    said = service.requests[-1].body["systemInstruction"]["parts"][0]["text"]
    assert said.startswith("Be brief.\n\nAnswer with code only")
    assert reply.code.startswith("from collections.abc import Iterator")
    compile(reply.code, "answer", "exec")


def test_values_so_far():
    assert value_so_far("") is None
    assert value_so_far("```json\n[1") == [1]
    assert value_so_far("Here it is:\n```json\n[1") == value_so_far("Sure: [1") == [1]
    assert value_so_far("[" * 100_000) is None
    with pytest.raises(SchemaMismatch, match="nested too deep"):
        parse_json("[" * 100_000)


def test_names_are_as_they_are_written():
    assert [answer_schema(kind).name for kind in (list[int], Literal["a"], int | None)] == [
        "list[int]",
        "Literal['a']",
        "int | None",
    ]
