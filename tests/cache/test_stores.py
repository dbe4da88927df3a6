"""What every store does: what is put is there, for its time, and no more of it than there may be."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import stat
import time
from contextlib import closing
from itertools import count

import pytest

from nbgemini.cache import open_cache
from nbgemini.cache.redis import PREFIX
from nbgemini.cache.sqlite import SqliteStore
from nbgemini.cache.store import Limits, MemoryStore, Size
from tests.cache.conftest import ANSWER, DECODE
from tests.canary import CANARY, found_in


async def test_what_is_put_is_there(cache, told):
    assert await cache.get("a" * 64, DECODE) is None
    await cache.put("a" * 64, ANSWER, DECODE)
    entry = await cache.get("a" * 64, DECODE)
    assert (list(entry.frames), entry.model) == (ANSWER, "m")
    assert await cache.get("b" * 64, DECODE) is None
    size = await cache.size()
    assert (size.entries, size.bytes > sum(map(len, ANSWER)), told) == (1, True, [])


async def test_the_last_that_is_put_counts(cache):
    for frames in (ANSWER, ANSWER[1:]):
        await cache.put("a", frames, DECODE)
    assert list((await cache.get("a", DECODE)).frames) == ANSWER[1:]
    assert (await cache.size()).entries == 1


async def test_what_is_cleared_is_gone(cache):
    for number in range(30):
        await cache.put(str(number), ANSWER, DECODE)
    assert await cache.clear() == 30
    assert (await cache.size()) == Size()
    assert await cache.get("1", DECODE) is None


async def test_an_answer_lives_for_its_time(setting):
    """Time is the fact."""
    cache = open_cache(setting, seconds=1.0)
    await cache.put("a", ANSWER, DECODE)
    assert await cache.get("a", DECODE) is not None
    async with asyncio.timeout(30):
        while await cache.get("a", DECODE) is not None:
            await asyncio.sleep(0.01)
    assert (await cache.size()).entries == 0
    await cache.aclose()


async def test_all_at_once(cache, told):
    """More than there are connections."""
    await asyncio.gather(*(cache.put(str(number), ANSWER, DECODE) for number in range(300)))
    found = await asyncio.gather(*(cache.get(str(number), DECODE) for number in range(300)))
    assert (sum(entry is not None for entry in found), told) == (300, [])


def test_each_loop_may_use_it(setting):
    cache = open_cache(setting)

    async def once():
        await cache.put("a", ANSWER, DECODE)
        found = await cache.get("a", DECODE)
        await cache.aclose()
        return found

    assert all(asyncio.run(once()) is not None for _ in range(3))


@pytest.mark.parametrize("junk", [b"", b"\xc1", b"[]", b"\x80\x04K\x01.", b"\x92\x01\x91\xc4\x02{}", os.urandom(300)])
async def test_a_poisoned_entry_is_none(cache, junk, told):
    """No pickle is read, nothing half is played, and it is dropped."""
    await cache._prepare()
    await cache._store.put("a", junk or b"\0")
    assert await cache.get("a", DECODE) is None
    assert (await cache.size()).entries == 0
    assert told == []


@pytest.fixture(params=["memory", "sqlite"])
async def small(request, tmp_path):
    """A store with room for 1,000 entries and a clock of the test's."""

    class Clock:
        now = 1e9

        def __call__(self):
            return self.now

    clock, limits = Clock(), Limits(1000, 100_000, 60.0)
    store = MemoryStore(limits, clock) if request.param == "memory" else SqliteStore(tmp_path / "c", limits, print, clock)
    store.test_clock = clock
    yield store
    await store.aclose()


async def kept(store, names):
    """Those that are there; looking counts as a use, so this comes last."""
    return {name for name in names if await store.get(name) is not None}


async def test_what_was_used_least_recently_goes_first(small):
    chance, uses, ticks = random.Random(3), {}, count()
    for number in range(1000):
        await small.put(str(number), b"x")
        uses[str(number)] = next(ticks)
    for number in chance.sample(range(1000), 400):
        assert await small.get(str(number)) == b"x"
        uses[str(number)] = next(ticks)
    for number in range(1000, 1500):
        await small.put(str(number), b"x")
        uses[str(number)] = next(ticks)
    assert await small.size() == Size(1000, 1000)
    assert await kept(small, uses) == set(sorted(uses, key=uses.get)[-1000:])


async def test_bytes_count_too(small):
    for number in range(20):
        await small.put(str(number), b"x" * 10_000)
    assert await small.size() == Size(10, 100_000)
    await small.put("large", b"x" * 95_000)
    assert await kept(small, [*map(str, range(20)), "large"]) == {"large"}
    await small.put("too large", b"x" * 100_001)
    assert await small.size() == Size()


async def test_what_is_too_old_is_gone_to_the_second(small):
    await small.put("a", b"x")
    small.test_clock.now += 59.9
    assert await small.get("a") == b"x"
    small.test_clock.now += 0.2
    assert await small.get("a") is None
    assert await small.size() == Size()


async def test_a_clock_that_goes_back_lets_nothing_live_on(tmp_path):
    """A year back: from the next use on it lives for its time, and no longer."""
    times = iter([1e9, 1e9 - 3e7, 1e9 - 3e7 + 61])
    now = [next(times)]
    store = SqliteStore(tmp_path / "c", Limits(10, 1000, 60.0), print, lambda: now[0])
    await store.put("a", b"x")
    now[0] = next(times)
    assert await store.get("a") == b"x"
    now[0] = next(times)
    assert await store.get("a") is None
    await store.aclose()


async def test_the_file_is_its_owners_alone_and_holds_no_key(tmp_path):
    before = os.umask(0)
    try:
        cache = open_cache(f"sqlite:{tmp_path / 'new' / 'cache.sqlite3'}")
        await cache.put("a", ANSWER, DECODE)
        files = list((tmp_path / "new").iterdir())
        assert len(files) > 1, "the write-ahead log is looked at too"
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
        await cache.aclose()
    finally:
        os.umask(before)


async def test_only_what_is_ours_is_touched_in_redis(redis):
    from redis.asyncio import Redis

    cache = open_cache(redis.url)
    async with Redis.from_url(redis.url) as client:
        await client.set("theirs", b"1")
        for number in range(5000):
            await client.set(f"theirs:{number}", b"1")
        await cache.put("a", ANSWER, DECODE)
        assert 0 < await client.pttl(PREFIX + "a") <= 7 * 24 * 3600 * 1000
        assert (await cache.size()).entries == 1
        assert await cache.clear() == 1
        assert await client.dbsize() == 5001
    await cache.aclose()


async def test_a_password_is_said_to_nobody(told):
    cache = open_cache(f"redis://someone:{CANARY.replace('/', '').replace('+', '')}@127.0.0.1:9/0", tell=told.append)
    assert await cache.get("a", DECODE) is None
    said = [*told, cache.where, repr(cache), repr(vars(cache)), repr(vars(cache._store).keys())]
    assert "someone" not in "".join(said)
    assert found_in("".join(said)) == []
    assert "CANARY" not in "".join(said)
    assert cache.where == "redis://127.0.0.1:9/0"
    await cache.aclose()


async def test_a_full_cache_is_trimmed_in_steps_that_nobody_waits_for(tmp_path):
    """10,000 entries too many: who looks meanwhile is served between the steps."""
    path, limits = tmp_path / "c", Limits(100, 10**9, 60.0)
    store = SqliteStore(path, limits, print)
    await store.size()
    with closing(sqlite3.connect(path)) as other:
        rows = ((f"old {number}", number, time.time() + 60, 4096, b"x" * 4096) for number in range(10_000))
        other.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", rows)
        other.execute("UPDATE total SET entries=10000, bytes=10000*4096")
        other.commit()
    trimming = asyncio.ensure_future(store.put("new", b"y"))
    looks = 0
    while not trimming.done():
        await store.get("old 9999")
        looks += 1
    assert looks > 5, "nobody could look in between"
    assert (await store.size()).entries == 100
    await store.aclose()
