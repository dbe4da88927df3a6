"""A function is declared to the model as it is written, word for word."""

from __future__ import annotations

from nbgemini.tools.decorator import declare
from tests.fakes.functions import (
    FORECAST,
    NULL,
    Spot,
    Tree,
    called,
    no_parameters,
)

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
    assert FORECAST.description == "Tell the weather.\n\nIn words, and for\nseveral days.\n\nReturns:\n    rates: never seen."
    assert FORECAST.schema == GOLDEN


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


async def test_no_parameters_are_an_empty_object():
    tool = declare(no_parameters)
    assert tool.description == "no parameters"
    assert tool.schema == {"type": "object", "properties": {}, "additionalProperties": False}
    assert (await called(tool)).response == {"output": "ok"}
