"""Where a base URL leads, and when there is more to it than a host and a port."""

from __future__ import annotations

import importlib.util
import os

import pytest

from nbgemini.errors import ConfigurationError
from nbgemini.request import Request
from nbgemini.secret import Secret
from nbgemini.sources.origin import Origin, origin_of
from nbgemini.sources.rest import RestSource
from tests.fakes.fault_server import FaultServer
from tests.fakes.script import END, Chunk, head


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("base", "host", "port", "secure", "header"),
    [
        ("https://a.example", "a.example", 443, True, "a.example"),
        ("https://A.example:443/v1", "a.example", 443, True, "a.example"),
        ("http://127.0.0.1:80", "127.0.0.1", 80, False, "127.0.0.1"),
        ("http://localhost:11434/v1", "localhost", 11434, False, "localhost:11434"),
        ("http://[::1]:8080", "::1", 8080, False, "[::1]:8080"),
    ],
)
def test_a_plain_address_is_gone_to_directly(base, host, port, secure, header):
    origin = origin_of(base)
    assert origin == Origin(host, port, secure)
    assert origin.header == header


@pytest.mark.parametrize(
    "base",
    [
        "https://user:word@a.example",
        "https://a.example:port",
        "https://ä.example",
        "https://a.example?x=1",
        "https://a.example#x",
    ],
)
def test_any_other_address_is_left_to_who_knows(base):
    assert origin_of(base) is None


@pytest.mark.parametrize(
    ("environ", "directly"),
    [
        ({}, True),
        ({"HTTPS_PROXY": "http://proxy:3128"}, False),
        ({"https_proxy": "http://proxy:3128"}, False),
        ({"ALL_PROXY": "socks5://proxy:1080"}, False),
        ({"HTTP_PROXY": "http://proxy:3128"}, True),
        ({"HTTPS_PROXY": ""}, True),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "a.example"}, True),
        ({"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "x, .example"}, True),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, True),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "b.example"}, False),
    ],
)
def test_a_proxy_is_for_httpx2(monkeypatch, environ, directly):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert (origin_of("https://a.example") is not None) == directly


async def test_a_proxy_that_is_set_is_asked(monkeypatch):
    async with FaultServer(after=(head(), Chunk(b'{"a": 1}'), END)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        source = RestSource("http://service.example", Secret(""))
        assert [frame async for frame in source.frames(Request("v1/models", method="GET"))] == [b'{"a": 1}']
        await source.aclose()
        assert proxy.hits[0].request.headers["host"] == "service.example"


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "tin-can://me:password@127.0.0.1:9"])
async def test_a_proxy_that_cannot_be_used_is_told_in_one_line(monkeypatch, proxy):
    if proxy.startswith("socks") and importlib.util.find_spec("socksio"):
        pytest.skip("here it can be used")
    monkeypatch.setenv("ALL_PROXY", proxy)
    source = RestSource("http://service.example", Secret(""))
    with pytest.raises(ConfigurationError, match="the proxy that the environment sets") as caught:
        [frame async for frame in source.frames(Request("v1/models", method="GET"))]
    await source.aclose()
    assert "password" not in str(caught.value)
