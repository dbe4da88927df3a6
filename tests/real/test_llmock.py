"""A server that fails on demand, and its verdict over how that was borne."""

from __future__ import annotations

import pytest

from nbgemini import Client, Settings
from nbgemini.errors import ApiError, NbGeminiError
from nbgemini.secrets import Secret
from tests.real.conftest import KEY, services, told

DIALECTS = {
    "chat": ("openai-chat", "/v1"),
    "responses": ("openai", "/v1"),
    "messages": ("anthropic", "/anthropic"),
}
MODELS = {
    "chat": "chat:gpt-4o",
    "responses": "responses:gpt-4o",
    "messages": "messages:claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
}


@pytest.fixture
async def client(llmock):
    await told(llmock, "/_llmock/reset", reset=True)
    async with Client(Settings(services=services(llmock, **DIALECTS), key=Secret(KEY), base_url=f"{llmock}/gemini")) as asking:
        yield asking


async def script(url, *behaviours):
    await told(url, "/_llmock/scenario", behaviors=list(behaviours))


async def verdict(url):
    """What is held against us, and how often we asked and were failed."""
    judged = await told(url, "/_llmock/verdict")
    return [finding["code"] for finding in judged["findings"]], judged["attempts"], judged["faults_injected"]


@pytest.mark.parametrize("service", MODELS)
async def test_a_tool_is_called_and_its_result_taken(client, llmock, service):
    def weather(city: str) -> str:
        """Say how the weather is."""
        return f"sunny in {city}"

    reply = await client.chat(service, tools=[weather], approve="auto").ask("How is the weather?", model=MODELS[service])
    assert (reply.state, [call.name for call in reply.tool_calls]) == ("complete", ["weather"])
    assert reply.text
    assert await verdict(llmock) == ([], 2, 0)


@pytest.mark.parametrize("service", MODELS)
async def test_what_passes_is_waited_out_as_long_as_was_asked_for(client, llmock, service):
    await script(llmock, {"type": "fail", "status": 429, "retry_after": 1}, {"type": "fail", "status": 503})
    reply = await client.generate("Hello", model=MODELS[service])
    assert (reply.state, reply.retries) == ("complete", 2)
    assert await verdict(llmock) == ([], 3, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
@pytest.mark.parametrize("service", MODELS)
async def test_what_can_not_pass_is_not_asked_again(client, llmock, service, status):
    await script(llmock, {"type": "fail", "status": status})
    with pytest.raises(ApiError):
        await client.generate("Hello", model=MODELS[service])
    assert await verdict(llmock) == ([], 1, 1)


@pytest.mark.parametrize("kind", ["disconnect", "truncate"])
@pytest.mark.parametrize("service", MODELS)
async def test_a_stream_that_breaks_before_its_first_word_is_asked_again(client, llmock, service, kind):
    await script(llmock, {"type": "stream_fault", "kind": kind, "after_chunks": 0})
    reply = await client.generate("Hello", model=MODELS[service])
    codes, attempts, faults = await verdict(llmock)
    assert (reply.state, attempts, faults) == ("complete", 2, 1)
    assert codes == []


@pytest.mark.parametrize("kind", ["disconnect", "truncate", "malformed"])
@pytest.mark.parametrize("service", MODELS)
async def test_what_was_shown_before_a_stream_broke_is_kept_and_not_taken_for_a_whole_answer(client, llmock, service, kind):
    """Asking again would show it twice: the judge, who sees the traffic alone, calls that giving up."""
    told_off = {"type": "stream_fault", "kind": kind, "after_chunks": 8}
    await script(llmock, {"type": "reply", "text": "one two three four five six seven eight nine ten " * 4}, told_off)
    try:
        reply = await client.generate("Hello", model=MODELS[service])
    except NbGeminiError as error:
        reply = error.reply
    assert reply.state in ("truncated", "failed")
    assert reply.text.startswith("one")
    assert reply.error is not None
    assert (await verdict(llmock))[1:] == (1, 1)
