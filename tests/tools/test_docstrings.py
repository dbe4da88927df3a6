"""Docstrings describe parameters, in three styles."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import Doc, TypedDict

from nbgemini.chat.structured_output import answer_schema
from nbgemini.tools.decorator import declare
from nbgemini.tools.docstrings import type_of


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
        (
            numpy_style,
            "Add.\n\nReturns\n-------\nint\n    d : no parameter",
            {"a": "The first of them.", "b": "Two more.", "c": "Two more.", "d": "The last."},
        ),
        (rest_style, "Add.\n\nMore.\n\n:returns: a number", {"a": "The first: of them.", "b": "Another."}),
        (no_style, "Note: Args: are not a section here.\n\nParameters are cheap.", {}),
    ],
)
def test_docstrings_describe_parameters_in_three_styles(function, description, described):
    tool = declare(function)
    assert tool.description == description
    assert {
        key: entry["description"] for key, entry in tool.schema["properties"].items() if "description" in entry
    } == described


def google_style(a, b: int = 2, *, c=None):
    """Add.

    Args:
        a (str): first.
        b (int, optional): second.
        c (Callable[[int], str] | None): third,
            goes on.

    After the arguments.

    Returns:
        int: the sum, in metres.

    Note:
        It is slow.

    Example:
        >>> google_style(1)
        3
    """


def test_what_is_no_parameter_reaches_the_model_word_for_word():
    tool = declare(google_style)
    assert tool.description == (
        "Add.\n\nAfter the arguments.\n\nReturns:\n    int: the sum, in metres.\n\nNote:\n    It is slow.\n\n"
        "Example:\n    >>> google_style(1)\n    3"
    )
    said = {key: entry.get("description") for key, entry in tool.schema["properties"].items()}
    assert said == {"a": "first.", "b": "second.", "c": "third, goes on. (Callable[[int], str] | None)"}


def typed(a, b=None, c="x", d=None, e=3, f=(), g: int = 1, h=None):  # noqa: PLR0913, PLR0917 - one of each kind
    """Work.

    Parameters
    ----------
    a : float
        The first.
    b : int or None, optional
    c : {'x', 'y'}
    d : array_like, shape (n, m)
        A grid.
    e : int, default 3
    f : list of str
    g : {1, 2}, optional
        A hint stands beside it.
    h : dict
    """


def test_types_in_a_docstring_are_types_where_there_is_no_hint():
    entries = declare(typed).schema["properties"]
    kinds = {key: entry.get("type") or [one["type"] for one in entry.get("anyOf", ())] for key, entry in entries.items()}
    assert kinds == {
        "a": "number", "b": ["integer", "null"], "c": "string", "d": [], "e": "integer", "f": "array", "g": "integer",
        "h": ["object", "null"],
    }  # fmt: skip
    assert entries["c"]["enum"] == ["x", "y"]
    assert entries["d"]["description"] == "A grid. (array_like, shape (n, m))"
    assert entries["g"]["description"] == "A hint stands beside it. ({1, 2}, optional)"
    assert entries["f"]["items"] == {"type": "string"}


def rest_typed(a, b):
    """Work.

    :param str a: first
    :type b: list[int]
    :param b: second
    :rtype: int
    """


async def test_arguments_are_read_as_the_docstring_says():
    tool = declare(rest_typed)
    assert tool.schema["properties"]["b"]["items"] == {"type": "integer"}
    assert tool.description == "Work.\n\n:rtype: int"
    assert "a: Input should be a valid string" in tool.fault({"a": 5, "b": [1]})


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("int", int), ("Integer", int), ("float, optional", float), ("str, default 'a'", str), ("bool, defaults to True", bool),
        ("int or str", int | str), ("int, float or None", int | float | None), ("str | None", str | None),
        ("list of int", list[int]), ("list[float]", list[float]), ("sequence of strings", list[str]),
        ("{'a', \"b\"}", Literal["a", "b"]), ("dict", dict[str, Any]), ("None", None),
        ("array_like", ...), ("pandas.DataFrame", ...), ("callable", ...), ("{1, 2}", ...), ("", ...), ("list of Foo", ...),
    ],
)  # fmt: skip
def test_a_type_in_words(written, kind):
    assert type_of(written) == kind


def said_beside_types(
    a: Annotated[str, "the city"],
    b: Annotated[int, Field(description="of a field"), "plain"],
    c: Annotated[int, "or nothing"] | None = None,
    d: Annotated[int, Doc("documented")] = 1,
    e: Annotated[str, "wins"] = "",
):
    """Work.

    Args:
        e: loses.
    """


def test_words_beside_a_type_reach_the_model():
    entries = declare(said_beside_types).schema["properties"]
    assert [entry["description"] for entry in entries.values()] == [
        "the city",
        "of a field",
        "or nothing",
        "documented",
        "wins",
    ]


@dataclasses.dataclass
class Place:
    name: Annotated[str, "as its people call it"]


class Spot(BaseModel):
    name: Annotated[str, "as its people call it"]


class Site(TypedDict):
    name: Annotated[str, "as its people call it"]


@pytest.mark.parametrize("kind", [Place, Spot, Site])
def test_words_beside_the_type_of_a_field_reach_the_model(kind):
    assert answer_schema(kind).body["properties"]["name"]["description"] == "as its people call it"
