"""What real services and gateways do that no specification says: a reply is right nevertheless, in every dialect."""

from __future__ import annotations

import json

import pytest
from msgspec import Struct

from nbgemini.chat.response import ResponseAccumulator
from nbgemini.errors import ApiError
from nbgemini.messages.events import Citation, CodeResult, ExecutedCode, ToolCall
from nbgemini.messages.segments import Segmenter
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Options, Turn, Usage, user_turn
from nbgemini.providers.base import codec_of
from nbgemini.transport.framing import DONE, Framer

CALL = ToolCall("add", {"a": 1})


class Came(Struct):
    """What came of a stream."""

    incoming: ResponseAccumulator
    segmenter: Segmenter
    exchange: Exchange

    def text(self, kind="answer"):
        return "".join(segment.text for segment in self.segmenter.segments if segment.kind == kind)

    @property
    def calls(self):
        return [(call.name, call.args) for call in self.incoming.calls()]

    @property
    def state(self):
        return self.incoming.outcome()[0]

    @property
    def sources(self):
        return self.incoming.citations.sources

    @property
    def fault(self):
        with pytest.raises(ApiError) as raised:
            self.incoming.raise_fault()
        return raised.value


def came(dialect, *frames, done=False):
    """Fold frames, objects or bytes, as a reply folds them; `done`: the service says `[DONE]` behind them."""
    codec = codec_of(dialect, "v1beta")
    decode, exchange, segmenter = codec.decoder(), Exchange(user_turn("Go on.")), Segmenter()
    incoming = ResponseAccumulator(exchange, codec, "m")
    incoming.begin_attempt()
    written = [frame if isinstance(frame, bytes) else json.dumps(frame).encode() for frame in frames]
    for frame in [*written, *([DONE] if done else []), b""]:
        segmenter.feed(incoming.fold(decode(frame)))
    incoming.continuation()
    segmenter.close()
    return Came(incoming, segmenter, exchange)


def candidate(*parts, **more):
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, **more}]}


def gemini_call(args, **more):
    return {"functionCall": {"name": "add", "args": args, **more}}


def chunk(finish=None, **delta):
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def chat_call(arguments="{}", **more):
    return {"function": {"name": "add", "arguments": arguments}, **more}


def block(index, start, *deltas, stops=True):
    frames = [{"type": "content_block_start", "index": index, "content_block": start}]
    frames += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return frames + ([{"type": "content_block_stop", "index": index}] if stops else [])


def use(call_id="c1", **more):
    return {"type": "tool_use", "id": call_id, "name": "add", "input": {}, **more}


def json_delta(text):
    return {"type": "input_json_delta", "partial_json": text}


def stop(reason, **usage):
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def begun(**usage):
    return {"type": "message_start", "message": {"id": "m1", "model": "m", "content": [], "usage": usage}}


def event(kind, **fields):
    return {"type": f"response.{kind}", **fields}


def item(step, kind="function_call", item_id=None, index=None, **fields):
    place = {} if index is None else {"output_index": index}
    named = {} if item_id is None else {"id": item_id}
    return event(f"output_item.{step}", **place, item={"type": kind, **named, **fields})


def completed(*output, **fields):
    return event("completed", response={"status": "completed", "model": "m", "output": list(output), **fields})


def message(text, item_id=None):
    named = {} if item_id is None else {"id": item_id}
    return {"type": "message", **named, "content": [{"type": "output_text", "text": text}]}


def step(index, start, *deltas):
    yield {"event_type": "step.start", "index": index, "step": start}
    yield from ({"event_type": "step.delta", "index": index, "delta": delta} for delta in deltas)
    yield {"event_type": "step.stop", "index": index}


# --- identical calls


def test_identical_calls_without_ids_in_one_frame_are_so_many_calls():
    """vertex's 2.5-flash, which has no ids, rolls two dice in one frame; what comes again in later frames is an echo."""
    dice = candidate(gemini_call({"a": 1}), gemini_call({"a": 1}))
    once = came("gemini", dice, candidate(finishReason="STOP"))
    assert once.calls == [("add", {"a": 1})] * 2
    assert len([part for part in once.exchange.parts if "functionCall" in part]) == 2
    assert [segment.kind for segment in once.segmenter.segments] == ["tool_call"] * 2
    assert came("gemini", dice, dice, candidate(finishReason="STOP")).calls == [("add", {"a": 1})] * 2
    one = candidate(gemini_call({"a": 1}))
    echoed = came("gemini", one, one, candidate(finishReason="STOP"))
    assert echoed.calls == [("add", {"a": 1})]
    assert len([part for part in echoed.exchange.parts if "functionCall" in part]) == 1
    assert came("gemini", one, dice, candidate(finishReason="STOP")).calls == [("add", {"a": 1})] * 2
    named = candidate(gemini_call({"a": 1}, id="x"), gemini_call({"a": 1}, id="x"), gemini_call({"a": 1}, id="y"))
    assert len(came("gemini", named, candidate(finishReason="STOP")).calls) == 2, "an id names one call"


@pytest.mark.parametrize("more", [{}, {"index": 0}, {"index": None}])
def test_chat_completions_without_ids_tell_calls_apart_too(more):
    two = chunk(tool_calls=[chat_call('{"a": 1}'), chat_call('{"a": 1}')])
    numbered = chunk(tool_calls=[chat_call('{"a": 1}', index=n) for n in (0, 1)])
    for frame in (two, numbered):
        assert came("openai-chat", frame, chunk("tool_calls")).calls == [("add", {"a": 1})] * 2
    other = chunk(tool_calls=[chat_call('{"a": 2}', **more)])
    first = chunk(tool_calls=[chat_call('{"a": 1}', **more)])
    assert came("openai-chat", first, other, chunk("tool_calls")).calls == [("add", {"a": 1}), ("add", {"a": 2})]


def test_a_whole_call_that_comes_again_under_its_number_is_an_echo():
    first = chunk(tool_calls=[chat_call('{"a": 1}', index=0)])
    assert came("openai-chat", first, first, chunk("tool_calls")).calls == [("add", {"a": 1})]
    growing = [chunk(tool_calls=[chat_call(text, index=0)]) for text in ('{"a"', ": 1", "}")]
    assert came("openai-chat", *growing, chunk("tool_calls")).calls == [("add", {"a": 1})], "the name comes with each piece"


@pytest.mark.parametrize("more", [{}, {"index": None}, {"index": 0}, {"index": 0, "id": ""}])
def test_so_many_calls_as_one_frame_holds_and_no_more_for_what_comes_again(more):
    two = chunk(tool_calls=[chat_call('{"a": 1}', **more)] * 2)
    wanted = [("add", {"a": 1})] * 2
    assert came("openai-chat", two, chunk("tool_calls")).calls == wanted
    assert came("openai-chat", two, two, chunk("tool_calls")).calls == wanted
    (choice,) = two["choices"]
    whole = {"choices": [{"message": choice["delta"], "finish_reason": "tool_calls"}]}
    assert came("openai-chat", whole).calls == wanted


def test_a_call_that_comes_again_under_its_id_is_one_call():
    named = chunk(tool_calls=[chat_call('{"a": 1}', index=0, id="c")])
    assert came("openai-chat", named, named, named, chunk("tool_calls")).calls == [("add", {"a": 1})]


def test_arguments_that_begin_anew_replace_what_was_whole():
    """Gateways before Anthropic's models begin with `{}`."""
    first = chunk(tool_calls=[chat_call("{}", index=0, id="c")])
    rest = [chunk(tool_calls=[{"index": 0, "function": {"arguments": text}}]) for text in ('{"a": ', '{"b": 2}', "}")]
    assert came("openai-chat", first, *rest, chunk("tool_calls")).calls == [("add", {"a": {"b": 2}})]
    echo = chunk(tool_calls=[chat_call('{"a": 2}', index=0)])
    ended = chunk(tool_calls=[chat_call('{"a": 1}', index=0)])
    late = chunk(tool_calls=[{"index": 0, "function": {"arguments": "}"}}])
    assert came("openai-chat", ended, late, echo, chunk("tool_calls")).calls == [("add", {"a": 1}), ("add", {"a": 2})]


# --- no arguments

NOTHING = ["null", "", " ", "{}", "[]", '"{}"', '""', None]


@pytest.mark.parametrize("said", NOTHING)
def test_nothing_in_any_form_is_no_arguments(said):
    given = {} if said is None else {"arguments": said}
    assert came("openai-chat", chunk(tool_calls=[{"id": "c", "function": {"name": "add", **given}}]), chunk("stop")).calls == [
        ("add", {})
    ]
    told = item("done", item_id="f", index=0, call_id="c", name="add", **given)
    assert came("openai", told, completed()).calls == [("add", {})]
    deltas = [json_delta(said)] if said is not None else []
    assert came("anthropic", begun(), *block(0, use(), *deltas), stop("tool_use")).calls == [("add", {})]
    args = {} if said is None else {"args": said}
    call = {"functionCall": {"name": "add", **args}}
    assert came("gemini", candidate(call, finishReason="STOP")).calls == [("add", {})]
    start = {"type": "function_call", "id": "c", "name": "add", **given}
    end = {"event_type": "interaction.completed", "interaction": {"status": "requires_action"}}
    assert came("interactions", *step(0, start), end).calls == [("add", {})]


def test_arguments_may_come_as_an_object_as_text_in_text_or_whole_before_their_pieces():
    wanted = [("add", {"a": 1})]
    assert came("openai-chat", chunk(tool_calls=[chat_call({"a": 1})]), chunk("stop")).calls == wanted
    assert came("openai-chat", chunk(tool_calls=[chat_call('"{\\"a\\": 1}"')]), chunk("stop")).calls == wanted
    assert (
        came("openai-chat", chunk(function_call={"name": "add", "arguments": '{"a": 1}'}), chunk("function_call")).calls
        == wanted
    )
    assert came("openai", item("done", item_id="f", call_id="c", name="add", arguments={"a": 1}), completed()).calls == wanted
    for start in (use(input={"a": 1}), use(input='{"a": 1}')):
        assert came("anthropic", begun(), *block(0, start), stop("tool_use")).calls == wanted
        pieces = json_delta('{"a"'), json_delta(": 1}")
        assert came("anthropic", begun(), *block(0, start, *pieces), stop("tool_use")).calls == wanted


def test_arguments_that_came_are_not_lost_to_an_end_without_any():
    start = item("added", item_id="f", index=0, call_id="c", name="add", arguments="")
    delta = event("function_call_arguments.delta", output_index=0, item_id="f", delta='{"a": 1}')
    for end in ({}, {"arguments": ""}, {"arguments": None}):
        over = event("function_call_arguments.done", output_index=0, item_id="f", **end)
        done = item("done", item_id="f", index=0, call_id="c", name="add", **end)
        assert came("openai", start, delta, over, done, completed()).calls == [("add", {"a": 1})]


# --- ends without a reason


def test_an_answer_that_the_service_calls_whole_is_complete_without_a_reason():
    said = chunk(content="Hi"), chunk(tool_calls=[chat_call('{"a": 1}', id="c")])
    whole = came("openai-chat", *said, done=True)
    assert (whole.state, whole.text(), whole.calls) == ("complete", "Hi", [("add", {"a": 1})])
    cut = came("openai-chat", *said)
    assert (cut.state, cut.calls) == ("truncated", []), "it broke off"
    broken = came("openai-chat", chunk(tool_calls=[chat_call('{"a": ', id="c")]), done=True)
    assert (broken.state, broken.calls) == ("truncated", [])


@pytest.mark.parametrize(
    ("dialect", "frames"),
    [
        ("gemini", [candidate({"text": "Hi"})]),
        ("openai", [event("output_text.delta", item_id="m", delta="Hi")]),
        ("anthropic", [begun(), *block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Hi"}, stops=False)]),
        ("interactions", list(step(0, {"type": "model_output"}, {"type": "text", "text": "Hi"}))),
    ],
)
def test_done_means_the_same_in_every_dialect(dialect, frames):
    whole = came(dialect, *frames, done=True)
    assert (whole.state, whole.text()) == ("complete", "Hi")
    assert came(dialect, *frames).state == "truncated"


def test_whole_calls_run_where_only_the_message_ends():
    calling = begun(), *block(0, use(), json_delta('{"a": 1}'), stops=False), {"type": "message_stop"}
    assert (came("anthropic", *calling).state, came("anthropic", *calling).calls) == ("complete", [("add", {"a": 1})])
    start = item("added", item_id="f", index=0, call_id="c", name="add")
    delta = event("function_call_arguments.delta", output_index=0, item_id="f", delta='{"a": 1}')
    for end in ((completed(),), ()):
        assert came("openai", start, delta, *end, done=True).calls == [("add", {"a": 1})]


def test_steps_and_calls_whose_ends_never_came_end_with_the_stream():
    calling = {"type": "function_call", "id": "c", "name": "add", "arguments": {"a": 1}}
    start = {"event_type": "step.start", "index": 0, "step": calling}
    end = {"event_type": "interaction.completed", "interaction": {"status": "requires_action"}}
    assert came("interactions", start, end).calls == came("interactions", start, done=True).calls == [("add", {"a": 1})]
    bare = candidate({"functionCall": {"name": "add", "args": "{"}}, finishReason="STOP")
    assert came("gemini", bare).calls == [("add", {"": "{"})], "what can't be read is shown as it came"


def test_a_step_may_fail_with_but_a_word():
    assert "No way." in str(came("interactions", *step(0, {"type": "model_output", "error": "No way."})).fault)


def test_a_reason_that_comes_is_not_overridden():
    assert came("openai-chat", chunk(content="Hi"), chunk("length"), done=True).state == "truncated"
    assert came("openai-chat", chunk(refusal="No."), done=True).state == "blocked"


# --- items of a Responses stream


def delta(text, **place):
    return event("output_text.delta", delta=text, **place)


DONE_MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}


@pytest.mark.parametrize(
    "frames",
    [
        [delta("Hi", item_id="m"), event("output_item.done", item={**DONE_MESSAGE, "id": "m"})],
        [delta("Hi", output_index=0), event("output_item.done", output_index=0, item=DONE_MESSAGE)],
        [delta("Hi", item_id="m", output_index=0), event("output_item.done", output_index=1, item={**DONE_MESSAGE, "id": "m"})],
        [delta("Hi", item_id="m", output_index=0), event("output_item.done", output_index=0, item={**DONE_MESSAGE, "id": "n"})],
        [delta("Hi", item_id="m", output_index=0), event("output_item.done", output_index=1, item={**DONE_MESSAGE, "id": "n"})],
        [delta("Hi"), event("output_item.done", item=DONE_MESSAGE)],
        [delta("Hi", item_id="m", content_index=1), event("output_item.done", item={**DONE_MESSAGE, "id": "m"})],
        [delta("Hi", item_id="m", output_index=0, content_index=3), completed(message("Hi", "m"))],
        [delta("Hi", item_id="m"), event("output_text.done", item_id="m", text="Hi"), completed(message("Hi"))],
        [event("output_text.done", item_id="m", text="Hi"), completed(message("Hi", "other"))],
        [item("added", "message", "a", 0, content=[]), delta("H", item_id="b", output_index=0), delta("i", item_id="c", output_index=0),
         event("output_item.done", output_index=0, item={**DONE_MESSAGE, "id": "d"}), completed(message("Hi", "e"))],
        [item("added", "message", "a", content=[]), delta("Hi", item_id="b"), event("output_item.done", item={**DONE_MESSAGE, "id": "c"})],
        [delta("H", item_id="m"), event("output_item.done", item={**DONE_MESSAGE, "id": "m"})],
        [completed(message("Hi"))],
        [completed({"type": "message", "content": "Hi"})],
        [event("output_item.done", item=DONE_MESSAGE), completed(message("Hi"))],
        [item("added", "message", "a", content=[]), delta("Hi", item_id="b"), event("output_text.done", item_id="c", text="Hi"),
         event("output_item.done", item={**DONE_MESSAGE, "id": "d"}), completed(message("Hi", "e"))],
        [completed(output_text="Hi")],
        [delta("Hi", item_id="m"), completed(output_text="Hi")],
    ],
)  # fmt: skip
def test_no_text_comes_twice_and_none_is_lost(frames):
    assert came("openai", *frames, completed()).text() == "Hi"


def test_two_messages_are_two_however_they_are_told_apart():
    for place in ({"output_index": 0}, {"item_id": "m"}, {}):
        first, end = delta("One", **place), event("output_item.done", **place, item=message("One"))
        said = came("openai", first, end, delta("Two", **place), completed(message("One"), message("Two")))
        assert said.text() == "One\n\nTwo"


def named(step_, name, call_id, **more):
    return item(step_, name=name, call_id=call_id, **more)


@pytest.mark.parametrize(
    "frames",
    [
        [named("done", "f", "c1", arguments="{}"), named("done", "g", "c2", arguments="{}")],
        [named("added", "f", "c1"), named("added", "g", "c2"), named("done", "f", "c1"), named("done", "g", "c2")],
        [named("added", "f", "c1"), named("done", "f", "c1"), named("added", "g", "c2"), named("done", "g", "c2")],
        [named("added", "f", "c1", index=0), named("added", "g", "c2", index=0), completed()],
        [named("done", "f", "c1", index=0, item_id="x"), named("done", "g", "c2", index=0, item_id="x")],
        [named("added", "f", "c1"), completed({"type": "function_call", "call_id": "c1", "name": "f"},
                                              {"type": "function_call", "call_id": "c2", "name": "g"})],
        [completed({"type": "function_call", "name": "f"}, {"type": "function_call", "name": "g"})],
        [event("function_call_arguments.delta", item_id="c1", delta="{}"), named("done", "f", "c1"), named("done", "g", "c2")],
        [event("function_call_arguments.done", item_id="c1", name="f", arguments="{}"), named("done", "g", "c2")],
    ],
)  # fmt: skip
def test_no_call_is_lost_and_none_comes_twice(frames):
    assert sorted(came("openai", *frames, completed()).calls) == [("f", {}), ("g", {})]


def test_what_is_begun_twice_is_one():
    """A delta without a name may come before its item, and servers begin an item again."""
    frames = [delta("H", output_index=0), item("added", "message", "m", 0), item("added", "message", "m", 0)]
    frames += [delta("", item_id="m"), delta("i", item_id="m"), event("function_call_arguments.delta", item_id="x", delta="")]
    assert came("openai", *frames, completed(message("Hi", "m"))).text() == "Hi"


def test_arguments_go_to_their_call_by_its_call_id():
    """As llama.cpp has it: no numbers, and `item_id` is the id of the call."""
    frames = [named("added", "f", "c1", arguments=""), named("added", "g", "c2", arguments="")]
    frames += [event("function_call_arguments.delta", item_id=name, delta=text) for name, text in (("c2", '{"b"'), ("c1", "{"))]
    frames += [event("function_call_arguments.delta", item_id=name, delta=text) for name, text in (("c2", ": 2}"), ("c1", "}"))]
    frames += [named("done", "f", "c1", arguments="{}"), named("done", "g", "c2", arguments='{"b": 2}')]
    assert came("openai", *frames, completed()).calls == [("f", {}), ("g", {"b": 2})]


def test_what_was_never_told_by_itself_is_read_from_the_whole():
    output = [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}, message("Hi")]
    search = {"type": "web_search_call", "action": {"query": "q"}}
    said = came("openai", completed(*output, search))
    assert (said.text("thought"), said.text(), said.incoming.citations.queries) == ("Hm.", "Hi", ("q",))
    again = came("openai", event("output_item.done", item=search), completed(search))
    assert len([part for part in again.exchange.parts if "origin" in part]) == 1


# --- thoughts where servers without a parser leave them


def test_tags_are_read_in_the_responses_of_local_servers_too():
    for letters in ("<think>Hm.</think>\n\nYes.", ["<think>Hm.</think>\n\nYes."]):
        said = came(
            "openai", *(delta(text, item_id="m") for text in letters), completed(message("<think>Hm.</think>\n\nYes.", "m"))
        )
        assert (said.text("thought"), said.text()) == ("Hm.", "Yes.")
    unclosed = came("openai", delta("<think>Hm. <", item_id="m"), completed())
    assert (unclosed.text("thought"), unclosed.text()) == ("Hm. <", "")


def test_what_was_thought_between_tags_does_not_go_back_as_an_answer():
    said = came("openai-chat", chunk(content="<think>Hm.</think>Yes."), chunk("stop"))
    turn = Turn("model", tuple(said.exchange.parts))
    for dialect in ("openai-chat", "openai", "anthropic", "gemini", "interactions"):
        body = codec_of(dialect, "v1beta").encode([user_turn("Is it?"), turn, user_turn("Why?")], Options(model="m")).body
        assert "<think>" not in json.dumps(body)
        assert "Yes." in json.dumps(body)


TAGGED = [
    ("<think>", "</think>"), ("<reasoning>", "</reasoning>"), ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
]  # fmt: skip


@pytest.mark.parametrize(("opens", "closes"), TAGGED)
def test_tags_are_read_wherever_a_text_is_cut(opens, closes):
    text = f"{opens}\nOne < two.{closes}\n\nYes: <b>"
    for cut in range(1, len(text)):
        said = came("openai-chat", chunk(content=text[:cut]), chunk("stop", content=text[cut:]))
        assert (said.text("thought"), said.text()) == ("One < two.", "Yes: <b>")


def test_tags_are_read_in_the_messages_of_local_servers_too():
    pieces = [{"type": "text_delta", "text": text} for text in ("<thi", "nk>Hm", ".</think>\n\nYe", "s")]
    said = came("anthropic", begun(), *block(0, {"type": "text", "text": ""}, *pieces), stop("end_turn"))
    assert (said.text("thought"), said.text(), said.state) == ("Hm.", "Yes", "complete")
    held = came("anthropic", begun(), *block(0, {"type": "text", "text": "<thi"}), stop("end_turn"))
    assert (held.text("thought"), held.text()) == ("", "<thi")
    cited = {"type": "citations_delta", "citation": {"type": "web_search_result_location", "url": "https://a.org/"}}
    said = came("anthropic", begun(), *block(0, {"type": "text", "text": "<think>Hm</think>Yes"}, cited), stop("end_turn"))
    assert [(passage.start, passage.end, passage.text) for passage in said.incoming.citations.passages] == [(0, 3, "Yes")]


# --- sources

A, B, C = Citation("https://a.example"), Citation("https://b.example", "B"), Citation("https://c.example")


@pytest.mark.parametrize("name", ["citationSources", "citations", "citation_sources"])
def test_citations_of_several_frames_add_up(name):
    frames = [
        candidate({"text": "x"}, citationMetadata={name: [{"uri": source.uri, "title": source.title}]}) for source in (A, B)
    ]
    said = came("gemini", *frames, frames[0], candidate(finishReason="STOP", citationMetadata={name: [{"startIndex": 3}]}))
    assert said.sources == (A, B)


def test_citations_stand_beside_what_the_answer_is_grounded_on():
    grounded = {"groundingChunks": [{"web": {"uri": A.uri}}], "webSearchQueries": ["q"]}
    supports = {"groundingSupports": [{"segment": {"endIndex": 1, "text": "x"}, "groundingChunkIndices": [0]}]}
    said = came(
        "gemini",
        candidate({"text": "x"}, groundingMetadata=grounded),
        candidate(citationMetadata={"citationSources": [{"uri": B.uri, "title": "B"}]}),
        candidate(groundingMetadata=supports, finishReason="STOP"),
    )
    assert said.sources == (A, B)
    assert said.incoming.citations.queries == ("q",)
    assert [passage.sources for passage in said.incoming.citations.passages] == [(0,)]


@pytest.mark.parametrize(
    "said",
    [
        {"citations": [A.uri, B.uri], "search_results": [{"title": "B", "url": B.uri}, {"url": A.uri}]},
        {"citations": [{"url": A.uri}, {"url": B.uri, "title": "B"}]},
        {"search_results": [{"url": A.uri}, {"title": "B", "url": B.uri, "date": "2026"}]},
        {"web_search": [{"link": A.uri}, {"link": B.uri, "title": "B"}]},
        {"search_info": {"search_results": [{"url": A.uri}, {"url": B.uri, "title": "B"}]}},
        {"sources": [{"source": {"url": A.uri}}, {"source": {"url": B.uri, "name": "B"}}]},
        {"annotations": [{"type": "url_citation", "url": A.uri}, {"type": "url_citation", "url_citation": {"url": B.uri, "title": "B"}}]},
        {"executed_tools": [{"search_results": {"results": [{"url": A.uri}, {"url": B.uri, "title": "B"}]}}]},
    ],
)  # fmt: skip
def test_sources_are_found_in_every_spelling_and_place(said):
    choice = {"index": 0, "delta": {"content": "x"}}
    for frame in ({"choices": [choice], **said}, {"choices": [{**choice, **said}]}, chunk(content="x", **said)):
        found = came("openai-chat", frame, frame, chunk("stop"))
        assert found.sources == (A, B)
        assert not found.incoming.unknown


def test_sources_add_up_over_frames_and_nonsense_is_none():
    frames = [{**chunk(content="x"), "citations": [source.uri]} for source in (A, C)]
    assert came("openai-chat", *frames, chunk("stop")).sources == (A, C)
    strange = {
        "citations": [1, None, {}, "page 3", {"url": "ftp://x"}, {"source": {"source": {"web": {"web": {}}}}}],
        "sources": "x",
    }
    assert came("openai-chat", {**chunk(content="x"), **strange}, chunk("stop")).sources == ()


def test_no_more_sources_are_kept_than_anybody_reads():
    many = [{**chunk(content="x"), "citations": [f"https://{n}.example" for n in range(n, n + 400)]} for n in (0, 400, 800)]
    assert len(came("openai-chat", *many).sources) == 1000
    entries = [{"uri": f"https://{n}.example"} for n in range(600)]
    more = [{"uri": f"https://more.{n}.example"} for n in range(600)]
    frames = [candidate({"text": "x"}, citationMetadata={"citations": said}) for said in (entries, more)]
    assert len(came("gemini", *frames).sources) == 1000


def test_notes_that_come_by_themselves_are_sources():
    note = {"type": "url_citation", "url": B.uri, "title": "B", "start_index": 0, "end_index": 2}
    added = event("output_text.annotation.added", item_id="m", content_index=0, annotation=note)
    said = came("openai", delta("Hi", item_id="m"), added, event("output_item.done", item=message("Hi", "m")), completed())
    assert said.sources == (B,)
    wrapped = {**message("Hi", "m"), "content": [{"type": "text", "text": "Hi", "annotations": [{"url_citation": note}]}]}
    assert came("openai", event("output_item.done", item=wrapped), completed()).sources == (B,)


def test_a_search_result_of_ones_own_is_a_source_if_it_has_an_address():
    found = {"type": "search_result_location", "source": B.uri, "title": "B"}
    cited = [{"type": "citations_delta", "citation": said} for said in (found, {**found, "source": "shelf 3"})]
    text = {"type": "text_delta", "text": "Hi"}
    said = came("anthropic", begun(), *block(0, {"type": "text", "text": ""}, text, *cited), stop("end_turn"))
    assert said.sources == (B,)


def grounded(*addresses, supports=(), **more):
    chunks = [{"web": {"uri": address, "title": address[-2]}} for address in addresses]
    told = {"groundingChunks": chunks} if chunks else {}
    return candidate({"text": "Sea. "}, groundingMetadata={**told, "groundingSupports": list(supports), **more})


def support(start, *places):
    return {"segment": {"startIndex": start, "endIndex": start + 4, "text": "Sea."}, "groundingChunkIndices": list(places)}


def test_what_an_answer_is_grounded_on_adds_up_over_frames():
    """Whether a frame says all again or what is new; passages name sources by their places in the list that goes with them."""
    a, b, c = ("https://a/", "https://b/", "https://c/")
    new = came("gemini", grounded(a, supports=[support(0, 0)]), grounded(b, supports=[support(5, 0)], webSearchQueries=["sea"]))
    assert [source.uri for source in new.sources] == [a, b]
    assert [(passage.start, passage.sources) for passage in new.incoming.citations.passages] == [(0, (0,)), (5, (1,))]
    again = came(
        "gemini", grounded(a), grounded(a, b), grounded(a, b, c, supports=[support(5, 2)]), grounded(webSearchQueries=["x"])
    )
    assert [source.uri for source in again.sources] == [a, b, c]
    assert [passage.sources for passage in again.incoming.citations.passages] == [(2,)]
    assert again.incoming.citations.queries == ("x",)


def test_no_more_lists_of_sources_are_kept_than_an_answer_has():
    said = came("gemini", *(grounded(f"https://{n}/") for n in range(60)))
    assert len(said.sources) == 50


def test_notes_on_a_text_whose_end_never_comes_are_sources():
    note = {"type": "url_citation", "url": "https://a.org/", "start_index": 0, "end_index": 2}
    added = event("output_text.annotation.added", item_id="m", annotation=note)
    for end in ([], [completed()], [event("output_text.done", item_id="m", text="Hi you"), completed()]):
        said = came("openai", delta("Hi you", item_id="m"), added, *end, done=True)
        assert [source.uri for source in said.sources] == ["https://a.org/"]
        assert [passage.text for passage in said.incoming.citations.passages] == ["Hi"]
    assert not came("openai", added, done=True).incoming.citations.passages, "a note on a text that never came"


# --- whole answers

CALLING = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
WHOLE = {
    "gemini": candidate({"text": "Hi"}, gemini_call({"a": 1}), finishReason="STOP"),
    "openai-chat": {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"content": "Hi", "tool_calls": [CALLING]}, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    },
    "openai": {
        "object": "response",
        "status": "completed",
        "output": [message("Hi", "m"), {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"a": 1}'}],
    },
    "anthropic": {
        "type": "message",
        "model": "m",
        "content": [{"type": "text", "text": "Hi"}, {"type": "tool_use", "id": "c", "name": "add", "input": {"a": 1}}],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 2},
    },
    "interactions": {
        "status": "requires_action",
        "steps": [
            {"type": "model_output", "content": [{"type": "text", "text": "Hi"}]},
            {"type": "function_call", "id": "c", "name": "add", "arguments": {"a": 1}},
        ],
    },
}
REASONS = {"finish_reason", "finishReason", "stop_reason", "status"}


def without_reasons(value):
    match value:
        case dict():
            return {name: without_reasons(inner) for name, inner in value.items() if name not in REASONS}
        case list():
            return [without_reasons(inner) for inner in value]
    return value


@pytest.mark.parametrize("dialect", sorted(WHOLE))
@pytest.mark.parametrize("reasons", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_whole_answer_to_a_stream_request_is_read(dialect, reasons, indent):
    framer, whole = Framer(), WHOLE[dialect] if reasons else without_reasons(WHOLE[dialect])
    frames = framer.feed(json.dumps(whole, indent=indent).encode()) + framer.close()
    said = came(dialect, *frames, done=framer.whole)
    assert (said.state, said.text(), said.calls) == ("complete", "Hi", [("add", {"a": 1})])
    assert not said.incoming.untouched
    assert not said.incoming.unknown


def test_the_older_name_of_steps_is_read_too():
    said = came("interactions", {"outputs": [{"type": "model_output", "content": [{"type": "text", "text": "Hi"}]}]})
    assert (said.state, said.text()) == ("complete", "Hi")


def test_contents_without_steps_around_them_are_read_too():
    contents = [{"type": "text", "text": "Hi"}, {"type": "image", "mime_type": "image/png", "data": "iVBORw0KGgo="}]
    said = came("interactions", {"outputs": contents, "status": "completed"})
    assert (said.state, said.text()) == ("complete", "Hi")
    assert [segment.kind for segment in said.segmenter.segments] == ["answer", "image"]


@pytest.mark.parametrize("said", [{"type": "message", "content": "Hi"}, {"content": [{"type": "text", "text": "Hi"}]}])
def test_a_message_may_be_a_text_or_lack_its_type(said):
    read = came("anthropic", {"role": "assistant", "model": "m", "stop_reason": "stop", **said})
    assert (read.state, read.text(), read.incoming.unknown) == ("complete", "Hi", {})


def test_the_text_of_an_old_completion_is_read():
    frame = {"object": "text_completion", "choices": [{"index": 0, "text": "Hi", "finish_reason": "stop"}]}
    assert came("openai-chat", frame).text() == "Hi"


def test_what_python_wrote_of_an_answer_is_read():
    """Gateways pass on what the SDK's objects dump: names with underscores, and nothing as null."""
    args = {"first_name": "A", "as_is": {"b_c": 1}}
    call = {"function_call": {"name": "add", "args": args}, "text": None, "thought": None, "thought_signature": "c2ln"}
    code = {"code_execution_result": {"outcome": "OUTCOME_FAILED", "output": "x"}}
    whole = {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": "Hi"}, call, code]},
                "finish_reason": "FinishReason.STOP",
                "grounding_metadata": {"grounding_chunks": [{"retrieved_context": {"uri": "https://a.org/", "title": "A"}}]},
            }
        ],
        "usage_metadata": {
            "prompt_token_count": 1,
            "thoughts_token_count": 2,
            "candidates_token_count": 3,
            "total_token_count": 6,
        },
        "model_version": "m",
        "error": None,
    }
    said = came("gemini", whole)
    assert (said.state, said.text("thought"), said.text(), said.calls) == ("complete", "Hm.", "Hi", [("add", args)])
    assert (said.incoming.usage, said.incoming.unknown) == (Usage(1, 2, 3, 0, 0, 6), {})
    assert [source.uri for source in said.sources] == ["https://a.org/"]
    bare = {"candidates": [{"content": {"parts": [{"function_call": {"name": "add", "args": args}}]}}]}
    assert came("gemini", bare, candidate(finishReason="STOP")).calls == [("add", args)]
    assert came("gemini", {"candidates": [{"finish_reason": "STOP"}]}).state == "complete"
    deep = {"usage_metadata": json.loads('{"x_y":' * 40 + "1" + "}" * 40)}
    assert came("gemini", deep, candidate({"text": "Hi"}, finishReason="STOP")).text() == "Hi"


# --- errors inside of streams

BARE = [
    {"object": "error", "message": "No way.", "type": "BadRequestError", "code": 400},
    {"message": "No way.", "request_id": "r"},
    {"detail": "No way."},
    {"detail": [{"loc": ["body", "model"], "msg": "No way."}]},
    {"code": "invalid-argument", "error": "No way."},
    {"code": 400, "message": "No way."},
    {"errors": [{"message": "No way.", "code": 7}]},
    {"base_resp": {"status_code": 1004, "status_msg": "No way."}},
    {"error": {"message": "Provider returned error", "metadata": {"raw": '{"error": {"message": "No way."}}'}}},
]


@pytest.mark.parametrize("dialect", sorted(WHOLE))
@pytest.mark.parametrize("frame", BARE, ids=lambda frame: next(iter(frame)))
def test_an_error_in_any_shape_is_an_error(dialect, frame):
    said = came(dialect, frame)
    assert "No way." in str(said.fault)
    assert said.calls == []


@pytest.mark.parametrize("dialect", sorted(WHOLE))
def test_what_is_no_error_is_none(dialect):
    for frame in ({}, {"base_resp": {"status_code": 0}, "error": None}, {"error": {}, "errors": []}):
        came(dialect, frame).incoming.raise_fault()


@pytest.mark.parametrize(
    "body",
    [
        b'error: {"code":400,"message":"No way."}\n\n',
        b'data: {"choices":[]}\n\nerror:{"error":{"message":"No way."}}\n\n',
        b'event: error\ndata: {"message":"No way."}\n\n',
        b"event: error\ndata: No way.\n\n",
        b'event: error\ndata: {"code":1,\ndata: "message":"No way."}\n\n',
        b'event: error\ndata: {"error": null, "message":"No way."}',
        b"error: No way.\n\n",
    ],
)
@pytest.mark.parametrize("dialect", sorted(WHOLE))
def test_an_error_that_only_the_events_name_or_the_field_tells_of(dialect, body):
    framer = Framer()
    assert "No way." in str(came(dialect, *framer.feed(body), *framer.close()).fault)


# --- limits, counts and reasons that nobody knows


@pytest.mark.parametrize("native", ["max_output_tokens", "MAX_TOKENS", "length", "model_length"])
def test_a_limit_that_a_gateway_hides_is_said_as_a_limit(native):
    frame = chunk("tool_calls", tool_calls=[chat_call('{"a": 1}', id="c")])
    frame["choices"][0]["native_finish_reason"] = native
    said = came("openai-chat", frame)
    assert (said.state, said.calls, said.incoming.finish.reason) == ("truncated", [], native)
    assert "→" in said.incoming.outcome().note
    hidden = completed(message("Hi"), incomplete_details={"reason": "max_output_tokens"})
    assert came("openai", hidden).state == "truncated"


def counted(**usage):
    return came("openai-chat", chunk(content="x"), {**chunk("stop"), "usage": usage}).incoming.usage


def test_no_count_becomes_nothing_or_less():
    reasoned = {"completion_tokens_details": {"reasoning_tokens": 61}}
    assert counted(prompt_tokens=28, completion_tokens=9, total_tokens=37, **reasoned) == Usage(28, 61, 9, 0, 0, 37)
    assert counted(prompt_tokens=28, completion_tokens=9, total_tokens=98, **reasoned) == Usage(28, 61, 9, 0, 0, 98)
    assert counted(prompt_tokens=28, completion_tokens=70, total_tokens=98, **reasoned) == Usage(28, 61, 9, 0, 0, 98)
    assert counted(prompt_tokens=28, completion_tokens=9, **reasoned) == Usage(28, 61, 9, 0, 0, 37)
    assert counted(prompt_tokens=28, completion_tokens=9, reasoning_tokens=61, total_tokens=37).thought == 61
    assert counted(prompt_tokens=28.0, completion_tokens="9", total_tokens=37) == Usage(28, 0, 9, 0, 0, 37)
    assert counted(prompt_tokens=5, completion_tokens=1, prompt_cache_hit_tokens=4, total_tokens=6).cached == 4
    assert counted(prompt_tokens=-5, completion_tokens=1.5, total_tokens="x") == Usage()


def test_a_total_that_is_not_told_is_what_was_counted():
    counts = {"promptTokenCount": 5, "thoughtsTokenCount": 58, "candidatesTokenCount": 18}
    assert came("gemini", {**candidate({"text": "x"}), "usageMetadata": counts}).incoming.usage == Usage(5, 58, 18, 0, 0, 81)
    steps = {"steps": [], "status": "completed", "usage": {"total_input_tokens": 5, "total_output_tokens": 3}}
    assert came("interactions", steps).incoming.usage == Usage(5, 0, 3, 0, 0, 8)


def test_counts_are_found_where_they_stand():
    counts = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    inside = chunk("stop")
    inside["choices"][0]["usage"] = counts
    for frame in (inside, {**chunk("stop"), "x_groq": {"usage": counts}}, {**chunk("stop"), "usage": counts}):
        assert came("openai-chat", frame).incoming.usage == Usage(1, 0, 2, 0, 0, 3)


def test_what_is_no_reason_yet_and_what_is_no_count_change_nothing():
    counts = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    none = dict.fromkeys(counts, 0)
    frames = [{**chunk(finish, content="x"), "usage": counts} for finish in ("null", "None")]
    said = came(
        "openai-chat",
        *frames,
        {**chunk("eos_token"), "usage": none},
        {"choices": [], "usage": none},
        {"choices": [], "x_groq": {"usage": 5}},
    )
    assert (said.state, said.text(), said.incoming.usage) == ("complete", "xx", Usage(1, 0, 2, 0, 0, 3))


def test_a_count_of_anthropics_is_not_taken_back():
    details = {"output_tokens_details": {"thinking_tokens": 61}}
    said = came(
        "anthropic", begun(input_tokens=25, output_tokens=1), stop("end_turn", input_tokens=0, output_tokens=9, **details)
    )
    assert said.incoming.usage == Usage(25, 61, 9, 0, 0, 95)
    said = came("anthropic", begun(input_tokens=0, output_tokens=0), stop("end_turn", input_tokens=25, output_tokens=9))
    assert said.incoming.usage == Usage(25, 0, 9, 0, 0, 34)


@pytest.mark.parametrize(
    ("said", "reason", "state"),
    [(1, "STOP", "complete"), (2, "MAX_TOKENS", "truncated"), (3, "SAFETY", "blocked"), (12, "12", "truncated"),
     ("stop", "stop", "complete"), ("FinishReason.RECITATION", "RECITATION", "blocked")],
)  # fmt: skip
def test_reasons_may_be_numbers_or_in_any_case(said, reason, state):
    """Vertex AI numbers its enums where it is asked to, and gateways write words as they like."""
    read = came("gemini", candidate({"text": "x"}, finishReason=0), candidate(finishReason=said))
    assert (read.incoming.finish.reason, read.incoming.finish.state) == (reason, state)


def test_what_code_came_to_may_be_a_number():
    code = {"executableCode": {"language": 1, "code": "1 / 0"}}, {"codeExecutionResult": {"outcome": 2, "output": "no"}}
    read = came("gemini", candidate(*code, finishReason=1))
    assert [segment.content for segment in read.segmenter.segments] == [ExecutedCode("1 / 0"), CodeResult("no", ok=False)]


UNHEARD = {
    "gemini": [candidate({"text": "Hi"}, gemini_call({"a": 1})), candidate(finishReason="UNHEARD_OF")],
    "openai-chat": [chunk(content="Hi", tool_calls=[chat_call('{"a": 1}', id="c")]), chunk("unheard_of")],
    "openai": [
        delta("Hi", item_id="m"),
        item("added", item_id="f", call_id="c", name="add", arguments=""),
        event("function_call_arguments.done", item_id="f", arguments='{"a": 1}'),
        event("incomplete", response={"status": "incomplete", "incomplete_details": {"reason": "unheard_of"}}),
    ],
    "anthropic": [
        begun(),
        *block(0, {"type": "text", "text": "Hi"}),
        *block(1, use(), json_delta('{"a": 1}')),
        stop("unheard_of"),
    ],
    "interactions": [
        *step(0, {"type": "model_output"}, {"type": "text", "text": "Hi"}),
        *step(1, {"type": "function_call", "id": "c", "name": "add", "arguments": {"a": 1}}),
        {"event_type": "interaction.completed", "interaction": {"status": "unheard_of"}},
    ],
}


@pytest.mark.parametrize("dialect", sorted(UNHEARD))
def test_a_reason_that_nobody_knows_keeps_whole_calls(dialect):
    said = came(dialect, *UNHEARD[dialect])
    assert (said.text(), said.calls) == ("Hi", [("add", {"a": 1})])
    assert said.incoming.finish.reason.lower() == "unheard_of"


def test_a_status_that_nobody_knows_keeps_whole_calls():
    call = {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"a": 1}'}
    for status, calls, state in (("succeeded", [("add", {"a": 1})], "complete"), ("odd", [("add", {"a": 1})], "truncated")):
        said = came("openai", {"object": "response", "status": status, "output": [call]})
        assert (said.calls, said.incoming.finish.state) == (calls, state)


@pytest.mark.parametrize(
    ("dialect", "reason"),
    [("gemini", "MAX_TOKENS"), ("gemini", "UNEXPECTED_TOOL_CALL"), ("openai-chat", "length"), ("anthropic", "max_tokens")],
)
def test_a_reason_that_is_known_to_cut_keeps_none(dialect, reason):
    frames = json.loads(json.dumps(UNHEARD[dialect]).replace("UNHEARD_OF", reason).replace("unheard_of", reason))
    assert came(dialect, *frames).calls == []
