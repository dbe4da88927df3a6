"""Files that version 0.1 wrote are read: cassettes, journals, caches, the stores of maps, exported chats.

They were written against services on 127.0.0.1:9, where nobody listens here: whatever comes, comes out of the files.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nbgemini import Client, Settings
from nbgemini.errors import ApiError, ServerError
from nbgemini.journal import Journal
from nbgemini.secrets import Secret
from tests.conftest import soon
from tests.fakes.shell import Shell

EARLIER = Path(__file__).parent / "data" / "version-0.1"
NOBODY = {"key": Secret("k" * 20), "base_url": "http://127.0.0.1:9", "model": "gemini-3.8-flash"}


def weather(city: str) -> str:
    """Say how warm it is."""
    return f"21 in {city}"


@pytest.fixture
def earlier(tmp_path):
    """A copy of a file, which may be written to."""
    return lambda name: Path(shutil.copy(EARLIER / name, tmp_path))


async def test_rows_of_a_map_are_not_asked_again(earlier):
    path = earlier("maps.sqlite3")
    rows = [*({"n": n} for n in range(5)), {"n": 1}]
    async with Client(Settings(**NOBODY), sleep=soon) as client:
        table = await client.map("row {n}", rows, store=path, progress=False)
        how = {"store": path, "progress": False, "system": "Be brief.", "temperature": 0.5}
        brief = await client.map("Say {row}", ["a", "b"], **how)
    assert table.texts == ["<row 0>", "<row 1>", "<row 2>", "<row 3>", "<row 4>", "<row 1>"]
    assert brief.texts == ["<Say a>", "<Say b>"]
    assert all(row.stored for row in [*table, *brief])
    assert (table.usage.total, table.cost) == (42, pytest.approx(6.75e-05))


async def test_answers_come_out_of_the_cache(earlier):
    cache = f"sqlite:{earlier('cache.sqlite3')}"
    async with Client(Settings(**NOBODY, cache=cache), sleep=soon) as client:
        hello = await client.generate("hello")
        blue = await client.generate("Why is the sky blue?")
        brief = await client.generate("hello", system="Be brief.", temperature=0.5)
        size = await client.cache.size()
    assert "You asked: “hello”" in hello.text
    assert "## Why the sky is blue" in blue.text
    assert {reply.badge for reply in (hello, blue, brief)} == {"cache"}
    assert (client.cache.stats.hits, client.cache.stats.misses, size.entries) == (3, 0, 3)


def test_a_journal_has_its_chats_and_its_requests(earlier):
    journal = Journal(earlier("journal.sqlite3"), "a.ipynb")
    try:
        chats = {name: count for name, count, _ in journal.chats()}
        called, greeted = journal.exchanges("main")
        (failed,), (cut,) = journal.exchanges("other"), journal.exchanges("cut")
        requests = journal.requests(10)
    finally:
        journal.close()
    assert chats == {"main": 2, "other": 1, "cut": 1}
    assert [turn.role for turn in called.past] == ["model", "user"]
    assert called.past[0].parts[0]["functionCall"]["args"] == {"city": "Rome"}
    assert (greeted.state, failed.state, cut.state) == ("complete", "failed", "interrupted")
    assert "nbgemini's **offline service**" in "".join(part["text"] for part in greeted.parts)
    assert cut.note
    assert len("".join(part["text"] for part in cut.parts)) > 50
    assert [(request["chat"], request["state"], request["input"]) for request in requests] == [
        (None, "complete", 2),
        ("other", "failed", 13),
        ("main", "complete", 119),
        ("main", "complete", 92),
    ]


async def test_a_journal_goes_on_where_it_was(earlier, service):
    path = earlier("journal.sqlite3")
    journal = Journal(path, "a.ipynb")
    async with Client(Settings(**{**NOBODY, "base_url": service.url}), log=journal) as client:
        await client.chat("new").ask("hello")
    journal.close()
    later = Journal(path, "a.ipynb")
    assert {name: count for name, count, _ in later.chats()} == {"main": 2, "other": 1, "cut": 1, "new": 1}
    assert len(later.requests(10)) == 5


async def test_a_cassette_is_played(earlier):
    client = Client(Settings(base_url=NOBODY["base_url"], model=NOBODY["model"]), sleep=soon)
    await client.replay(earlier("cassette.jsonl"))
    called = await client.chat(tools=[weather], approve="auto").ask("Please call weather(city='Rome')")
    assert "21 in Rome" in called.text
    assert "You asked: “hello”" in (await client.generate("hello")).text
    assert (await client.generate("hello", system="Be brief.", temperature=0.5)).badge == "replay"
    with pytest.raises(ServerError, match="tried 3 times"):
        await client.generate('offline: {"status": 503}')
    with pytest.raises(ServerError, match="overloaded"):
        await client.generate('offline: {"frames": 3, "fault": 2, "gap": 0}')
    with pytest.raises(ApiError, match="unknown field"):
        await client.generate('offline: {"status": 429, "retry_after": 1}')
    assert await client.count_tokens("one two three") == 4
    assert "gemini-3.8-flash" in [model.name for model in await client.list_models()]


async def test_a_miss_names_what_differs_from_an_earlier_recording(earlier):
    client = Client(Settings(base_url=NOBODY["base_url"], model=NOBODY["model"]), sleep=soon)
    await client.replay(earlier("cassette.jsonl"))
    with pytest.raises(Exception, match=r"-\"temperature\": 0\.5 \+\"temperature\": 0\.7"):
        await client.generate("hello", system="Be brief.", temperature=0.7)


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path / "ipython")
    shell.run("%load_ext nbgemini\n%gemini demo fast")
    yield shell
    shell.close()


def test_an_exported_chat_is_loaded_and_goes_on(shell, earlier):
    assert shell.run(f"%gemini load {earlier('chat.json')} old") is None
    assert "old: 3 exchanges loaded" in shell.printed
    assert shell.run("%%gemini --wait --chat old\nWhat is my name?") is None
    assert "Your name is **Ada**" in shell.reply.text
