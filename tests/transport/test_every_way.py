"""What holds for every way over the network, our own and those of the services' clients: trust, proxies, bombs, the key."""

from __future__ import annotations

import asyncio
import gzip
import importlib
import json
import shutil
import ssl
import subprocess
from base64 import b64encode
from contextlib import aclosing

import pytest
from IPython.core.ultratb import VerboseTB

from nbgemini import Client, Settings
from nbgemini._async.scheduler import FairScheduler
from nbgemini.errors import ConfigurationError, NbGeminiError, TransportError, WireError
from nbgemini.secrets import Secret
from nbgemini.services import KNOWN
from nbgemini.transport.http import LARGEST_BODY, HttpSource
from nbgemini.transport.request import Request
from nbgemini.transport.sdk.base import lent_client, library_of
from nbgemini.transport.timeouts import Timeouts
from tests.canary import found_in, said_by
from tests.fakes.raw import CLOSE, END, RESET, STALL, RawServer, chunk, event, head, text_frame
from tests.transport.official import KEY, KINDS, service_at

WAYS = ["rest", "httpx2", *KINDS]
every_way = pytest.mark.parametrize("way", WAYS)
GZIPPED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"


def source_of(way, url, ask_by_httpx2, key=KEY):
    """A source that asks this way, and what it is to ask."""
    if way in KINDS:
        return KINDS[way][0](service_at(way, url), Timeouts()), KINDS[way][1]
    if way == "httpx2":
        ask_by_httpx2()
    return HttpSource(url, Secret(key), service=KNOWN["gemini"]), KINDS["gemini"][1]


async def frames_of(way, url, ask_by_httpx2, key=KEY):
    source, request = source_of(way, url, ask_by_httpx2, key)
    try:
        async with aclosing(source.frames(request)) as frames:
            return [bytes(frame) async for frame in frames]
    finally:
        await source.aclose()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Certificates that are not to be trusted: one that nobody vouches for, one of another host."""
    folder = tmp_path_factory.mktemp("tls")
    made = {}
    for name, subject in (("self-signed", "DNS:localhost,IP:127.0.0.1"), ("another host's", "DNS:other.example")):
        key, cert = folder / f"{name[:4]}.key", folder / f"{name[:4]}.pem"
        names = ["-subj", "/CN=x", "-addext", f"subjectAltName={subject}", "-keyout", str(key), "-out", str(cert)]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names]
        subprocess.run(command, check=True, capture_output=True)
        made[name] = cert, key
    return made


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes its certificates with openssl")
@every_way
@pytest.mark.parametrize("scheme", ["https", "HTTPS", "Https", " https"])
@pytest.mark.parametrize("kind", ["self-signed", "another host's"])
async def test_no_request_goes_to_who_is_not_vouched_for(  # noqa: PLR0913, PLR0917 - fixtures
    way, scheme, kind, certificates, monkeypatch, ask_by_httpx2
):
    heard = []

    async def talk(reader, writer):
        heard.append(await reader.read(100))
        writer.close()

    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["another host's"][0]))  # whom that one vouches for is trusted
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificates[kind])
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(TransportError, match="certificate"):
        await frames_of(way, url, ask_by_httpx2)
    server.close()
    assert heard == []


@every_way
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "localhost."])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_no_proxy_hears_of_loopback(way, host, variable, monkeypatch, ask_by_httpx2):
    async with RawServer([head(), END]) as proxy, RawServer([head(), event(text_frame("a")), END]) as server:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(variable, proxy.url)
        frames = await frames_of(way, server.url.replace("127.0.0.1", host), ask_by_httpx2)
    assert [json.loads(frame) for frame in frames] == [text_frame("a")]
    assert proxy.requests == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_no_address_of_a_clients_own_is_asked_unencrypted(kind):
    """Clients have variables of their own that set addresses."""
    source = KINDS[kind][0](service_at(kind, "https://service.example"), Timeouts())
    library = importlib.import_module(library_of(source.distribution))
    async with lent_client(library, source._carry) as client:
        with pytest.raises(ConfigurationError, match="plain http"):
            await client.get("HTTP://elsewhere.example/v1?key=x")
    await source.aclose()


BOMBS = {
    "comments": b":\n" * 2_000_000,
    "blanks": b"\n" * 6_000_000,
    "lines that say nothing": b"x\n" * 3_000_000,
    "empty data": b"data:\n\n" * 800_000,
    "one long comment": b":" + b"x" * 6_000_000 + b"\n\n" + b"\n" * 6_000_000,
    "an array of commas": b"[" + b"," * 6_000_000,
}


@every_way
@pytest.mark.parametrize("bomb", BOMBS)
async def test_what_unpacks_to_nothing_is_refused_in_bounded_pieces(way, bomb, monkeypatch, ask_by_httpx2):
    turns = 0
    ready = FairScheduler.turn

    async def counted(self):
        nonlocal turns
        turns += 1
        await ready(self)

    monkeypatch.setattr(FairScheduler, "turn", counted)
    script = [GZIPPED, chunk(gzip.compress(BOMBS[bomb] * 4, 1)), END]
    async with RawServer(script) as server:
        with pytest.raises(
            WireError, match=None if way == "gemini" else r"comments and blanks|too large"
        ):  # that has other words
            await frames_of(way, server.url, ask_by_httpx2)
    if way != "gemini":  # which refuses the first line
        assert turns > 4 * 2**20 // 32_768, "others have their turn after every piece"


@pytest.mark.parametrize("way", ["rest", "httpx2"])
async def test_a_whole_body_has_a_largest_size(way, ask_by_httpx2):
    sent = gzip.compress(b" " * (LARGEST_BODY + 2**20), 1)
    headers = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(sent)}\r\n\r\n".encode()
    async with RawServer([headers, sent]) as server:
        source, _ = source_of(way, server.url, ask_by_httpx2)
        with pytest.raises(WireError, match="larger than 128 MiB"):
            await source.call("GET", "v1beta/files/x")
        await source.aclose()


async def test_a_frame_of_too_many_values_is_refused_unread():
    many = b'data: {"a": [' + b"0," * 600_000 + b"0]}\r\n\r\n"
    async with RawServer([head(), chunk(many), END]) as server:
        source = HttpSource(server.url, Secret(KEY))
        with pytest.raises(WireError, match="500,000 values"):
            async with aclosing(source.frames(KINDS["gemini"][1])) as frames:
                [frame async for frame in frames]
        await source.aclose()


async def test_a_large_frame_that_only_pythons_own_reader_takes_is_refused():
    """That would hold up everybody for as long as it takes."""
    odd = b'data: {"a": "\\ud800' + b"A" * 2**20 + b'"}\r\n\r\n'
    async with RawServer([head(), chunk(odd), END]) as server:
        async with Client(Settings(key=Secret(KEY), base_url=server.url, retries=0)) as client:
            with pytest.raises(WireError, match="malformed JSON of more than 1 MiB"):
                await client.generate("x")


def escaped(key):
    return "".join(f"\\u{ord(letter):04x}" for letter in key)


ECHOES = {
    "plain": KEY,
    "lower": KEY.lower(),
    "upper": KEY.upper(),
    "in JSON": escaped(KEY),
    "half in JSON": KEY[:9] + escaped(KEY[9:12]) + KEY[12:],
    "in a URL": "".join(f"%{ord(letter):02X}" for letter in KEY),
    "in HTML": "".join(f"&#{ord(letter)};" for letter in KEY),
    "in odd HTML": "".join(f"&#X000{ord(letter):x};" if at % 2 else f"&#00{ord(letter)};" for at, letter in enumerate(KEY)),
    "in Markdown": "".join(letter if letter.isalnum() else f"\\\\{letter}" for letter in KEY),
    "in base64": b64encode(b"x" + KEY.encode()).decode(),
}


def places(echo):
    """Frames in which a service repeats what it was told, wherever it has words of its own."""
    said = f"you sent {echo}."
    raw = {
        "text": {"candidates": [{"content": {"role": "model", "parts": [{"text": "@"}]}}]},
        "the end": {"candidates": [{"finishReason": "SAFETY", "finishMessage": "@"}]},
        "a block": {"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "@"}},
        "a call": {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"a": "@"}}}]}}]},
        "a fault": {"error": {"code": 400, "message": "@", "status": "X"}},
        "its own name": {"modelVersion": "@", "responseId": "@"},
    }
    return {name: json.dumps(frame).replace("@", said).encode() for name, frame in raw.items()}


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("way", ["rest", "httpx2", "gemini"])
async def test_no_frame_repeats_the_key(way, echo, ask_by_httpx2):
    for name, frame in places(ECHOES[echo]).items():
        if name == "a fault" and way == "gemini":
            continue  # that client raises it
        async with RawServer([head(), chunk(b"data: " + frame + b"\r\n\r\n"), END]) as server:
            frames = await frames_of(way, server.url, ask_by_httpx2)
        said = b"".join(frames).decode()
        assert "[key]" in said or way == "gemini", "whose client leaves some words out"
        for form in (ECHOES[echo], KEY, KEY.lower(), KEY.upper()):
            assert form not in said
        assert KEY.lower() not in json.dumps(json.loads(said)).lower()


@pytest.mark.parametrize("way", ["rest", "httpx2", "gemini"])
async def test_no_frames_together_repeat_the_key(way, ask_by_httpx2):
    pieces = ["so ", KEY[:2], KEY[2:5], KEY[5:20], f"{KEY[20:]}."]
    frames = [
        chunk(b"data: " + places(piece)["text"].replace(b"you sent ", b"").replace(b".", b"") + b"\r\n\r\n") for piece in pieces
    ]
    async with RawServer([head(), *frames, END]) as server:
        came = await frames_of(way, server.url, ask_by_httpx2)
    texts = [json.loads(frame)["candidates"][0]["content"]["parts"][0].get("text", "") for frame in came]
    assert "".join(texts) == f"so {KEY[:2]}[key]"


ERRORS = {
    "redirect": lambda key: [f"HTTP/1.1 307 Go\r\nLocation: https://{key}.example/\r\nContent-Length: 0\r\n\r\n".encode()],
    "refusal": lambda key: [head("400 No"), chunk(json.dumps({"error": {"message": key, "status": key}}).encode()), END],
    "page": lambda key: [head(content_type=f"text/{key}"), chunk(f"<p>{'x' * 60}{key}</p>".encode()), END],
    "page cut off": lambda key: [head(content_type="text/html"), chunk(f"<p>{'x' * 55}{key}{key}</p>".encode()), END],
    "no HTTP": lambda key: [key.encode() + b"\r\n\r\n"],
    "no chunk": lambda key: [head(), key.encode() + b"\r\n\r\n"],
    "reason": lambda key: [head(f"401 {key}"), chunk(b"{}"), END],
}


@every_way
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("case", [str, str.lower, str.upper])
async def test_no_error_repeats_the_key_or_a_piece_of_it(way, error, case, ask_by_httpx2):
    async with RawServer(ERRORS[error](case(KEY))) as server:
        with pytest.raises(NbGeminiError) as caught:
            await frames_of(way, server.url, ask_by_httpx2)
    said = f"{caught.value} {vars(caught.value)}".lower()
    pieces = [KEY.lower()[at : at + 8] for at in range(len(KEY) - 7)]
    assert not [piece for piece in pieces if piece in said]
    assert not found_in(said_by(caught.value))


@every_way
@pytest.mark.parametrize("key", [f"{KEY}\r\nX-Evil: 1", f"{KEY}\n", f"\x00{KEY}", f"{KEY}é"])
async def test_a_key_that_no_header_can_hold_is_refused_and_not_repeated(way, key, monkeypatch, ask_by_httpx2):
    async with RawServer([head(), event(text_frame("a")), END]) as server:
        if way in KINDS:
            monkeypatch.setattr("tests.transport.official.KEY", key)
        if key.strip() == KEY:  # blanks that pasting adds are not part of it
            assert await frames_of(way, server.url, ask_by_httpx2, key)
        else:
            with pytest.raises(ConfigurationError) as caught:
                await frames_of(way, server.url, ask_by_httpx2, key)
            assert KEY not in str(caught.value)
            assert server.requests == []
    assert b"x-evil" not in b"".join(request for request, _ in server.requests).lower()


@every_way
@pytest.mark.parametrize("model", ["m\r\nX-Evil: 1", "m HTTP/1.1\r\n\r\nGET /evil", "m\x00", "../../evil?x=1#y", "é\u2028"])
async def test_no_name_of_a_model_becomes_a_header_or_another_request(way, model, ask_by_httpx2):
    source_request = KINDS["gemini"][1]
    async with RawServer([head(), event(text_frame("a")), END]) as server:
        source, request = source_of(way, server.url, ask_by_httpx2)
        if request.path == source_request.path:
            request = Request(f"v1beta/models/{model}:streamGenerateContent", request.body, request.query)
        else:
            request = Request(request.path, {**request.body, "model": model}, request.query)
        try:
            async with aclosing(source.frames(request)) as frames:
                [frame async for frame in frames]
        except NbGeminiError:
            pass
        await source.aclose()
    for asked, _ in server.requests:
        lines = asked.split(b"\r\n")
        assert lines[0].endswith(b" HTTP/1.1")
        assert lines[0].count(b" ") == 2
        assert not [line for line in lines[1:] if line.lower().startswith((b"x-evil", b"get"))]
    assert len(server.requests) <= 1


ENDS = {
    "stopped before the head": [STALL],
    "stopped in the stream": [head(), event(text_frame("a")), STALL],
    "refused": [head("400 No"), chunk(b"{}"), END],
    "redirected": [b"HTTP/1.1 307 Go\r\nLocation: http://a.example/\r\nContent-Length: 0\r\n\r\n"],
    "reset": [RESET],
    "cut off": [head(), event(text_frame("a")), CLOSE],
    "no JSON": [head(), chunk(b"data: {x}\r\n\r\n"), END],
    "a bomb": [head(), chunk(b":\n" * 3_000_000), END],
}


@every_way
@pytest.mark.parametrize("end", ENDS)
async def test_no_verbose_traceback_shows_the_key(way, end, ask_by_httpx2):
    """As `%xmode Verbose` writes it, with the variables of all functions, and as `%debug` finds them."""
    async with RawServer(ENDS[end]) as server:
        source, request = source_of(way, server.url, ask_by_httpx2)

        async def ask():
            async with aclosing(source.frames(request)) as frames:
                async for _ in frames:
                    came.set()

        came, task = asyncio.Event(), asyncio.create_task(ask())
        if end.startswith("stopped"):
            while not server.requests or ("stream" in end and not came.is_set()):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        await source.aclose()
    if task.cancelled():
        try:
            await task
        except asyncio.CancelledError as cancelled:
            error = cancelled
    else:
        error = task.exception()
    assert error is not None or end in ("cut off", "no JSON")
    while error is not None:
        assert KEY not in VerboseTB(include_vars=True).text(type(error), error, error.__traceback__)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_that_can_not_begin_shows_no_key(kind, monkeypatch):
    source = KINDS[kind][0](service_at(kind, "https://service.example"), Timeouts())
    module = await asyncio.to_thread(importlib.import_module, source.package)
    name = {"gemini": "Client", "anthropic": "AsyncAnthropic"}.get(kind, "AsyncOpenAI")

    def broken(**given):
        raise ValueError(f"no client for {given['api_key']}")

    monkeypatch.setattr(module, name, broken)
    with pytest.raises(NbGeminiError) as caught:
        async with aclosing(source.frames(KINDS[kind][1])) as frames:
            [frame async for frame in frames]
    await source.aclose()
    assert KEY not in VerboseTB(include_vars=True).text(type(caught.value), caught.value, caught.value.__traceback__)
    assert KEY not in said_by(caught.value)
