"""What was asked and what came is on disk a moment later, a later kernel finds it, and what is forgotten is gone."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing

import pytest

from nbgemini import Client, NbGeminiError, Settings
from nbgemini.journal import schema
from nbgemini.secrets import Secret
from tests.journal.conftest import later


def slow(**told):
    return f"offline: {json.dumps({'frames': 400, 'chars': 2, 'gap': 0.01, **told})}"


def rows(path, query):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def streaming(client, prompt):
    """A reply that has begun to stream, and the task that drives it."""
    reply, begun = client.chat().begin(prompt), asyncio.Event()
    task = asyncio.create_task(client.chat().drive(reply, lambda _: begun.set()))
    await begun.wait()
    return reply, task


async def test_a_later_kernel_finds_what_was_asked_and_came(asking, journal, path):
    reply = await asking.chat().ask("Why is the sky blue?")
    await asking.chat("other").ask("hello")
    journal.close()
    assert [(name, count) for name, count, _ in later(path).chats()] == [("main", 1), ("other", 1)]
    (exchange,) = later(path).exchanges("main")
    assert (exchange.asked, exchange.state) == (reply.exchange.asked, "complete")
    assert exchange.parts == reply.exchange.parts
    assert exchange.turns() == reply.exchange.turns()


async def test_a_loaded_chat_goes_on_with_its_signatures_and_is_the_new_kernels_own(asking, journal, path, service):
    await asking.chat().ask("My name is Zoe.")
    journal.close()
    second = later(path)
    async with Client(Settings(key=Secret("k"), base_url=service.url), log=second) as client:
        client.chat().transcript.exchanges += second.exchanges("main")
        second.adopt("main", client.chat().transcript.exchanges)
        assert "Zoe" in (await client.chat().ask("What is my name?")).text  # the service checks the signatures
        second.close()
    assert [exchange.state for exchange in later(path).exchanges("main")] == ["complete"] * 2


async def test_a_replaced_exchange_is_there_once_and_a_forgotten_chat_is_gone(asking, journal, path):
    for prompt in ("one", "two"):
        await asking.chat().drive(asking.chat().begin(prompt, cell="c#1"))
    assert journal.flush()
    assert [exchange.asked.parts[0]["text"] for exchange in later(path).exchanges("main")] == ["two"]
    journal.forget("main")
    assert journal.flush()
    assert later(path).chats() == []
    assert len(journal.requests(10)) == 2


async def test_one_shots_leave_a_request_but_no_text(asking, journal, path):
    await asking.generate("The word is xylophone.")
    journal.close()
    assert later(path).chats() == []
    (row,) = later(path).requests(5)
    assert (row["state"], row["offline"], row["provider"], row["cost"]) == ("complete", 1, "gemini", None)
    assert row["output"] > 0
    assert 0 <= row["first"] <= row["seconds"]
    assert b"xylophone" not in path.read_bytes()


async def test_only_its_owner_can_read_it_and_no_key_is_in_it(service, journal, path):
    async with Client(Settings(key=Secret("CANARY-123"), base_url=service.url), log=journal) as client:
        await client.chat().ask("hello")
    journal.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert all(b"CANARY" not in file.read_bytes() for file in path.parent.iterdir())


async def test_a_long_answer_is_written_piece_by_piece(asking, journal, path, monkeypatch):
    """What is written grows with the answer, not with its square: each piece as it comes, and all of it at the end."""
    written, add_parts = [], schema.add_parts

    def counted(connection, key, number, turn):
        written.append(len(json.dumps(turn.parts)))
        add_parts(connection, key, number, turn)

    monkeypatch.setattr(schema, "add_parts", counted)
    prompt = f"offline: {json.dumps({'frames': 2000, 'chars': 100, 'gap': 0.001})}"
    reply = asking.chat().begin(prompt)
    await asking.chat().drive(reply)
    assert journal.flush()
    assert len(reply.text) == 200_000
    assert later(path).exchanges("main")[0].parts == reply.exchange.parts
    assert len(written) > 2
    assert sum(written) <= 3 * 200_000


async def test_a_forgotten_chat_stays_forgotten_whoever_wrote_it(asking, journal, path, service):
    """Not in a later kernel, and not in the bytes of the file either."""
    await asking.chat().ask("The word is xylophone.")
    journal.close()
    second = later(path)
    async with Client(Settings(key=Secret("k"), base_url=service.url), log=second) as client:
        await client.chat().ask("The word is xylophone again.")
        second.forget("main")
        second.close()
    assert later(path).chats() == []
    assert all(b"xylophone" not in file.read_bytes() for file in path.parent.iterdir())
    third = later(path)
    assert third.exchanges("main") == []
    assert len(third.requests(10)) == 2


async def test_a_kernel_forgets_what_it_never_asked(asking, journal, path):
    await asking.chat().ask("hello")
    journal.close()
    second = later(path)
    second.forget("main")
    second.close()
    assert later(path).chats() == []


def test_forgetting_where_nothing_was_written_makes_no_file(journal, path):
    journal.forget("main")
    assert not path.exists()


async def test_what_still_streams_into_a_forgotten_chat_leaves_no_text(asking, journal, path):
    reply, task = await streaming(asking, slow())
    assert journal.flush()
    assert rows(path, "SELECT COUNT(*) FROM exchange") == [(1,)]
    journal.forget("main")
    reply.stop()
    await task
    journal.close()
    assert rows(path, "SELECT COUNT(*) FROM exchange") == rows(path, "SELECT COUNT(*) FROM came") == [(0,)]
    assert rows(path, "SELECT state FROM request") == [("interrupted",)]


async def test_an_answer_that_is_asked_again_takes_no_more_text(asking, journal, path):
    """The old one is stopped, but not over yet, when its cell is run again."""
    first = asking.chat().begin(slow(), cell="c#1")
    second = asking.chat().begin("two", cell="c#1")
    assert journal.flush()
    first.exchange.parts.append({"text": "late"})
    first._state.finish("interrupted")
    await asking.chat().drive(second)
    journal.close()
    (exchange,) = later(path).exchanges("main")
    assert exchange.parts == second.exchange.parts
    assert rows(path, "SELECT COUNT(*) FROM came WHERE exchange NOT IN (SELECT id FROM exchange)") == [(0,)]


async def test_a_loaded_chat_is_the_former_kernels_no_more(asking, journal, path):
    """So that what is dropped or forgotten of it does not come back; this kernel's own one stays."""
    await asking.chat().ask("hello")
    journal.close()
    second = later(path)
    saved = second.exchanges("main")
    second.replace("main", saved)
    second.adopt("earlier", saved, former="main")
    assert second.flush()
    assert second.chats() == []
    assert sorted(name for name, *_ in later(path).chats()) == ["earlier", "main"]
    second.replace("main", [])
    second.close()
    assert [name for name, *_ in later(path).chats()] == ["earlier"]


async def test_replacing_a_chat_leaves_what_former_kernels_had(asking, journal, path):
    """Begun by mistake and dropped: the saved one can still be loaded."""
    await asking.chat().ask("hello")
    journal.close()
    second = later(path)
    second.replace("main", later(path).exchanges("main"))
    second.replace("main", [])
    assert [name for name, *_ in second.chats()] == ["main"]
    second.close()


async def test_a_retired_journal_writes_the_end_of_what_is_stopped_and_ends_by_itself(asking, journal, path):
    """As on %unload_ext: stopped first, over a moment later."""
    reply, task = await streaming(asking, slow())
    assert await asyncio.to_thread(journal.flush)
    writer = journal._writer._worker._thread
    reply.stop()
    journal.retire()
    await task
    writer.join(30)
    assert not writer.is_alive()
    (exchange,) = later(path).exchanges("main")
    assert (exchange.state, exchange.note) == ("interrupted", "")
    assert exchange.parts == reply.exchange.parts
    assert exchange.parts
    assert len(later(path).requests(9)) == 1


async def test_after_its_end_a_journal_begins_again(asking, journal, path):
    journal.retire()
    await asking.chat().ask("hello")
    journal.close()
    await asking.chat().ask("hello")
    journal.close()
    journal.close()
    assert [count for _, count, _ in later(path).chats()] == [2]


async def test_a_request_is_known_with_all_that_it_took(asking, journal):
    reply = asking.chat().begin("hello", purpose="fix", retries=2)
    await asking.chat().drive(reply)
    with pytest.raises(NbGeminiError) as refused:
        await asking.chat("b").ask('offline: {"status": 404}')
    failed, fine = journal.requests(2)
    assert (fine["purpose"], fine["retries"], fine["code"], fine["chat"]) == ("fix", 2, 200, "main")
    assert (fine["provider"], fine["model"], fine["state"], fine["error"]) == ("gemini", reply.model, "complete", "")
    assert all(fine[name] == getattr(reply.usage, name) for name in ("input", "thought", "output", "cached"))
    assert 0 <= fine["first"] <= fine["seconds"]
    assert (failed["state"], failed["error"], failed["code"], failed["first"]) == ("failed", refused.typename, 404, None)


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "/etc/passwd",
        "x" * 500,
        "a/b\\c",
        "ü ö 😀",
        "con",
        ".",
        "a'; DROP TABLE exchange; --",
        "\u202egnp",
        "a\nb",
        "",
    ],
    ids=ascii,
)
async def test_a_chat_may_have_any_name_and_it_is_never_a_files(asking, journal, path, name):
    """Nor is one that differs by case or by its normal form the same."""
    before = sorted(file for file in path.parent.parent.rglob("*") if file.parent != path.parent)
    others = [f"{name}x", name.swapcase() if name.swapcase() != name else f"{name}y"]
    for number, other in enumerate([name, *others]):
        await asking.chat(other).ask(f"hello {number}")
    journal.close()
    assert sorted(file for file in path.parent.parent.rglob("*") if file.parent != path.parent) in (before, [path.parent])
    assert {file.name.removeprefix(path.name) for file in path.parent.iterdir()} <= {"", "-wal", "-shm"}
    assert sorted(name for name, *_ in later(path).chats()) == sorted([name, *others])
    (exchange,) = later(path).exchanges(name)
    assert exchange.asked.parts[0]["text"] == "hello 0"
    assert later(path).requests(3)[-1]["chat"] == name


async def test_the_newest_is_what_was_written_last_whatever_the_clock_says(asking, journal, path, service, monkeypatch):
    await asking.chat().ask("one")
    journal.close()
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() - 86_400)
    second = later(path)
    async with Client(Settings(key=Secret("k"), base_url=service.url), log=second) as client:
        await client.chat().ask("two")
        second.close()
    assert [exchange.asked.parts[0]["text"] for exchange in later(path).exchanges("main")] == ["two"]
    assert [row["at"] > true() - 80_000 for row in later(path).requests(2)] == [False, True]
