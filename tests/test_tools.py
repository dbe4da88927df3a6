"""Functions are declared as they are written, run beside the loop, and answered whatever they do."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import dataclasses
import enum
import functools
import itertools
import json
import sqlite3
import subprocess
import sys
import threading
import typing
from collections import ChainMap, Counter, deque
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator

from nbgemini import tools
from nbgemini.errors import PromptError, ToolError
from nbgemini.events import ToolCall
from nbgemini.tool_result import MEDIA_BYTES, RESPONSE_BYTES, converted
from nbgemini.tools import answer, canonical, declare, run

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def called(tool, **args):
    return run(tool, ToolCall(tool.name, args, "c1"))


def output(value):
    response, media = converted(value)
    assert not media
    return response["output"]


# --- what the model is told


class Unit(enum.Enum):
    METRIC = "metric"
    IMPERIAL = "imperial"


@dataclasses.dataclass
class Spot:
    lat: float
    lon: float = 0.0


class Extra(typing_extensions.TypedDict, total=False):
    deep: bool


class Tree(BaseModel):
    """A tree of names."""

    title: str
    children: list[Tree] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(9, title="Lives", examples=[3])


class Dog(BaseModel):
    kind: Literal["dog"]


def forecast(  # noqa: PLR0913 - one of each kind
    city: str,
    days: Annotated[int, Field(gt=0, le=7, description="How many.")] = 3,
    *,
    unit: Unit = Unit.METRIC,
    style: Literal["short", "long"] = "short",
    at: datetime | None = None,
    file: Path = Path("out"),
    spots: list[Spot] = (),
    tree: Tree | None = None,
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] = None,
    extra: Extra = {},  # noqa: B006
    pair: tuple[int, str] = (1, "a"),
    tags: set[str] = frozenset(),
    rates: dict[str, float] | str = "none",
    anything=None,
    never=object(),  # noqa: B008
):
    """Tell the weather.

    In words, and for
    several days.

    Args:
        city (str, optional): Where: a town,
            or a village.
        days: What Field says counts.
        spots: Measured
          there.
        tree:
            As a whole.

    Returns:
        rates: never seen.
    """


FORECAST = declare(forecast)
NULL = {"type": "null"}
GOLDEN = {
    "type": "object",
    "additionalProperties": False,
    "required": ["city"],
    "properties": {
        "city": {"type": "string", "description": "Where: a town, or a village."},
        "days": {"type": "integer", "minimum": 1, "maximum": 7, "default": 3, "description": "How many."},
        "unit": {"type": "string", "enum": ["metric", "imperial"], "default": "metric"},
        "style": {"type": "string", "enum": ["short", "long"], "default": "short"},
        "at": {"anyOf": [{"type": "string", "format": "date-time"}, NULL]},
        "file": {"type": "string", "default": "out", "description": "(format: path)"},
        "spots": {
            "type": "array",
            "description": "Measured there.",
            "default": [],
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["lat"],
                "properties": {"lat": {"type": "number"}, "lon": {"type": "number", "default": 0.0}},
            },
        },
        "tree": {"anyOf": [{"$ref": "#/$defs/Tree"}, NULL], "description": "As a whole."},
        "pet": {
            "anyOf": [
                {
                    "oneOf": [
                        {
                            "type": "object",
                            "required": ["kind"],
                            "properties": {
                                "kind": {"type": "string", "enum": ["cat"]},
                                "lives": {"type": "integer", "default": 9},
                            },
                        },
                        {
                            "type": "object",
                            "required": ["kind"],
                            "properties": {"kind": {"type": "string", "enum": ["dog"]}},
                        },
                    ]
                },
                NULL,
            ]
        },
        "extra": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"deep": {"type": "boolean"}},
            "default": {},
        },
        "pair": {
            "type": "array",
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
            "minItems": 2,
            "maxItems": 2,
            "default": [1, "a"],
        },
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "default": []},
        "rates": {
            "anyOf": [{"type": "object", "additionalProperties": {"type": "number"}}, {"type": "string"}],
            "default": "none",
        },
        "anything": {},
        "never": {},
    },
    "$defs": {
        "Tree": {
            "type": "object",
            "description": "A tree of names.",
            "required": ["title"],
            "properties": {
                "title": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}, "default": []},
            },
        }
    },
}


def test_a_rich_function_is_declared_word_for_word():
    assert (FORECAST.name, FORECAST.timeout) == ("forecast", 60.0)
    assert FORECAST.description == "Tell the weather.\n\nIn words, and for\nseveral days."
    assert FORECAST.schema == GOLDEN


def numpy_style(a, b, c=0, d=0):
    """Add.

    Parameters
    ----------
    a : int
        The first
        of them.
    b, c : int, optional
        Two more.
    d
        The last.

    Returns
    -------
    int
        d : no parameter
    """


def rest_style(a, b=0):
    """Add.

    More.

    :param int a: The first: of
        them.
    :type a: int
    :param b: Another.
    :returns: a number
    """


def no_style(a):
    """Note: Args: are not a section here.

    Parameters are cheap.
    """


@pytest.mark.parametrize(
    ("function", "description", "described"),
    [
        (numpy_style, "Add.", {"a": "The first of them.", "b": "Two more.", "c": "Two more.", "d": "The last."}),
        (rest_style, "Add.\n\nMore.", {"a": "The first: of them.", "b": "Another."}),
        (no_style, "Note: Args: are not a section here.\n\nParameters are cheap.", {}),
    ],
)
def test_docstrings_describe_parameters_in_three_styles(function, description, described):
    tool = declare(function)
    assert tool.description == description
    assert {
        key: entry["description"] for key, entry in tool.schema["properties"].items() if "description" in entry
    } == described


def implicit(ref: Spot, wish: int = None, alone: Tree = None):  # noqa: RUF013
    """Do.

    Args:
        ref: Said here.
        alone: Said too.
    """


def test_a_default_of_none_allows_null_and_a_reference_has_no_neighbours():
    properties = declare(implicit).schema["properties"]
    assert properties["ref"]["description"] == "Said here."
    assert properties["wish"] == {"anyOf": [{"type": "integer"}, NULL]}

    def only(tree: Tree): ...

    only.__doc__ = "Do.\n\nArgs:\n    tree: Said."
    assert declare(only).schema["properties"]["tree"] == {"anyOf": [{"$ref": "#/$defs/Tree"}], "description": "Said."}


def no_parameters():
    return "ok"


async def test_no_parameters_are_an_empty_object():
    tool = declare(no_parameters)
    assert tool.description == "no parameters"
    assert tool.schema == {"type": "object", "properties": {}, "additionalProperties": False}
    assert (await called(tool)).response == {"output": "ok"}


# --- what can be declared


class Adder:
    def __init__(self, base=0):
        self.base = base

    def add(self, x: int):
        return self.base + x

    @classmethod
    def make(cls, x: int):
        return cls(x).base

    @staticmethod
    def twice(x: int):
        return 2 * x

    def __call__(self, x: int):
        """Call it."""
        return self.base + x


class AsyncAdder:
    async def __call__(self, x: int):
        return x + 1


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@decorated
async def decorated_async(x: int):
    return x + 1


@functools.lru_cache
def cached(x: int):
    return x + 1


def three(a: int, b: int = 10, /, c: int = 100, *, key: str = "public"):
    return [a, b, c, key]


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
        (no_parameters, {"timeout": 0}, "a timeout of 0 is none"),
        (no_parameters, {"timeout": "5"}, "a timeout of 5 is none"),
        (no_parameters, {"timeout": float("inf")}, "or None to wait as long as it takes"),
        (field_default, {}, "the default of 'x' is a Field; write x: Annotated[type, Field(…)] = value"),
        (no_parameters, {"timeout": float("nan")}, "a timeout of nan is none"),
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


# --- what runs is what was approved


def versions(body):
    space = {}
    exec(f"def f(x):\n    {body}", space)  # no source, as in a plain interpreter
    return declare(space["f"]).fingerprint


def test_another_function_has_another_fingerprint():
    assert versions("return x + 1") == versions("return x + 1")
    assert (
        len(
            {
                versions(body)
                for body in ("return x + 1", "return x + 2", "return x.a", "return x.b", "return lambda: 1", "return lambda: 2")
            }
        )
        == 6
    )
    assert declare(three).fingerprint == declare(three).fingerprint != declare(cached).fingerprint
    assert declare(functools.partial(three, 1)).fingerprint != declare(functools.partial(three, 2)).fingerprint
    assert declare({"a": 1}.get, name="get").fingerprint


def test_the_values_that_a_function_was_made_with_are_part_of_its_fingerprint():
    def made(root, others=()):
        def delete(path: str, deep: bool = root == "/"):
            return root, path, deep, others

        return declare(delete).fingerprint

    assert made("/tmp") == made("/tmp") != made("/var") != made("/")
    assert made("/tmp", [1]) == made("/tmp", [2])  # what changes by itself would ask again for ever


@given(st.dictionaries(st.text(), st.integers() | st.lists(st.text()) | st.dictionaries(st.text(), st.integers() | st.none())))
def test_canonical_arguments_ignore_order_and_nothing_else(args):
    backwards = json.loads(json.dumps(args), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert canonical(args) == canonical(backwards)
    assert json.loads(canonical(args)) == args
    assert canonical(args) != canonical({**args, "one more": 1} if "one more" not in args else {})


def test_canonical_arguments_are_compact():
    assert canonical({"b": [1, 2], "a": "é"}) == '{"a":"\\u00e9","b":[1,2]}'


# --- how it runs


async def test_tools_that_are_not_async_run_at_the_same_time():
    barrier = threading.Barrier(40)  # more than any pool of threads holds
    meet = declare(lambda: barrier.wait(30), name="meet")
    results = await asyncio.gather(*(called(meet) for _ in range(40)))
    assert sorted(result.response["output"] for result in results) == list(range(40))


async def test_an_async_tool_lives_on_the_loop_with_its_tasks():
    queue = asyncio.Queue()

    async def ask():
        return [await queue.get(), threading.current_thread() is threading.main_thread()]

    waiting = asyncio.create_task(called(declare(ask)))
    await asyncio.sleep(0)
    assert not waiting.done()
    await queue.put("from another task")
    assert (await waiting).response == {"output": ["from another task", True]}


async def test_the_loop_beats_on_while_a_tool_blocks():
    started, release = threading.Event(), threading.Event()

    def block():
        started.set()
        return release.wait(30)

    waiting = asyncio.create_task(called(declare(block)))
    for _ in range(100):
        await asyncio.sleep(0.01)
    assert started.is_set()
    assert not waiting.done()
    release.set()
    result = await waiting
    assert (result.state, result.response) == ("done", {"output": True})
    assert result.seconds >= 0.9


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_result_is_converted_off_the_loop(kind):
    release = threading.Event()

    class Slow:
        def __repr__(self):
            return f"shown {release.wait(30)}"

    def sync():
        return Slow()

    async def on_the_loop():
        return Slow()

    waiting = asyncio.create_task(called(declare(sync if kind == "sync" else on_the_loop)))
    for _ in range(20):
        await asyncio.sleep(0.005)
    release.set()
    assert (await waiting).response == {"output": "shown True"}


async def test_context_variables_are_seen_and_stay_apart():
    who = contextvars.ContextVar("who")
    who.set("me")

    def look():
        seen = who.get()
        who.set("a tool")
        return seen

    async def look_async():
        return look()

    assert [(await called(declare(function))).response for function in (look, look_async)] == [{"output": "me"}] * 2
    assert who.get() == "me"


async def test_an_iterator_is_read_in_the_thread_that_made_it():
    def rows():
        with closing(sqlite3.connect(":memory:")) as base:
            yield from base.execute("select 1, 'a' union select 2, 'b'")  # only in the thread that opened it

    def count():
        yield from range(3)

    assert (await called(declare(count))).response == {"output": [0, 1, 2]}
    assert (await called(declare(rows))).response == {"output": [[1, "a"], [2, "b"]]}


# --- how it ends


class Rude(BaseException):
    pass


class WordlessError(Exception):
    def __str__(self):
        raise ValueError


def endless():
    return endless()


def raising(error):
    def tool():
        raise error

    async def async_tool():
        raise error

    return tool, async_tool


@pytest.mark.parametrize("kind", [0, 1], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("error", "state", "text"),
    [
        (ValueError("no such town"), "failed", "ValueError: no such town"),
        (KeyError("x"), "failed", "KeyError: 'x'"),
        (ToolError("say it so"), "failed", "say it so"),
        (ValueError(), "failed", "ValueError"),
        (WordlessError(), "failed", "WordlessError"),
        (Rude("!"), "failed", "Rude: !"),
        (SystemExit(3), "failed", "SystemExit: 3"),
        (GeneratorExit(), "failed", "GeneratorExit"),
        (StopIteration(7), "failed", "StopIteration: 7"),
        (StopAsyncIteration(7), "failed", "StopAsyncIteration: 7"),
        (KeyboardInterrupt(), "stopped", "the tool was interrupted"),
        (asyncio.CancelledError(), "stopped", "the tool cancelled itself"),
        (TimeoutError("its own"), "failed", "TimeoutError: its own"),
        (ExceptionGroup("several", [ValueError()]), "failed", "ExceptionGroup: several (1 sub-exception)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
async def test_whatever_a_tool_raises_becomes_an_answer(kind, error, state, text):
    result = await called(declare(raising(error)[kind]))
    assert (result.state, result.response) == (state, {"error": text})


async def test_endless_recursion_becomes_an_answer():
    result = await called(declare(endless))
    assert result.state == "failed"
    assert result.response["error"].startswith("RecursionError: maximum recursion depth exceeded")


async def test_an_unknown_tool_becomes_an_answer():
    result = await run(None, ToolCall("nope", {}))
    assert (result.state, result.response) == ("failed", {"error": "there is no tool named 'nope'; use one that is declared"})


async def test_each_wrong_argument_is_named_and_nothing_runs():
    ran = []

    def book(city: str, days: Annotated[int, Field(le=7)], spot: Spot, unit: Unit = Unit.METRIC):
        ran.append((city, days, spot, unit))

    result = await called(declare(book), days=9, spot={"lat": "x" * 999}, unit="feet", colour=1)
    said = result.response["error"]
    assert result.state == "failed"
    assert said.startswith(
        "bad arguments for book: city: Field required; days: Input should be less than or equal to 7, got 9;"
    )
    assert "spot.lat: Input should be a valid number" in said
    assert "unit: Input should be 'metric' or 'imperial', got 'feet'" in said
    assert said.endswith("colour: Extra inputs are not permitted, got 1")
    assert len(said) < 600
    assert "\n" not in said
    assert ran == []


async def test_many_wrong_arguments_are_counted():
    result = await called(declare(no_parameters), **{f"x{i}": 1 for i in range(30)})
    assert result.response["error"].endswith("; and 22 more")


async def test_what_is_no_json_is_a_bad_argument():
    circle = []
    circle.append(circle)
    deep = functools.reduce(lambda inner, _: [inner], range(100_000), [])
    for value in (object(), circle, deep):
        with pytest.raises(ToolError, match="^bad arguments for echo: "):
            await declare(lambda x: x, name="echo").call({"x": value})


async def test_a_type_of_the_users_may_refuse_in_any_way():
    class Odd(BaseModel):
        x: int

        @field_validator("x")
        @classmethod
        def check(cls, x):
            raise ZeroDivisionError("odd") if x else ValueError("zero")

    def odd(it): ...

    odd.__annotations__["it"] = Odd
    tool = declare(odd)
    assert (await called(tool, it={"x": 1})).response == {"error": "ZeroDivisionError: odd"}
    assert "it.x: Value error, zero" in (await called(tool, it={"x": 0})).response["error"]


@given(st.dictionaries(st.sampled_from(["city", "days", "spots", "tree", "x"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["lat", "title"]), inner)
)))  # fmt: skip
def test_any_arguments_are_answered(args):
    result = asyncio.run(run(FORECAST, ToolCall("forecast", args)))
    assert result.state in {"done", "failed"}
    json.dumps(result.response, allow_nan=False)


# --- when it takes too long


async def test_an_async_tool_is_cancelled_in_time_and_may_tidy_up():
    tidied = asyncio.Event()

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.set()

    result = await called(declare(wait, timeout=0.01))
    assert (result.state, result.response["error"]) == (
        "timed out",
        "no result after 0.01 s; what it had done by then is not known",
    )
    assert tidied.is_set()


async def test_a_tool_that_will_not_be_cancelled_is_left_behind(monkeypatch):
    monkeypatch.setattr(tools, "GRACE", 0.01)
    release = asyncio.Event()

    async def stubborn():
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    assert (await called(declare(stubborn, timeout=0.01))).state == "timed out"
    (left,) = tools._abandoned
    release.set()
    await left
    await asyncio.sleep(0)
    assert not tools._abandoned


async def test_a_stuck_tool_is_answered_and_its_late_result_is_nobodys():
    release, ended = threading.Event(), threading.Event()

    def stuck():
        release.wait(30)
        ended.set()

    result = await called(declare(stuck, timeout=0.01))
    assert result.state == "timed out"
    release.set()
    assert await asyncio.to_thread(ended.wait, 30)
    await asyncio.sleep(0.01)


async def test_a_result_that_is_never_shown_is_answered_too():
    release = threading.Event()

    class Stuck:
        def __repr__(self):
            return f"shown {release.wait(30)}"

    def stuck():
        return Stuck()

    assert (await called(declare(stuck, timeout=0.01))).state == "timed out"
    release.set()


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_cancelling_from_outside_cancels_the_tool(kind):
    started, ended, release = asyncio.Event(), [], threading.Event()
    loop = asyncio.get_running_loop()

    def sync():
        loop.call_soon_threadsafe(started.set)
        release.wait(30)

    async def on_the_loop():
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("tidied")

    waiting = asyncio.create_task(called(declare(sync if kind == "sync" else on_the_loop)))
    await started.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    release.set()
    assert ended == ([] if kind == "sync" else ["tidied"])
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_stuck_tool_does_not_hold_up_the_end_of_python():
    code = (
        "import asyncio, threading\n"
        "from nbgemini.tools import ToolCall, declare, run\n"
        "def stuck(): threading.Event().wait()\n"
        "print(asyncio.run(run(declare(stuck, timeout=0.01), ToolCall('stuck', {}))).state)"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("timed out\n", "")


def test_a_tool_outlives_its_loop_quietly():
    release, ended = threading.Event(), threading.Event()

    def stuck():
        release.wait(30)
        ended.set()

    asyncio.run(called(declare(stuck, timeout=0.01)))
    release.set()
    assert ended.wait(30)


def test_importing_pulls_in_nothing_heavy():
    code = (
        "import sys, nbgemini.tools; print({'pydantic', 'numpy', 'pandas', 'PIL', 'matplotlib', 'httpx2'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "set()\n"


# --- what goes back


class Pair(typing.NamedTuple):
    x: int
    y: int


class Evil:
    def __repr__(self):
        raise ValueError

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __eq__(self, other):
        raise RuntimeError

    __hash__ = object.__hash__


class Broken(list):
    def __len__(self):
        raise RuntimeError

    def __iter__(self):
        raise RuntimeError


class Model(BaseModel):
    a: int
    inner: Spot
    hidden: str = Field("secret", exclude=True)


class Value(msgspec.Struct):
    a: int


class Number(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None), (True, True), (1, 1), (0.5, 0.5), ("a", "a"), (2**53, 2**53), (2**53 + 1, "9007199254740993"),
        (float("inf"), "Infinity"), (float("-inf"), "-Infinity"),
        ((1, [2]), [1, [2]]), ({3, 1, 2}, [1, 2, 3]), (frozenset("a"), ["a"]), (deque([1]), [1]), (range(3), [0, 1, 2]),
        ({"a": 1}.keys(), ["a"]), ({"a": 1}.values(), [1]), ({"a": 1}.items(), [["a", 1]]), (Counter("aab"), {"a": 2, "b": 1}),
        (ChainMap({"a": 1}), {"a": 1}), ({1: 1, "1": 2, None: 3, (1,): 4}, {"1": 1, "1 #1": 2, "None": 3, "(1,)": 4}),
        ({Unit.METRIC: 1}, {"metric": 1}), (iter([1, 2]), [1, 2]), (map(str, [1]), ["1"]),
        (b"text \xc3\xa9", "text é"), (b"\0\1", {"bytes": 2, "base64": "AAE="}), (bytearray(b"a"), "a"), (memoryview(b"abcd")[::2], "ac"),
        (date(2026, 1, 2), "2026-01-02"), (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (timedelta(days=1), "1 day, 0:00:00"), (Decimal("1.10"), "1.10"), (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("a/b"), "a/b"), (Unit.METRIC, "metric"), (Number.ONE, 1), (Spot(1.0), {"lat": 1.0, "lon": 0.0}), (Spot, repr(Spot)),
        (Pair(1, 2), {"x": 1, "y": 2}), (Model(a=1, inner=Spot(2.0)), {"a": 1, "inner": {"lat": 2.0, "lon": 0.0}}),
        (Value(1), {"a": 1}), (Extra(deep=True), {"deep": True}), (1j, "1j"), (len, "<built-in function len>"),
        ("a\ud800", "a?"), (Evil(), "a value of type Evil, which can't be shown"), ([Broken()], ["[]"]),
        ([Evil(), 1], ["a value of type Evil, which can't be shown", 1]),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_every_kind_of_value_has_its_form(value, expected):
    got = output(value)
    assert (got, type(got)) == (expected, type(expected))


def test_an_integer_that_python_does_not_print_is_described():
    assert output(-(10**5000)) == "an integer of 16,610 bits"


def test_nan_is_null_and_says_so():
    assert converted([1.0, float("nan")]) == ({"output": [1.0, None], "note": "null stands for NaN"}, ())


def test_cycles_and_depth_end():
    circle = {"a": []}
    circle["a"].append(circle)
    assert output(circle) == {"a": ["… cycle"]}
    shared = [1]
    assert output([shared, shared]) == [[1], [1]]
    deep = functools.reduce(lambda inner, _: [inner], range(10_000), [])
    assert "… nested deeper" in json.dumps(output(deep), ensure_ascii=False)


@pytest.mark.parametrize(
    ("value", "head", "tail"),
    [
        ("a" + "x" * 10**8 + "z", '"axx', 'xxz"'),
        (b"a" + b"x" * 10**8 + b"z", '"axx', 'xxz"'),
        ("é".encode() * 10**6, '"ééé', 'ééé"'),
        (list(range(10**7)), "[0, 1, ", ", 9999999]"),
        (range(10**12), "[0, 1, ", ", 999999999999]"),
        ({i: i for i in range(10**6)}, '{"0": 0, "1": 1', 'more left out"}'),
        (set(range(10**6)), "[0, 1, ", 'more left out …"]'),
        ([["a" * 1000] * 1000] * 1000, '[["aaa', 'aaa"]]'),
        ({"text": "é" * 10**6, "n": 1}, '{"text": "éé', '"n": 1}'),
        (b"\0" * 10**8, '{"bytes": 100000000, "base64": "AAA', 'AAA"}'),
        ({"k" * 10**6: 1}, '{"kkk', 'kkk": 1}'),
    ],
    ids=range(11),
)  # fmt: skip
def test_large_results_keep_head_and_tail_and_count_the_rest(value, head, tail):
    response, _ = converted(value)
    said = json.dumps(response["output"], ensure_ascii=False)
    assert (said[: len(head)], said[-len(tail) :]) == (head, tail)
    assert 10_000 < len(json.dumps(response)) <= RESPONSE_BYTES or "base64" in said
    assert response["note"]


def test_what_fits_is_whole():
    text = "x" * 48_000
    assert converted({"text": text, "rest": list(range(1000))})[0] == {"output": {"text": text, "rest": list(range(1000))}}


def test_iterators_that_never_end_are_cut():
    response, _ = converted(itertools.count())
    assert response == {"output": list(range(1000)), "note": "at most the first 1,000 items were taken"}


ANYTHING = st.text(st.characters(exclude_categories=()))
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | ANYTHING | st.binary() | st.decimals() | st.uuids() | st.datetimes()
    | st.timedeltas() | st.fractions() | st.complex_numbers() | st.builds(Evil) | st.builds(Broken) | st.sampled_from([Unit.METRIC, Spot, PNG])
    | ANYTHING.map(lambda text: text * 5_000) | st.integers().map(lambda number: number**999) | st.binary().map(lambda data: data * 5_000)
)  # fmt: skip
KEYS = st.none() | st.booleans() | st.integers() | st.floats() | ANYTHING | st.binary() | st.tuples(ANYTHING, st.integers())
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner) | st.sets(KEYS) | st.lists(inner).map(deque)
        | inner.map(Spot) | inner.map(lambda value: Pair(value, 1)) | st.lists(inner).map(lambda few: few * 300)
    ),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_any_value_becomes_valid_json_of_bounded_size(value):
    response, media = converted(value)
    assert len(json.dumps(response, allow_nan=False)) <= RESPONSE_BYTES
    assert msgspec.json.decode(msgspec.json.encode(response)) == response
    assert response.keys() <= {"output", "note"}
    assert sum(len(one.data) for one in media) <= MEDIA_BYTES * 4 / 3 + 4


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON_VALUES)
def test_json_stays_as_it_is(value):
    assert converted(value) == ({"output": value}, ())


async def test_any_error_text_is_bounded_and_valid():
    result = await called(declare(raising(ValueError("\ud800" + "x" * 10**6 + "end"))[0]))
    assert len(result.response["error"]) < 5000
    assert result.response["error"].startswith("ValueError: ?xxx")
    assert result.response["error"].endswith("xxxend")


def test_an_answer_in_words():
    call = ToolCall("f", {}, "c1")
    assert answer(call, "the user refused", "refused").response == {"error": "the user refused"}
    assert answer(call, "fine", "done").response == {"output": "fine"}


# --- pictures


class Drawn:
    def __init__(self, data):
        self.data = data

    def _repr_png_(self):
        return self.data


def test_pictures_go_beside_the_answer():
    encoded = base64.b64encode(PNG).decode()
    for value in (PNG, bytearray(PNG), memoryview(PNG), Drawn(PNG), Drawn((PNG, {"width": 1})), Drawn(encoded)):
        response, (media,) = converted(value)
        assert response == {"output": "picture 1 (image/png), attached"}
        assert (media.mime, media.data) == ("image/png", encoded)
    response, media = converted(("see", b"\xff\xd8\xff\xe0", Drawn(PNG)))
    assert response["output"] == ["see", "picture 1 (image/jpeg), attached", "picture 2 (image/png), attached"]
    assert [one.mime for one in media] == ["image/jpeg", "image/png"]
    assert converted({"plot": PNG, "n": 1})[0]["output"] == {"plot": "picture 1 (image/png), attached", "n": 1}


def test_what_can_not_be_drawn_is_told_in_words():
    assert output(Drawn(None)).startswith("<")
    assert output(Drawn(5.5)).startswith("<")
    assert output(Drawn) == repr(Drawn)
    assert output(PNG + b"\0" * MEDIA_BYTES).startswith("a picture (image/png, 4,19")
    response, media = converted([PNG + b"\0" * (MEDIA_BYTES - 100), PNG, b"\xff\xd8\xff\xe0"])
    assert [text.endswith("attached") for text in response["output"]] == [True, False, True]
    assert len(media) == 2


def test_pillow_and_matplotlib_are_drawn():
    pillow = pytest.importorskip("PIL.Image")
    figures = pytest.importorskip("matplotlib.figure")
    figure = figures.Figure()
    axes = figure.subplots()
    axes.plot([1, 2])
    for value in (pillow.new("RGB", (3, 2)), pillow.new("CMYK", (3, 2)), pillow.new("F", (3, 2)), figure, axes):
        assert pillow.open(BytesIO(base64.b64decode(converted(value)[1][0].data))).format == "PNG"
    (large,) = converted(pillow.new("L", (5000, 10)))[1]
    assert pillow.open(BytesIO(base64.b64decode(large.data))).size == (2048, 4)


# --- tables


def test_arrays_are_lists_or_their_beginning():
    numpy = pytest.importorskip("numpy")
    assert [output(value) for value in (numpy.float32(0.5), numpy.int64(3), numpy.bool_(True), numpy.str_("a"))] == [
        0.5,
        3,
        True,
        "a",
    ]
    assert output(numpy.array([[1, 2], [3, 4]])) == [[1, 2], [3, 4]]
    assert output(numpy.array(["2026-01-02T00:00:00.5"], "M8[ns]")) == ["2026-01-02T00:00:00.500000000"]
    assert output({"x": numpy.arange(2), "y": numpy.float64("nan")}) == {"x": [0, 1], "y": None}
    assert output(numpy.random.default_rng(1)).startswith("Generator")
    response, _ = converted(numpy.zeros((5000, 5000)))
    assert (response["output"]["shape"], response["output"]["dtype"]) == ([5000, 5000], "float64")
    assert response["note"] == "the first 1,024 of 25,000,000 values are shown"


def test_tables_are_columns_and_rows():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"], "t": pandas.to_datetime(["2026-01-02", None])})
    rows = [[1, "x", "2026-01-02T00:00:00"], [2, "y", None]]
    assert output(frame) == {"columns": ["a", "b", "t"], "rows": rows}
    assert output(frame[["a", "b"]].set_index("b")) == {"columns": ["a"], "index": ["x", "y"], "rows": [[1], [2]]}
    assert output(frame.a) == {"values": [1, 2]}
    assert output(frame.set_index("b").a) == {"index": ["x", "y"], "values": [1, 2]}
    assert output([pandas.NA, pandas.NaT, pandas.Timedelta("1s"), pandas.Period("2026")]) == [
        None,
        None,
        "0 days 00:00:01",
        "2026",
    ]
    assert output(frame.columns) == ["a", "b", "t"]


def test_large_tables_are_cut():
    pandas = pytest.importorskip("pandas")
    response, _ = converted(pandas.DataFrame({f"c{i}": range(300) for i in range(150)}))
    assert response["note"].startswith("the first 200 of 300 rows are shown; the first 100 of 150 columns are shown")
    assert len(json.dumps(response)) <= RESPONSE_BYTES
    response, _ = converted(pandas.DataFrame({"a": range(10**6)}))
    assert response == {
        "output": {"columns": ["a"], "rows": [[i] for i in range(200)]},
        "note": "the first 200 of 1,000,000 rows are shown",
    }
    response, _ = converted(pandas.Series(range(300)))
    assert response == {"output": {"values": list(range(200))}, "note": "the first 200 of 300 values are shown"}
