"""The official anthropic client works against the offline service unchanged, and is refused what the real service refuses."""

from __future__ import annotations

import anthropic
import httpx2
import pytest

from tests.fakes.services import FakeServices
from tests.support.dialect_prompts import CALLS, SAID, SCHEMA, SUM, sunny, told
from tests.support.raw_requests import ask, until

MODEL = "claude-offline"
TOOL = {"name": "weather", "description": "the weather in a city", "input_schema": SCHEMA}
ADAPTIVE = {"type": "adaptive"}
ENABLED = {"type": "enabled", "budget_tokens": 1024}


@pytest.fixture
async def official(service):
    async with anthropic.AsyncAnthropic(api_key="k", base_url=service.url, max_retries=0) as client:
        yield client


def user(content):
    return {"role": "user", "content": content}


def asked(content=SUM, **more):
    messages = content if isinstance(content, list) else [user(content)]
    return {"model": MODEL, "max_tokens": 4096, "messages": messages, **more}


async def events_of(official, **request):
    return [event async for event in await official.messages.create(**request, stream=True)]


async def test_an_answer_in_one_piece(official):
    message = await official.messages.create(**asked())
    assert "**5**" in message.content[0].text
    assert (message.id[:8], message.stop_reason, message.role) == ("offline-", "end_turn", "assistant")
    assert message.usage.input_tokens > 1


async def test_thinking_streams_with_its_signature_last(official):
    events = await events_of(official, **asked(thinking=ADAPTIVE))
    kinds = [event.type for event in events]
    assert (kinds[0], kinds[1], kinds[-2], kinds[-1]) == (
        "message_start",
        "content_block_start",
        "message_delta",
        "message_stop",
    )
    assert events[0].message.id.startswith("offline-")
    thought = [event.delta.type for event in events if event.type == "content_block_delta" and event.index == 0]
    assert thought == ["thinking_delta", "signature_delta"]
    usage = events[-2].usage
    assert usage.output_tokens > usage.output_tokens_details.thinking_tokens > 0


async def test_the_stream_and_the_whole_are_the_same(official):
    async with official.messages.stream(**asked("Why is the sky blue?", thinking=ADAPTIVE)) as stream:
        streamed = await stream.get_final_message()
    whole = await official.messages.create(**asked("Why is the sky blue?", thinking=ADAPTIVE))
    assert [block.type for block in whole.content] == ["thinking", "text", "thinking", "text"]
    assert [b.model_dump(exclude={"parsed_output"}) for b in streamed.content] == [b.model_dump() for b in whole.content]
    assert streamed.usage.output_tokens == whole.usage.output_tokens


async def test_every_event_has_a_line_with_its_name(service):
    extra = "x-api-key: k\r\nanthropic-version: 2023-06-01\r\n"
    answer = await ask(service, "/v1/messages", asked(stream=True), key=None, extra=extra)
    lines = answer.body.decode().split("\n\n")
    assert lines[0].startswith('event: message_start\ndata: {"type": "message_start", ')
    assert lines[1] == 'event: ping\ndata: {"type": "ping"}'
    assert lines[-2:] == ['event: message_stop\ndata: {"type": "message_stop"}', ""]


@pytest.mark.parametrize("thinking", [ADAPTIVE, ENABLED, {"type": "disabled"}])
@pytest.mark.parametrize(
    "prompt", [CALLS, told(parts=SAID), told(parts=[["streamed_call", "weather", {"city": "Rome"}]], pieces=3)]
)
async def test_tools_go_round_with_signatures(official, thinking, prompt):
    request = asked(prompt, thinking=thinking, tools=[TOOL])
    async with official.messages.stream(**request) as stream:
        message = await stream.get_final_message()
    calls = [block for block in message.content if block.type == "tool_use"]
    assert (message.stop_reason, calls[0].input) == ("tool_use", {"city": "Rome"})
    assert (message.content[0].type == "thinking") == (thinking["type"] != "disabled")
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": sunny(call.input["city"])} for call in calls]
    messages = [user(prompt), {"role": "assistant", "content": message.content}, user(results)]
    final = await official.messages.create(**asked(messages, thinking=thinking, tools=[TOOL]))
    assert all(sunny(call.input["city"]) in final.content[0].text for call in calls)


async def test_arguments_come_in_fragments(official):
    parts = [["streamed_call", "weather", {"city": "Rome and Oslo"}]]
    events = await events_of(official, **asked(told(parts=parts, pieces=4), tools=[TOOL]))
    pieces = [event.delta.partial_json for event in events if event.type == "content_block_delta"]
    assert pieces[0] == ""
    assert len(pieces) > 4
    assert "".join(pieces) == '{"city": "Rome and Oslo"}'


async def test_newer_models_think_unasked_and_keep_it_to_themselves(official):
    request = {**asked(), "model": "claude-opus-5-5"}
    hidden = await official.messages.create(**request)
    assert (hidden.content[0].type, hidden.content[0].thinking) == ("thinking", "")
    assert hidden.content[0].signature
    shown = await official.messages.create(**request, thinking={"type": "adaptive", "display": "summarized"})
    assert shown.content[0].thinking
    again = [user(SUM), {"role": "assistant", "content": hidden.content}, user("Why?")]
    assert (await official.messages.create(**{**request, "messages": again})).content


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"extra_body": {"foo": 1}}, "foo: Extra inputs are not permitted"),
        ({"extra_body": {"temperature": 1.0}}, "temperature: Extra inputs are not permitted"),
        ({"extra_body": {"max_tokens": None}}, "max_tokens: "),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 'must use the "user" role'),
        ({"messages": [user("x"), {"role": "assistant", "content": "y"}]}, "prefill"),
        ({"messages": [user("")]}, "non-empty"),
        ({"messages": [user([{"type": "text", "text": ""}])]}, "text content blocks must be non-empty"),
        ({"messages": [user([{"type": "text", "text": "x", "bold": True}])]}, "messages.0.content.0.bold: Extra inputs"),
        ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "greater than or equal to 1024"),
        ({"thinking": {"type": "enabled", "budget_tokens": 5000}}, "`max_tokens` must be greater"),
        ({"thinking": {"type": "enabled"}}, "budget_tokens: Field required"),
        ({"thinking": {"type": "between_tools"}}, "is not supported for this model"),
        ({"model": "claude-opus-5-5", "thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported'),
        ({"model": "claude-opus-5-5", "thinking": ENABLED}, 'Use "thinking.type.adaptive"'),
        ({"tools": [TOOL, TOOL]}, "Tool names must be unique"),
        ({"tools": [{"name": "f"}]}, "tools.0.custom.input_schema: Field required"),
        ({"tools": [TOOL], "tool_choice": {"type": "any"}, "thinking": ADAPTIVE}, "tool_choice forces tool use"),
        ({"messages": [user(told(status="x"))]}, "directive is not valid"),
        ({"messages": [user(told(parts=[["image", "x"]]))]}, "Only Gemini's protocol can say inlineData"),
    ],
)
async def test_what_is_wrong_is_a_bad_request(official, more, words):
    with pytest.raises(anthropic.BadRequestError, match=None) as refused:
        await official.messages.create(**{**asked(), **more})
    assert words in refused.value.api_message
    assert refused.value.type == "invalid_request_error"
    assert refused.value.request_id or refused.value.body["request_id"]


CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "weather", "input": {}}]}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "forged"}


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        (
            [user("x"), CALL, user("y")],
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1",
        ),
        ([user("x"), CALL, user([{"type": "text", "text": "y"}, RESULT])], "without `tool_result` blocks immediately after"),
        ([user([RESULT])], "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t1"),
        ([user("x"), CALL, user([RESULT]), CALL, user([RESULT])], "`tool_use` ids must be unique"),
        ([user("x"), {"role": "assistant", "content": [RESULT]}, user("y")], "can not be in `assistant` messages"),
        ([user([THOUGHT])], "can not be in `user` messages"),
        ([user("x"), {"role": "assistant", "content": [THOUGHT]}, user("y")], "messages.1.content.0: Invalid `signature`"),
    ],
)
async def test_the_order_of_blocks(official, messages, words):
    with pytest.raises(anthropic.BadRequestError) as refused:
        await official.messages.create(**asked(messages, tools=[TOOL]))
    assert words in refused.value.api_message


async def test_manual_thinking_wants_its_thought_before_the_call(official):
    with pytest.raises(anthropic.BadRequestError, match="must start with a thinking block"):
        await official.messages.create(**asked([user("x"), CALL, user([RESULT])], tools=[TOOL], thinking=ENABLED))


async def test_results_in_two_messages_are_one_turn(official):
    two = {"role": "assistant", "content": [*CALL["content"], {**CALL["content"][0], "id": "t2"}]}
    messages = [user("x"), two, user([RESULT]), user([{**RESULT, "tool_use_id": "t2"}])]
    assert "`weather` gave" in (await official.messages.create(**asked(messages, tools=[TOOL]))).content[0].text


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (503, anthropic.ServiceUnavailableError),
        (529, anthropic.OverloadedError),
    ],
)
async def test_statuses_are_the_clients_own_errors(official, status, kind):
    with pytest.raises(kind, match="my words") as refused:
        await official.messages.create(**asked(told(status=status, retry_delay="7s", error={"message": "my words"})))
    assert refused.value.response.headers["retry-after"] == "7"


async def test_the_client_tries_again_what_is_refused_once(service):
    async with anthropic.AsyncAnthropic(api_key="k", base_url=service.url, max_retries=1) as client:
        message = await client.messages.create(
            **asked(told(parts=[["answer", "now"]], status=529, times=1, retry_delay="0.1s"))
        )
    assert message.content[0].text == "now"


async def test_keys_versions_and_models(service, official):
    bad = anthropic.AsyncAnthropic(api_key="bad1", base_url=service.url)
    with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
        await bad.messages.create(**asked())
    await bad.close()
    assert "bad1" not in str(list(service.requests))
    with pytest.raises(anthropic.NotFoundError, match="model: nope"):
        await official.messages.create(**{**asked(), "model": "nope"})
    for extra, status in (("", 401), ("x-api-key: k\r\n", 400), ("x-api-key: k\r\nanthropic-version: 1999\r\n", 400)):
        assert (await ask(service, "/v1/messages", asked(), key=None, extra=extra)).status == status


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"temperature": 0.2}, 200),
        ({"temperature": 0.2, "thinking": ADAPTIVE}, 400),
        ({"temperature": 1, "thinking": ADAPTIVE}, 200),
        ({"temperature": 0.2, "model": "claude-opus-5-5"}, 400),
        ({"top_p": 0.9, "model": "claude-opus-5-5"}, 400),
        ({"max_tokens": None}, 400),
    ],
)
async def test_the_older_version_knows_temperature(service, more, status):
    extra = "x-api-key: k\r\nanthropic-version: 2023-06-01\r\n"
    assert (await ask(service, "/v1/messages", {**asked(), **more}, key=None, extra=extra)).status == status


async def test_models_come_in_pages(official):
    listed = [model async for model in official.models.list(limit=2)]
    names = [model.id for model in listed]
    assert (names[0], len(names) == len(set(names)), len(names) > 5) == (MODEL, True, True)
    assert all("offline" in model.display_name for model in listed)
    found = await official.models.retrieve(MODEL)
    assert (found.max_tokens, found.capabilities.thinking.types.adaptive.supported) == (128_000, True)
    newest = await official.models.retrieve("claude-opus-5-5")
    assert not newest.capabilities.thinking.types.disabled.supported
    with pytest.raises(anthropic.NotFoundError):
        await official.models.retrieve("nope")
    with pytest.raises(anthropic.BadRequestError):
        await official.models.list(limit=0)


async def test_tokens_are_counted(official):
    counted = await official.messages.count_tokens(model=MODEL, messages=[user("x" * 400)])
    assert counted.input_tokens == 101
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Extra inputs"):
        await official.messages.count_tokens(model=MODEL, messages=[user("x")], extra_body={"max_tokens": 1})


@pytest.mark.parametrize(("finish", "stop"), [("MAX_TOKENS", "max_tokens"), ("SAFETY", "refusal"), ("STOP", "end_turn")])
async def test_how_it_ends(official, finish, stop):
    prompt = told(parts=[["answer", "x"]], finish=finish)
    assert (await official.messages.create(**asked(prompt))).stop_reason == stop
    assert (await events_of(official, **asked(prompt)))[-2].delta.stop_reason == stop


async def test_without_an_end(official):
    events = await events_of(official, **asked(told(parts=[["answer", "x"]], finish=None)))
    assert events[-1].type == "content_block_stop"


async def test_what_goes_wrong_on_the_way(official):
    with pytest.raises(anthropic.APIStatusError) as broken:
        await events_of(official, **asked(told(frames=3, fault=1, gap=0)))
    assert broken.value.type == "overloaded_error"
    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        await events_of(official, **asked(told(frames=3, cut=1, gap=0)))
    with pytest.raises(anthropic.InternalServerError):
        await official.messages.create(**asked(told(frames=3, fault=1, gap=0)))
    with pytest.raises(anthropic.APIConnectionError):
        await official.messages.create(**asked(told(frames=3, cut=1, gap=0)))


async def test_a_stalled_stream_is_let_go_of_at_once(service, official):
    seen = []
    async with official.messages.stream(**asked(told(frames=3, stall=2, gap=0))) as stream:
        async for text in stream.text_stream:
            seen.append(text)
            if len(seen) == 2:
                break
        assert service.open_streams == 1
    await until(lambda: service.open_streams == 0, 10)


async def test_pauses_are_kept():
    with FakeServices(pace=1) as service:
        async with anthropic.AsyncAnthropic(api_key="k", base_url=service.url) as client:
            events = await events_of(client, **asked(told(frames=2, gap=0)))
    assert "".join(e.delta.text for e in events if e.type == "content_block_delta").startswith("word0")


async def test_pictures_are_looked_at_and_forms_kept(official):
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    seen = await official.messages.create(**asked([user([picture, {"type": "text", "text": "What is it?"}])]))
    assert "image/png" in seen.content[0].text
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
    form = {"format": {"type": "json_schema", "schema": schema}}
    assert '"n"' in (await official.messages.create(**asked(output_config=form))).content[0].text
