"""Chat Completions: what goes out is what any server takes, what comes is what OpenAI's own client makes of it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given, strategies as st

from nbgemini.chat.response import ResponseAccumulator
from nbgemini.chat.structured_output import answer_schema
from nbgemini.errors import ApiError, AuthenticationError, PromptError, RateLimitError, ServerError
from nbgemini.messages.events import (
    AnswerDelta,
    Citation,
    Citations,
    Fault,
    Finish,
    PartReceived,
    ResponseInfo,
    ThoughtDelta,
    ToolCall,
    ToolCallEnd,
    Unknown,
    UsageReport,
)
from nbgemini.messages.transcript import Exchange, Transcript
from nbgemini.messages.turns import Declaration, Options, Turn, Usage, user_turn
from nbgemini.providers.common.parts import parts_to_events
from nbgemini.providers.common.thought_tags import TaggedText
from nbgemini.providers.openai.chat import ChatCodec
from nbgemini.tools.tool import text_result
from nbgemini.transport.api_errors import error_from_body
from tests.conftest import golden_bytes
from tests.fakes.raw import END, RawServer, chunk, head
from tests.support.provider_talk import cut

codec = ChatCodec()
MODEL = "deepseek-v4-pro"


def encoded(*turns, **options):
    return codec.encode([*turns, user_turn("Go on.")], Options(**{"model": MODEL, **options})).body


def decoded(*frames):
    decode = codec.decoder()
    return [event for frame in frames for event in decode(json.dumps(frame).encode())]


def shown(*frames):
    return [event for event in decoded(*frames) if not isinstance(event, PartReceived)]


def piece(finish=None, **delta):
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(arguments=None, index=0, call_id=None, name=None):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    said = {"index": index, "id": call_id, "function": function}
    return piece(tool_calls=[{key: value for key, value in said.items() if value is not None}])


def made(*frames, finish="tool_calls"):
    """The calls that come of these frames, as the chat takes them."""
    incoming = ResponseAccumulator(Exchange(user_turn("")), codec, MODEL)
    incoming.fold(decoded(*frames, piece(finish)))
    incoming.continuation()
    return incoming.calls()


# --- beside the official client


async def as_the_client_has_it(name):
    """Text, thoughts, calls and usage of a golden stream, added up by the official client from its bytes on the wire."""
    import openai as official
    from openai.lib.streaming.chat import ChatCompletionStreamState

    state, thoughts = ChatCompletionStreamState(), []
    async with RawServer([head(), chunk(golden_bytes(f"openai_chat_{name}")), END]) as server:
        async with official.AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
            asked = {"model": MODEL, "messages": [{"role": "user", "content": "Go on."}]}
            async with await client.chat.completions.create(**asked, stream=True) as stream:
                async for part in stream:
                    state.handle_chunk(part)
                    deltas = [choice.delta for choice in part.choices]
                    thoughts += [getattr(d, "reasoning_content", None) or getattr(d, "reasoning", None) for d in deltas]
    snapshot = state.current_completion_snapshot
    said, usage = snapshot.choices[0].message, snapshot.usage
    calls = [(one.id, one.function.name, json.loads(one.function.arguments)) for one in said.tool_calls or ()]
    reasoned = usage.completion_tokens_details.reasoning_tokens
    counted = Usage(
        usage.prompt_tokens,
        reasoned,
        usage.completion_tokens - reasoned,
        usage.prompt_tokens_details.cached_tokens,
        0,
        usage.total_tokens,
    )
    return said.content, "".join(filter(None, thoughts)), calls, counted


def as_we_have_it(name):
    incoming, decode = ResponseAccumulator(Exchange(user_turn("Go on.")), codec, MODEL), codec.decoder()
    events = [event for frame in cut(golden_bytes(f"openai_chat_{name}")) for event in incoming.fold(decode(frame))]
    texts = ["".join(event.text for event in events if isinstance(event, kind)) for kind in (AnswerDelta, ThoughtDelta)]
    return *texts, [(call.id, call.name, call.args) for call in incoming.calls()], incoming.usage


@pytest.mark.parametrize("name", ["interleaved", "tools", "unknown", "blocked", "truncated"])
async def test_the_official_client_makes_the_same_of_the_same_bytes(name):
    assert as_we_have_it(name) == await as_the_client_has_it(name)


# --- what comes


def told(*frames):
    """What is thought and what is answered, each joined."""
    events = shown(*frames)
    return tuple("".join(event.text for event in events if isinstance(event, kind)) for kind in (ThoughtDelta, AnswerDelta))


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<think>\nHm.\n</think>\n\nYes.", "Hm.", "Yes."),
        ("\n<think>Hm.</think>Yes.", "Hm.", "Yes."),
        ("<think>\n\n</think>\n\nYes.", "", "Yes."),
        ("<think>Hm. No end", "Hm. No end", ""),
        ("</think>\n\nYes.", "", "Yes."),
        ("[THINK]Hm.[/THINK]Yes.", "Hm.", "Yes."),
        ("<thought>Hm.</thought>Yes.", "Hm.", "Yes."),
        ("◁think▷Hm.◁/think▷Yes.", "Hm.", "Yes."),
        ("<think>One.</think>\n<think>Two.</think>Yes.", "One.Two.", "Yes."),
        ("<think>a</th</think>b", "a</th", "b"),
        ("Qwen writes <think>…</think> first.", "", "Qwen writes <think>…</think> first."),
        ("```html\n<think>x</think>\n```", "", "```html\n<think>x</think>\n```"),
        ("`<think>` opens a thought.", "", "`<think>` opens a thought."),
        ("<thinker>a</thinker>", "", "<thinker>a</thinker>"),
        ("<", "", "<"),
        ("  \n", "", "  \n"),
    ],
)
def test_thoughts_between_tags_at_the_beginning_are_thoughts_and_tags_in_an_answer_are_the_answer(text, thought, answer):
    assert told(piece(content=text), piece("stop")) == (thought, answer)
    assert told(*(piece(content=letter) for letter in text), piece("stop")) == (thought, answer)


@given(st.lists(st.sampled_from(["<think>", "</think>", "[THINK]", "<", "</th", "a", "\n", " ", "b c"]), max_size=9), st.data())
def test_however_a_text_with_tags_is_split_it_says_the_same(words, data):
    text = "".join(words)
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in pairwise([0, *places, len(text)])]
    assert told(*(piece(content=one) for one in pieces), piece("stop")) == told(piece(content=text), piece("stop"))


def test_looking_for_tags_is_linear():
    """What is held back while a tag may come never grows with the text."""
    tags = TaggedText()
    for _ in tags.take("<think>" + "</thin" * 20_000 + "\n" * 20_000):
        assert len(tags._held) < 20
    for _ in range(2_000):
        list(tags.take("</thin"))
        assert len(tags._held) < 20


def test_what_was_held_back_comes_when_the_body_ends():
    decode = codec.decoder()
    assert decode(json.dumps(piece(content="<thi")).encode()) == []
    assert AnswerDelta("<thi") in decode(b"")


@pytest.mark.parametrize(
    "delta",
    [
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Yes."}]},
        {"reasoning": "Hm.", "content": "Yes."},
        {"reasoning_content": "Hm.", "content": "Yes."},
        {"reasoning": {"content": "Hm."}, "content": "Yes."},
        {"reasoning_text": "Hm.", "content": "Yes."},
        {"thinking": "Hm.", "content": "Yes."},
        {"reasoning_content": [{"type": "text", "text": "Hm."}], "content": "Yes."},
        {"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}], "content": "Yes."},
        {"thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}], "content": "Yes."},
        {"reasoning_content": "Hm.", "content": "<think>\n</think>Yes."},
    ],
)
def test_reasoning_is_a_thought_wherever_its_server_puts_it(delta):
    assert told(piece(**delta), piece("stop")) == ("Hm.", "Yes.")
    assert told({"choices": [{"index": 0, "message": delta, "finish_reason": "stop"}]}) == ("Hm.", "Yes.")
    assert not [event for event in shown(piece(**delta)) if isinstance(event, Unknown)]


def test_thoughts_that_come_under_two_names_come_once():
    assert shown(piece(reasoning="Hm.", reasoning_content="Hm.")) == [ThoughtDelta("Hm.")]
    assert shown(piece(reasoning="Hm.", reasoning_content="")) == [ThoughtDelta("Hm.")]
    assert shown(piece(reasoning=None, content=None, refusal=None)) == []


ADD = ToolCall("add", {"a": 1}, "c1")


@pytest.mark.parametrize(
    "frames",
    [
        [call("", 0, "c1", "add"), call('{"a":'), call(" 1}")],
        [call('{"a": 1}', 0, "c1", "add")],
        [call('{"a"', 0, "c1", "add"), call(": 1}", 0, "c1", "add")],
        [call('{"a"', 0, "c1", "add"), call(": 1}", 0, "c2")],
        [call('{"a"', None, "c1", "add"), call(": 1}", None)],
        [call('{"a"', None, "c1", "add"), call(": 1}", None, "c1", "add")],
        [call({"a": 1}, 0, "c1", "add")],
        [call(None, 0, "c1"), call('{"a"', 0, None, ""), call(": 1}", 0, None, "add")],
        [piece(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "add"}}, {"index": 0, "function": {"arguments": '{"a": 1}'}}])],
        [{"choices": [{"message": {"tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": '{"a": 1}'}}]}}]}],
        [call('{"a": 1}', 0, "c1", "add"), piece(tool_calls=[{"index": 1, "function": None}])],
    ],
    ids=[
        "by the rules", "at once", "id and name with each piece", "another id with each piece", "no index", "no index, all else",
        "an object", "the name last", "twice in one chunk", "no stream", "and one that never has a name",
    ],
)  # fmt: skip
@pytest.mark.parametrize("finish", ["tool_calls", "stop"])
def test_a_call_comes_whole_however_its_server_cuts_it(frames, finish):
    assert made(*frames, finish=finish) == [ADD]


@pytest.mark.parametrize(
    "frames",
    [
        [call('{"a": ', 0, "c1", "add"), call('{"a": 2', 1, "c2", "add"), call("1}", 0), call("}", 1)],
        [call('{"a": 1}', 0, "c1", "add"), call('{"a": 2}', 0, "c2", "add")],
        [call('{"a": 1}', None, "c1", "add"), call('{"a": 2}', None, "c2", "add")],
        [call('{"a": ', None, "c1", "add"), call('{"a": 2', None, "c2", "add"), call("1}", None, "c1"), call("}", None, "c2")],
    ],
    ids=["side by side", "all numbered 0", "not numbered", "not numbered, side by side"],
)
def test_two_calls_are_two_however_they_are_numbered(frames):
    assert made(*frames) == [ADD, ToolCall("add", {"a": 2}, "c2")]


def test_calls_without_ids_are_told_apart_by_their_names():
    assert made(call("{}", None, None, "f"), call("{}", None, None, "g")) == [ToolCall("f", {}), ToolCall("g", {})]


def test_a_call_cut_at_the_limit_is_not_made():
    cut_off = [call('{"a": 1}', 0, "c1", "add"), piece("length")]
    assert not any(isinstance(event, ToolCallEnd) for event in decoded(*cut_off)), "nobody knows whether it is whole"
    assert made(cut_off[0], finish="length") == []


@pytest.mark.parametrize(
    "frame",
    [
        {"error": {"message": "no", "type": "server_error", "code": None, "param": None}},
        {"error": {"message": "no", "type": "InternalServerError", "param": None, "code": 500}},
        {"object": "error", "message": "no", "type": "InternalServerError", "code": 500},
        {"error": {"code": 502, "message": "no"}, "choices": [{"delta": {"content": ""}, "finish_reason": "error"}]},
        {"choices": [{"delta": {}, "error": {"code": 503, "message": "no"}}]},
        [{"error": {"code": 503, "message": "no", "status": "UNAVAILABLE"}}],
    ],
    ids=["OpenAI", "vLLM", "vLLM before", "OpenRouter", "OpenRouter, of a choice", "Google"],
)
def test_errors_in_a_stream_are_read_in_every_shape(frame):
    (fault,) = decoded(frame)
    assert isinstance(fault, Fault)
    assert isinstance(fault.error, ServerError)
    assert fault.error.passing
    assert "no" in str(fault.error)


def test_an_error_may_be_but_a_word():
    """As with Ollama."""
    assert "model ran away" in str(decoded({"error": "model ran away"})[0].error)
    assert isinstance(decoded(piece("error"))[0], Fault)


@pytest.mark.parametrize(
    ("finish", "state"),
    [
        ("stop", "complete"),
        ("tool_calls", "complete"),
        ("length", "truncated"),
        ("content_filter", "blocked"),
        ("insufficient_system_resource", "truncated"),
    ],
)
def test_why_it_ended(finish, state):
    assert decoded(piece(finish)) == [Finish(state, finish)]


def test_a_stream_without_an_end_is_cut_off():
    incoming = ResponseAccumulator(Exchange(user_turn("")), codec, MODEL)
    incoming.fold(decoded(piece(content="Half"), {"choices": [], "usage": {"prompt_tokens": 1}}))
    assert incoming.outcome()[0] == "truncated"


def test_reasoning_that_is_counted_on_top_of_the_output_is_not_taken_off():
    """As xAI counts; what no sum is given for is added up."""
    details = {"completion_tokens_details": {"reasoning_tokens": 7}}
    on_top = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 22, **details}
    inside = {"prompt_tokens": 10, "completion_tokens": 12, **details}
    for usage in (on_top, inside):
        assert decoded({"choices": [], "usage": usage}) == [UsageReport(Usage(10, 7, 5, 0, 0, 22))]


def test_content_may_be_a_list_and_sources_are_shown():
    parts = [{"type": "text", "text": "Y"}, {"type": "odd"}, {"type": "text", "text": "es."}]
    note = {"type": "url_citation", "url_citation": {"url": "https://a", "title": "A"}}
    later = {"type": "url_citation", "url_citation": {"url": "https://b"}}
    frames = piece(content=parts, annotations=[note, {"type": "file"}]), piece(annotations=[later])
    a, b = Citation("https://a", "A"), Citation("https://b")
    assert shown(*frames) == [AnswerDelta("Yes."), Citations((a,)), Citations((a, b))]


def test_what_is_newer_is_counted_and_other_choices_are_not_read():
    assert decoded(piece(dream="round", mood=None)) == [Unknown("dream")]
    other = {"index": 1, "delta": {"content": "no"}}
    assert shown({"id": "r", "model": "m", "choices": [other, piece(content="yes")["choices"][0]]}) == [
        ResponseInfo("m", "r"),
        AnswerDelta("yes"),
    ]
    assert decoded([], {}, {"choices": None}, {"choices": [{"delta": None}]}) == []


BAD, MANY, GONE = 400, 429, 404


@pytest.mark.parametrize(
    ("status", "error", "kind", "says", "passing"),
    [
        (401, {"type": "invalid_request_error", "code": "invalid_api_key"}, AuthenticationError, "set K", False),
        (MANY, {"type": "insufficient_quota", "code": "insufficient_quota"}, RateLimitError, "balance", False),
        (MANY, {"type": "tokens", "code": "rate_limit_exceeded"}, RateLimitError, "ask again", True),
        (BAD, {"type": "invalid_request_error", "code": "context_length_exceeded"}, ApiError, "drop, reset or fork", False),
        (BAD, {"type": "exceed_context_size_error", "code": 400, "n_ctx": 4096}, ApiError, "drop, reset or fork", False),
        (GONE, {"type": "invalid_request_error", "code": "model_not_found"}, ApiError, "%gemini models", False),
        (GONE, {"type": "not_found_error", "code": None}, ApiError, "%gemini models", False),
        (GONE, {"type": "NotFoundError", "code": 404}, ApiError, "%gemini models", False),
        (500, {"type": "server_error", "code": None}, ServerError, "ask again", True),
    ],
    ids=["key", "money", "rate", "long", "long, llama.cpp", "model", "model, Ollama", "model, vLLM", "server"],
)
def test_errors_of_openai_and_of_servers_like_it_say_the_way_out(status, error, kind, says, passing):
    body = json.dumps({"error": {"message": "no", "param": None, **error}}).encode()
    made = error_from_body(status, body, key_name="K")
    assert type(made) is kind
    assert says in str(made)
    assert made.passing == passing


# --- what goes out


def test_a_request_says_what_the_options_say():
    add = Declaration("add", "Add.", {"type": "object", "properties": {}})
    options = {"temperature": 0.0, "seed": 0, "stop_at": ("x",), "max_tokens": 9}
    assert encoded(system="Be kind.", tools=(add,), think="high", **options) == {
        "model": MODEL,
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Go on."}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": {"name": "add", "description": "Add.", "parameters": add.schema}}],
        "reasoning_effort": "high",
        "temperature": 0.0,
        "seed": 0,
        "stop": ["x"],
        "max_tokens": 9,
    }
    assert codec.encode([user_turn("a")], Options(model=MODEL)).path == "chat/completions"
    assert parts_to_events([{"text": "a", "thought": True}])[1:] == [ThoughtDelta("a")]
    assert codec.list_request().path == "models"
    assert codec.decode_models(b'{"data": [{"id": "a"}]}')[0][0].name == "a"


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ("gpt-5.6-sol", "max_completion_tokens"),
        ("o3", "max_completion_tokens"),
        ("gpt-4.1", "max_tokens"),
        ("gpt-oss-20b", "max_tokens"),
    ],
)
def test_the_limit_is_said_in_the_word_that_the_model_takes(model, word):
    assert encoded(model=model, max_tokens=9)[word] == 9


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"search": True, "urls": True}, "does not support --search or --urls; the Responses API does: -m openai:MODEL"),
        ({"run_code": True}, "does not support --run-code"),
        ({"model": "o3", "stop_at": ("x",)}, "--stop-at"),
        ({"model": "o3", "temperature": 0.0}, "--temperature"),
        ({"model": "gpt-4.1", "think": "low"}, "does not think"),
        ({"model": "gpt-6-luna", "tools": (Declaration("f", "", {}),)}, "-m openai:gpt-6-luna"),
    ],
)
def test_what_a_model_would_refuse_is_refused_before_it_is_sent(options, says):
    with pytest.raises(PromptError, match=says):
        encoded(**options)


def test_tools_go_to_models_that_call_them_here_unless_they_think():
    assert encoded(model="gpt-6-luna", tools=(Declaration("f", "", {}),), think="off")["reasoning_effort"] == "none"


@dataclass
class World:
    name: str


def test_answers_may_have_to_be_json():
    form = encoded(schema=answer_schema(World))["response_format"]
    assert form["type"] == "json_schema"
    assert (form["json_schema"]["name"], form["json_schema"]["strict"]) == ("World", False)
    for kind, body in ((list[int], {"type": "array"}), (Literal["a", "b"], {"enum": ["a", "b"]})):
        said = encoded(schema=answer_schema(kind))
        assert said["response_format"]["json_schema"]["schema"].items() >= body.items()
        assert "JSON Schema" in said["messages"][0]["content"], "not every server holds the model to it"
        for model in ("gpt-5.6-sol", "openai/gpt-4.1", "anthropic/claude-sonnet-5-5"):  # which take objects alone
            said = encoded(model=model, schema=answer_schema(kind))
            assert "response_format" not in said
            assert "JSON Schema" in said["messages"][0]["content"]
    free = encoded(format="json")
    assert free["response_format"] == {"type": "json_object"}
    assert "JSON" in free["messages"][0]["content"]


def file(mime, data=b"x"):
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode()}}


def content(*parts):
    (message,) = codec.encode([Turn("user", parts)], Options(model=MODEL)).body["messages"]
    return message["content"]


def test_files_go_along_in_the_form_of_their_kind():
    assert content({"text": "See."}, file("image/png")) == [
        {"type": "text", "text": "See."},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
    ]
    assert content(file("audio/mpeg")) == [{"type": "input_audio", "input_audio": {"data": "eA==", "format": "mp3"}}]
    assert content(file("application/pdf")) == [
        {"type": "file", "file": {"filename": "attached.pdf", "file_data": "data:application/pdf;base64,eA=="}}
    ]
    assert content({"text": "a"}, file("text/csv", b"1"), {"text": ""}) == "a1"
    there = {"fileData": {"fileUri": "https://a/b", "mimeType": "image/png"}}
    assert content(there) == [{"type": "image_url", "image_url": {"url": "https://a/b"}}]


@pytest.mark.parametrize("part", [file("video/mp4"), {"fileData": {"fileUri": "https://youtu.be/x", "mimeType": "video/mp4"}}])
def test_a_file_that_can_not_be_sent_is_refused_when_it_is_asked_and_named_later(part):
    with pytest.raises(PromptError, match="takes no video/mp4"):
        content(part)
    body = encoded(Turn("user", (part,)), Turn("model", ({"text": "Yes."},)))
    assert "video/mp4" in body["messages"][0]["content"]


def test_what_a_tool_attached_is_shown_after_all_answers():
    calls = tuple({"functionCall": {"name": name, "args": {}}} for name in "fg")
    shown = {"functionResponse": {"name": "f", "response": {"output": 1}, "parts": [file("image/png"), file("video/mp4")]}}
    said = {"functionResponse": {"name": "g", "response": {"output": 2}}}
    messages = codec.encode([user_turn("Do."), Turn("model", calls), Turn("user", (shown, said))], Options(model=MODEL)).body[
        "messages"
    ]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "user"]
    assert messages[1]["content"] is None
    assert [message["tool_call_id"] for message in messages[2:4]] == ["call_1", "call_2"]
    assert [piece["type"] for piece in messages[4]["content"]] == ["text", "image_url", "text"]


def talk(*rounds):
    """A chat of these rounds, each a list of frames; calls are answered."""
    transcript = Transcript()
    _, exchange = transcript.ask(user_turn("Do."))
    incoming = ResponseAccumulator(exchange, codec, MODEL)
    for frames in rounds:
        incoming.fold(decoded(*frames))
        if calls := incoming.calls():
            incoming.add_results([text_result(one, "done", "done") for one in calls])
    exchange.state, *_ = incoming.outcome()
    _, last = transcript.ask(user_turn("Go on."))
    return transcript.request_turns(last)


def test_reasoning_goes_back_where_tools_were_called_and_nowhere_else():
    """DeepSeek refuses a turn with calls without it, even if it is empty, and older servers refuse it elsewhere."""
    calling = [
        piece(reasoning_content="I must "),
        piece(reasoning_content="add."),
        call("{}", 0, "c1", "f"),
        piece("tool_calls"),
    ]
    ending = [piece(reasoning_content="So."), piece(content="Done."), piece("stop")]
    silent = [piece(reasoning_content=""), call("{}", 0, "c2", "g"), piece("tool_calls")]
    messages = codec.encode(talk(calling, silent, ending), Options(model=MODEL)).body["messages"]
    said = [message for message in messages if message["role"] == "assistant"]
    assert [message["reasoning_content"] for message in said] == ["I must add.", "", "So."]
    plain = codec.encode(talk(ending), Options(model=MODEL)).body["messages"][1]
    assert plain == {"role": "assistant", "content": "Done."}
    own = codec.encode(talk(calling, ending), Options(model="gpt-4.1")).body["messages"]
    assert not any("reasoning_content" in message for message in own), "OpenAI's models refuse it"


def test_details_of_reasoning_go_back_joined_as_they_belong():
    text = {"type": "reasoning.text", "index": 0}
    details = [
        [{**text, "text": "I "}, {**text, "text": "must.", "signature": None}],
        [{**text, "signature": "S"}, {"type": "reasoning.encrypted", "index": 1, "data": "E"}],
        [{"type": "reasoning.summary", "summary": "a"}, {"type": "reasoning.summary", "summary": "b"}],
    ]
    frames = [piece(reasoning_details=some) for some in details]
    messages = codec.encode(talk([*frames, call("{}", 0, "c1", "f"), piece("tool_calls")]), Options(model=MODEL)).body[
        "messages"
    ]
    assert messages[1]["reasoning_details"] == [
        {"type": "reasoning.text", "index": 0, "text": "I must.", "signature": "S"},
        {"type": "reasoning.encrypted", "index": 1, "data": "E"},
        {"type": "reasoning.summary", "summary": "a"},
        {"type": "reasoning.summary", "summary": "b"},
    ]


def test_what_a_server_adds_to_a_call_goes_back_with_it():
    """Google keeps its thought signatures there."""
    more = {"extra_content": {"google": {"thought_signature": "S"}}}
    frame = piece(
        tool_calls=[{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}, **more}]
    )
    turns = talk([frame, piece("tool_calls")])
    (sent,) = codec.encode(turns, Options(model="gemini-3.8-flash")).body["messages"][1]["tool_calls"]
    assert sent == {**more, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    (own,) = codec.encode(turns, Options(model="gpt-4.1")).body["messages"][1]["tool_calls"]
    assert "extra_content" not in own


def test_a_turn_that_says_nothing_here_is_left_out():
    assert [
        message["role"] for message in encoded(user_turn("a"), Turn("model", ({"text": "", "strange": 1},)))["messages"]
    ] == ["user", "user"]
