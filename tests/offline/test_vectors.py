"""The offline service makes vectors: the same for the same text, near for texts with the same words."""

from __future__ import annotations

import math

import pytest
from google import genai
from google.genai import errors, types

from tests.support.dialect_prompts import told
from tests.support.raw_requests import ask, path

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.filterwarnings("ignore::UserWarning")]
MODEL = "gemini-embedding-2"
ONE = {"content": {"parts": [{"text": "a cat"}]}}


def near(one, other):
    return math.sumprod(one, other) if hasattr(math, "sumprod") else sum(a * b for a, b in zip(one, other, strict=True))


async def vectors_of(service, *texts, **more):
    client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=service.url)).aio
    config = types.EmbedContentConfig(**more)
    try:
        made = await client.models.embed_content(model="gemini-embedding-001", contents=list(texts), config=config)
    finally:
        await client.aclose()
    return [one.values for one in made.embeddings]


async def test_the_official_client_gets_a_vector_for_each_text(service):
    one, other, far = await vectors_of(service, "a black cat", "the black cat sleeps", "rates of interest")
    assert len(one) == 768
    assert math.isclose(math.hypot(*one), 1)
    assert near(one, other) > near(one, far) + 0.2
    assert await vectors_of(service, "a black cat") == [one]


async def test_a_vector_has_as_many_numbers_as_asked(service):
    (short,) = await vectors_of(service, "a cat", output_dimensionality=16)
    assert len(short) == 16
    assert math.isclose(math.hypot(*short), 1)


async def test_one_alone(service):
    answer = await ask(service, path(MODEL, "embedContent"), {**ONE, "embed_content_config": {"output_dimensionality": 3}})
    assert len(answer.json["embedding"]["values"]) == 3
    assert answer.json["usageMetadata"]["promptTokenCount"] == 2


@pytest.mark.parametrize(
    ("method", "body", "words"),
    [
        ("embedContent", {}, "contents is not specified"),
        ("embedContent", {"content": {"parts": []}}, "contents is not specified"),
        ("embedContent", {**ONE, "outputDimensionality": 0}, "must be from 1 to 3072"),
        ("embedContent", {**ONE, "outputDimensionality": 1e9}, "must be from 1 to 3072"),
        ("embedContent", {**ONE, "nope": 1}, 'Unknown name "nope"'),
        ("batchEmbedContents", {"requests": [ONE] * 101}, "at most 100 requests"),
        ("batchEmbedContents", {"requests": [{}]}, "contents is not specified"),
        ("batchEmbedContents", {"requests": []}, "requests is not specified"),
    ],
)
async def test_what_is_wrong_is_an_invalid_argument(service, method, body, words):
    answer = await ask(service, path(MODEL, method), body)
    assert (answer.status, answer.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert words in answer.json["error"]["message"]


async def test_who_makes_vectors_and_who_does_not(service):
    assert (await ask(service, path(method="embedContent"), ONE)).status == 404
    assert (await ask(service, path(MODEL, "generateContent"), {"contents": [ONE["content"]]})).status == 404


async def test_a_refusal_can_be_asked_for(service):
    with pytest.raises(errors.ClientError, match="my words"):
        await vectors_of(service, told(status=429, error={"message": "my words"}))
    assert len(await vectors_of(service, told(status=503, times=0), "x")) == 2
