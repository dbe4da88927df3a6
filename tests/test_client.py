"""The client as a script has it: keys as text, settings beside the environment's, and results without `await`."""

from __future__ import annotations

import asyncio
import importlib.metadata
import math
import warnings

import pytest

import nbgemini
from nbgemini import Client, McpServer, Settings
from nbgemini.errors import NbGeminiError, PromptError, TransportError
from nbgemini.secrets import Secret
from nbgemini.settings import from_environment, offline_settings, use_instead_of_environment
from tests.fakes.fault_server import FaultServer
from tests.fakes.script import FINE

KEY = "AIza-a-key-of-nobodys-at-all"


async def key_of_request(make):
    """Return the key that reaches the service."""
    async with FaultServer() as server:
        server.play(FINE)
        async with make(server.url) as client:
            await client.generate("hello", model="gemini-3.8-flash")
        return server.hits[0].request.headers["x-goog-api-key"]


@pytest.mark.parametrize(
    "make",
    [
        lambda url: Client(Settings(base_url=url), api_key=KEY),
        lambda url: Client(Settings(base_url=url, key=KEY)),
        lambda url: Client(Settings(base_url=url, key=Secret(KEY))),
        lambda url: Client(Settings(base_url=url, key=f" {KEY}\n")),
    ],
    ids=["api_key", "text", "secret", "pasted"],
)
async def test_a_key_is_text_or_a_secret(make):
    assert await key_of_request(make) == KEY


def test_a_key_given_as_text_is_hidden():
    assert Settings(key=KEY) == Settings(key=Secret(KEY))
    for shown in (Settings(key=KEY), Client(api_key=KEY).settings, vars(Client(api_key=KEY))):
        assert KEY not in repr(shown)


async def test_what_is_not_given_is_the_environments(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another-key-of-nobodys")
    assert await key_of_request(lambda url: Client(Settings(cache="memory", base_url=url))) == KEY
    own = Settings(services={"mine": "http://127.0.0.1:9/v1"})
    assert (own.service("anthropic").key, own.service("mine").base_url) == (
        Secret("another-key-of-nobodys"),
        "http://127.0.0.1:9/v1",
    )
    assert own.service("gemini").key == Secret(KEY)
    assert not Settings(key="").secret
    assert Client().settings == from_environment({"GEMINI_API_KEY": KEY, "ANTHROPIC_API_KEY": "another-key-of-nobodys"})


async def test_a_result_is_awaited_made_a_task_or_gathered(client):
    replies = await asyncio.gather(client.generate("what is 1 + 1"), asyncio.create_task(client.generate("what is 2 + 2")))
    replies.append(await client.chat().ask("hello"))
    assert [reply.state for reply in replies] == ["complete"] * 3
    assert await asyncio.wait_for(client.count_tokens("one two"), 10) > 0


async def test_a_task_that_is_cancelled_stops_its_reply(client):
    task = asyncio.create_task(client.generate('offline: {"stall": 1}'))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_script_without_a_loop_has_the_rows_of_a_map(settings, tmp_path):
    client = Client(settings)
    table = client.map("what is {n} + 1", [{"n": 1}, {"n": 2}], store=tmp_path / "maps.sqlite3", progress=False)
    assert [row.state for row in table.result()] == ["complete"] * 2
    assert table.result() is table
    assert table.result(timeout=0) is table
    with pytest.raises(NbGeminiError):
        client.map("{row}", ['offline: {"status": 401}'], store=tmp_path / "maps.sqlite3", progress=False).result()


def test_a_script_without_a_loop_has_results(settings):
    client = Client(settings)
    assert client.generate("what is 1 + 1").result().state == "complete"
    assert [client.chat().ask(f"what is {n} + 1").result().state for n in range(2)] == ["complete"] * 2
    assert len(client.chat().transcript) == 2
    assert client.list_models().result()
    with pytest.raises(NbGeminiError):
        client.generate('offline: {"status": 400}').result()
    with pytest.raises(TimeoutError):
        client.generate('offline: {"stall": 1}').result(timeout=0.01)


def test_what_fails_without_a_loop_tells_of_itself_alone():
    """Neither of asyncio, which was asked for a loop, nor of what its caller was just handling."""
    client = Client(Settings(key="k", base_url="http://127.0.0.1:9", retries=0))
    with pytest.raises(TransportError, match="can't reach 127.0.0.1: connection refused"):
        client.generate("hello").result()
    with pytest.raises(PromptError) as caught:
        client.generate("").result()
    assert caught.value.__context__ is None
    try:
        {}["of the caller"]
    except KeyError:
        with pytest.raises(TransportError, match="can't reach 127.0.0.1: connection refused"):
            client.generate("hello").result()


async def test_a_running_loop_goes_on_while_code_that_is_not_async_waits(client):
    beats = []
    asyncio.get_running_loop().call_soon(beats.append, 1)
    assert client.generate("hello").result().state == "complete"
    assert beats


def test_what_nobody_awaits_says_how_to(settings):
    asked = Client(settings).generate("hello")
    assert repr(asked) == "<Client.generate(…): await it, or .result() in code that is not async>"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked.close()


MISUSED = [
    (lambda _: Client(KEY), r"^Client takes Settings\(…\); a key is given as Client\(api_key=…\)$"),
    (lambda _: Client(api_key=5), "^a key is text, not int$"),
    (lambda client: client.use(KEY), r"^Client takes Settings\(…\); a key is given as Client\(api_key=…\)$"),
    (lambda client: client.chat("a", tools=[len], approve=True), "approve is ask, auto, never or unguarded, not True"),
    (lambda client: client.chat("a", tools="print"), "not of type str"),
    (lambda client: client.generate("x", stop_at="."), "stop_at='.' can't be used: expected list, got str"),
    (lambda client: client.generate("x", model=None), "model=None can't be used: expected str, got None"),
    (lambda client: client.generate("x", format="html"), "expected one of markdown, code, json, text"),
    (lambda client: client.generate("x", timeout=0), "timeout=0 can't be used: expected float > 0.0"),
    (lambda client: client.generate("x", max_tokens=0), "max_tokens=0 can't be used: expected int >= 1"),
    (lambda client: client.generate("x", temperature=math.nan), "temperature=nan can't be used: expected float >= 0.0"),
    (lambda client: client.generate("x", temperature=3), "temperature=3 can't be used: expected float <= 2.0"),
    (lambda client: client.chat("a", approve="auto"), "approve goes with tools"),
    (lambda client: client.chat(5), "the name of a chat is text, not int"),
    (lambda _: Settings(services={"gemini": "http://a"}), "no service of your own can be called 'gemini'"),
    (lambda _: Settings(services={"a:b": "http://a"}), "no service of your own can be called 'a:b'"),
    (lambda _: Settings(services={"mine": "localhost:9"}), "the address of 'mine' must begin with http:// or https://"),
    (lambda _: Settings(source="google"), "source='google' can't be used: expected one of rest, sdk"),
    (lambda client: client.generate(5), "a prompt is text"),
    (lambda client: client.generate("x", modle="y"), r"no option 'modle' \(did you mean model\?\)"),
    (lambda client: client.generate("x", tools=[print]), "client.chat offer tools"),
    (lambda client: client.chat("a", temperature="hot"), "temperature='hot' can't be used"),
    (lambda client: client.count_tokens(5), "a prompt is text"),
    (lambda client: client.embed(5), "one text or several"),
    (lambda client: client.map(5, ["a"]), "a template is text"),
    (lambda client: client.map("x {row}", ["a"], tools=[print]), "client.chat offer tools"),
    (lambda client: client.map("x {row}", ["a"], concurrency="many"), "not 'many'"),
    (lambda _: McpServer(5), "the command of an MCP server is a list"),
    (lambda client: client.generate("x", think="deep", model="gemini-2.5-flash"), "gemini-2.5-flash can't think 'deep'"),
]


@pytest.mark.parametrize(("call", "line"), MISUSED)
async def test_a_wrong_call_is_one_line_of_ours(client, call, line):
    with pytest.raises(NbGeminiError, match=line) as caught:
        await call(client)
    assert KEY not in str(caught.value)


def test_what_is_taken_for_its_result_says_how_to_get_it(settings):
    answer = Client(settings).generate("x")
    with pytest.raises(AttributeError, match=r"no 'text' before the end: await it, or .result\(\)"):
        _ = answer.text
    answer.close()


def test_the_version():
    assert nbgemini.__version__ == importlib.metadata.version("nbgemini")


async def test_in_the_demo_a_client_asks_the_offline_service_and_spends_nothing(service):
    use_instead_of_environment(offline_settings(service.url))
    try:
        clients = [Client(), Client(Settings(cache="memory"))]
        fine = [
            await client.generate("hello", model=model)
            for client in clients
            for model in ("gemini-2.5-flash", "gemini-3.8-flash")
        ]
        with pytest.raises(NbGeminiError) as failed:
            await clients[0].generate('offline: {"status": 500}')
        for client in clients:
            await client.aclose()
    finally:
        use_instead_of_environment(None)
    for reply in [*fine, failed.value.reply]:
        assert (reply.offline, reply.badge, reply.cost) == (True, "offline service", 0.0)
    assert not Settings().service("gemini").offline
