"""The official google-genai client's interactions work against the offline service unchanged."""

from __future__ import annotations

import json

import pytest
from google import genai
from google.genai import types
from google.genai._gaos.lib import compat_errors

from tests.support.dialect_prompts import CALLS, SAID, SCHEMA, SUM, sunny, told
from tests.support.raw_requests import ask

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
MODEL = "gemini-3.8-flash"
TOOL = {"type": "function", "name": "weather", "description": "the weather in a city", "parameters": SCHEMA}
SHOWN = {"generation_config": {"thinking_summaries": "auto"}}


def client_of(service, key="k", attempts=1):
    options = types.HttpOptions(base_url=service.url, retry_options=types.HttpRetryOptions(attempts=attempts))
    return genai.Client(api_key=key, http_options=options).aio


@pytest.fixture
async def official(service):
    client = client_of(service)
    yield client.interactions
    await client.aclose()


def asked(content=SUM, **more):
    return {"model": MODEL, "input": content, "store": False, **more}


def prompt(text):
    return {"type": "user_input", "content": [{"type": "text", "text": text}]}


async def events_of(official, **request):
    return [event async for event in await official.create(**request, stream=True)]


def text_of(events):
    return "".join(e.delta.text for e in events if e.event_type == "step.delta" and e.delta.type == "text")


def steps_of(events):
    """The steps that a stream adds up to, as a client sends them back."""
    steps, args = {}, {}
    for event in events:
        if event.event_type == "step.start":
            steps[event.index] = event.step.model_dump(exclude_none=True)
        elif event.event_type == "step.delta":
            delta, step = event.delta, steps[event.index]
            if delta.type == "text":
                step.setdefault("content", []).append({"type": "text", "text": delta.text})
            elif delta.type == "thought_summary":
                step.setdefault("summary", []).append({"type": "text", "text": delta.content.text})
            elif delta.type == "thought_signature":
                step["signature"] = delta.signature
            else:
                args[event.index] = args.get(event.index, "") + delta.arguments
                step["arguments"] = json.loads(args[event.index]) if args[event.index].endswith("}") else {}
    return list(steps.values())


async def test_an_answer_in_one_piece(official):
    interaction = await official.create(**asked())
    assert "**5**" in interaction.output_text
    assert (interaction.id[:8], interaction.status) == ("offline-", "completed")
    assert [step.type for step in interaction.steps] == ["thought", "model_output"]
    assert interaction.steps[0].signature
    assert interaction.steps[0].summary is None
    usage = interaction.usage
    assert usage.total_tokens == usage.total_input_tokens + usage.total_output_tokens + usage.total_thought_tokens


async def test_the_stream_and_the_whole_are_the_same(official):
    request = asked("Why is the sky blue?", **SHOWN)
    events, whole = await events_of(official, **request), await official.create(**request)
    assert text_of(events) == "".join(step.content[0].text for step in whole.steps if step.type == "model_output")
    assert [event.event_type for event in events[:3]] == ["interaction.created", "interaction.status_update", "step.start"]
    last = events[-1]
    assert (last.event_type, last.interaction.status) == ("interaction.completed", "completed")
    assert last.interaction.usage.total_thought_tokens == whole.usage.total_thought_tokens > 0
    thoughts = [e.delta.type for e in events if e.event_type == "step.delta" and e.index == 0]
    assert thoughts == ["thought_summary", "thought_signature"]


async def test_the_stream_to_the_byte(service):
    first, *_, last, end = (await ask(service, "/v1/interactions", asked(stream=True))).body.decode().split("\n\n")
    assert first.startswith('event: interaction.created\ndata: {"interaction": {"id": "offline-v1_')
    assert (last, end) == ("event: done\ndata: [DONE]", "")


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
async def test_all_versions_have_it(service, version):
    assert (await ask(service, f"/{version}/interactions", asked())).status == 200


async def test_models_that_do_not_think(official):
    interaction = await official.create(**{**asked(), "model": "gemini-2.0-flash"})
    assert [step.type for step in interaction.steps] == ["model_output"]


@pytest.mark.parametrize("how", [{}, SHOWN])
@pytest.mark.parametrize(
    "words", [CALLS, told(parts=SAID), told(parts=[["streamed_call", "weather", {"city": "Rome"}]], pieces=3)]
)
async def test_tools_go_round_with_signatures(official, words, how):
    request = asked(words, tools=[TOOL], **how)
    whole, events = await official.create(**request), await events_of(official, **request)
    assert whole.status == events[-1].interaction.status == "requires_action"
    for steps in (whole.steps, steps_of(events)):
        given = [prompt(words)]
        for step in steps:
            given.append(step if isinstance(step, dict) else step.model_dump(mode="json", exclude_none=True))
        calls = [step for step in given if step["type"] == "function_call"]
        results = [
            {"type": "function_result", "call_id": call["id"], "name": "weather", "result": sunny(call["arguments"]["city"])}
            for call in calls
        ]
        final = await official.create(**asked([*given, *results], tools=[TOOL], **how))
        assert all(result["result"] in final.output_text for result in results)


async def test_a_conversation_is_kept_unless_that_is_not_wanted(official):
    first = await official.create(**asked("My name is Zoe.", store=True))
    second = await official.create(**asked("What is my name?", previous_interaction_id=first.id, store=True))
    assert "**Zoe**" in second.output_text
    called = await official.create(**asked(CALLS, tools=[TOOL], previous_interaction_id=second.id, store=True))
    results = [
        {"type": "function_result", "call_id": step.id, "name": "weather", "result": [{"type": "text", "text": "sunny"}]}
        for step in called.steps
        if step.type == "function_call"
    ]
    final = await official.create(**asked(results, tools=[TOOL], previous_interaction_id=called.id))
    assert "sunny" in final.output_text
    with pytest.raises(compat_errors.NotFoundError, match="not found"):
        await official.create(**asked(previous_interaction_id=final.id))


CALL = {"type": "function_call", "id": "c1", "name": "weather", "arguments": {}}
RESULT = {"type": "function_result", "call_id": "c1", "name": "weather", "result": "x"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"foo": 1}, "Unknown parameter 'foo'."),
        ({"model": None}, "The value for 'model' is not supported"),
        ({"generation_config": {"thinking_level": "huge"}}, "'thinking_level' at 'generation_config'"),
        ({"input": [{"type": "function_call", "id": "x", "name": "f"}]}, "parameter 'arguments' is missing at 'input[0]'"),
        ({"input": []}, "begin and end with a user role"),
        ({"input": [prompt("x"), {"type": "model_output", "content": []}]}, "begin and end with a user role"),
        ({"input": [prompt("x"), CALL, prompt("y")]}, "number of function response parts"),
        ({"input": [prompt("x"), CALL, {**CALL, "id": "c2"}, RESULT]}, "number of function response parts"),
        ({"input": [prompt("x"), RESULT]}, "No function call found for the function result with call_id 'c1'"),
        ({"input": [prompt("x"), {"type": "thought", "signature": "AAAA"}, prompt("y")]}, "Invalid thought signature"),
        ({"tools": [{"type": "function"}]}, "'name' is missing at 'tools[0]'"),
        ({"input": told(parts=1)}, "directive is not valid"),
    ],
)
async def test_what_is_wrong_is_a_bad_request(service, more, words):
    answer = await ask(service, "/v1/interactions", {**asked(), **more})
    assert (answer.status, answer.json["error"]["code"]) == (400, "invalid_request")
    assert words in answer.json["error"]["message"]


@pytest.mark.parametrize("given", [[CALL, RESULT], {"type": "text", "text": "hi"}, [{"type": "text", "text": "hi"}], RESULT])
async def test_how_else_input_can_be_written(service, given):
    assert (await ask(service, "/v1/interactions", asked(given))).status == (400 if given is RESULT else 200)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (403, compat_errors.PermissionDeniedError, "permission_denied"),
        (429, compat_errors.RateLimitError, "resource_exhausted"),
        (503, compat_errors.InternalServerError, "unavailable"),
    ],
)
async def test_statuses_are_the_clients_own_errors(official, status, kind, code):
    with pytest.raises(kind) as refused:
        await official.create(**asked(told(status=status, retry_delay="7s", error={"message": "my words"})))
    assert "my words" in str(refused.value)
    assert code in str(refused.value.body)
    assert refused.value.response.headers["retry-after"] == "7"


async def test_the_client_tries_again_what_is_refused_once(service):
    client = client_of(service, attempts=2)
    prompt_ = told(parts=[["answer", "now"]], status=503, times=1, retry_delay="0.1s")
    assert (await client.interactions.create(**asked(prompt_))).output_text == "now"
    await client.aclose()


async def test_keys_and_models(service, official):
    bad = client_of(service, "bad1")
    with pytest.raises(compat_errors.BadRequestError, match="API key not valid"):
        await bad.interactions.create(**asked())
    await bad.aclose()
    with pytest.raises(compat_errors.NotFoundError, match="models/nope is not found"):
        await official.create(**{**asked(), "model": "nope"})
    assert (await ask(service, "/v1/interactions", asked(), key=None)).status == 403


@pytest.mark.parametrize(("finish", "status"), [("MAX_TOKENS", "incomplete"), ("SAFETY", "failed")])
async def test_how_it_ends_early(official, finish, status):
    last = (await events_of(official, **asked(told(parts=[["answer", "x"]], finish=finish))))[-1]
    assert last.interaction.status == status


async def test_what_goes_wrong_on_the_way(official):
    error = (await events_of(official, **asked(told(frames=3, fault=1, gap=0))))[-1]
    assert (error.event_type, error.error.code) == ("error", "unavailable")
    with pytest.raises(compat_errors.APIConnectionError):
        await events_of(official, **asked(told(frames=3, cut=1, gap=0)))
    with pytest.raises(compat_errors.InternalServerError):
        await official.create(**asked(told(frames=3, fault=1, gap=0)))
    unended = await events_of(official, **asked(told(parts=[["answer", "x"]], finish=None)))
    assert unended[-1].event_type == "step.stop"


async def test_pictures_are_looked_at_and_forms_kept(official):
    picture = {"type": "image", "data": "iVBORw0KGgo=", "mime_type": "image/png"}
    seen = await official.create(**asked([{"type": "text", "text": "What is it?"}, picture]))
    assert "image/png" in seen.output_text
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "text", "mime_type": "application/json", "schema": schema}
    assert set(json.loads((await official.create(**asked(response_format=form))).output_text)) == {"n"}
