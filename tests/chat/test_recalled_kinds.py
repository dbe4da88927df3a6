"""What is read again from its parts, also from disk, is what was shown; what concerns only the reader never goes to the service."""

from __future__ import annotations

import json

import msgspec
import pytest

from nbgemini.chat.response import ResponseAccumulator
from nbgemini.messages.events import Citation, Citations
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Turn, user_turn
from nbgemini.providers.common.parts import parts_to_events
from nbgemini.providers.gemini.codec import GeminiCodec
from nbgemini.render.mimebundle import bundle
from nbgemini.tools.decorator import declare
from tests.kinds import KINDS, SUPPORTS, TEXT, prompt


def look_up() -> str:
    """Look something up."""
    return "found"


def stored(exchange):
    """The exchange as a file would give it back."""
    copy = Exchange(exchange.asked)
    decode = msgspec.json.Decoder(list[dict]).decode
    copy.past = [Turn(turn.role, tuple(decode(msgspec.json.encode(turn.parts)))) for turn in exchange.past]
    copy.parts = decode(msgspec.json.encode(exchange.parts))
    copy.state = exchange.state
    return copy


def same(chat, reply):
    again = chat.segments(stored(reply.exchange))
    assert [segment.kind for segment in again] == [segment.kind for segment in reply.segments]
    assert [bundle(segment) for segment in again] == [bundle(segment) for segment in reply.segments]


@pytest.mark.parametrize("pieces", [1, 7])
async def test_all_kinds(client, service, pieces):
    chat = client.chat("all")
    reply = await chat.ask(prompt(pieces=pieces))
    assert [segment.kind for segment in reply.segments] == KINDS
    assert "<sup>[2]</sup>" in str([bundle(segment) for segment in reply.segments])
    same(chat, reply)
    await chat.ask("and now?")
    sent = service.requests[-1].body["contents"]
    assert "nbgemini" not in json.dumps(sent)
    assert "inlineData" in json.dumps(sent)


async def test_what_came_can_be_used(client):
    reply = await client.generate(prompt())
    assert [(one.mime, one.thought) for one in reply.media] == [("image/png", True), ("image/png", False), ("audio/wav", False)]
    assert reply.images == reply.media[1:2]
    assert reply.audio == reply.media[2:]
    assert reply.audio[0].seconds == pytest.approx(1.2)
    assert [source.uri for source in reply.citations.sources] == [uri for _, uri, _ in SUPPORTS]
    assert reply.text == TEXT


async def test_sources_of_two_rounds_are_counted_on(client, service):
    """A call between them."""
    chat = client.chat("rounds", tools=declare(look_up), approve="auto")
    first = ["grounded", "One thing. ", [["One thing.", "https://one.example/", "One"]], ["one"]]
    reply = await chat.ask(prompt([first, ["call", "look_up", {}]]), search=True)
    assert [segment.kind for segment in reply.segments] == ["answer", "tool_call", "answer", "citations"]
    same(chat, reply)
    assert reply.citations.queries[0] == "one"
    assert "nbgemini" not in json.dumps(service.requests[-1].body["contents"][1:])
    assert "One thing.<sup>[1]</sup>" in bundle(reply.segments[0])["text/html"]


def test_a_later_round_adds_to_the_sources_of_the_earlier():
    exchange = Exchange(user_turn("x"))
    incoming = ResponseAccumulator(exchange, GeminiCodec(), "m")
    incoming.fold([Citations((Citation("a"),))])
    incoming.add_results([])
    (found,) = incoming.fold([Citations((Citation("b"),))])
    assert found == incoming.citations == Citations((Citation("a"), Citation("b")))
    assert parts_to_events(exchange.parts)[1:] == [found]


async def test_a_sound_that_breaks_off_keeps_what_arrived(client):
    reply = await client.chat("cut").ask(prompt([["audio", 5]], cut=3))
    assert (reply.state, [segment.kind for segment in reply.segments]) == ("truncated", ["audio"])
    assert reply.audio[0].seconds == pytest.approx(1.5)


async def test_grounding_of_several_frames_adds_up_and_is_kept_once(client):
    parts = [["grounded", word, [[word, f"https://{n}.example/", word]]] for n, word in enumerate(("one", "two", "three"))]
    chat = client.chat("often")
    reply = await chat.ask(prompt(parts))
    assert sum("nbgemini" in part for part in reply.exchange.parts) == 1
    assert [source.title for source in reply.citations.sources] == ["one", "two", "three"]
    same(chat, reply)


async def test_an_edited_picture_goes_on_from_the_last(client, service):
    """With its signature, unchanged; a draft that nobody signed stays here."""
    chat = client.chat("pictures", model="gemini-3.1-flash-image")
    reply = await chat.ask("A fox in the snow")
    assert service.requests[-1].body["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]
    assert [segment.kind for segment in reply.segments] == ["image", "answer", "image"]
    await chat.ask("Now at night")
    (picture,) = [p for c in service.requests[-1].body["contents"] for p in c["parts"] if "inlineData" in p]
    assert picture == next(dict(p) for p in reply.exchange.parts if "inlineData" in p and not p.get("thought"))
    assert picture["thoughtSignature"]


async def test_speech_is_asked_for_and_heard(client, service):
    chat = client.chat("speech", model="gemini-3.8-flash-tts")
    reply = await chat.ask("Say hello to all who listen, slowly.")
    assert service.requests[-1].body["generationConfig"] == {"responseModalities": ["AUDIO"]}
    assert [segment.kind for segment in reply.segments] == ["audio"]
    assert reply.audio[0].seconds == pytest.approx(1.8, abs=0.1)
    same(chat, reply)
    assert (await chat.ask("And again.")).state == "complete"


async def test_the_offline_service_uses_what_it_is_offered(client):
    reply = await client.generate("Read https://a.example/x and compute", search=True, run_code=True, urls=True)
    kinds = [segment.kind for segment in reply.segments]
    assert kinds == ["answer", "code", "code_result", "answer", "citations"]
    assert reply.citations.pages[0].url == "https://a.example/x"
    assert isinstance(reply.segments[-1].content, Citations)
