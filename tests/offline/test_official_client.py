"""The official google-genai client works against the offline service unchanged, sync and async."""

from __future__ import annotations

import json

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from nbgemini.offline.server import OfflineService
from tests.fakes.tape import record

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


def told(**directive):
    return f"offline: {json.dumps(directive)}"


BOTH = [["call", "weather", {"city": "Rome"}], ["call", "weather", {"city": "Oslo"}]]


@pytest.mark.parametrize("parts", [BOTH, [["frame", *BOTH]], [["thought", "hm"], ["answer", "I look."], *BOTH]])
@pytest.mark.parametrize("model", FAMILIES)
def test_directed_calls_go_round(official, model, parts):
    """The calls are made once, their results go back with ids and signatures as they came, and are answered in words."""
    called = []

    def weather(city: str) -> str:
        """Return the weather in a city."""
        called.append(city)
        return f"sunny in {city}"

    config = types.GenerateContentConfig(tools=[weather])
    assert "sunny in Rome" in official.models.generate_content(model=model, contents=told(parts=parts), config=config).text
    chat = official.chats.create(model=model, config=config)
    said = "".join(chunk.text or "" for chunk in chat.send_message_stream(told(parts=parts)))
    assert "sunny in Oslo" in said
    assert called == ["Rome", "Oslo"] * 2
    assert "**5**" in chat.send_message("what is 2 + 3").text


def test_arguments_in_pieces_arrive(official):
    asked = told(parts=[["streamed_call", "book", {"seat": "12A", "n": 2}]], pieces=2)
    chunks = official.models.generate_content_stream(model="gemini-3.8-flash", contents=asked)
    calls = [part.function_call for chunk in chunks for part in chunk.candidates[0].content.parts if part.function_call]
    assert (calls[0].name, calls[0].will_continue) == ("book", True)
    values = [value for call in calls for value in call.partial_args or ()]
    assert [(value.json_path, value.string_value, value.number_value) for value in values] == [
        ("$.seat", "12", None),
        ("$.seat", "A", None),
        ("$.n", None, 2.0),
    ]
    assert calls[-1].will_continue is None


def test_signatures_of_a_cassette_come_back_through_the_client(tmp_path):
    call = {"functionCall": {"id": "x1", "name": "weather", "args": {"city": "Rome"}}, "thoughtSignature": "CiQB0e2Kb+/x8w=="}
    frame = {"candidates": [{"content": {"role": "model", "parts": [call]}, "finishReason": "STOP"}]}
    tool = types.Tool(function_declarations=[types.FunctionDeclaration(name="weather")])
    config = types.GenerateContentConfig(tools=[tool])
    asked = [types.UserContent("Rome?")]
    with OfflineService(pace=0) as recorder:
        client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=recorder.url))
        client.models.generate_content(model="gemini-3.8-flash", contents=asked, config=config)
        body = recorder.requests[-1].body
    record(tmp_path / "tape", "gemini-3.8-flash", body, [(0, frame)])
    with OfflineService(pace=0, cassette=tmp_path / "tape") as service:
        client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=service.url))
        reply = client.models.generate_content(model="gemini-3.8-flash", contents=asked, config=config)
        answer = types.Part.from_function_response(name="weather", response={"result": "sunny"})
        history = [*asked, reply.candidates[0].content, types.UserContent(answer)]
        assert "sunny" in client.models.generate_content(model="gemini-3.8-flash", contents=history, config=config).text


def test_what_goes_wrong_in_one_piece(official):
    with pytest.raises(errors.ServerError, match="overloaded"):
        official.models.generate_content(model="gemini-3.8-flash", contents=told(frames=3, fault=1))
    with pytest.raises(httpx2.RemoteProtocolError):
        official.models.generate_content(model="gemini-3.8-flash", contents=told(frames=3, cut=1, gap=0))


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
