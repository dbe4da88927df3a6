"""A whole answer is asked for once: it is played again, and those who ask at the same moment share it."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, suppress

import msgspec
import pytest

from nbgemini.cache import open_cache
from nbgemini.cache.cache import Cache
from nbgemini.cache.source import CachedSource, StreamTee
from nbgemini.cache.store import MemoryStore
from nbgemini.errors import ServerError, TransportError
from nbgemini.transport.request import CachedFrame, Request
from tests.cache.conftest import ANSWER, DECODE, IDENTITY, asked
from tests.fakes.raw import text_frame


class Well:
    """A source that says what a test lets it say; `None` ends an answer well, an error ends it so."""

    def __init__(self):
        self.asked = []
        self.open = 0
        self.says = asyncio.Queue()
        self.closed = self.retired = False

    def say(self, *frames):
        for frame in frames:
            self.says.put_nowait(frame)

    async def frames(self, request):
        self.asked.append(request)
        self.open += 1
        try:
            while (frame := await self.says.get()) is not None:
                if isinstance(frame, Exception):
                    raise frame
                yield frame
        finally:
            await asyncio.sleep(0)  # closing takes its time
            self.open -= 1

    async def aclose(self):
        self.closed = True

    def retire(self):
        self.retired = True


@pytest.fixture
def well():
    return Well()


@pytest.fixture
async def cache():
    one = open_cache("memory")
    yield one
    await one.aclose()


@pytest.fixture
def source(well, cache):
    return CachedSource(well, cache, IDENTITY, lambda: DECODE)


async def all_of(source, request=None):
    async with aclosing(source.frames(request or asked())) as frames:
        return [frame async for frame in frames]


class Reading:
    """One who reads in a task of its own."""

    def __init__(self, source, request=None):
        self.got, self.news = [], asyncio.Condition()
        self.task = asyncio.create_task(self._read(source, request or asked()))

    async def _read(self, source, request):
        async with aclosing(source.frames(request)) as frames:
            async for frame in frames:
                self.got.append(frame)
                async with self.news:
                    self.news.notify_all()

    async def has(self, count):
        async with asyncio.timeout(30), self.news:
            await self.news.wait_for(lambda: len(self.got) >= count)

    async def end(self):
        async with asyncio.timeout(30):
            await self.task
        return self.got

    async def stop(self):
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


def marked(frames):
    return [isinstance(frame, CachedFrame) for frame in frames]


def followers(source):
    """How many share the one stream."""
    return max((stream.followers for streams in source._streams.values() for stream in streams.values()), default=0)


async def until(fact):
    async with asyncio.timeout(30):
        while not fact():
            await asyncio.sleep(0)


async def test_what_was_answered_is_played_and_says_so(well, source, cache):
    well.say(*ANSWER, None)
    first, again = await all_of(source), await all_of(source)
    assert first == again == ANSWER
    assert (marked(first), marked(again)) == ([False, False], [True, True])
    assert len(well.asked) == 1
    assert (cache.stats.hits, cache.stats.misses, cache.stats.rate) == (1, 1, 0.5)


async def test_fifty_equal_prompts_are_one_request(well, source, cache):
    readers = [Reading(source) for _ in range(50)]
    await until(lambda: well.asked)
    well.say(*ANSWER)
    for reader in readers:
        await reader.has(2)  # live: the answer is not over
    well.say(None)
    frames = [await reader.end() for reader in readers]
    assert all(one == ANSWER for one in frames)
    assert len(well.asked) == 1
    assert sum(not any(marked(one)) for one in frames) == 1, "one pays"
    await source.aclose()
    print(f"50 equal prompts at once: {len(well.asked)} request, {cache.stats.shared} shared")
    assert (cache.stats.shared, cache.stats.hits) == (49, 0)


async def test_who_comes_in_the_middle_gets_the_beginning_too(well, source):
    well.say(ANSWER[0])
    first = Reading(source)
    await first.has(1)
    second = Reading(source)
    await second.has(1)
    well.say(ANSWER[1], None)
    assert await second.end() == await first.end() == ANSWER
    assert len(well.asked) == 1


async def test_the_first_may_stop_and_the_others_get_it_all(well, source):
    well.say(ANSWER[0])
    first, second = Reading(source), Reading(source)
    await first.has(1)
    await second.has(1)
    await first.stop()
    assert well.open == 1
    well.say(ANSWER[1], None)
    assert await second.end() == ANSWER
    assert len(well.asked) == 1
    assert await all_of(source) == ANSWER


async def test_who_has_seen_nothing_yet_pays_when_the_payer_goes(well, source):
    first, second = Reading(source), Reading(source)
    await until(lambda: well.asked)
    await first.stop()
    well.say(*ANSWER, None)
    assert marked(await second.end()) == [False, False]


async def test_who_goes_on_pays_from_there(well, source):
    """Tokens are counted with the last frame."""
    well.say(ANSWER[0])
    first, second = Reading(source), Reading(source)
    await first.has(1)
    await second.has(1)
    await first.stop()
    well.say(ANSWER[1], None)
    assert marked(await second.end()) == [True, False]


async def test_with_the_last_the_stream_is_closed(well, source):
    """Before that one's leaving is over."""
    well.say(ANSWER[0])
    readers = [Reading(source) for _ in range(3)]
    for reader in readers:
        await reader.has(1)
    await readers[0].stop()
    await readers[1].stop()
    assert well.open == 1
    await readers[2].stop()
    assert well.open == 0
    well.say(*ANSWER, None)
    assert await all_of(source) == ANSWER, "nothing of it is kept"
    assert len(well.asked) == 2


class Spring(Well):
    """A source that gives each who asks the whole answer, in its time."""

    async def frames(self, request):
        self.says = asyncio.Queue()  # what another did not take is not this one's
        self.say(*ANSWER, None)
        async with aclosing(super().frames(request)) as frames:
            async for frame in frames:
                await asyncio.sleep(0)
                yield frame


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
async def test_one_may_be_cancelled_at_any_turn(cache, twice):
    for turns in range(60):
        spring = Spring()
        source, request = CachedSource(spring, cache, IDENTITY, lambda: DECODE), asked(f"{turns}")
        first, second = Reading(source, request), Reading(source, request)
        for _ in range(turns):
            await asyncio.sleep(0)
        first.task.cancel()
        await asyncio.sleep(0)
        if twice:
            first.task.cancel()
        with suppress(asyncio.CancelledError):
            await first.task
        assert await second.end() == ANSWER, turns
        await source.aclose()
        await until(lambda spring=spring: not spring.open)


async def test_all_may_be_cancelled_at_any_turn(well, source):
    """Nothing goes on that nobody reads."""
    for turns in range(60):
        readers = [Reading(source, asked(f"{turns}")) for _ in range(3)]
        well.say(*ANSWER)
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.gather(*(reader.stop() for reader in readers))
        assert well.open == 0, turns
        while not well.says.empty():
            well.says.get_nowait()
        await until(lambda: not any(source._streams.values()))


async def test_leaving_the_loop_early_closes_it_too(well, source):
    well.say(*ANSWER)
    async with aclosing(source.frames(asked())) as frames:
        assert await anext(frames) == ANSWER[0]
    assert well.open == 0


@pytest.mark.parametrize("before", [0, 1])
async def test_an_error_reaches_each_as_its_own_and_nothing_is_kept(well, source, before):
    trouble = ServerError("busy", code=503)
    trouble.passing = True
    readers = [Reading(source) for _ in range(20)]
    await until(lambda: followers(source) == 19)
    well.say(*ANSWER[:before], trouble)
    errors = await asyncio.gather(*(reader.task for reader in readers), return_exceptions=True)
    assert len({id(error) for error in errors}) == 20
    assert {(type(e), str(e), e.code, e.passing) for e in errors} == {(ServerError, "busy", 503, True)}
    assert [len(reader.got) for reader in readers] == [before] * 20
    assert len(well.asked) == 1
    well.say(*ANSWER, None)
    assert await all_of(source) == ANSWER
    assert len(well.asked) == 2


async def test_those_who_try_again_share_again(well, source):
    """No storm after an error: who asks first asks for all."""
    well.say(TransportError("gone", passing=True))

    async def stubborn():
        with suppress(TransportError):
            return await all_of(source)
        return await all_of(source)

    tasks = [asyncio.create_task(stubborn()) for _ in range(30)]
    await until(lambda: len(well.asked) == 2)
    well.say(*ANSWER, None)
    assert await asyncio.gather(*tasks) == [ANSWER] * 30
    assert len(well.asked) == 2


@pytest.mark.parametrize(
    "frames",
    [
        ANSWER[:1],
        [json.dumps(text_frame("cut", finish="MAX_TOKENS")).encode()],
        [json.dumps(text_frame("", finish="SAFETY")).encode()],
        [b'{"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {}}}]}, "finishReason": "STOP"}]}'],
    ],
    ids=["cut off", "too long", "withheld", "a call"],
)
async def test_what_is_no_whole_answer_is_asked_anew(well, source, frames):
    for _ in range(2):
        well.say(*frames, None)
        assert await all_of(source) == frames
        await source.aclose()
    assert len(well.asked) == 2


@pytest.mark.parametrize(
    "request_",
    [
        Request("v1beta/models", None, {}, "GET"),
        Request("v1beta/models/m:embedContent", {"content": {}}),
        asked(tools=[{"googleSearch": {}}]),
    ],
    ids=["list", "embed", "search"],
)
async def test_what_is_not_kept_goes_straight_through(well, source, cache, request_):
    well.say(*ANSWER, None, *ANSWER, None)
    assert [await all_of(source, request_) for _ in range(2)] == [ANSWER, ANSWER]
    assert len(well.asked) == 2
    assert cache.stats.rate is None


async def test_a_fresh_one_is_asked_and_takes_the_place(well, source):
    other = [json.dumps(text_frame("Green.", finish="STOP")).encode()]
    well.say(*ANSWER, None, *other, None)
    await all_of(source)
    assert await all_of(source, msgspec.structs.replace(asked(), reuse="fresh")) == other
    assert await all_of(source) == other
    assert len(well.asked) == 2


async def test_another_key_asks_for_itself(well, source, cache):
    well.say(*ANSWER, None, *ANSWER, None)
    await all_of(source)
    from nbgemini.secrets import Secret

    other = CachedSource(well, cache, msgspec.structs.replace(IDENTITY, key=Secret("other")), lambda: DECODE)
    await all_of(other)
    assert len(well.asked) == 2


async def test_one_who_does_not_read_holds_nobody_up(well, source):
    slow = source.frames(asked())
    first = asyncio.ensure_future(anext(slow))
    await until(lambda: well.asked)
    quick = Reading(source)
    well.say(*[ANSWER[0]] * 1000, ANSWER[1], None)
    assert len(await quick.end()) == 1001
    rest = [await first, *[frame async for frame in slow]]
    assert len(rest) == 1001
    assert len(well.asked) == 1


async def test_memory_is_bounded_by_the_slowest():
    """What is too much to be kept is dropped once all have it; the stream waits when one is too far behind."""
    sent, frame = [], b"x" * 100

    async def pump(shared):
        for _ in range(100):
            await shared.add(frame)
            sent.append(frame)
        shared.end()

    shared = StreamTee(pump, most=1000)
    slow, quick = shared.read(), shared.read()
    await anext(slow)
    seen = asyncio.create_task(_count(quick))
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(sent) <= 12
    assert not shared.open
    assert len([frame async for frame in slow]) == 99
    assert await seen == 100
    assert shared.frames is None
    assert len(shared._frames) <= 11


async def _count(frames):
    return len([frame async for frame in frames])


async def test_whoever_asks_while_it_is_being_kept_waits_a_moment(well, source):
    well.say(*ANSWER, None)
    assert [await all_of(source) for _ in range(20)] == [ANSWER] * 20
    assert len(well.asked) == 1


async def test_when_the_task_that_asks_is_cancelled_nobody_waits_for_ever(well, source):
    reader = Reading(source)
    await until(lambda: well.asked)
    (stream,) = next(iter(source._streams.values())).values()
    stream.task.cancel()
    with pytest.raises(TransportError, match="ask again"):
        await reader.end()
    assert well.open == 0


async def test_closing_waits_for_what_is_being_kept(well, source, cache):
    well.say(*ANSWER, None)
    await all_of(source)
    await source.aclose()
    assert (await cache.size()).entries == 1
    assert well.closed
    source.retire()
    assert well.retired


def test_each_loop_has_streams_of_its_own():
    cache = open_cache("memory")

    async def once():
        well = Well()
        well.say(*ANSWER, None)
        return await all_of(CachedSource(well, cache, IDENTITY, lambda: DECODE)), len(well.asked)

    assert [asyncio.run(once())[0] for _ in range(2)] == [ANSWER, ANSWER]


class Slow(MemoryStore):
    """A store that keeps nothing before it is let."""

    def __init__(self, limits):
        super().__init__(limits)
        self.let = asyncio.Event()

    async def put(self, key, value):
        await self.let.wait()
        await super().put(key, value)


@pytest.fixture
async def slow():
    limits = open_cache("memory").limits
    store = Slow(limits)
    yield Cache(store, limits), store
    store.let.set()


async def test_an_answer_is_there_from_the_moment_it_is_whole(well, slow):
    """Also to another source, as after a change of settings, and however long the store takes."""
    cache, store = slow
    well.say(*ANSWER, None)
    first = CachedSource(well, cache, IDENTITY, lambda: DECODE)
    await all_of(first)
    for source in (first, CachedSource(well, cache, IDENTITY, lambda: DECODE)):
        again = await all_of(source)
        assert again == ANSWER
        assert all(isinstance(frame, CachedFrame) for frame in again)
    assert len(well.asked) == 1
    assert not store.let.is_set()
    store.let.set()
    await first.aclose()
    assert (await cache.size()).entries == 1


async def test_what_was_forgotten_on_its_way_into_the_store_is_forgotten(well, slow, monkeypatch):
    cache, store = slow
    judging, let = asyncio.Event(), asyncio.Event()
    really = asyncio.to_thread

    async def in_a_thread(function, *args):
        if function.__name__ == "encode_frames":
            judging.set()
            await let.wait()
        return await really(function, *args)

    monkeypatch.setattr("nbgemini.cache.cache.asyncio.to_thread", in_a_thread)
    store.let.set()
    well.say(*ANSWER, None)
    source = CachedSource(well, cache, IDENTITY, lambda: DECODE)
    await all_of(source)
    await judging.wait()
    await cache.clear()
    let.set()
    await source.aclose()
    assert (await cache.size()).entries == 0
