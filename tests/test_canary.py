"""The key is in one header on its way to one host, and in no other byte."""

from __future__ import annotations

import asyncio
import base64
import copy
import faulthandler
import json
import os
import pickle
import stat
from contextlib import aclosing
from urllib.parse import quote

import httpx2
import msgspec
import pytest
from msgspec import structs

from nbgemini import AuthenticationError, Client, ConfigurationError, NbGeminiError, PromptError, Settings
from nbgemini.journal import Journal
from nbgemini.secrets import Secret
from nbgemini.services import compatible, services_from
from nbgemini.transport import client as http_client
from nbgemini.transport.http import HttpSource
from nbgemini.transport.request import Request
from nbgemini.transport.timeouts import Timeouts
from tests.canary import CANARY, Listener, digests, found_in, found_under, said_by
from tests.fakes.raw import CLOSE, END, RESET, STALL, RawServer, chunk, event, head, text_frame

REQUEST = Request("v1beta/models/m:streamGenerateContent", {"contents": []}, {"alt": "sse"})
REPEATED = [
    head("401 No"),
    chunk(json.dumps({"error": {"message": f"Incorrect key: {CANARY}.", "type": "authentication_error"}}).encode()),
    END,
]
WHOLE = [head(), event(text_frame("a", finish="STOP")), END]


@pytest.mark.parametrize(
    "disguise",
    [
        str,
        quote,
        json.dumps,
        repr,
        lambda key: key[::-1],
        lambda key: key.encode().hex(),
        lambda key: base64.b64encode(f"key={key}&x".encode()).decode(),
        lambda key: base64.b64encode(f"a key={key}&x".encode()).decode(),
        lambda key: base64.urlsafe_b64encode(f"my key={key}&x".encode()).decode(),
        lambda key: json.dumps({"url": f"https://h/?key={quote(key, safe='')}"}),
    ],
)
def test_the_search_knows_the_key_in_its_disguises(disguise):
    assert found_in(f"before {disguise(CANARY)} after")
    assert not found_in(disguise("another key altogether, of the same length"))


def test_nothing_shows_the_key_that_python_can_print(settings):
    client = Client(settings)
    source = HttpSource("https://a.example", settings.key)
    chat = client.chat()
    for value in (settings, settings.key, client, source, chat, REQUEST, copy.copy(settings), copy.copy(client)):
        inside = getattr(value, "__dict__", {})
        shown = [repr(value), str(value), f"{value}", f"{value!r:>80}", repr([value]), repr(inside), repr(dir(value))]
        assert not found_in("\n".join(shown))
    assert not found_in(repr(msgspec.structs.asdict(settings)))


def test_no_copy_leaves_the_process(settings):
    for value in (settings, settings.key, {"a": [settings.key]}):
        for save in (pickle.dumps, copy.deepcopy, msgspec.json.encode, msgspec.to_builtins, json.dumps):
            with pytest.raises(TypeError) as caught:
                save(value)
            assert not found_in(said_by(caught.value))


@pytest.mark.parametrize(
    "script",
    {
        "broken": [head(), event(text_frame("a")), CLOSE],
        "reset": [RESET],
        "silent": [head(), STALL],
        "no HTTP": [b"who are you?\r\n\r\n", CLOSE],
        "refused": [head("400 Bad"), chunk(b'{"error": {"code": 400, "details": [{"reason": "API_KEY_INVALID"}]}}'), END],
        "elsewhere": [b"HTTP/1.1 307 Go\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n"],
        "a page": [head(content_type="text/html"), chunk(b"<html>log in</html>"), END],
    }.items(),
    ids=lambda item: item[0],
)
async def test_no_error_tells_or_holds_the_key(script):
    """Neither the error nor any that it is chained to, nor the variables that a verbose traceback writes."""
    async with RawServer(script[1]) as server:
        source = HttpSource(server.url, Secret(CANARY), timeouts=Timeouts(gap=0.5))
        with pytest.raises(NbGeminiError) as caught:
            async with aclosing(source.frames(REQUEST)) as frames:
                [frame async for frame in frames]
        await source.aclose()
    assert server.requests or script[0] == "reset"
    assert not found_in(said_by(caught.value))


async def test_no_failed_reply_holds_the_key(settings):
    async with RawServer([head("400 Bad"), chunk(b'{"error": {"message": "no"}}'), END]) as server:
        async with Client(msgspec.structs.replace(settings, base_url=server.url)) as client:
            with pytest.raises(NbGeminiError) as caught:
                await client.chat().ask("x")
    assert not found_in(said_by(caught.value))
    assert not found_in(repr(vars(caught.value.reply)))


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Go", "308 Gone"])
async def test_no_other_host_gets_the_key(status):
    async with RawServer(WHOLE) as other:
        moved = f"HTTP/1.1 {status}\r\nLocation: {other.url}/v1beta/x\r\nContent-Length: 0\r\n\r\n".encode()
        async with RawServer([moved]) as server:
            source = HttpSource(server.url, Secret(CANARY))
            with pytest.raises(NbGeminiError, match="redirect"):
                async with aclosing(source.frames(REQUEST)) as frames:
                    [frame async for frame in frames]
            await source.aclose()
        assert len(server.requests) == 1
        assert other.requests == []


@pytest.mark.parametrize(
    "url",
    ["http://a.example", "http://127.0.0.1.a.example", "http://localhost@a.example", "HTTP://a.example", "http://0x7f000001"],
)
def test_no_network_sees_the_key_unencrypted(url):
    with pytest.raises(ConfigurationError, match="https"):
        HttpSource(url, Secret(CANARY))


@pytest.mark.parametrize("proxied", [False, True])
async def test_no_logger_hears_the_key_at_any_level(settings, monkeypatch, proxied):
    """What asks where a proxy is set logs every step of a request."""
    if proxied:
        monkeypatch.setattr(http_client, "_new_transport", httpx2.AsyncHTTPTransport)
    listener = Listener()
    with listener.attached():
        async with RawServer([head(), event(text_frame("a")), CLOSE]) as server:
            async with Client(msgspec.structs.replace(settings, base_url=server.url)) as client:
                await client.generate("x")
    assert (listener.heard > 5) == proxied
    assert listener.leaks == []


async def test_the_journal_is_its_owners_alone_and_holds_no_key(settings, tmp_path):
    before = os.umask(0)
    try:
        journal = Journal(tmp_path / "new" / "journal.sqlite3", "a notebook")
        async with Client(settings, log=journal) as client:
            await client.chat().ask("Why is the sky blue?")
        journal.flush()
        files = list((tmp_path / "new").iterdir())
        modes = {stat.S_IMODE(path.stat().st_mode) for path in files}
        journal.close()
    finally:
        os.umask(before)
    assert len(files) > 1, "the write-ahead log is looked at too"
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert found_under(tmp_path) == []


async def test_no_name_and_no_recording_is_derived_from_the_key(settings, tmp_path):
    """Two keys ask the same: what is written says the same of both, and the one finds what the other recorded."""
    for number, key in enumerate((CANARY, CANARY[::-1])):
        journal = Journal(tmp_path / f"journal-{number}.sqlite3", "a notebook")
        async with Client(msgspec.structs.replace(settings, key=Secret(key)), log=journal) as client:
            await client.record(tmp_path / f"tape-{number}.jsonl")
            await client.chat().ask("Why is the sky blue?")
            await client.record(None)
        journal.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    written = "\n".join(path.name + path.read_bytes().decode("latin-1") for path in files)
    assert len(files) >= 4
    assert not [digest for digest in digests(CANARY) + digests(CANARY[::-1]) if digest in written]
    first, second = (json.loads((tmp_path / f"tape-{number}.jsonl").read_text().splitlines()[0]) for number in (0, 1))
    assert (first["request"], first["asked"]) == (second["request"], second["asked"])
    async with Client(msgspec.structs.replace(settings, key=Secret("another"))) as client:
        await client.replay(tmp_path / "tape-0.jsonl")
        assert (await client.chat().ask("Why is the sky blue?")).played == "replay"


async def test_a_crash_dump_holds_no_key(settings, tmp_path):
    """Of a process that dies in mid-stream: where each thread stands, and no value."""
    async with RawServer([head(), event(text_frame("a")), STALL]) as server:
        async with Client(msgspec.structs.replace(settings, base_url=server.url)) as client:
            chat, came = client.chat(), asyncio.Event()
            reply = chat.begin("x")
            driving = asyncio.create_task(chat.drive(reply, lambda _: came.set()))
            await came.wait()
            with (tmp_path / "dump.txt").open("wb+") as file:
                faulthandler.dump_traceback(file, all_threads=True)
                dump = file.seek(0) or file.read()
            reply.stop()
            await driving
    assert b"test_canary.py" in dump
    assert found_in(dump) == []


def test_the_search_finds_a_key_that_was_written(tmp_path):
    (tmp_path / "log.txt").write_bytes(b"\x00" + CANARY.encode() + b"\xff")
    assert found_under(tmp_path) == [str(tmp_path / "log.txt")]
    (tmp_path / "log.txt").unlink()  # or the whole suite fails


def test_settings_have_no_key_unless_they_are_given_one():
    assert not Settings().key


@pytest.mark.parametrize("source", ["rest", "sdk"])
@pytest.mark.parametrize("model", ["anthropic:claude-sonnet-5-5", "openai:gpt-5.6", "openai-chat:gpt-5.6", "mine:x"])
async def test_other_services_keys_are_in_one_header_and_nowhere_else(model, source, tmp_path):
    """Whoever carries the request, and also where the service refuses it and repeats what it was sent."""
    name = model.partition(":")[0]
    async with RawServer(REPEATED) as server:
        own = {**services_from({}), "mine": compatible("mine", server.url, {"MINE_API_KEY": CANARY})}
        asked = structs.replace(own[name], key=Secret(CANARY), base_url=server.url)
        journal = Journal(tmp_path / "journal.sqlite3", "a.ipynb")
        async with Client(Settings(services={**own, name: asked}, source=source), log=journal) as client:
            with pytest.raises(AuthenticationError) as caught:
                await client.chat().ask("x", model=model)
            with pytest.raises(PromptError, match="holds your own API key|key"):
                await client.chat().ask(f"Is {CANARY} a key?", model=model)
        journal.close()
    assert not found_in(said_by(caught.value))
    assert not found_under(tmp_path)
    ((asked, _),) = server.requests
    holding = [line for line in asked.split(b"\r\n") if CANARY.encode() in line]
    assert len(holding) == 1
    assert holding[0].lower().split(b":")[0] in (b"authorization", b"x-api-key")
