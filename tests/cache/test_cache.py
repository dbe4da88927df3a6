"""A client that keeps answers: a hit says so and costs nothing, equal prompts at once are one request, nothing tells the key."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from nbgemini import Client
from nbgemini.errors import ConfigurationError, ServerError
from nbgemini.journal import Journal
from nbgemini.journal.report import answer_origin
from nbgemini.messages.attachments import data_part
from nbgemini.messages.turns import Turn
from nbgemini.secrets import Secret
from tests.canary import CANARY, digests, found_under
from tests.conftest import soon
from tests.support.files import png, uploads


def told(**directive):
    return f"offline: {json.dumps(directive)}"


def streams(service):
    return [request for request in service.requests if "streamGenerateContent" in request.path]


@pytest.fixture
async def keeping(settings, tmp_path):
    """Clients that keep answers in one file, by their key."""
    clients = []

    def make(key=CANARY, **more):
        place = {"key": Secret(key), "cache": f"sqlite:{tmp_path / 'cache.sqlite3'}", **more}
        clients.append(Client(msgspec.structs.replace(settings, **place), log=more.get("log")))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


async def twice(client, prompt="Why is the sky blue?"):
    first = await client.generate(prompt)
    await client.services.endpoints.aclose()
    return first, await client.generate(prompt)


async def test_a_hit_is_the_answer_says_so_and_costs_nothing(keeping, service):
    first, again = await twice(keeping())
    assert (again.text, again.thoughts, again.usage, again.exchange.parts) == (
        first.text,
        first.thoughts,
        first.usage,
        first.exchange.parts,
    )
    assert (first.badge, again.badge, again.offline) == ("offline service", "cache", True)
    assert (again.exchange.facts.badge, again.exchange.facts.cost) == ("cache", None)
    assert len(streams(service)) == 1


async def test_the_journal_tells_it_apart(settings, tmp_path):
    journal = Journal(tmp_path / "journal.sqlite3", "a.ipynb")
    async with Client(msgspec.structs.replace(settings, cache="memory"), log=journal) as client:
        await twice(client)
    journal.close()
    again, first = Journal(journal.path, "a.ipynb").requests(2)
    assert [answer_origin(row) for row in (first, again)] == ["offline", "cache"]
    assert again["cost"] is None
    assert again["state"] == "complete"


async def test_fifty_equal_prompts_are_one_request(keeping, service):
    client = keeping()
    replies = await asyncio.gather(*(client.generate(told(frames=30, gap=0.05)) for _ in range(50)))
    assert len({reply.text for reply in replies}) == 1
    assert [reply.state for reply in replies] == ["complete"] * 50
    assert sorted(reply.badge for reply in replies) == ["cache"] * 49 + ["offline service"]
    assert len(streams(service)) == 1
    print(f"50 equal prompts through a client: {len(streams(service))} request")


async def test_who_asked_first_may_stop(keeping, service):
    client = keeping()
    prompt, begun = told(frames=200, gap=0.02), asyncio.Event()
    chat = client.one_shot()
    first = chat.begin(prompt)
    driving = asyncio.create_task(chat.drive(first, lambda _: begun.set()))
    await begun.wait()
    others = [asyncio.create_task(client.generate(prompt)) for _ in range(3)]
    async with asyncio.timeout(30):
        while not _followed(client):
            await asyncio.sleep(0.001)
    first.stop()
    await driving
    replies = await asyncio.gather(*others)
    assert first.state == "interrupted"
    assert [(reply.state, len(reply.text)) for reply in replies] == [("complete", 4000)] * 3
    assert sorted(reply.badge for reply in replies) == ["cache", "cache", "offline service"], "one of them pays now"
    assert len(streams(service)) == 1


def _followed(client):
    source = client.services.endpoint("gemini-3.8-flash").source
    return any(stream.followers == 3 for streams in source._streams.values() for stream in streams.values())


async def test_trouble_is_tried_again_by_whoever_asked(settings, service):
    """Ten equal prompts, refused twice: no storm, and all are answered."""
    async with Client(msgspec.structs.replace(settings, cache="memory"), sleep=soon) as client:
        replies = await asyncio.gather(*(client.generate(told(status=503, times=2)) for _ in range(10)))
        assert [reply.state for reply in replies] == ["complete"] * 10
        with pytest.raises(ServerError):
            await client.generate(told(status=503))
    assert len(streams(service)) < 10


@pytest.mark.parametrize(
    "prompt",
    [told(frames=3, finish="MAX_TOKENS"), told(frames=3, finish="SAFETY"), told(frames=5, cut=3), told(frames=3, fault=2)],
    ids=["too long", "withheld", "cut", "fault"],
)
async def test_what_did_not_end_well_is_asked_anew(keeping, service, prompt):
    client = keeping()
    for _ in range(2):
        await asyncio.gather(client.generate(prompt), return_exceptions=True)
        await client.services.endpoints.aclose()
    assert client.cache.stats.hits == 0
    assert (await client.cache.size()).entries == 0
    assert len(streams(service)) >= 2


async def test_with_tools_nothing_is_kept(keeping, service):
    def weather(city: str) -> str:
        """Say how warm it is."""
        return f"21 in {city}"

    client = keeping()
    for number in range(2):
        reply = await client.chat(str(number), tools=[weather], approve="auto").ask("Please call weather(city='Rome')")
        assert reply.tool_calls
    assert client.cache.stats.rate is None
    assert len(streams(service)) == 4
    await client.generate("Who won?", search=True)
    await client.generate("Who won?", search=True)
    assert client.cache.stats.rate is None


async def test_a_fresh_one_is_asked(keeping, service):
    client = keeping()
    await twice(client)
    assert (await client.generate("Why is the sky blue?", fresh=True)).badge == "offline service"
    assert len(streams(service)) == 2


async def test_another_key_finds_nothing_and_nothing_tells_either(keeping, tmp_path):
    for key in (CANARY, CANARY[::-1]):
        client = keeping(key)
        first, again = await twice(client)
        assert (first.badge, again.badge) == ("offline service", "cache")
        await client.aclose()
    assert found_under(tmp_path) == []
    written = "".join(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    assert not [digest for digest in digests(CANARY) + digests(CANARY[::-1]) if digest in written]


async def test_lists_and_counts_are_not_kept(keeping):
    client = keeping()
    assert await client.list_models() == await client.list_models()
    assert await client.count_tokens("one two") == await client.count_tokens("one two")
    assert (await client.cache.size()).entries == 0


async def test_files_go_past_it_and_what_is_asked_of_them_is_kept(keeping, service):
    """Once uploaded a file has one address, and the question one name."""
    client = keeping()
    large = data_part(png(640, 480).ljust(7 * 1024 * 1024, b"\0"), "image/png", "large.png")
    prompt = Turn("user", (large, {"text": "What is this?"}))
    first, again = await twice(client, prompt)
    assert (first.badge, again.badge, again.text) == ("offline service", "cache", first.text)
    assert len(uploads(service)) == len(streams(service)) == 1


async def test_a_setting_that_means_nothing_is_told_at_the_first_prompt(settings):
    async with Client(msgspec.structs.replace(settings, cache="memroy")) as client:
        with pytest.raises(ConfigurationError, match="did you mean memory"):
            await client.generate("x")


async def test_what_is_recorded_is_whole_on_a_hit_too(settings, tmp_path):
    tape = tmp_path / "talk.gemini.jsonl"
    async with Client(msgspec.structs.replace(settings, cache="memory")) as client:
        first = await client.generate("Why is the sky blue?")
        await client.services.endpoints.aclose()
        await client.record(tape)
        assert (await client.generate("Why is the sky blue?")).badge == "cache"
        await client.record(None)
    async with Client(settings) as other:
        await other.replay(tape)
        again = await other.generate("Why is the sky blue?")
    assert (again.text, again.badge) == (first.text, "replay")


async def test_other_settings_leave_what_is_in_memory(settings):
    async with Client(msgspec.structs.replace(settings, cache="memory")) as client:
        await client.generate("Why?")
        await client.services.endpoints.aclose()
        client.use(msgspec.structs.replace(client.settings, retries=0))
        assert (await client.generate("Why?")).badge == "cache"
