"""Services of one's own are asked by their address alone, and local servers where the environment says that they are."""

from __future__ import annotations

import pytest

from nbgemini import Client, Settings
from nbgemini.errors import ConfigurationError
from nbgemini.secrets import Secret
from nbgemini.services import KNOWN, keyless_text, local_url, services_from
from nbgemini.settings import from_environment
from tests.conftest import soon
from tests.fakes.raw import END, RawServer, chunk, head

ANSWER = b'data: {"choices":[{"index":0,"delta":{"content":"Hi."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


async def test_a_service_of_ones_own_is_named_by_its_address(monkeypatch):
    monkeypatch.setenv("MINE_API_KEY", "secret-of-mine")
    async with RawServer([head(), chunk(ANSWER), END]) as server:
        settings = Settings(services={"mine": f"{server.url}/v1"})
        async with Client(settings, sleep=soon) as client:
            assert (await client.generate("Hi", model="mine:m")).text == "Hi."
            asked, _ = server.requests[0]
            assert b"POST /v1/chat/completions" in asked
            assert b"Bearer secret-of-mine" in asked
            with pytest.raises(ConfigurationError, match="no service 'mne'.*did you mean mine?"):
                await client.generate("Hi", model="mne:m")
    assert {*KNOWN, "mine"} == set(settings.known)
    assert Secret("secret-of-mine") in settings.keys, "so that no prompt holds it"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1/", " http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/chat/completions"])
def test_an_address_may_be_copied_with_too_much(url):
    assert Settings(services={"mine": url}).known["mine"].base_url == "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("10.0.0.5", "http://10.0.0.5:11434/v1"),
        ("box.local:8000", "http://box.local:8000/v1"),
        (":8000", "http://127.0.0.1:8000/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000/v1"),
        ("http://box:8000", "http://box:8000/v1"),
        ("http://box:8000/", "http://box:8000/v1"),
        ("http://box", "http://box/v1"),
        ("https://ollama.com", "https://ollama.com/v1"),
        ("HTTPS://box:8443", "https://box:8443/v1"),
        ("http://box/ollama", "http://box/ollama/v1"),
        ("box/ollama", "http://box:11434/ollama/v1"),
        ("http://box:8000/v1", "http://box:8000/v1"),
        ("::1", "http://[::1]:11434/v1"),
        ("[::1]", "http://[::1]:11434/v1"),
        ("[::1]:8000", "http://[::1]:8000/v1"),
        ("http://[::]:8000", "http://127.0.0.1:8000/v1"),
        ("::", "http://127.0.0.1:11434/v1"),
        ("box:port", "http://box:11434/v1"),
        ("box:99999", "http://box:11434/v1"),
        ('"10.0.0.5"', "http://10.0.0.5:11434/v1"),
        (" 10.0.0.5\n", "http://10.0.0.5:11434/v1"),
        ("", "http://127.0.0.1:11434/v1"),
    ],
)
def test_ollamas_host_is_read_in_all_its_spellings(host, url):
    assert services_from({"OLLAMA_HOST": host})["ollama"].base_url == url


def test_a_host_is_that_of_any_port():
    assert local_url("box", 8080) == "http://box:8080/v1"


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("ollama", "OLLAMA_BASE_URL"),
        ("lmstudio", "LMSTUDIO_BASE_URL"),
        ("llamacpp", "LLAMACPP_BASE_URL"),
        ("vllm", "VLLM_BASE_URL"),
        ("openai", "OPENAI_BASE_URL"),
        ("openai-chat", "OPENAI_API_BASE"),
        ("anthropic", "ANTHROPIC_BASE_URL"),
    ],
)
def test_each_service_may_be_elsewhere(name, variable):
    settings = from_environment({variable: "http://127.0.0.1:9/v1", "OLLAMA_HOST": "elsewhere"})
    assert settings.known[name].base_url == "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("name", "variable"),
    [("ollama", "OLLAMA_API_KEY"), ("lmstudio", "LM_API_TOKEN"), ("llamacpp", "LLAMA_API_KEY"), ("vllm", "VLLM_API_KEY")],
)
def test_a_local_server_wants_a_key_only_if_there_is_one(name, variable):
    assert not services_from({})[name].needs_key
    service = services_from({variable: "k"})[name]
    assert (service.key, service.needs_key) == (Secret("k"), True)
    assert variable in service.key_names


def test_a_service_without_a_key_names_what_it_takes_instead(monkeypatch):
    own = Settings(services={"my-server": "http://127.0.0.1:9/v1"}).known["my-server"]
    assert keyless_text(own) == "needs no key; set MY_SERVER_API_KEY if yours does"
    monkeypatch.setenv("MY_SERVER_API_KEY", "secret-of-mine")
    assert Secret("secret-of-mine") in Settings(services={"my-server": "http://127.0.0.1:9/v1"}).keys
    assert "Google Cloud credentials" in keyless_text(KNOWN["vertex"])
