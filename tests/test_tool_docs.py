"""Docstrings describe parameters, in three styles."""

from __future__ import annotations

import pytest

from nbgemini.tools import declare


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
