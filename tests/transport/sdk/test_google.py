"""Gemini through google-genai: the same conversation as by REST, the service's own names, Vertex AI with its credentials."""

from __future__ import annotations

import json
from contextlib import aclosing

import pytest
from msgspec import structs

from nbgemini import Client
from nbgemini.errors import AuthenticationError, ConfigurationError, ServerError, TransportError, WireError
from nbgemini.messages.events import AnswerDelta, Citation, Citations, Finish, InlineMedia, PartReceived
from nbgemini.messages.turns import Options, user_turn
from nbgemini.providers.gemini.codec import GeminiCodec
from nbgemini.secrets import Secret
from nbgemini.services import KNOWN
from nbgemini.transport.http import HttpSource
from nbgemini.transport.request import Request
from nbgemini.transport.sdk.google import GoogleSdkSource
from nbgemini.transport.timeouts import Timeouts
from tests.conftest import golden_frames, soon
from tests.fakes.raw import END, RawServer, chunk, event, head, text_frame

KEY = "a-good-key"
gemini = GeminiCodec()
ASK = gemini.encode([user_turn("hi")], Options(model="gemini-3.8-flash"))


def source_at(url, key=KEY, **vertex):
    return GoogleSdkSource(structs.replace(KNOWN["gemini"], key=Secret(key), base_url=url), Timeouts(), **vertex)


async def frames_of(source, request=ASK):
    try:
        async with aclosing(source.frames(request)) as frames:
            return [frame async for frame in frames]
    finally:
        await source.aclose()


async def answered(*script, request=ASK):
    async with RawServer([head(), *script, END]) as server:
        return await frames_of(source_at(server.url), request), server.requests


def said(frames):
    decode = gemini.decoder()
    return [event for frame in frames for event in decode(frame)]


@pytest.mark.parametrize(
    "name", ["interleaved", "parallel_calls", "code_execution", "images", "grounded", "cited", "unicode", "blocked_prompt"]
)
async def test_golden_streams_say_the_same_as_by_rest(name):
    """Its types rename sources and write bytes in another alphabet; here they stand as the service sent them."""
    frames, _ = await answered(*map(event, golden_frames(name)))
    assert said(frames) == said([json.dumps(frame).encode() for frame in golden_frames(name)])


async def test_bytes_stand_in_the_usual_alphabet():
    parts = [{"inlineData": {"mimeType": "image/png", "data": "+/+/"}}, {"text": "a", "thoughtSignature": "++//"}]
    frames, _ = await answered(event({"candidates": [{"content": {"parts": parts, "role": "model"}}]}))
    events = said(frames)
    assert InlineMedia("image/png", "+/+/") in events
    assert PartReceived({"text": "a", "thoughtSignature": "++//"}) in events


async def test_sources_have_the_services_name():
    candidate = {"content": {"parts": [{"text": "a"}]}, "citationMetadata": {"citationSources": [{"uri": "https://a"}]}}
    frames, _ = await answered(event({"candidates": [candidate]}))
    assert Citations((Citation("https://a"),)) in said(frames)


async def test_values_that_are_newer_than_the_client_are_no_news_on_the_page():
    frame = {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "TIRED"}]}
    frames, _ = await answered(event(frame))
    assert Finish("truncated", "TIRED") in said(frames)


async def test_a_cut_answer_is_not_continued_behind_our_back():
    first = {
        "candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "CONTINUATION", "continuationToken": "dA=="}]
    }
    frames, requests = await answered(event(first))
    assert len(requests) == 1
    assert Finish("truncated", "CONTINUATION") in said(frames)


async def test_aiohttp_is_not_taken_even_if_it_is_there(monkeypatch):
    from google.genai import _api_client

    monkeypatch.setattr(_api_client, "has_aiohttp", True)
    frames, requests = await answered(event(text_frame("a", finish="STOP")))
    assert AnswerDelta("a") in said(frames)
    assert b"python-httpx" not in requests[0][0]


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (event({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}), ServerError, "overloaded"),
        (event({"error": {"code": 401, "message": "no", "status": "UNAUTHENTICATED"}}), AuthenticationError, "no"),
        (event({"error": {"code": "internal", "message": "no"}}), WireError, "'rest'"),
        (event({"error": "?"}), WireError, "'rest'"),
        (chunk(b": a comment\r\n\r\n"), WireError, "'rest'"),
        (chunk(b"data: {\r\n\r\n"), WireError, "'rest'"),
    ],
)
async def test_errors_in_the_stream_are_ours(script, kind, words):
    came = []
    async with RawServer([head(), event(text_frame("a")), script, END]) as server:
        source = source_at(server.url)
        with pytest.raises(kind, match=words) as caught:
            async with aclosing(source.frames(ASK)) as frames:
                async for frame in frames:
                    came.append(frame)
        await source.aclose()
    assert AnswerDelta("a") in said(came)
    assert caught.value.__cause__ is None
    assert KEY not in str(caught.value)


async def test_models_are_listed_page_by_page(service):
    """The same list as by REST: names, limits, and what they can do."""
    request = gemini.list_request()
    request = Request(request.path, None, {"pageSize": "2"}, "GET")
    (theirs,) = await frames_of(source_at(service.url), request)
    (ours,) = await frames_of(HttpSource(service.url, Secret(KEY)), request)
    (models, token), (expected, following) = gemini.decode_models(theirs), gemini.decode_models(ours)
    assert models == expected
    assert token == following != ""
    (last,) = await frames_of(source_at(service.url), Request(request.path, None, {"pageToken": token}, "GET"))
    assert gemini.decode_models(last)[0] != models


async def test_tokens_are_counted(service):
    request = gemini.count_request([user_turn("one two three")], "gemini-3.8-flash")
    (theirs,) = await frames_of(source_at(service.url), request)
    (ours,) = await frames_of(HttpSource(service.url, Secret(KEY)), request)
    assert gemini.decode_count(theirs) == gemini.decode_count(ours) > 0


def told(*entries):
    return f"offline: {json.dumps({'parts': entries})}"


PROMPTS = (
    told(["thought", "hm"], ["answer", "first "], ["thought", "so"], ["answer", "second"]),
    told(["thought", "hm"], ["call", "add", {"a": 1, "b": 2}]),
    "what is 2 + 3",
)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def test_a_conversation_is_the_same_by_both_ways(settings):
    """Thoughts, answers, calls and their results; what is signed goes back, or the service would refuse it."""
    by_rest, by_sdk = [await conversation(structs.replace(settings, source=source)) for source in ("rest", "sdk")]
    assert by_sdk == by_rest
    assert [kind for kind, _ in by_sdk[0]] == ["thought", "answer", "thought", "answer"]
    assert "tool_call" in [kind for kind, _ in by_sdk[1]]


async def conversation(settings):
    async with Client(settings, sleep=soon) as client:
        chat = client.chat(tools=[add], approve="auto")
        replies = [await chat.ask(prompt) for prompt in PROMPTS]
        assert [reply.state for reply in replies] == ["complete"] * 3
        return [[(segment.kind, segment.text) for segment in reply.segments] for reply in replies]


# --- Vertex AI


@pytest.fixture
def cloud(monkeypatch, tmp_path):
    """A machine at which nobody has signed in to Google Cloud."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    return tmp_path


@pytest.fixture
def account(cloud, monkeypatch):
    """An account whose tokens come from a server of ours."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    def at(url):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        file = cloud / "account.json"
        told = {"type": "service_account", "client_email": "a@b", "private_key": pem, "token_uri": url, "project_id": "p"}
        file.write_text(json.dumps(told))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))

    return at


async def test_vertex_is_asked_for_a_project_with_its_credentials(account):
    token = json.dumps({"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}).encode()
    async with RawServer([head(content_type="application/json"), chunk(token), END]) as tokens:
        account(tokens.url)
        async with RawServer([head(), event(text_frame("a", finish="STOP")), END]) as server:
            source = source_at(server.url, key="", vertex=True, project="p", location="europe-west1")
            assert AnswerDelta("a") in said(await frames_of(source))
    ((request, body),) = server.requests
    where = (
        b"/v1beta1/projects/p/locations/europe-west1/publishers/google/models/gemini-3.8-flash:streamGenerateContent?alt=sse"
    )
    assert request.startswith(b"POST " + where)
    assert b"\r\nAuthorization: Bearer a-token\r\n" in request
    assert json.loads(body)["contents"] == ASK.body["contents"]


async def test_vertex_lists_models_by_their_bare_names():
    models = [{"name": "publishers/google/models/gemini-4-argon", "versionId": "1"}]
    async with RawServer(
        [head(content_type="application/json"), chunk(json.dumps({"publisherModels": models}).encode()), END]
    ) as server:
        (frame,) = await frames_of(source_at(server.url, vertex=True), gemini.list_request())
    assert [model.name for model in gemini.decode_models(frame)[0]] == ["gemini-4-argon"]


async def test_credentials_that_are_refused_are_told(account):
    refused = [head("400 No", "application/json"), chunk(b'{"error": "invalid_grant"}'), END]
    async with RawServer(refused) as tokens:
        account(tokens.url)
        with pytest.raises(ConfigurationError, match="gcloud auth") as caught:
            await frames_of(source_at("http://127.0.0.1:9", key="", vertex=True, project="p", location="l"))
    assert caught.value.__cause__ is None


async def test_credentials_that_nobody_gives_are_a_matter_of_the_network(account):
    async with RawServer([]) as tokens:
        pass
    account(tokens.url)
    with pytest.raises(TransportError, match="credentials"):
        await frames_of(source_at("http://127.0.0.1:9", key="", vertex=True, project="p", location="l"))


@pytest.mark.usefixtures("cloud")
async def test_nobody_signed_in_is_told_before_anything_is_sent():
    with pytest.raises(ConfigurationError, match="Google Cloud|google-genai can't start"):
        await frames_of(source_at(KNOWN["gemini"].base_url, key="", vertex=True))


@pytest.mark.usefixtures("cloud")
async def test_vertex_stores_no_files_and_knows_no_interactions():
    source = source_at(KNOWN["gemini"].base_url, vertex=True)
    with pytest.raises(ConfigurationError, match="stores no files"):
        await source.call("POST", "/upload/v1beta/files")
    with pytest.raises(ConfigurationError, match="interactions"):
        await frames_of(source, Request("v1beta/interactions", {}))


async def test_files_go_up_by_rest(service):
    source = source_at(service.url)
    told = {"protocol": "resumable", "command": "start", "header-content-length": "1", "header-content-type": "text/plain"}
    begin = {f"x-goog-upload-{name}": value for name, value in told.items()}
    answer = await source.call("POST", "/upload/v1beta/files", {**begin, "content-type": "application/json"}, b"{}")
    assert "x-goog-upload-url" in answer.headers
    await source.aclose()
