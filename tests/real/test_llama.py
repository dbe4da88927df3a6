"""A real model behind llama.cpp's own server: three dialects, one machine, no network."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest
from msgspec import structs

from nbgemini import Client, Settings
from nbgemini.errors import ApiError
from nbgemini.messages.segments import SegmentDelta
from nbgemini.offline.server import OfflineService
from nbgemini.secrets import Secret
from tests.real.conftest import KEY, services, told

DIALECTS = ("chat", "responses", "messages")
SPOKEN = {"chat": ("openai-chat", "/v1"), "responses": ("openai", "/v1"), "messages": ("anthropic", "")}
SHORT = {"max_tokens": 24}


@dataclasses.dataclass
class City:
    name: str
    people: int


def model(service):
    return f"{service}:smollm2"


async def test_models_are_listed(client):
    for service in ("chat", "responses"):
        assert [one.name for one in await client.list_models(service)] == ["smollm2"]


@pytest.mark.parametrize("service", DIALECTS)
async def test_an_answer_streams(client, service):
    chat, pieces = client.chat(service), []
    reply = chat.begin("Count from one to twenty.", model=model(service), **SHORT)
    await chat.drive(reply, lambda changes: pieces.extend(c.text for c in changes if isinstance(c, SegmentDelta)))
    assert reply.error is None
    assert reply.state == ("complete" if service == "responses" else "truncated")  # its Responses don't tell
    assert len(pieces) > 3
    assert "".join(pieces) == reply.text
    assert reply.usage.output == SHORT["max_tokens"]
    assert reply.usage.input > 0


@pytest.mark.parametrize("service", DIALECTS)
async def test_a_chat_goes_on(client, service):
    chat = client.chat(service)
    first = await chat.ask("Say one word.", model=model(service), **SHORT)
    second = await chat.ask("And another.", model=model(service), **SHORT)
    assert second.usage.input > first.usage.input + first.usage.output // 2
    assert second.text


@pytest.mark.parametrize("service", DIALECTS)
async def test_the_server_sees_a_stop(client, llama, service):
    chat, began = client.chat(service), asyncio.Event()
    reply = chat.begin("Tell me a very long story.", model=model(service), max_tokens=1500)
    driving = asyncio.create_task(chat.drive(reply, lambda changes: changes and began.set()))
    await asyncio.wait_for(began.wait(), 60)
    reply.stop()
    await driving
    assert reply.state == "interrupted"
    async with asyncio.timeout(20):
        while any(slot["is_processing"] for slot in await told(llama, "/slots")):
            await asyncio.sleep(0.05)
    assert 0 < len(reply.text.split()) < 1000
    assert (await client.generate("Say hi.", model=model(service), **SHORT)).text


@pytest.mark.parametrize("service", DIALECTS)
async def test_what_is_too_long_says_so_and_what_to_do(client, service):
    with pytest.raises(ApiError, match="tokens too many") as caught:
        await client.generate("word " * 4000, model=model(service), **SHORT)
    assert "drop, reset or fork" in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_schema_is_obeyed(ending_llama):
    async with Client(Settings(services=services(ending_llama, chat=SPOKEN["chat"]))) as client:
        reply = await client.generate("Name a city and its people.", model=model("chat"), schema=City, max_tokens=1000)
    assert reply.misfit == ""
    assert isinstance(reply.parsed, City)


@pytest.mark.parametrize("service", ["responses", "messages"])
async def test_where_a_schema_is_not_enforced_the_misfit_is_told(client, service):
    reply = await client.generate("Say hello.", model=model(service), schema=City, **SHORT)
    assert isinstance(reply.parsed, City) or reply.misfit or reply.error


async def test_a_wrong_key_is_said_to_be_wrong(llama):
    spoken = services(llama, chat=("openai-chat", "/v1"))
    wrong = {name: structs.replace(service, key=Secret("sk-wrong")) for name, service in spoken.items()}
    async with Client(Settings(services=wrong)) as stranger:
        with pytest.raises(ApiError) as caught:
            await stranger.generate("Say hi.", model=model("chat"))
    assert type(caught.value).__name__ == "AuthenticationError"
    assert KEY not in str(caught.value)


async def test_many_rows_are_asked(client):
    rows = await client.map("Say {row}.", ["yes", "no", "maybe"], model=model("chat"), store=False, **SHORT)
    assert [row.state in ("complete", "truncated") for row in rows] == [True] * 3
    assert all(rows.texts)


@pytest.mark.parametrize("service", DIALECTS)
async def test_a_call_and_its_result_are_understood(llama, service):
    """The model is too small to call by itself: another service's call goes on here, and more tools are offered."""

    def double(number: int) -> int:
        """Double a number."""
        return 2 * number

    with OfflineService(pace=0) as offline:
        async with Client(Settings(Secret("offline"), offline.url, services=services(llama, **SPOKEN))) as both:
            chat = both.chat("tools", tools=[double], approve="auto")
            called = await chat.ask("offline: " + json.dumps({"parts": [["call", "double", {"number": 21}]]}))
            assert [call.name for call in called.tool_calls] == ["double"]
            reply = await chat.ask("What came of it?", model=model(service), **SHORT)
    assert reply.state in ("complete", "truncated")
    assert reply.error is None
    assert reply.text
