"""Equal requests share a name however they are written; whatever else differs makes another one."""

from __future__ import annotations

import base64
import copy
import re

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.replay.fingerprint import request_fingerprint
from nbgemini.transport.request import Request

PATH = "v1beta/models/gemini-3.8-flash:streamGenerateContent"
TEXTS = st.text(min_size=1, max_size=12)
NUMBERS = st.integers(0, 9999) | st.floats(0, 99, allow_nan=False).map(lambda number: round(number, 3))
FREE = st.recursive(
    NUMBERS | TEXTS | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
SIGNATURES = st.none() | st.binary(min_size=1, max_size=12).map(lambda data: base64.b64encode(data).decode())
IDS = st.none() | st.from_regex(r"call_[0-9]{3}", fullmatch=True)


def signed(part):
    return st.builds(
        lambda part, signature: {**part, **({"thoughtSignature": signature} if signature else {})}, part, SIGNATURES
    )


def with_id(call):
    return st.builds(lambda call, name: {**call, **({"id": name} if name else {})}, call, IDS)


CALLS = with_id(st.fixed_dictionaries({"name": TEXTS, "args": st.dictionaries(TEXTS, FREE, max_size=2)}))
RESPONSES = with_id(st.fixed_dictionaries({"name": TEXTS, "response": st.dictionaries(TEXTS, FREE, max_size=2)}))
DATA = st.fixed_dictionaries(
    {"mimeType": TEXTS, "data": st.binary(min_size=1, max_size=9).map(lambda raw: base64.b64encode(raw).decode())}
)
PARTS = signed(
    st.fixed_dictionaries({"text": TEXTS}, optional={"thought": st.just(value=True)})
    | st.fixed_dictionaries({"functionCall": CALLS})
    | st.fixed_dictionaries({"functionResponse": RESPONSES})
    | st.fixed_dictionaries({"inlineData": DATA})
)
TURNS = st.fixed_dictionaries({"role": st.sampled_from(["user", "model"]), "parts": st.lists(PARTS, min_size=1, max_size=3)})
BODIES = st.fixed_dictionaries(
    {"contents": st.lists(TURNS, min_size=1, max_size=3)},
    optional={
        "systemInstruction": st.fixed_dictionaries({"parts": st.lists(st.fixed_dictionaries({"text": TEXTS}), min_size=1)}),
        "generationConfig": st.fixed_dictionaries(
            {"temperature": NUMBERS}, optional={"maxOutputTokens": st.integers(1, 99), "stopSequences": st.lists(TEXTS)}
        ),
        "tools": st.lists(st.fixed_dictionaries({"functionDeclarations": st.lists(st.fixed_dictionaries({"name": TEXTS}))})),
    },
)


def key(body, path=PATH):
    return request_fingerprint(Request(path, body, {"alt": "sse"}))


def snake(value, *, free=False):
    """The same as a client writes it that says snake_case, sends nulls, the other base64, other ids, and no signatures."""
    if isinstance(value, list):
        return [snake(item, free=free) for item in value]
    if not isinstance(value, dict):
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if free:
        return {name: snake(item, free=True) for name, item in value.items()}
    kept = {name: item for name, item in value.items() if name != "thoughtSignature"}
    for name, item in kept.items():
        if name in ("functionCall", "functionResponse"):
            kept[name] = {**item, "id": "another"}
        elif name == "data":
            kept[name] = item.replace("+", "-").replace("/", "_").rstrip("=")
    spelled = {
        re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name): snake(item, free=name in ("args", "response"))
        for name, item in kept.items()
    }
    return {**spelled, "nothing": None}


@settings(deadline=None)
@given(BODIES)
def test_spelling_ids_signatures_and_nulls_make_no_difference(body):
    assert key(body) == key(snake(body))


def places(value, where=()):
    """Every place in a JSON value that counts."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        yield where
        return
    named = where[-1:] and where[-1] in ("functionCall", "functionResponse")
    for name, item in items:
        free = "args" in where or "response" in where
        if free or not (name == "thoughtSignature" or (named and name == "id")):
            yield from places(item, (*where, name))


def changed(body, where):
    """The body with another value at one place."""
    body = copy.deepcopy(body)
    holder = body
    for name in where[:-1]:
        holder = holder[name]
    old = holder[where[-1]]
    if isinstance(old, bool):
        holder[where[-1]] = not old
    else:
        holder[where[-1]] = (
            old + "x"
            if isinstance(old, str) and where[-1] != "data"
            else "QUJDREVGR0hJSktMTU5P"
            if isinstance(old, str)
            else old + 1
        )
    return body


@settings(deadline=None)
@given(BODIES, st.data())
def test_a_change_anywhere_else_makes_another_request(body, data):
    where = data.draw(st.sampled_from(list(places(body))))
    assert key(body) != key(changed(body, where))


@settings(deadline=None)
@given(BODIES)
def test_a_turn_more_or_less_makes_another_request(body):
    assert key(body) != key({**body, "contents": [*body["contents"], {"role": "user", "parts": [{"text": "x"}]}]})


@pytest.mark.parametrize(
    ("path", "same"),
    [
        ("v1/models/gemini-3.8-flash:streamGenerateContent", True),
        ("v1alpha/models/gemini-3.8-flash:generateContent", True),
        ("models/gemini-3.8-flash:generateContent", True),
        ("v1beta/models/gemini-2.0-flash:streamGenerateContent", False),
        ("v1beta/models/gemini-3.8-flash:countTokens", False),
        ("v1beta/tunedModels/gemini-3.8-flash:streamGenerateContent", False),
    ],
)
def test_the_model_counts_and_the_framing_does_not(path, same):
    body = {"contents": [{"parts": [{"text": "x"}]}]}
    assert (key(body, path) == key(body)) is same


def test_pages_of_a_list_are_told_apart():
    first, second = (request_fingerprint(Request("v1beta/models", None, query, "GET")) for query in ({}, {"pageToken": "2"}))
    assert first != second
    assert first == request_fingerprint(Request("v1/models", None, {"pageSize": "1000"}, "GET"))


def test_what_is_free_stays_as_it_is_written():
    """Arguments of a user's function may be called anything, even what matters nowhere else."""
    bodies = [
        {"contents": [{"parts": [{"functionCall": {"name": "f", "args": args}}]}]}
        for args in (
            {"a_b": 1},
            {"aB": 1},
            {"id": 1},
            {"thoughtSignature": "x"},
            {"data": "a-"},
            {"data": "a+"},
            {"x": None},
            {},
        )
    ]
    assert len({key(body) for body in bodies}) == len(bodies)
