"""The official google-genai client works against the offline service unchanged, sync and async."""

from __future__ import annotations

import pytest
from google import genai
from google.genai import errors, types

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
FAMILIES = ["gemini-3.8-flash", "gemini-2.5-flash", "gemini-2.0-flash", "gemini-4-carbon"]


@pytest.fixture
def official(service):
    return genai.Client(api_key="k", http_options=types.HttpOptions(base_url=service.url))


@pytest.mark.parametrize("model", FAMILIES)
def test_generate_and_stream(official, model):
    assert "**5**" in official.models.generate_content(model=model, contents="what is 2 + 3").text
    chunks = list(official.models.generate_content_stream(model=model, contents="what is 2 + 3"))
    assert "**5**" in "".join(chunk.text or "" for chunk in chunks)
    assert chunks[-1].candidates[0].finish_reason == "STOP"
    usage = chunks[-1].usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count + (
        usage.thoughts_token_count or 0
    )


def test_thoughts_come_when_they_are_asked_for(official):
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
    reply = official.models.generate_content(model="gemini-3.8-flash", contents="what is 2 + 3", config=config)
    assert [bool(part.thought) for part in reply.candidates[0].content.parts] == [True, False, False]


def test_a_chat_remembers(official):
    chat = official.chats.create(model="gemini-3.8-flash")
    chat.send_message("My name is Zoe.")
    assert "Zoe" in chat.send_message("What is my name?").text


@pytest.mark.parametrize("model", FAMILIES)
def test_automatic_function_calling_passes_the_signature_check(official, model):
    called = []

    def weather(city: str) -> str:
        """Return the weather in a city."""
        called.append(city)
        return f"sunny in {city}"

    chat = official.chats.create(model=model, config=types.GenerateContentConfig(tools=[weather]))
    assert "sunny in Rome" in chat.send_message("call weather(city='Rome') and call weather(city='Oslo')").text
    assert called == ["Rome", "Oslo"]
    assert "sunny in Bern" in chat.send_message("call weather(city='Bern')").text


def test_tokens_and_models(official):
    assert official.models.count_tokens(model="gemini-3.8-flash", contents="hello there").total_tokens > 1
    names = [model.name for model in official.models.list(config={"page_size": 5})]
    assert len(names) == len(set(names)) > 10
    assert official.models.get(model="gemini-3.8-flash").input_token_limit == 1_048_576


def test_errors_are_googles(service, official):
    wrong = genai.Client(api_key="bad", http_options=types.HttpOptions(base_url=service.url))
    with pytest.raises(errors.ClientError, match="API key not valid"):
        wrong.models.generate_content(model="gemini-3.8-flash", contents="x")
    with pytest.raises(errors.ClientError, match="is not found for API version v1"):
        official.models.generate_content(model="nope", contents="x")


async def test_the_async_client(official):
    assert "**5**" in (await official.aio.models.generate_content(model="gemini-3.8-flash", contents="what is 2 + 3")).text
    said = [
        chunk.text or ""
        async for chunk in await official.aio.models.generate_content_stream(model="gemini-3.8-flash", contents="2 + 3")
    ]
    assert "**5**" in "".join(said)
    await official.aio.aclose()
