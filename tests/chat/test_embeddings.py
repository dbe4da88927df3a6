"""Vectors end to end, against the offline service: in order, a hundred in a request, requests side by side."""

from __future__ import annotations

import asyncio
import json
import math

import msgspec
import pytest

from nbgemini import Client
from nbgemini.errors import ApiError, PromptError, ServerError
from nbgemini.transport.http import HttpSource
from tests.canary import CANARY


def asked(service):
    return [request.body["requests"] for request in service.requests]


def likeness(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


async def test_one_text_is_one_vector(client):
    [vector] = await client.embed("the sky is blue")
    assert all(isinstance(number, float) for number in vector)
    assert await client.embed("the sky is blue") == [vector]


async def test_vectors_come_in_the_order_of_the_texts_from_requests_of_a_hundred(client, service):
    texts = [f"word{number}" for number in range(250)]
    vectors = await client.embed(texts)
    assert sorted(len(one) for one in asked(service)) == [50, 100, 100]
    assert len(vectors) == len(texts)
    for number in (0, 99, 100, 249):
        assert vectors[number] == (await client.embed(texts[number]))[0]


async def test_what_the_service_refuses_is_one_error_and_no_group(client):
    """Of a group, even as its context, IPython shows the whole traceback."""
    with pytest.raises(ApiError, match="output_dimensionality") as refused:
        await client.embed(["hi"] * 250, dimensions=-1)
    assert refused.value.__context__ is None


async def test_any_iterable_is_many_texts(client):
    assert len(await client.embed(text for text in ("one", "two"))) == 2
    assert await client.embed([]) == []


async def test_texts_that_share_words_are_near(client):
    near, also, far = await client.embed(["a cat on a mat", "the cat on the mat", "quarterly revenue"])
    assert likeness(near, also) > likeness(near, far)


async def test_length_task_and_model_are_asked_for(client, service):
    [vector] = await client.embed("hi", dimensions=256, task="retrieval query", model="gemini-embedding-2")
    assert len(vector) == 256
    [[request]] = asked(service)
    assert request == {
        "model": "models/gemini-embedding-2",
        "content": {"parts": [{"text": "hi"}]},
        "taskType": "RETRIEVAL_QUERY",
        "outputDimensionality": 256,
    }


async def test_trouble_that_passes_is_waited_out(client, service):
    [vector] = await client.embed(f"offline: {json.dumps({'status': 503, 'times': 1})}")
    assert vector
    assert len(asked(service)) == 2


async def test_trouble_that_stays_is_one_error(client):
    texts = ["fine"] * 150 + [f"offline: {json.dumps({'status': 503})}"]
    texts[100] = texts.pop()  # the service looks at the first of a request
    with pytest.raises(ServerError):
        await client.embed(texts)


async def test_requests_wait_for_the_clients_places(settings, service, monkeypatch):
    out, most, frames = 0, 0, HttpSource.frames

    async def counted(source, request):
        nonlocal out, most
        out += 1
        most = max(most, out)
        try:
            async for frame in frames(source, request):
                yield frame
        finally:
            out -= 1

    monkeypatch.setattr(HttpSource, "frames", counted)
    async with Client(msgspec.structs.replace(settings, max_streams=2)) as ours:
        assert len(await ours.embed(["text"] * 401)) == 401
    assert (len(asked(service)), most) == (5, 2)


async def test_who_stops_leaves_nothing_behind(client):
    asking = asyncio.create_task(client.embed(["text"] * 500))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        (["a", ""], {}, "text 1 is empty"),
        (["a", 3], {}, "text 1 is of type int"),
        ("a", {"task": "retreival query"}, "did you mean retrieval query"),
        ("a", {"task": "cooking"}, "there are retrieval query, "),
        ("a", {"model": "openai:text-embedding-3-small"}, "openai can't make embeddings here"),
        (f"my key is {CANARY}", {}, "key"),
    ],
)
async def test_what_can_be_no_vector_is_told_before_anything_is_sent(client, service, texts, options, message):
    with pytest.raises(PromptError, match=message):
        await client.embed(texts, **options)
    assert not service.requests
