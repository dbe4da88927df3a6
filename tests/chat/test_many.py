"""Many of anything in one answer: what it costs grows with it and no faster, others have their turns, and what is too much is told."""

from __future__ import annotations

import gc
import json
from time import process_time

import pytest
from msgspec import structs

from nbgemini import Client, ToolError
from nbgemini._async.scheduler import FairScheduler
from nbgemini.chat.response import MOST_ARGUMENTS, MOST_CALLS, ResponseAccumulator
from nbgemini.chat.state import MOST_SEGMENTS
from nbgemini.errors import WireError
from nbgemini.messages.citations import MOST, CitationTracker, locate_passages
from nbgemini.messages.events import (
    Citation,
    Citations,
    Finish,
    Passage,
    ToolAnswer,
    ToolArgsDelta,
    ToolArgsPiece,
    ToolArgsText,
    ToolCall,
    ToolCallStart,
    ToolProgress,
    ToolRun,
)
from nbgemini.messages.segments import Segmenter
from nbgemini.messages.tool_call_assembler import weight
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import NOTE, user_turn
from nbgemini.providers.gemini.codec import GeminiCodec
from tests.fakes.raw import END, RawServer, chunk, event, head


def frame(*parts, finish="STOP"):
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}]}


def call_part(n, **more):
    return {"functionCall": {"name": "f", "args": {"n": n}, **more}}


def seconds(work, *args):
    """The least that it took, of three runs; what other tests left for the garbage collector to walk through is not counted."""
    took = []
    gc.collect()
    gc.freeze()
    try:
        for _ in range(3):
            began = process_time()
            work(*args)
            took.append(process_time() - began)
    finally:
        gc.unfreeze()
    return min(took)


def assert_linear(work, few=1_000, times=8):
    """Eight times as much takes no more than three times eight times as long; what is quadratic takes 64 times."""
    assert seconds(work, few * times) < 3 * times * max(seconds(work, few), 0.0005)


async def asked(settings, *frames):
    ran = []

    async def f(n: int) -> int:
        """Return n."""
        ran.append(n)
        return n

    scripts = [[head(), *map(event, frames), END], [head(), event(frame({"text": "done"})), END]]
    async with RawServer(*scripts) as server, Client(structs.replace(settings, base_url=server.url)) as client:
        chat = client.chat("c", tools=[f], approve="auto")
        reply = chat.begin("x")
        await chat.drive(reply)
    return reply, ran, server.requests


@pytest.mark.parametrize("frames", ["one", "each its own"])
async def test_calls_beyond_the_limit_are_told_and_none_is_run(settings, frames, monkeypatch):
    turns, ready = [], FairScheduler.turn

    async def counted(self):
        turns.append(1)
        await ready(self)

    monkeypatch.setattr(FairScheduler, "turn", counted)
    parts = [call_part(n) for n in range(20_000)]
    sent = [frame(*parts)] if frames == "one" else [frame(part, finish=None) for part in parts[:2_000]]
    reply, ran, requests = await asked(settings, *sent)
    assert (reply.state, type(reply.error)) == ("truncated", ToolError)
    assert "more than 256 tool calls at once; none was run" in str(reply.error)
    assert len(reply.tool_calls) == MOST_CALLS
    assert {segment.content.state for segment in reply.segments} == {"stopped"}
    assert ran == []
    assert len(requests) == 1
    assert len(turns) > MOST_CALLS // 32, "others have their turn"


async def test_as_many_calls_as_the_limit_are_run(settings):
    reply, ran, requests = await asked(settings, frame(*(call_part(n) for n in range(MOST_CALLS))))
    assert (reply.state, reply.text) == ("complete", "done")
    assert sorted(ran) == list(range(MOST_CALLS))
    answers = [part for turn in json.loads(requests[1][1])["contents"] for part in turn["parts"] if "functionResponse" in part]
    assert len(answers) == MOST_CALLS


async def test_the_limit_is_of_a_round(settings):
    reply, ran, _ = await asked(settings, frame(*(call_part(n) for n in range(200))))
    incoming = reply._state.response
    incoming.fold([ToolCall("f", {"n": n}) for n in range(MOST_CALLS)])
    incoming.raise_fault()
    assert len(ran) == 200


BIG = "y" * (MOST_ARGUMENTS + 1)


@pytest.mark.parametrize(
    "events",
    [
        [ToolCall("f", {"x": BIG})],
        [ToolCall("f", {"x": [{"y": n} for n in range(MOST_ARGUMENTS // 8)]})],
        [ToolCall("f", {BIG: 1})],
        [ToolCallStart("k", "f"), ToolArgsText("k", BIG)],
        [ToolCallStart("k", "f"), *(ToolArgsDelta("k", "y" * 1024) for _ in range(1_025))],
        [ToolCallStart("k", "f"), ToolArgsPiece("k", "$.x", BIG)],
        [ToolCallStart(str(n), "f") for n in range(MOST_CALLS + 1)],
    ],
    ids=["a text", "many values", "a name", "JSON", "pieces of JSON", "a value", "calls that grow"],
)
def test_arguments_without_end_are_told(events):
    incoming = ResponseAccumulator(Exchange(user_turn("x")), GeminiCodec(), "m")
    incoming.fold([*events, Finish("complete", "STOP")])
    with pytest.raises(ToolError, match="none was run"):
        incoming.raise_fault()
    assert incoming.calls() == []


def test_the_weight_of_a_value_is_counted_no_further_than_needed():
    assert weight({"a": ["bc", 1]}, 100) == 4 + 1 + 4 + 4 + 2 + 4
    assert 100 < weight(["x"] * 1_000_000, 100) < 200


async def test_an_answer_in_shreds_is_told(settings):
    parts = [part for _ in range(5_000) for part in ({"text": "a"}, {"text": "b", "thought": True})]
    reply, *_ = await asked(settings, frame(*parts))
    assert (reply.state, type(reply.error)) == ("failed", WireError)
    assert "more than 2,000 pieces" in str(reply.error)
    assert MOST_SEGMENTS < len(reply.segments) <= MOST_SEGMENTS + 32


def run_calls(count):
    segmenter = Segmenter()
    segmenter.feed([ToolCall("f", {"n": n}) for n in range(count)])
    for n, segment in enumerate(segmenter.runs):
        for state in ("asking", "running", "done"):
            segmenter.feed([ToolProgress(n, ToolRun(segment.content.call, state))])
            assert segmenter.asks == (state == "asking")
        assert segmenter.number_of(segment) == n


def recall_calls(count):
    segmenter = Segmenter()
    segmenter.feed([ToolCall("f", {"n": n}) for n in range(count)])
    segmenter.feed([ToolAnswer("f", None, {"output": n}) for n in range(count)])
    assert [segment.content.response["output"] for segment in segmenter.runs] == list(range(count))


def find_passages(count):
    text = "word " * count
    found = locate_passages([Passage(0, len(text), "word", (0,)) for _ in range(count)], [text])
    assert found == [()]


def cite_growing(count):
    incoming = ResponseAccumulator(Exchange(user_turn("x")), GeminiCodec(), "m")
    sources = tuple(Citation(f"https://a.example/{n}") for n in range(100))
    for _ in range(count):
        incoming.fold([Citations(sources)])


@pytest.mark.parametrize("work", [run_calls, recall_calls, find_passages, cite_growing])
def test_it_grows_no_faster_than_what_comes(work):
    assert_linear(work)


def test_answers_find_the_first_of_their_calls_that_has_none():
    segmenter = Segmenter()
    segmenter.feed([ToolCall("f", {}), ToolCall("f", {}), ToolCall("g", {}, "1")])
    segmenter.feed([ToolProgress(0, ToolRun(ToolCall("f", {}), "done", {"output": 0}))])
    segmenter.feed([ToolAnswer("f", None, {"output": 1}), ToolAnswer("f", None, {"output": 2}), ToolAnswer("h", None, {})])
    assert [segment.content.response for segment in segmenter.runs] == [{"output": 0}, {"output": 1}, None]


def test_citations_are_kept_once_and_whole():
    exchange = Exchange(user_turn("x"))
    incoming = ResponseAccumulator(exchange, GeminiCodec(), "m")
    for count in range(1, 40):
        incoming.fold([Citations(tuple(Citation(f"https://a.example/{n}") for n in range(count)))])
    incoming.store_citations()
    (note,) = [part for part in exchange.parts if part.keys() == {NOTE}]
    assert len(note[NOTE]["citations"]["sources"]) == 39
    incoming.add_results([])
    incoming.store_citations()
    assert exchange.parts == [], "a later round that cites nothing keeps nothing"


def test_a_round_rests_on_so_much_and_no_more():
    citing = CitationTracker()
    known = citing.update(Citations(tuple(Citation(f"https://a.example/{n}") for n in range(MOST + 10))))
    assert len(known.sources) == MOST


async def test_a_frame_of_many_values_is_read_off_the_loop(settings):
    text = "word " * 20_000
    async with RawServer([head(), chunk(b"data: " + json.dumps(frame({"text": text})).encode() + b"\n\n"), END]) as server:
        async with Client(structs.replace(settings, base_url=server.url)) as client:
            assert (await client.generate("x")).text == text
