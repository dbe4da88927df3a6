"""Other services in the demo: their recordings are played in each one's protocol; what has none is refused with what has one."""

from __future__ import annotations

import anthropic
import openai
import pytest
from msgspec import structs

from nbgemini import ApiError, Client
from nbgemini.offline.recordings import last_asked, recorded_prompts
from nbgemini.offline.server import OfflineService
from nbgemini.settings import offline_settings
from tests.fakes.record_services import MODELS, PROMPTS, SUMS, add
from tests.support.raw_requests import ask

HEADERS = {"anthropic": {"x-api-key": "k", "anthropic-version": "2023-06-01"}, "openai": {"authorization": "Bearer k"}}


@pytest.fixture(scope="module")
def offline():
    with OfflineService(pace=0) as running:
        yield running


@pytest.fixture
async def client(offline):
    async with Client(structs.replace(offline_settings(offline.url), model=MODELS["openai"])) as client:
        yield client


@pytest.mark.parametrize("model", [*MODELS.values(), "ollama:llama3.3:70b", "anthropic:claude-opus-5-5", "openai:gpt-6-luna"])
async def test_any_model_of_a_service_gives_every_recorded_answer(client, model):
    for prompt in PROMPTS:
        reply = await client.generate(prompt, model=model)
        assert reply.state == "complete"
        assert "From nbgemini's offline service" in reply.text
        assert reply.model == model.partition(":")[2]


@pytest.mark.parametrize("model", MODELS.values())
async def test_calls_of_a_tool_are_played_with_their_results(client, model):
    chat = client.chat(model, tools=[add], approve="auto")
    for a, b in SUMS:
        reply = await chat.ask(f"Please call add(a={a}, b={b}).", model=model)
        assert [call.name for call in reply.tool_calls] == ["add"]
        assert f'`{{"output": {a + b}}}`' in reply.text


@pytest.mark.parametrize("model", MODELS.values())
async def test_what_has_no_recording_names_what_has_one(client, model):
    with pytest.raises(ApiError, match="has no recording of this prompt; it has: “Why is the sky blue, but the sunset red.”"):
        await client.generate("What is a monad?", model=model)


@pytest.mark.parametrize(
    ("model", "says"), [("anthropic:gpt-5", "model: gpt-5"), ("openai:claude-5", "`claude-5` does not exist")]
)
async def test_a_model_that_is_none_of_the_service_s_is_not_found(client, model, says):
    with pytest.raises(ApiError, match=says) as caught:
        await client.generate(PROMPTS[0], model=model)
    assert caught.value.code == 404


@pytest.mark.parametrize(
    ("service", "model"), [("anthropic", "claude-sonnet-5-5"), ("openai", "gpt-6-luna"), ("ollama", "gpt-offline")]
)
async def test_the_models_are_listed(client, service, model):
    assert model in [found.name for found in await client.list_models(service)]


async def test_the_official_clients_read_the_recordings(offline):
    async with (
        anthropic.AsyncAnthropic(api_key="k", base_url=offline.url, max_retries=0) as claude,
        claude.messages.stream(
            model="claude-haiku-4-5", max_tokens=1000, messages=[{"role": "user", "content": PROMPTS[0]}]
        ) as stream,
    ):
        assert "Rayleigh" in await stream.get_final_text()
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{offline.url}/v1", max_retries=0) as gpt:
        chunks = await gpt.chat.completions.create(model="any", messages=[{"role": "user", "content": PROMPTS[0]}], stream=True)
        assert "Rayleigh" in "".join([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])
        with pytest.raises(openai.BadRequestError, match="ask with stream=true"):
            await gpt.chat.completions.create(model="any", messages=[{"role": "user", "content": PROMPTS[0]}])
        with pytest.raises(openai.NotFoundError):
            await gpt.models.retrieve("no-such-model")
        assert (await gpt.models.retrieve("gpt-6-luna")).id == "gpt-6-luna"


async def test_a_cassette_of_one_s_own_is_played_for_other_services_too(service, tmp_path):
    path = tmp_path / "mine.gemini.jsonl"
    prompt, model = 'offline: {"parts": [["answer", "as recorded"]]}', "anthropic:claude-offline"
    async with Client(offline_settings(service.url)) as client:
        await client.record(path)
        await client.generate(prompt, model=model)
        await client.record(None)
    with OfflineService(pace=0, cassette=path) as playing:
        async with Client(offline_settings(playing.url)) as client:
            assert (await client.generate(prompt, model=model)).text == "as recorded"


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b"{}", b'{"messages": 3}', b'{"messages": [[[]]], "stream": true}', b'{"input": {"a": NaN}}']
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1beta/interactions"])
async def test_any_body_is_answered(offline, path, body):
    assert (await ask(offline, path, body)).status in (400, 404)


def test_the_text_that_was_asked_last_is_what_counts():
    one = last_asked(
        "anthropic", {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello "}]}], "model": "x"}
    )
    other = last_asked("anthropic", {"messages": ["before", {"role": "user", "content": "hello"}], "stream": True})
    assert one == other
    results = [{"type": "tool_result", "tool_use_id": f"id {number}", "content": "23"} for number in range(2)]
    first, second = ({"messages": [{"role": "user", "content": [result]}]} for result in results)
    assert last_asked("anthropic", first) == last_asked("anthropic", second)


def test_each_dialect_has_its_recorded_prompts():
    for provider in MODELS:
        assert set(PROMPTS) <= set(recorded_prompts(provider))
