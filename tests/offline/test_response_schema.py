"""The service takes the schemas that Gemini takes, says why of others, and answers any of them with JSON."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, strategies as st

from nbgemini.offline.requests import InvalidRequest
from nbgemini.offline.schema_answers import adapted, answer_in, check_form, from_openapi
from tests.support.raw_requests import USER, ask, path

KEYS = st.sampled_from(
    ["type", "properties", "items", "anyOf", "prefixItems", "enum", "required", "$ref", "$defs", "minItems", "maxItems",
     "minimum", "maximum", "additionalProperties", "format", "description", "pattern", "A"]
)  # fmt: skip
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 9)
    | st.sampled_from(["object", "array", "string", "integer", "number", "null", "#/$defs/A", "{n}", "date"])
)
SCHEMAS = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)
FORM = {"responseMimeType": "application/json"}


@given(SCHEMAS)
def test_any_schema_is_refused_or_answered(schema):
    with contextlib.suppress(InvalidRequest):
        check_form({**FORM, "responseJsonSchema": schema}, "gemini-3.8-flash", functions=False, tools=False)
        with contextlib.suppress(RecursionError):
            assert json.loads(answer_in(schema, "planets")) is not ...


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"responseJsonSchema": {"type": "string"}}, "only allowed when response mime type is 'application/json'"),
        ({**FORM, "responseSchema": {"type": "STRING"}, "responseJsonSchema": {}}, "Only one of"),
        ({**FORM, "responseJsonSchema": {"type": "object"}}, "should be non-empty for OBJECT type"),
        ({**FORM, "responseJsonSchema": {"type": "string", "pattern": "a"}}, "unsupported keyword pattern"),
        ({**FORM, "responseJsonSchema": {"enum": [True]}}, "only strings and numbers"),
        ({**FORM, "responseJsonSchema": {"$ref": "#/$defs/A"}}, "is not defined"),
        (
            {**FORM, "responseJsonSchema": {"$ref": "#/$defs/A", "type": "object", "$defs": {"A": {"type": "string"}}}},
            "neighbours",
        ),
        (
            {
                **FORM,
                "responseJsonSchema": {
                    "items": {"$ref": "#/$defs/A"},
                    "$defs": {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"]}},
                },
            },
            "A is cyclic in a required property",
        ),
    ],
)
async def test_what_gemini_refuses(service, config, message):
    answer = await ask(service, path(method="generateContent"), {"contents": [USER], "generationConfig": config})
    assert (answer.status, answer.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert message in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("tool", "what"), [({"functionDeclarations": [{"name": "f"}]}, "Function calling"), ({"googleSearch": {}}, "Tool use")]
)
async def test_json_beside_tools_is_for_later_models(service, tool, what):
    body = {"contents": [USER], "tools": [tool], "generationConfig": FORM}
    answer = await ask(service, "/v1beta/models/gemini-2.5-flash:generateContent", body)
    assert answer.json["error"]["message"] == f"{what} with a response mime type: 'application/json' is unsupported"
    assert (await ask(service, "/v1beta/models/gemini-3.8-flash:generateContent", body)).status == 200


def test_schemas_of_other_services_are_followed_as_far_as_they_are_known():
    schema = {
        "type": "object",
        "properties": {
            "kind": {"const": "sky"},
            "city": {"$ref": "#/definitions/City", "description": "where"},
            "both": {"allOf": [{"type": "integer"}]},
            "free": {"type": "object"},
            "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2},
            "tags": {"type": "array", "items": {"anyOf": [{"const": 5}, {"type": "null"}]}, "uniqueItems": True},
        },
        "required": ["kind"],
        "additionalProperties": False,
        "definitions": {"City": {"type": "object", "properties": {"lat": {"type": "number", "exclusiveMinimum": 0}}}},
    }
    made = json.loads(answer_in(adapted(schema, "schema"), "x"))
    assert made["kind"] == "sky"
    assert isinstance(made["city"]["lat"], int | float)
    assert isinstance(made["both"], int)
    assert set(map(type, made["free"].values())) == {str}
    assert made["tags"] == [5, 5, 5]


@pytest.mark.parametrize("schema", [5, {"properties": 5}, {"$ref": "#/$defs/nope"}, {"properties": {"a": 5}}])
def test_what_is_no_schema_at_all_is_refused_there_too(schema):
    with pytest.raises(InvalidRequest, match="^schema"):
        adapted(schema, "schema")


PERSON = {
    "type": "OBJECT",
    "properties": {
        "last_name": {"type": "STRING", "nullable": True},
        "first_name": {"type": "STRING"},
        "born": {"type": "INTEGER", "minimum": 1900},
        "tags": {"type": "ARRAY", "items": {"type": "STRING", "enum": ["a", "b"]}, "minItems": "2", "maxItems": 2},
    },
    "required": ["first_name"],
    "propertyOrdering": ["first_name", "last_name"],
}


async def test_a_schema_in_googles_own_words_is_followed(service):
    body = {"contents": [USER], "generationConfig": {**FORM, "responseSchema": PERSON}}
    answer = await ask(service, path(), body)
    made = json.loads(answer.text)
    assert list(made) == ["first_name", "last_name", "born", "tags"]
    assert (made["born"], made["tags"]) == (1900, ["a", "b"])


@pytest.mark.parametrize("name", ["responseSchema", "responseJsonSchema"])
async def test_a_choice_comes_bare(service, name):
    schema = {"type": "STRING" if name == "responseSchema" else "string", "enum": ["red", "blue"]}
    config = {"responseMimeType": "text/x.enum", name: schema}
    assert (await ask(service, path(), {"contents": [USER], "generationConfig": config})).text == "red"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"responseMimeType": "text/x.enum"}, "enum must be specified"),
        ({"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING"}}, "enum must be specified"),
        ({**FORM, "responseSchema": {"type": "OBJECT", "additionalProperties": {}}}, 'Unknown name \\"additionalProperties\\"'),
        ({**FORM, "responseSchema": {"type": "OBJECT"}}, "should be non-empty for OBJECT type"),
        ({**FORM, "responseSchema": {"properties": 5}}, "TYPE_MESSAGE"),
    ],
)
async def test_what_google_would_not_take_as_its_schema_is_refused(service, config, message):
    answer = await ask(service, path(), {"contents": [USER], "generationConfig": config})
    assert answer.status == 400
    assert message in answer.body.decode()


def test_addresses_go_where_their_field_says_and_numbers_under_their_words():
    person = {"type": "object", "properties": {"name": {"type": "string"}, "email": {"type": "string"}}}
    told = "Ada Lovelace (ada@example.org) and Alan Turing (alan@example.org)"
    made = json.loads(answer_in({"type": "array", "items": person}, told))
    assert made == [
        {"name": "Ada Lovelace", "email": "ada@example.org"},
        {"name": "Alan Turing", "email": "alan@example.org"},
    ]
    counts = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert json.loads(answer_in(counts, "apples 3, pears: 5")) == {"apples": 3, "pears": 5}
    listed = {"type": "array", "items": {"type": "string"}}
    assert json.loads(answer_in(listed, "a cake of eggs, milk and flour")) == ["eggs", "milk", "flour"]


def test_any_of_googles_schemas_is_one_of_its_schemas():
    made = from_openapi({"anyOf": [{"type": "STRING"}, {"type": "NULL"}], "format": "x", "example": 1})
    assert made == {"format": "x", "anyOf": [{"type": "string"}, {"type": "null"}]}
    assert from_openapi(None) == {}
