"""The events of a stream as OpenAI's chunks: what its own client takes, and adds up to the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings, strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from nbgemini.errors import NbGeminiError
from nbgemini.messages.events import (
    AnswerDelta,
    Continuation,
    Finish,
    ThoughtDelta,
    ToolArgsDelta,
    ToolArgsPiece,
    ToolArgsText,
    ToolCall,
    ToolCallEnd,
    ToolCallGrowing,
    ToolCallStart,
    ToolProgress,
    ToolRun,
    UsageReport,
)
from nbgemini.messages.openai_chunks import openai_chunks
from nbgemini.messages.turns import Usage
from tests.support.tool_calls import calls


async def stream(*events):
    for event in events:
        yield event


async def chunks_of(*events):
    return [chunk async for chunk in openai_chunks(stream(*events), model="m")]


def added_up(chunks):
    """What the official client makes of the chunks."""
    state = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(json.loads(json.dumps(chunk)), strict=True))
    return state.get_final_completion()


def called(completion):
    return [(call.id, call.function.name, call.function.arguments) for call in completion.choices[0].message.tool_calls or ()]


END = Finish("complete", "stop")


async def test_thoughts_and_answers_keep_apart():
    chunks = await chunks_of(ThoughtDelta("Hm."), AnswerDelta("A"), ThoughtDelta(" So."), AnswerDelta("b"), END)
    completion = added_up(chunks)
    assert completion.choices[0].message.content == "Ab"
    assert "".join(c["choices"][0]["delta"].get("reasoning_content", "") for c in chunks if c["choices"]) == "Hm. So."
    assert completion.choices[0].finish_reason == "stop"
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1


async def test_tokens_are_counted_in_the_last_chunk_over_all_rounds():
    """What was thought is part of what was completed, as OpenAI counts it."""
    call = ToolCall("f", {}, "1")
    first, second = Usage(10, 3, 4, 2, 1, 18), Usage(30, 0, 5, 10, 0, 35)
    done = ToolProgress(0, ToolRun(call, "done"))
    rounds = UsageReport(Usage(1, 1, 1)), call, END, UsageReport(first), done, UsageReport(second), END
    *others, last = await chunks_of(*rounds)
    assert all("usage" not in chunk for chunk in others)
    usage = ChatCompletionChunk.model_validate(last).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (41, 12, 53)
    assert (usage.prompt_tokens_details.cached_tokens, usage.completion_tokens_details.reasoning_tokens) == (12, 3)
    assert last["choices"] == []
    cut = UsageReport(first), Finish("truncated", "CONTINUATION"), Continuation("t"), UsageReport(second), END
    assert (await chunks_of(*cut))[-1]["usage"]["total_tokens"] == 53


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([END], "stop"),
        ([Finish("truncated", "length")], "length"),
        ([Finish("blocked", "SAFETY")], "content_filter"),
        ([], "length"),
        ([ToolCall("f", {}), END], "tool_calls"),
        ([ToolCall("f", {}), END, ToolProgress(0, ToolRun(ToolCall("f", {}), "running"))], "tool_calls"),
        ([ToolCall("f", {}), END, ToolProgress(0, ToolRun(ToolCall("f", {}), "done")), END], "stop"),
        ([ToolCall("f", {}), Finish("truncated", "length")], "length"),
    ],
)
async def test_why_it_ended_is_said_in_openais_words(events, reason):
    *_, finish, _ = await chunks_of(*events)
    assert finish["choices"][0]["finish_reason"] == reason


async def test_a_call_is_told_of_at_once_and_its_arguments_once_they_are_whole():
    events = [
        ToolCallGrowing("k", "f", "", "c1"),
        ToolCallGrowing("k", "f", '{"a"', "c1"),
        ToolCall("f", {"a": "é"}, "c1"),
        END,
    ]
    told, known = [], []
    async for chunk in openai_chunks(stream(*events), model="m"):
        told.append(chunk)
        if chunk["choices"] and "tool_calls" in chunk["choices"][0]["delta"]:
            known.append((len(told), chunk["choices"][0]["delta"]["tool_calls"][0]))
    assert known[0] == (2, {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}})
    assert called(added_up(told)) == [("c1", "f", '{"a": "é"}')]


async def test_arguments_that_were_replaced_are_the_last_ones():
    """As after deltas that are enciphered, or values that come at paths."""
    start, end = ToolCallStart("0", "f", "c1"), ToolCallEnd("0")
    replaced = [start, ToolArgsDelta("0", '{"a": 1'), ToolArgsText("0", '{"b":2}'), end, END]
    assert called(added_up(await chunks_of(*replaced))) == [("c1", "f", '{"b": 2}')]
    pieces = [start, ToolArgsPiece("0", "$.a", "x", more=True), ToolArgsPiece("0", "$.a", "y"), end, END]
    assert called(added_up(await chunks_of(*pieces))) == [("c1", "f", '{"a": "xy"}')]


async def test_calls_side_by_side_are_numbered_and_those_without_ids_get_some():
    growing = [ToolCallGrowing("0", "f", ""), ToolCallGrowing("1", "g", "", "g1")]
    completion = added_up(
        await chunks_of(*growing, ToolCall("g", {"n": 2}, "g1"), ToolCall("f", {"n": 1}), ToolCall("f", {}), END)
    )
    made = called(completion)
    assert [(name, args) for _, name, args in made] == [("f", '{"n": 1}'), ("g", '{"n": 2}'), ("f", "{}")]
    assert made[1][0] == "g1"
    assert len({call_id for call_id, _, _ in made}) == 3
    assert completion.choices[0].finish_reason == "tool_calls"


async def test_the_same_call_may_be_made_in_two_rounds():
    """Where events come from a codec, which leaves it to its reader to tell copies."""
    call = [ToolCallStart("0", "f"), ToolArgsDelta("0", "{}"), ToolCallEnd("0"), END]
    assert len(called(added_up(await chunks_of(*call, *call)))) == 2


@pytest.mark.parametrize("state", ["broken", "again"])
async def test_a_call_that_does_not_become_one_has_the_arguments_that_came(state):
    text = '{"a": 1' if state == "broken" else '{"a": 1}'
    growing = ToolCallGrowing("0", "f", text, "c1", state)
    chunks = await chunks_of(ToolCallGrowing("0", "f", "", "c1"), growing, Finish("truncated", "length"))
    fragments = [chunk["choices"][0]["delta"]["tool_calls"][0] for chunk in chunks if "tool_calls" in str(chunk)]
    assert "".join(fragment["function"]["arguments"] for fragment in fragments) == text


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
)


@given(args=st.dictionaries(st.text(), values), cuts=st.lists(st.integers(0, 60)), thoughts=st.lists(st.text()))
@settings(max_examples=30)
async def test_whatever_the_arguments_are_they_come_whole(args, cuts, thoughts):
    text = json.dumps(args)
    growing = [ToolCallGrowing("0", "f", text[:cut], "c") for cut in sorted(cuts)]
    said = [event for thought in thoughts for event in (ThoughtDelta(thought), AnswerDelta(thought))]
    chunks = await chunks_of(*said, *growing, ToolCall("f", args, "c"), END)
    fragments = [
        c["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] for c in chunks if '"tool_calls": [' in json.dumps(c)
    ]
    assert json.loads("".join(fragments)) == args
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"]) == "".join(thoughts)


async def test_closing_the_chunks_closes_the_stream():
    closed = []

    async def endless():
        try:
            while True:
                yield AnswerDelta("a")
        finally:
            closed.append(True)

    chunks = openai_chunks(endless(), model="m")
    await anext(chunks)
    await anext(chunks)
    await chunks.aclose()
    assert closed == [True]


async def test_what_the_stream_raises_is_raised():
    async def failing():
        yield AnswerDelta("a")
        raise NbGeminiError("no more")

    told = []
    with pytest.raises(NbGeminiError, match="no more"):
        async for chunk in openai_chunks(failing(), model="m"):
            told.append(chunk)
    assert told[-1]["choices"][0]["delta"] == {"content": "a"}


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def test_a_chat_that_calls_tools_speaks_in_chunks(client):
    chat = client.chat("main", tools=[add], approve="auto")
    events = chat.stream(calls(("add", {"a": 1, "b": 2})))
    completion = added_up([chunk async for chunk in openai_chunks(events, model="gemini-3.8-flash")])
    assert [(name, json.loads(args)) for _, name, args in called(completion)] == [("add", {"a": 1, "b": 2})]
    assert completion.choices[0].finish_reason == "stop", "the chat has answered the call"
    assert completion.choices[0].message.content
    assert completion.usage.total_tokens > completion.usage.completion_tokens > 0
