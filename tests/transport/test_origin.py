"""Where a base URL leads, in one spelling, and what may stand on the way there."""

from __future__ import annotations

import importlib.util
import os

import pytest

from nbgemini.errors import ConfigurationError
from nbgemini.secrets import Secret
from nbgemini.transport.http import HttpSource
from nbgemini.transport.origin import is_loopback, origin_of
from nbgemini.transport.request import Request
from nbgemini.transport.routes import proxy_for
from tests.fakes.fault_server import FaultServer
from tests.fakes.script import END, Chunk, head


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("base", "known"),
    [
        ("https://a.example", ("a.example", 443, True, "a.example", "https://a.example")),
        ("HTTPS://A.example:443/v1/", ("a.example", 443, True, "a.example", "https://a.example/v1")),
        (" hTTps://a.example\n", ("a.example", 443, True, "a.example", "https://a.example")),
        ("http://127.0.0.1:80", ("127.0.0.1", 80, False, "127.0.0.1", "http://127.0.0.1")),
        ("http://LOCALHOST.:11434/v1", ("localhost", 11434, False, "localhost:11434", "http://localhost:11434/v1")),
        ("http://[0:0:0:0:0:0:0:1]:8080", ("::1", 8080, False, "[::1]:8080", "http://[::1]:8080")),
        ("https://\xe4.example", ("xn--4ca.example", 443, True, "xn--4ca.example", "https://xn--4ca.example")),
    ],
)
def test_an_address_is_read_once_and_written_in_one_spelling(base, known):
    origin = origin_of(base)
    host, port, secure, header, url = known
    assert (origin.host, origin.port, origin.secure) == (host, port, secure)
    assert (origin.header, origin.url) == (header, url)
    assert origin_of(origin.url) == origin


@pytest.mark.parametrize(
    "base",
    [
        "",
        "a.example",
        "//a.example",
        "ftp://a.example",
        "https:/a.example",
        "https:a.example",
        "https://",
        "https://user:password@a.example",
        "https://127.0.0.1@a.example",
        "https://127.0.0.1\\@a.example",
        "https://a.example\\b.example",
        "https://a.example:port",
        "https://a.example:0",
        "https://a.example:99999",
        "https://a.example?x=1",
        "https://a.example#x",
        "https://a.exa\r\nmple",
        "https://a.example/\r\nX: y",
        "https://a b.example",
        "https://a.example/a b",
        "https://a%2eexample",
        "https://[::1%eth0]",
        "https://127.1",
        "https://2130706433",
        "https://0x7f.1",
        "https://017700000001",
        "https://127.0.0.1.",
        "https://a..example",
    ],
)
def test_what_readers_of_addresses_do_not_agree_on_is_refused(base):
    with pytest.raises(ConfigurationError, match="base URL must begin with https") as caught:
        origin_of(base)
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "LocalHost", "127.8.9.10", "[::ffff:127.0.0.1]", "localhost."]
)
@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
def test_loopback_is_never_proxied(monkeypatch, host, name):
    monkeypatch.setenv(name, "http://proxy.example:3128")
    for scheme in ("http", "https", "HTTP"):
        origin = origin_of(f"{scheme}://{host}:8000", secret=scheme != "https")
        assert is_loopback(origin.host)
        assert is_loopback(origin.host)


@pytest.mark.parametrize(
    "base",
    [
        "http://a.example",
        "HTTP://a.example",
        "http://127.0.0.1.a.example",
        "http://localhost.a.example",
        "http://10.0.0.1",
        "http://a",
    ],
)
def test_plain_http_with_a_key_goes_nowhere_else(base):
    assert not is_loopback(origin_of(base).host)
    with pytest.raises(ConfigurationError, match="plain http would show your key"):
        origin_of(base, secret=True)


@pytest.mark.parametrize(
    ("environ", "proxied"),
    [
        ({}, False),
        ({"HTTPS_PROXY": "http://proxy:3128"}, True),
        ({"https_proxy": "http://proxy:3128"}, True),
        ({"ALL_PROXY": "socks5://proxy:1080"}, True),
        ({"HTTP_PROXY": "http://proxy:3128"}, False),
        ({"HTTPS_PROXY": ""}, False),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "a.example"}, False),
        ({"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "x, .example"}, False),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, False),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "b.example"}, True),
    ],
)
def test_a_proxy_is_for_other_machines(monkeypatch, environ, proxied):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert bool(proxy_for("https", "a.example")) == proxied


async def test_a_proxy_that_is_set_is_asked(monkeypatch):
    async with FaultServer(after=(head(), Chunk(b'{"a": 1}'), END)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        source = HttpSource("http://service.example", Secret(""))
        assert [frame async for frame in source.frames(Request("v1/models", method="GET"))] == [b'{"a": 1}']
        await source.aclose()
        assert proxy.hits[0].request.headers["host"] == "service.example"


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "tin-can://me:password@127.0.0.1:9"])
async def test_a_proxy_that_cannot_be_used_is_told_in_one_line(monkeypatch, proxy):
    if proxy.startswith("socks") and importlib.util.find_spec("socksio"):
        pytest.skip("here it can be used")
    monkeypatch.setenv("ALL_PROXY", proxy)
    source = HttpSource("http://service.example", Secret(""))
    with pytest.raises(ConfigurationError, match="the proxy that the environment sets") as caught:
        [frame async for frame in source.frames(Request("v1/models", method="GET"))]
    await source.aclose()
    assert "password" not in str(caught.value)
