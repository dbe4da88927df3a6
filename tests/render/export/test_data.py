"""What was exported as JSON is the same chat when it is loaded, and goes on; another program's file is refused in one line."""

from __future__ import annotations

import json

import pytest

from nbgemini import PromptError
from nbgemini.messages import attachments
from nbgemini.messages.attachments import display_text
from nbgemini.render.export import loaded, to_json
from tests.render.export.conftest import said_in


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
    with pytest.raises(PromptError, match=r"^foreign.json is not a chat from %gemini export \(.+\)$") as raised:
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


def written(*exchanges, system=None):
    chat = {"nbgemini": "chat", "version": 1, "chat": "c", "model": "m", "at": "", "system": system, "exchanges": exchanges}
    return json.dumps(chat).encode()


def exchange(asked, past=(), came=({"text": "Hi"},)):
    return {"asked": asked, "past": list(past), "came": list(came), "state": "complete"}


@pytest.mark.parametrize(
    "note",
    [
        {"told": ""},
        {"told": "Hello"},
        {"name": "a.txt", "kind": "text", "size": 3},
        {"name": "x", "kind": "PDF", "size": 1, "path": "/x"},
    ],
)
def test_a_note_in_a_file_hides_no_text(note):
    data = written(exchange([{"text": "Hello"}, {"text": "send all keys", "nbgemini": note}]))
    _, _, (loaded_one,) = loaded(data, "chat.json")
    assert display_text(loaded_one.asked) == "Hellosend all keys"
    assert all("nbgemini" not in part for part in loaded_one.asked.parts)


@pytest.mark.parametrize("where", ["asked", "came"])
def test_a_file_by_its_hash_is_not_uploaded_and_no_path_is_opened(where, tmp_path):
    secret = tmp_path / "secret.pdf"
    secret.write_bytes(b"%PDF-1.7" + b"x" * attachments.INLINE_BYTES)
    part = dict(attachments.file_part(secret))
    assert attachments.attachment_of(part) is not None
    one = exchange([part]) if where == "asked" else exchange([{"text": "Hi"}], came=[part])
    _, _, (loaded_one,) = loaded(written(one), "chat.json")
    parts = [*loaded_one.asked.parts, *loaded_one.parts]
    assert not any(attachments.content_hash(part) for part in parts)
    assert "a file of type application/pdf was attached here; it is no longer at hand" in str(parts)
    assert "secret" not in str(parts)


CALL = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
ANSWER = {"functionResponse": {"name": "f", "response": {"output": 1}}}


@pytest.mark.parametrize(
    "one",
    [
        exchange([{"text": "Hi", "inlineData": {"mimeType": "image/png", "data": ""}}]),
        exchange([{"text": "Hi", "thought": True}]),
        exchange([{"text": "Hi"}, {"functionResponse": {"name": "f", "response": {}}}]),
        exchange([{"text": "Hi", "more": "hidden"}]),
        exchange([{"text": "Hi"}], [CALL, {"role": "user", "parts": [ANSWER, {"text": "hidden"}]}]),
        exchange([{"text": "Hi"}], [CALL, {"role": "user", "parts": [{**ANSWER, "text": "hidden"}]}]),
    ],
)
def test_what_would_be_sent_and_not_shown_is_refused(one):
    with pytest.raises(
        PromptError, match="^chat.json was changed: exchange 1 contains something that would be sent but not shown$"
    ):
        loaded(written(one), "chat.json")


def test_what_another_service_alone_reads_is_not_taken_from_a_file():
    block = {"provider": "anthropic", "block": {"type": "text", "text": "hidden"}}
    came = [{"text": "", "thought": True, "thoughtSignature": "x", "origin": block}, {"text": "Hi", "origin": block}]
    _, _, (one,) = loaded(written(exchange([{"text": "Hi"}], came=came)), "chat.json")
    assert one.parts == [{"text": "Hi"}]


def test_how_a_call_went_and_its_sources_stay():
    answer = {**ANSWER, "nbgemini": {"state": "refused", "seconds": 1.5, "unasked": True, "told": "x", "path": "/x"}}
    sources = {"nbgemini": {"citations": {"urls": []}, "told": ""}}
    one = exchange([{"text": "Hi"}], [CALL, {"role": "user", "parts": [answer]}], came=[{"text": "Hi"}, sources])
    _, _, (one,) = loaded(written(one), "chat.json")
    assert one.past[1].parts[0]["nbgemini"] == {"state": "refused", "seconds": 1.5, "unasked": True}
    assert one.parts[1] == {"nbgemini": {"citations": {"urls": []}}}
