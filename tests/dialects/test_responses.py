"""The official openai client's Responses work against the offline service unchanged."""

from __future__ import annotations

import json

import httpx2
import openai
import pytest

from tests.fakes.dialects.conversation_store import ConversationStore
from tests.support.dialect_prompts import CALLS, SAID, SCHEMA, SUM, sunny, told
from tests.support.raw_requests import ask

MODEL = "gpt-offline"
TOOL = {"type": "function", "name": "weather", "description": "the weather in a city", "parameters": SCHEMA, "strict": False}
KEY = "Authorization: Bearer k\r\n"
SEALED = {"include": ["reasoning.encrypted_content"], "store": False}
SHOWN = {"reasoning": {"effort": "low", "summary": "auto"}}


@pytest.fixture
async def official(service):
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{service.url}/v1", max_retries=0) as client:
        yield client


def asked(content=SUM, **more):
    return {"model": MODEL, "input": content, **more}


def user(content):
    return {"role": "user", "content": content}


async def events_of(official, **request):
    return [event async for event in await official.responses.create(**request, stream=True)]


async def test_an_answer_in_one_piece(official):
    response = await official.responses.create(**asked())
    assert "**5**" in response.output_text
    assert (response.id[:8], response.status, response.error) == ("offline-", "completed", None)
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert (response.output[0].summary, response.output[0].encrypted_content) == ([], None)
    usage = response.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert usage.output_tokens > usage.output_tokens_details.reasoning_tokens > 0


async def test_events_are_numbered_and_add_up(official):
    events = await events_of(official, **asked("Why is the sky blue?", **SHOWN, **SEALED))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[2:7] == [
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
    ]
    assert kinds[-1] == "response.completed"
    final = events[-1].response
    assert final.output_text == "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert final.output == [event.item for event in events if event.type == "response.output_item.done"]
    assert all(item.encrypted_content for item in final.output if item.type == "reasoning")
    whole = await official.responses.create(**asked("Why is the sky blue?", **SHOWN, **SEALED))
    assert whole.output_text == final.output_text
    assert whole.usage == final.usage


async def test_the_stream_to_the_byte(service):
    answer = await ask(service, "/v1/responses", asked(stream=True), key=None, extra=KEY)
    first, *_, last, end = answer.body.decode().split("\n\n")
    assert first.startswith('event: response.created\ndata: {"type": "response.created", "sequence_number": 0, ')
    assert last.startswith("event: response.completed\n")
    assert end == ""


async def test_without_effort_there_are_no_thoughts(official):
    response = await official.responses.create(**asked(reasoning={"effort": "none"}))
    assert [item.type for item in response.output] == ["message"]


@pytest.mark.parametrize("how", [SEALED, {**SEALED, **SHOWN}, {}])
@pytest.mark.parametrize(
    "prompt", [CALLS, told(parts=SAID), told(parts=[["streamed_call", "weather", {"city": "Rome"}]], pieces=3)]
)
async def test_tools_go_round_with_what_was_thought(official, prompt, how):
    response = (await events_of(official, **asked(prompt, tools=[TOOL], **how)))[-1].response
    calls = [item for item in response.output if item.type == "function_call"]
    assert response.output[0].type == "reasoning"
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": sunny(json.loads(call.arguments)["city"])}
        for call in calls
    ]
    final = await official.responses.create(**asked([user(prompt), *response.output, *results], tools=[TOOL], **how))
    assert all(result["output"] in final.output_text for result in results)


async def test_arguments_come_in_fragments(official):
    parts = [["streamed_call", "weather", {"city": "Rome and Oslo"}]]
    events = await events_of(official, **asked(told(parts=parts, pieces=4), tools=[TOOL]))
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    (done,) = (event for event in events if event.type == "response.function_call_arguments.done")
    assert len(pieces) > 2
    assert "".join(pieces) == done.arguments == '{"city": "Rome and Oslo"}'


async def test_a_conversation_is_kept_unless_that_is_not_wanted(official):
    first = await official.responses.create(**asked("My name is Zoe."))
    second = await official.responses.create(**asked("What is my name?", previous_response_id=first.id))
    assert "**Zoe**" in second.output_text
    called = await official.responses.create(**asked(CALLS, tools=[TOOL], previous_response_id=second.id))
    results = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "sunny"}
        for item in called.output
        if item.type == "function_call"
    ]
    final = await official.responses.create(**asked(results, tools=[TOOL], previous_response_id=called.id))
    assert "sunny" in final.output_text
    unkept = await official.responses.create(**asked(store=False))
    with pytest.raises(openai.BadRequestError) as refused:
        await official.responses.create(**asked(previous_response_id=unkept.id))
    assert refused.value.code == "previous_response_not_found"


def test_only_so_much_is_kept():
    kept = ConversationStore()
    for number in range(1001):
        kept.keep(str(number), [number], {f"item{number}"})
    assert (kept.found("0"), kept.found("1000"), len(kept.items)) == (None, [1000], 1000)


CALL = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "x"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}


@pytest.mark.parametrize(
    ("more", "words", "code"),
    [
        ({"extra_body": {"foo": 1}}, "Unknown parameter: 'foo'.", "unknown_parameter"),
        ({"input": [{"role": "user", "content": "x", "bold": 1}]}, "Unknown parameter: 'input[0].bold'.", "unknown_parameter"),
        ({"input": [{"role": "user"}]}, "Missing required parameter: 'input[0].content'.", "missing_required_parameter"),
        ({"input": []}, "Missing required parameter: 'input'.", "missing_required_parameter"),
        ({"include": ["nope"]}, "Invalid value for 'include[0]'", "invalid_value"),
        ({"tools": [{"type": "function"}]}, "'tools[0].name'", "missing_required_parameter"),
        ({"max_output_tokens": 1}, "Invalid value for 'max_output_tokens'", "invalid_value"),
        ({"input": [user("x"), CALL]}, "No tool output found for function call c1.", None),
        ({"input": [user("x"), RESULT]}, "No tool call found for function call output with call_id c1.", None),
        (
            {"input": [user("x"), {**THOUGHT, "encrypted_content": "forged"}]},
            "could not be verified",
            "invalid_encrypted_content",
        ),
        ({"input": told(parts=1)}, "directive is not valid", None),
    ],
)
async def test_what_is_wrong_is_a_bad_request(official, more, words, code):
    with pytest.raises(openai.BadRequestError) as refused:
        await official.responses.create(**{**asked(), **more})
    assert words in refused.value.message
    assert (refused.value.type, refused.value.code) == ("invalid_request_error", code)


async def test_thoughts_that_are_neither_sealed_nor_kept(official):
    with pytest.raises(openai.NotFoundError, match="'rs_1' not found"):
        await official.responses.create(**asked([user("x"), THOUGHT, user("y")]))


@pytest.mark.parametrize(
    "given", [[{"role": "developer", "content": "x"}], [CALL, RESULT], [user("x"), {"role": "assistant", "content": "y"}]]
)
async def test_strange_but_legal(official, given):
    assert (await official.responses.create(**asked(given))).output_text


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_statuses_are_the_clients_own_errors(official, status, kind):
    with pytest.raises(kind, match="my words") as refused:
        await official.responses.create(**asked(told(status=status, retry_delay="7s", error={"message": "my words"})))
    assert refused.value.response.headers["retry-after"] == "7"


async def test_keys_and_models(service, official):
    async with openai.AsyncOpenAI(api_key="bad1", base_url=f"{service.url}/v1") as bad:
        with pytest.raises(openai.AuthenticationError):
            await bad.responses.create(**asked())
    with pytest.raises(openai.NotFoundError):
        await official.responses.create(**{**asked(), "model": "nope"})


@pytest.mark.parametrize(("finish", "reason"), [("MAX_TOKENS", "max_output_tokens"), ("SAFETY", "content_filter")])
async def test_how_it_ends_early(official, finish, reason):
    last = (await events_of(official, **asked(told(parts=[["answer", "x"]], finish=finish))))[-1]
    assert (last.type, last.response.status) == ("response.incomplete", "incomplete")
    assert last.response.incomplete_details.reason == reason


async def test_without_an_end(official):
    events = await events_of(official, **asked(told(parts=[["answer", "x"]], finish=None)))
    assert events[-1].type == "response.output_item.done"


async def test_what_goes_wrong_on_the_way(official):
    *_, error, failed = await events_of(official, **asked(told(frames=3, fault=1, gap=0)))
    assert (error.type, error.code, failed.type, failed.response.error.code) == (
        "error",
        "server_error",
        "response.failed",
        "server_error",
    )
    assert error.sequence_number + 1 == failed.sequence_number
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        await events_of(official, **asked(told(frames=3, cut=1, gap=0)))
    with pytest.raises(openai.InternalServerError):
        await official.responses.create(**asked(told(frames=3, fault=1, gap=0)))


async def test_pictures_are_looked_at_and_forms_kept(official):
    picture = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"}
    file = {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}
    seen = await official.responses.create(**asked([user([picture, file, {"type": "input_text", "text": "What?"}])]))
    assert "image/png" in seen.output_text
    assert "application/pdf" in seen.output_text
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
    form = {"format": {"type": "json_schema", "name": "number", "schema": schema, "strict": True}}
    assert set(json.loads((await official.responses.create(**asked(text=form))).output_text)) == {"n"}


async def test_long_answers_take_no_longer_than_they_are_long(official):
    events = await events_of(official, **asked(told(frames=3000, gap=0, chars=30)))
    assert sum(event.type == "response.output_text.delta" for event in events) == 3000
