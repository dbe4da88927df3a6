"""What was exported as JSON is the same chat when it is loaded, and goes on; another program's file is refused in one line."""

from __future__ import annotations

import json

import pytest

from nbgemini import PromptError
from nbgemini.export import loaded, to_json
from tests.export.conftest import said_in


def facts(exchange):
    return exchange.asked, exchange.past, exchange.parts, exchange.state, exchange.note, exchange.facts


async def test_a_loaded_chat_is_the_same_and_the_service_takes_it(chat, client):
    name, system, exchanges = loaded(to_json(said_in(chat, system="Be kind.")).encode(), "chat.json")
    assert (name, system) == ("main", "Be kind.")
    assert [facts(one) for one in exchanges] == [facts(one) for one in chat.transcript]
    other = client.chat("other")
    other.transcript.exchanges[:] = exchanges
    assert other.transcript.facts == chat.transcript.facts is not None
    assert (await other.ask("Go on.")).state == "complete"  # the service checks order and signatures


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"cells": [], "nbformat": 4}', b'{"nbgemini": "chat"}',
        b'{"nbgemini": "chat", "version": 2, "chat": "c", "model": "m", "at": "", "exchanges": []}',
        b'{"nbgemini": "chat", "version": 1, "chat": "c", "model": "m", "at": "", "exchanges": [], "more": 1}',
    ],
)  # fmt: skip
def test_a_foreign_file_is_refused_in_one_line(data):
    with pytest.raises(PromptError, match=r"^foreign.json is no chat that %gemini export wrote \(.+\)$") as raised:
        loaded(data, "foreign.json")
    assert len(str(raised.value)) < 300


def changed(chat, change):
    data = json.loads(to_json(said_in(chat)))
    change(data["exchanges"][2])
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(asked=[]),
        lambda one: one.update(asked=[{"inlineData": {}, "nbgemini": {"kind": "x", "size": "large"}}]),
        lambda one: one["past"].pop(),
        lambda one: one["past"].reverse(),
        lambda one: one["past"][1]["parts"].clear(),
        lambda one: one["past"][0]["parts"].append({"functionCall": {"name": "f"}}),
    ],
)
def test_what_was_changed_so_that_it_cannot_go_on_is_refused(chat, change):
    with pytest.raises(PromptError, match="^chat.json was changed: exchange 3 has no prompt, or calls without their answers$"):
        loaded(changed(chat, change), "chat.json")
    assert loaded(changed(chat, lambda _: None), "chat.json")
