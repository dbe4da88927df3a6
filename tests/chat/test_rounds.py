"""Over real sockets: a request is sent again while nothing was shown, by one owner, visibly, and a stop ends the wait."""

from __future__ import annotations

import asyncio

import pytest

from nbgemini import Client, Settings
from nbgemini.errors import RateLimitError, ServerError, TransportError
from nbgemini.messages.events import Queued, Retrying
from nbgemini.notebook.display.status_line import doing_text, status_text
from nbgemini.secrets import Secret
from nbgemini.transport import retry
from nbgemini.transport.retry import RetryBudget
from tests.fakes.raw import CLOSE, END, RESET, STALL, RawServer, chunk, event, head, text_frame

GOOD = [head(), event(text_frame("fine", finish="STOP")), END]
BUSY = [head("503 Unavailable", "application/json"), chunk(b'{"error": {"code": 503, "status": "UNAVAILABLE"}}'), END]
FAULT = [head(), chunk(b'data: {"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}}\r\n\r\n'), END]
EMPTY = [head(), END]
LIMITED = [
    head("429 Too Many", "application/json", "Retry-After: 7\r\n"),
    chunk(b'{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}'),
    END,
]
DAILY = [head("429 Too Many", "application/json"), chunk(b'{"error": {"code": 429, "message": "QuotaPerDay"}}'), END]


class Sleeps(list):
    """How long was waited; nobody really waits."""

    async def __call__(self, seconds):
        self.append(seconds)


def client_of(server, sleep, **settings):
    return Client(Settings(key=Secret("k" * 39), base_url=server.url, **settings), sleep=sleep)


@pytest.mark.parametrize(
    "trouble",
    [BUSY, FAULT, EMPTY, LIMITED, [RESET], [CLOSE], [head(), RESET]],
    ids=["503", "fault", "empty", "429", "reset", "close", "reset-after-head"],
)
async def test_trouble_before_the_first_word_is_waited_out(trouble):
    sleeps = Sleeps()
    async with RawServer(trouble, trouble, GOOD) as server, client_of(server, sleeps) as client:
        reply = await client.generate("hello")
    assert (reply.text, reply.state, reply.retries, reply.notice) == ("fine", "complete", 2, None)
    assert len(server.requests) == 3
    assert len({body for _, body in server.requests}) == 1
    assert len(sleeps) == 2


async def test_what_the_service_asks_for_is_obeyed():
    sleeps = Sleeps()
    async with RawServer(LIMITED, GOOD) as server, client_of(server, sleeps) as client:
        await client.generate("hello")
    assert 7 <= sleeps[0] <= 7.7


@pytest.mark.parametrize("trouble", [BUSY, [RESET]], ids=["503", "reset"])
async def test_three_attempts_and_no_more(trouble):
    """One owner: an attempt is a request, and nothing below multiplies them."""
    async with RawServer(trouble) as server, client_of(server, Sleeps()) as client:
        with pytest.raises((ServerError, TransportError)) as caught:
            await client.chat().ask("hello")
        assert caught.value.reply.retries == 2
        assert len(server.requests) == 3
        assert client.chat().transcript.exchanges[0].state == "failed"


async def test_a_daily_quota_is_asked_once():
    async with RawServer(DAILY) as server, client_of(server, Sleeps()) as client:
        with pytest.raises(RateLimitError, match="midnight"):
            await client.generate("hello")
    assert len(server.requests) == 1


async def test_no_retries_where_none_are_wanted():
    async with RawServer(BUSY, GOOD) as server, client_of(server, Sleeps(), retries=0) as client:
        with pytest.raises(ServerError):
            await client.generate("hello")
    assert len(server.requests) == 1


async def test_after_the_first_word_nothing_is_sent_again():
    async with RawServer([head(), event(text_frame("half")), RESET], GOOD) as server, client_of(server, Sleeps()) as client:
        reply = await client.generate("hello")
    assert (reply.text, reply.state, reply.retries) == ("half", "truncated", 0)
    assert len(server.requests) == 1


async def test_a_later_round_is_sent_again_and_its_tools_are_not_run_again():
    runs = []

    def count(n: int) -> int:
        """Count."""
        runs.append(n)
        return n

    call = {
        "candidates": [{"content": {"parts": [{"functionCall": {"name": "count", "args": {"n": 1}}}]}, "finishReason": "STOP"}]
    }
    async with RawServer([head(), event(call), END], BUSY, GOOD) as server, client_of(server, Sleeps()) as client:
        reply = await client.chat(tools=[count], approve="auto").ask("hello")
    assert (reply.text, reply.state, reply.retries, runs) == ("fine", "complete", 1, [1])
    assert len(server.requests) == 3


async def test_events_tell_of_every_attempt():
    async with RawServer(BUSY, GOOD) as server, client_of(server, Sleeps()) as client:
        events = [event async for event in client.chat().stream("hello")]
    told = [event for event in events if isinstance(event, Retrying)]
    assert [(event.why, event.attempt, event.attempts) for event in told] == [("503 UNAVAILABLE", 2, 3)]


async def test_the_wait_is_seen_counted_down_and_stoppable():
    waiting = asyncio.Event()

    async def for_ever(_seconds):
        waiting.set()
        await asyncio.Event().wait()

    async with RawServer(LIMITED) as server, client_of(server, for_ever) as client:
        chat = client.chat()
        reply = chat.begin("hello")
        task = asyncio.create_task(chat.drive(reply))
        await asyncio.wait_for(waiting.wait(), 10)
        assert doing_text(reply) in {f"429 RESOURCE_EXHAUSTED, retrying in {n} s (2 of 3)" for n in (7, 8)}
        assert doing_text(reply) in status_text(reply)
        reply.stop()
        await asyncio.wait_for(task, 10)
        assert reply.state == "interrupted"
        assert len(server.requests) == 1


async def test_many_chats_in_a_storm_share_one_budget(monkeypatch):
    """Fifty prompts meet a service that refuses all: no more than the budget pays for is sent again."""
    monkeypatch.setattr(retry, "BUDGET", RetryBudget(tokens=100))
    async with RawServer(BUSY) as server, client_of(server, Sleeps()) as client:
        outcomes = await asyncio.gather(*(client.generate(str(n)) for n in range(50)), return_exceptions=True)
    assert all(isinstance(outcome, ServerError) for outcome in outcomes)
    assert len(server.requests) == 50 + 20


async def test_models_are_asked_for_again_too():
    models = [head(content_type="application/json"), chunk(b'{"models": []}'), END]
    async with RawServer(BUSY, models) as server, client_of(server, Sleeps()) as client:
        assert await client.list_models() == []
    assert len(server.requests) == 2


async def test_more_streams_than_places_wait_in_line_and_say_so():
    talk = [head(), event(text_frame("…")), STALL]
    async with RawServer(talk) as server, client_of(server, Sleeps(), max_streams=2) as client:
        chats = [client.chat(str(number)) for number in range(5)]
        replies = [chat.begin("hello") for chat in chats]
        tasks = [asyncio.create_task(chat.drive(reply)) for chat, reply in zip(chats, replies, strict=True)]
        async with asyncio.timeout(20):
            while [reply.so_far.text for reply in replies] != ["…", "…", "", "", ""] or replies[4].notice is None:
                await asyncio.sleep(0.01)
        assert [reply.notice for reply in replies] == [None, None, Queued(0), Queued(1), Queued(2)]
        assert [reply.state for reply in replies] == ["running", "running", "waiting", "waiting", "waiting"]
        assert doing_text(replies[4]) == "waiting: 2 ahead"
        for reply in replies:
            reply.stop()
            async with asyncio.timeout(20):
                while not reply.done:
                    await asyncio.sleep(0.01)
        await asyncio.gather(*tasks)
        assert {reply.state for reply in replies} == {"interrupted"}


async def test_a_place_is_free_again_while_tools_run_and_between_attempts():
    """What waits for leave, or for its next attempt, holds nobody up."""
    waiting = asyncio.Event()

    async def for_ever(_seconds):
        waiting.set()
        await asyncio.Event().wait()

    async with RawServer(BUSY, GOOD) as server, client_of(server, for_ever, max_streams=1) as client:
        first = asyncio.create_task(client.generate("hello"))
        await asyncio.wait_for(waiting.wait(), 10)
        reply = await asyncio.wait_for(client.generate("hello"), 10)
        assert reply.text == "fine"
        first.cancel()
        await asyncio.wait([first])
