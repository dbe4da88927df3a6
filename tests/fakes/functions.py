"""Functions and types of the kinds that notebooks hold, to be offered as tools."""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typing_extensions
from pydantic import BaseModel, Field

from nbgemini.messages.events import ToolCall
from nbgemini.prompts.jsonable import converted
from nbgemini.tools.decorator import declare
from nbgemini.tools.tool import run

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def called(tool, **args):
    return run(tool, ToolCall(tool.name, args, "c1"))


def output(value):
    response, media = converted(value)
    assert not media
    return response["output"]


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


def no_parameters():
    return "ok"


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


@functools.lru_cache
def cached(x: int):
    return x + 1


def three(a: int, b: int = 10, /, c: int = 100, *, key: str = "public"):
    return [a, b, c, key]


def raising(error):
    def tool():
        raise error

    async def async_tool():
        raise error

    return tool, async_tool
