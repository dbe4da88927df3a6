"""Whatever a notebook calls a function: it works as a tool, or one clear line says why not."""

from __future__ import annotations

import dataclasses
import functools
import operator
import sys

import pytest

from nbgemini.errors import PromptError
from nbgemini.tools.decorator import declare, tool
from tests.fakes.functions import called


def plain(x: int) -> int:
    """Add one."""
    return x + 1


async def asynchronous(x: int) -> int:
    return x + 1


def generator(x: int):
    yield x
    yield x + 1


async def async_generator(x: int):
    yield x


def forward(x: Later) -> int:
    return x.of


@dataclasses.dataclass
class Later:
    of: int


def lost(x: Nowhere): ...  # noqa: F821


def anything(*args, **kwargs): ...


def positional(x: int, /) -> int:
    return x + 1


def keyword(*, x: int) -> int:
    return x + 1


def untyped(x):
    return x + 1


class Thing:
    def method(self, x: int) -> int:
        return x + 1

    @classmethod
    def of_class(cls, x: int) -> int:
        return x + 1

    @staticmethod
    def static(x: int) -> int:
        return x + 1

    def __call__(self, x: int) -> int:
        return x + 1


@functools.cache
def cached(x: int) -> int:
    return x + 1


@functools.singledispatch
def dispatched(x: int) -> int:
    return x + 1


def exits(x: int) -> None:
    sys.exit(x)


def interrupted(x: int) -> None:  # noqa: ARG001 - they are all called alike
    raise KeyboardInterrupt


def prints(x: int) -> int:
    print("a word")
    return x + 1


def awaitable(x: int):
    """Return what must be awaited, as functions of other libraries do."""
    return asynchronous(x)


WORKS = [
    plain, asynchronous, positional, keyword, untyped, Thing().method, Thing.of_class, Thing.static, Thing(), cached, dispatched,
    functools.partial(plain), functools.partial(Thing().method), tool(safe=True)(plain), prints, awaitable,
    tool(lambda x: x + 1, name="add_one"),
]  # fmt: skip


@pytest.mark.parametrize("function", WORKS, ids=lambda function: getattr(function, "__name__", type(function).__name__))
async def test_it_works(function):
    result = await called(declare(function), x=1)
    assert (result.state, result.response) == ("done", {"output": 2})


@pytest.mark.parametrize(
    ("function", "state", "response"),
    [
        (generator, "done", {"output": [1, 2]}),
        (exits, "failed", {"error": "SystemExit: 1"}),
        (interrupted, "stopped", {"error": "the tool was interrupted"}),
        (
            functools.partial(plain, x=1),
            "failed",
            {"error": "bad arguments for plain: x: Extra inputs are not permitted, got 1"},
        ),
    ],
    ids=["generator", "exits", "interrupted", "settled"],
)
async def test_it_ends_as_it_should(function, state, response):
    result = await called(declare(function), x=1)
    assert (result.state, result.response) == (state, response)


async def test_a_type_may_stand_below_the_function():
    assert (await called(declare(forward), x={"of": 1})).response == {"output": 1}


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: x, "a lambda can't be a tool: it has no name; write a function with def"),
        (async_generator, "async_generator can't be a tool: it yields asynchronously; return a list instead"),
        (lost, "lost can't be a tool: the type hint of 'x' can't be read (name 'Nowhere' is not defined)"),
        (anything, "anything can't be a tool: its parameter *args takes anything"),
        (Thing.method, "method can't be a tool: it asks for 'self'; pass the method of an object"),
        (Thing, "'Thing' can't be a tool: it is no function; pass a function or a method"),
        (print, "print can't be a tool: its parameter *args takes anything"),
        (operator.itemgetter(1), "itemgetter can't be a tool: its parameter"),
        (operator, "is no function"),
        (None, "'NoneType' can't be a tool: it is no function"),
    ],
    ids=range(10),
)
def test_it_is_refused_in_one_line(function, says):
    with pytest.raises(PromptError) as refused:
        declare(function)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
