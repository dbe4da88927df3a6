"""Many streams at once, many that are cancelled, and one that is long: each text exact, nothing lost, nothing held."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from nbgemini.messages.events import Queued
from nbgemini.providers.gemini.codec import GeminiCodec
from nbgemini.transport.framing import Framer
from tests.fakes.invariants import assert_all
from tests.fakes.script import END, Chunk, Until, event, frame, head, stream
from tests.fakes.watched import watched
from tests.support.replies import WrittenReply


@pytest.fixture
def crowd():
    """Run a crowd in a process of its own, against a server in a process of its own."""
    command = [sys.executable, "-m", "tests.fakes.crowd_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().strip()

        def run(what, count):
            asked = [sys.executable, "-W", "always", "-m", "tests.fakes.crowd", what, str(count), url]
            done = subprocess.run(asked, check=False, capture_output=True, text=True, timeout=850)
            print(what, count, done.stdout)
            assert (done.returncode, done.stderr) == (0, "")  # nothing was left open, unawaited or unretrieved
            return json.loads(done.stdout)

        yield run
        server.kill()


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.soak)])
def test_many_streams_at_once_are_all_exact(crowd, count):  # L1
    """The server says nothing more before all of them have begun."""
    found = crowd("streams", count)
    assert (found["exact"], found["tasks"]) == (count, 0)
    assert found["rss"] <= 150


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.soak)])
def test_more_streams_than_places_are_all_served(crowd, count):  # L1
    found = crowd("line", count)
    assert (found["exact"], found["tasks"]) == (count, 0)
    assert found["rss"] <= 150


@pytest.mark.parametrize("count", [3000, pytest.param(10_000, marks=pytest.mark.soak)])
def test_after_many_cancellations_all_places_are_back(crowd, count):  # L2
    found = crowd("churn", count)
    assert found["cancelled"] >= count
    assert (found["fresh"], found["together"], found["tasks"]) == (10, 20, 0)
    assert found["rss"] <= 150


@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read where Linux tells it")
@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.soak)])
def test_answer_after_answer_nothing_grows(crowd, count):  # L7
    """100,000 pieces, or 2 million: a day's worth."""
    found = crowd("turns", count)
    assert found["grown"] <= 2
    assert (found["files"], found["tasks"]) == (0, 0)


async def test_who_waits_in_line_is_told_and_served():  # L1
    gate = asyncio.Event()
    slow = (head(), Chunk(event(frame("slow"))), Until(gate), Chunk(event(frame(finish="STOP"))), END)
    async with watched(slow, max_streams=1) as chat:
        first, second = chat.client.chat("first"), chat.begin()
        waiting = asyncio.create_task(first.ask("slow, please"))
        while not chat.server.hits:
            await asyncio.sleep(0)
        driving = asyncio.create_task(chat.chat.drive(second.reply, second.apply))
        while second.reply.notice is None:
            await asyncio.sleep(0)
        assert (second.reply.notice, second.reply.state, len(chat.server.hits)) == (Queued(0), "waiting", 1)
        gate.set()
        assert (await waiting).text == "slow"
        await driving
        assert second.reply.text == "fine"
        await assert_all(chat, second, requests=None)


def test_a_long_answer_costs_each_piece_the_same():  # L6
    """1 MB in 20,000 pieces: no step copies what came before it, so the whole is linear in its length."""
    size, count = 50, 20_000
    body = b"".join(event(frame(f"{n:0{size}}")) for n in range(count)) + event(frame(finish="STOP"))
    pieces = [body[at : at + 1448] for at in range(0, len(body), 1448)]
    framer, gemini = Framer(), GeminiCodec()
    reply = WrittenReply()
    most = 0
    tracemalloc.start()
    for number, piece in enumerate(pieces):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        for one in framer.feed(piece):
            reply.feed(gemini.decoder()(one))
        _, peak = tracemalloc.get_traced_memory()
        most = max(most, peak - before) if number > len(pieces) // 2 else 0
    tracemalloc.stop()
    reply.end()
    assert (reply.state, reply.text) == ("complete", "".join(f"{n:0{size}}" for n in range(count)))
    print(f"{most / 1000:.0f} kB at most for a piece of 1.4 kB, after 500 kB")
    assert most < size * count / 8  # a copy of the half that was there would be four times that


async def test_a_long_answer_is_exact():  # L6
    texts = [f"{n:050}" for n in range(20_000)]
    async with watched(stream(*map(frame, texts), frame(finish="STOP"))) as chat:
        asked = await chat.ask()
        assert (asked.reply.state, asked.reply.text) == ("complete", "".join(texts))
        await assert_all(chat, asked)
