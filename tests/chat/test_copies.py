"""A finished reply or map is a value: copied, and stored for another day, with all that came and no key."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import dataclass

import pytest

from nbgemini.errors import NbGeminiError

DEEDS = {"pickle": lambda one: pickle.loads(pickle.dumps(one)), "copy": copy.copy, "deepcopy": copy.deepcopy}
deeds = pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)


@dataclass
class Planet:
    name: str


def double(number: int) -> int:
    """Double it."""
    return 2 * number


def offline(**told):
    return f"offline: {json.dumps(told)}"


ASKED = {
    "text": ("hello", {}),
    "thoughts, pictures, code": (offline(parts=[["thought", "hm"], ["answer", "x"], ["image", "a fox"], ["code", "1"]]), {}),
    "an object": ("a planet", {"schema": Planet}),
    "a call": (offline(parts=[["call", "double", {"number": 2}]]), {}),
    "a refusal": (offline(status=400, error={"message": "no", "status": "INVALID_ARGUMENT"}), {}),
}


def facts(reply):
    shown = [(segment.kind, segment.text, repr(segment.content)) for segment in reply.segments]
    return shown, reply.state, reply.usage, reply.cost, reply.parsed, str(reply.error), repr(reply), str(reply), reply.badge


@deeds
@pytest.mark.parametrize("case", ASKED)
async def test_a_finished_reply(client, settings, deed, case):
    prompt, options = ASKED[case]
    try:
        reply = await client.chat("main", tools=[double], approve="auto").ask(prompt, **options)
    except NbGeminiError as error:
        reply = error.reply
    again = deed(reply)
    assert facts(again) == facts(reply)
    assert again.done
    again.stop()
    assert settings.key.reveal().encode() not in pickle.dumps(reply)


@deeds
async def test_a_finished_map(client, deed):
    rows = await client.map("Say {row}", ["a", offline(status=400, error={"message": "no"})], store=False)
    again = deed(rows)
    assert (again.texts, again.errors, len(again), again.state) == (rows.texts, rows.errors, len(rows), rows.state)
    assert repr(again.so_far) == repr(rows.so_far)
