"""The official openai client's Chat Completions work against the offline service unchanged."""

from __future__ import annotations

import json

import httpx2
import openai
import pytest

from tests.support.dialect_prompts import CALLS, SAID, SCHEMA, SUM, sunny, told
from tests.support.raw_requests import ask

MODEL = "gpt-offline"
TOOL = {"type": "function", "function": {"name": "weather", "description": "the weather in a city", "parameters": SCHEMA}}
KEY = "Authorization: Bearer k\r\n"


@pytest.fixture
async def official(service):
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{service.url}/v1", max_retries=0) as client:
        yield client


def user(content):
    return {"role": "user", "content": content}


def asked(content=SUM, **more):
    return {"model": MODEL, "messages": content if isinstance(content, list) else [user(content)], **more}


async def chunks_of(official, **request):
    return [chunk async for chunk in await official.chat.completions.create(**request, stream=True)]


def said(chunks, name="content"):
    return "".join(getattr(chunk.choices[0].delta, name, None) or "" for chunk in chunks if chunk.choices)


async def test_an_answer_in_one_piece(official):
    completion = await official.chat.completions.create(**asked())
    (choice,) = completion.choices
    assert "**5**" in choice.message.content
    assert "needs no model" in choice.message.reasoning_content
    assert (completion.id[:8], choice.finish_reason) == ("offline-", "stop")
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


async def test_the_stream_and_the_whole_are_the_same(official):
    whole = (await official.chat.completions.create(**asked("Why is the sky blue?"))).choices[0].message
    chunks = await chunks_of(official, **asked("Why is the sky blue?"))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert (said(chunks), said(chunks, "reasoning_content")) == (whole.content, whole.reasoning_content)
    assert (chunks[-1].choices[0].finish_reason, chunks[-1].usage) == ("stop", None)


async def test_usage_comes_last_if_asked_for(official):
    *chunks, last = await chunks_of(official, **asked(stream_options={"include_usage": True}))
    assert (last.choices, last.usage.completion_tokens > 1) == ([], True)
    assert all(chunk.usage is None for chunk in chunks)


async def test_the_stream_to_the_byte(service):
    answer = await ask(service, "/v1/chat/completions", asked(stream=True), key=None, extra=KEY)
    events = answer.body.decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(event.startswith("data: {") and "\n" not in event for event in events[:-2])
    assert "usage" not in json.loads(events[0].removeprefix("data: "))


async def test_without_effort_there_are_no_thoughts(official):
    message = (await official.chat.completions.create(**asked(reasoning_effort="none"))).choices[0].message
    assert not hasattr(message, "reasoning_content")


@pytest.mark.parametrize(
    "prompt", [CALLS, told(parts=SAID), told(parts=[["streamed_call", "weather", {"city": "Rome"}]], pieces=3)]
)
async def test_tools_go_round(official, prompt):
    message = (await official.chat.completions.create(**asked(prompt, tools=[TOOL]))).choices[0].message
    calls = {}
    for chunk in await chunks_of(official, **asked(prompt, tools=[TOOL])):
        for call in chunk.choices[0].delta.tool_calls or ():
            calls.setdefault(call.index, [call.function.name, ""])[1] += call.function.arguments
    assert list(calls.values()) == [[call.function.name, call.function.arguments] for call in message.tool_calls]
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": sunny(json.loads(call.function.arguments)["city"])}
        for call in message.tool_calls
    ]
    final = await official.chat.completions.create(**asked([user(prompt), message, *results], tools=[TOOL]))
    assert sunny("Rome") in final.choices[0].message.content


async def test_how_it_ends(official):
    for finish, reason in (("MAX_TOKENS", "length"), ("SAFETY", "content_filter")):
        completion = await official.chat.completions.create(**asked(told(parts=[["answer", "x"]], finish=finish)))
        assert completion.choices[0].finish_reason == reason
    assert (await official.chat.completions.create(**asked(CALLS, tools=[TOOL]))).choices[0].finish_reason == "tool_calls"
    chunks = await chunks_of(official, **asked(told(parts=[["answer", "x"]], finish=None)))
    assert chunks[-1].choices[0].finish_reason is None


CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
CALLED = {"role": "assistant", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "x"}


@pytest.mark.parametrize(
    ("more", "words", "param"),
    [
        ({"extra_body": {"foo": 1}}, "Unknown parameter: 'foo'.", "foo"),
        ({"messages": []}, "empty array", "messages"),
        ({"messages": [{"role": "user"}]}, "Missing required parameter: 'messages[0].content'.", "messages[0].content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "Invalid value for 'messages[0].role'", "messages[0].role"),
        ({"messages": [user("x"), {"role": "assistant"}]}, "content or tool_calls", "messages.[1].content"),
        ({"messages": [user("x"), CALLED, user("y")]}, "did not have response messages: c1", "messages.[2].role"),
        ({"messages": [user("x"), RESULT]}, "must be a response to", "messages.[1].role"),
        (
            {"messages": [user("x"), CALLED, RESULT, {**RESULT, "tool_call_id": "c2"}]},
            "'c2' not found",
            "messages.[3].tool_call_id",
        ),
        ({"stream_options": {"include_usage": True}}, "only allowed when 'stream' is enabled", "stream_options"),
        ({"n": 2}, "Invalid value for 'n'", "n"),
        ({"model": "gpt-6.1-sol", "max_tokens": 5}, "Use 'max_completion_tokens' instead", "max_tokens"),
        ({"reasoning_effort": "huge"}, "Invalid value for 'reasoning_effort'", "reasoning_effort"),
        ({"messages": [user(told(parts=1))]}, "directive is not valid", None),
    ],
)
async def test_what_is_wrong_is_a_bad_request(official, more, words, param):
    with pytest.raises(openai.BadRequestError) as refused:
        await official.chat.completions.create(**{**asked(), **more})
    assert words in refused.value.message
    assert (refused.value.type, refused.value.param) == ("invalid_request_error", param)


@pytest.mark.parametrize(
    "messages", [[{"role": "system", "content": "x"}], [CALLED, RESULT], [user("x"), {"role": "assistant", "content": "y"}]]
)
async def test_strange_but_legal(official, messages):
    assert (await official.chat.completions.create(**asked(messages))).choices[0].message.content


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, openai.PermissionDeniedError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_statuses_are_the_clients_own_errors(official, status, kind):
    with pytest.raises(kind, match="my words") as refused:
        await official.chat.completions.create(**asked(told(status=status, retry_delay="7s", error={"message": "my words"})))
    assert refused.value.response.headers["retry-after"] == "7"
    assert refused.value.code == ("rate_limit_exceeded" if status == 429 else None)


async def test_the_client_tries_again_what_is_refused_once(service):
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{service.url}/v1", max_retries=1) as client:
        prompt = told(parts=[["answer", "now"]], status=503, times=1, retry_delay="0.1s")
        assert (await client.chat.completions.create(**asked(prompt))).choices[0].message.content == "now"


async def test_keys_and_models(service, official):
    async with openai.AsyncOpenAI(api_key="bad1", base_url=f"{service.url}/v1") as bad:
        with pytest.raises(openai.AuthenticationError) as refused:
            await bad.chat.completions.create(**asked())
    assert refused.value.code == "invalid_api_key"
    assert "bad1" not in str(list(service.requests)) + str(refused.value)
    assert (await ask(service, "/v1/chat/completions", asked(), key=None)).status == 401
    with pytest.raises(openai.NotFoundError) as missing:
        await official.chat.completions.create(**{**asked(), "model": "nope"})
    assert missing.value.code == "model_not_found"


async def test_models_are_openais_when_openai_is_asked(official):
    listed = [model async for model in official.models.list()]
    assert listed[0].id == MODEL
    assert {model.owned_by for model in listed} == {"nbgemini-offline"}
    assert (await official.models.retrieve(MODEL)).object == "model"
    with pytest.raises(openai.NotFoundError):
        await official.models.retrieve("nope")


async def test_what_goes_wrong_on_the_way(official):
    with pytest.raises(openai.APIError, match="overloaded"):
        await chunks_of(official, **asked(told(frames=3, fault=1, gap=0)))
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        await chunks_of(official, **asked(told(frames=3, cut=1, gap=0)))
    with pytest.raises(openai.InternalServerError):
        await official.chat.completions.create(**asked(told(frames=3, fault=1, gap=0)))


async def test_pictures_are_looked_at_and_forms_kept(official):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    file = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}}
    seen = await official.chat.completions.create(**asked([user([picture, sound, file, {"type": "text", "text": "What?"}])]))
    for kind in ("image/png", "audio/wav", "application/pdf"):
        assert kind in seen.choices[0].message.content
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "number", "schema": schema}}
    formed = await official.chat.completions.create(**asked(response_format=form))
    assert set(json.loads(formed.choices[0].message.content)) == {"n"}
