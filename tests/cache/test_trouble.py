"""A store that is down, slow, full or damaged costs no answer and next to no time, and is told once."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import asynccontextmanager, closing

import pytest

from nbgemini import Client, Settings
from nbgemini.cache import open_cache
from nbgemini.cache.cache import Cache
from nbgemini.cache.circuit_breaker import AT_ONCE, CircuitBreaker, with_deadline
from nbgemini.cache.redis import PREFIX
from nbgemini.cache.store import Limits, MemoryStore
from nbgemini.secrets import Secret
from tests.cache.conftest import ANSWER, DECODE


@asynccontextmanager
async def mute():
    """A port that takes connections and says nothing: its address, and who asked there."""
    writers = []

    async def take(_reader, writer):
        writers.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", writers
    finally:
        for writer in writers:
            writer.close()
        server.close()


@pytest.fixture
async def asking(service, settings):
    """Clients by their cache."""
    clients = []

    def make(cache):
        clients.append(Client(Settings(key=settings.key, base_url=service.url, model=settings.model, cache=cache)))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


async def test_a_mute_server_is_waited_for_once(told):
    """By whoever asks first; those that come later have their answers without it."""
    async with mute() as (url, asked):
        cache = open_cache(url, tell=told.append)
        for _ in range(5):
            assert await cache.get("a", DECODE) is None
        await asyncio.gather(*(cache.get(str(number), DECODE) for number in range(500)))
        await cache.aclose()
    assert len(asked) == 1
    (line,) = told
    assert "did not answer within 0.2 s" in line
    assert "\n" not in line


async def test_many_at_once_wait_once(told):
    """A few ask at the same time, and the others none: each for itself would be 200 seconds."""
    async with mute() as (url, asked):
        cache = open_cache(url, tell=told.append)
        assert await asyncio.gather(*(cache.get(str(number), DECODE) for number in range(1000))) == [None] * 1000
        await cache.aclose()
    assert 1 <= len(asked) <= AT_ONCE
    assert len(told) == 1


async def test_a_server_that_is_not_there_costs_nothing(told):
    cache = open_cache("redis://127.0.0.1:9/0", tell=told.append)
    assert await cache.get("a", DECODE) is None
    await cache.put("a", ANSWER, DECODE)
    assert (await cache.size(), await cache.clear()) == (None, None)
    (line,) = told
    assert "redis://127.0.0.1:9/0" in line
    assert "answers come without it" in line
    await cache.aclose()


async def test_hit_rate_stats_and_time_on_redis_and_its_end_in_mid_run(asking, redis, caplog):
    """One warning; all answers arrive."""
    client = asking(redis.url)
    for _ in range(2):
        for number in range(10):
            assert (await client.generate(f"hello {number}")).state == "complete"
            await client.services.endpoints.aclose()  # what came is kept
    cache = client.cache
    size = await cache.size()
    assert (cache.stats.hits, cache.stats.misses, size.entries) == (10, 10, 10)
    from redis.asyncio import Redis

    async with Redis.from_url(redis.url) as server:
        keys = await server.keys(f"{PREFIX}*")
        left = await server.ttl(keys[0])
    assert 0 < left <= cache.limits.seconds
    print(
        f"Redis: hit rate {cache.stats.rate:.0%}, {size.entries} answers of {size.bytes:,} bytes, {left:,} s left of the first"
    )
    caplog.clear()
    replies = []
    for number in range(40):
        if number == 20:
            redis.stop()
        replies.append(await client.generate(f"hello {number % 12}"))
    warnings = [record.getMessage() for record in caplog.records if "cache" in record.getMessage()]
    states = [reply.state for reply in replies]
    print(f"stopped after 20 of 40: {states.count('complete')} complete, {len(warnings)} warning: {warnings[0]}")
    assert states == ["complete"] * 40
    assert [reply.badge for reply in replies[:10]] == ["cache"] * 10
    assert {reply.badge for reply in replies[20:]} == {"offline service"}
    assert len(warnings) == 1


async def test_a_server_that_comes_back_is_used_again_quietly(redis, told):
    clock = [1000.0]
    cache = open_cache(redis.url, tell=told.append)
    cache._reading = CircuitBreaker(30, cache._tell, lambda: clock[0])
    cache._writing = CircuitBreaker(30, cache._tell, lambda: clock[0])
    await cache.put("a", ANSWER, DECODE)
    redis.stop()
    assert await cache.get("a", DECODE) is None
    redis.start()
    assert await cache.get("a", DECODE) is None, "it is let alone"
    clock[0] += 60
    assert await cache.get("a", DECODE) is None, "nobody waits for the look"
    async with asyncio.timeout(30):
        while cache.resting:
            await asyncio.sleep(0.01)
    await cache.put("a", ANSWER, DECODE)
    assert await cache.get("a", DECODE) is not None
    assert len(told) == 1
    await cache.aclose()


async def test_a_cell_that_holds_the_loop_is_no_slow_server(redis, told):
    """Seconds count only while the loop was awake, wherever in a look the cell comes in between."""
    cache = open_cache(redis.url, tell=told.append)
    await cache.put("a", ANSWER, DECODE)
    assert await cache.get("a", DECODE) is not None
    cache._reading = CircuitBreaker(0.3, cache._tell)

    def compute():
        time.sleep(0.4)

    for turns in range(1, 9):
        looking = asyncio.ensure_future(cache.get("a", DECODE))
        for _ in range(turns):
            await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(compute)
        assert await looking is not None
    assert told == []
    await cache.aclose()


async def test_what_takes_too_long_is_cancelled():
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def for_ever():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError, match=r"within 0.05 s"):
        await with_deadline(0.05, for_ever())
    assert begun.is_set()
    await asyncio.wait_for(cancelled.wait(), 30)


async def test_whoever_is_cancelled_meanwhile_leaves_nothing_behind():
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def for_ever():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    task = asyncio.create_task(with_deadline(60, for_ever()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(cancelled.wait(), 30)


async def test_any_exception_of_a_store_is_told_in_one_line(told):
    class Broken(MemoryStore):
        async def get(self, key):
            raise ValueError(f"two\nlines about {key}")

    limits = Limits(1, 1, 1.0)
    cache = Cache(Broken(limits), limits, told.append)
    assert await cache.get("a", DECODE) is None
    assert told == ["the cache in memory of this kernel is left out: two lines about a; answers come without it"]


def not_a_database(path):
    path.write_bytes(b"This was never a database. " * 100)


def of_another_program(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE entry (id TEXT)")


def without_a_table(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE total (entries INTEGER, bytes INTEGER)")
        connection.execute("PRAGMA user_version=1")
        connection.execute("CREATE TABLE entry (key TEXT)")


@pytest.mark.parametrize("damage", [not_a_database, of_another_program, without_a_table])
async def test_a_damaged_file_is_moved_aside_and_told_once(tmp_path, told, damage):
    path = tmp_path / "cache.sqlite3"
    damage(path)
    cache = open_cache(f"sqlite:{path}", tell=told.append)
    for name in ("a", "b"):
        await cache.put(name, ANSWER, DECODE)
        assert await cache.get(name, DECODE) is not None
    (aside,) = [one for one in tmp_path.glob("*.corrupt-*") if not one.name.endswith(("-wal", "-shm"))]
    (line,) = told
    assert aside.name in line
    assert "\n" not in line
    await cache.aclose()


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path, told):
    path = tmp_path / "cache.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE entry (id TEXT)")
        connection.execute("PRAGMA user_version=99")
    before = path.read_bytes()
    cache = open_cache(f"sqlite:{path}", tell=told.append)
    for _ in range(2):
        await cache.put("a", ANSWER, DECODE)
        assert await cache.get("a", DECODE) is None
    await cache.aclose()
    assert "newer" in told[0]
    assert len(told) == 1
    assert path.read_bytes() == before


async def test_a_place_that_cannot_be_made_and_a_link_cost_the_cache_only(tmp_path, told):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    for number, path in enumerate((tmp_path / "file" / "c", tmp_path / "link", tmp_path)):
        cache = open_cache(f"sqlite:{path}", tell=told.append)
        assert await cache.get("a", DECODE) is None
        await cache.put("a", ANSWER, DECODE)
        await cache.aclose()
        assert len(told) == number + 1
    assert not (tmp_path / "precious").exists()


async def test_a_file_that_another_program_locks_costs_nothing(tmp_path, told):
    """What would be kept is not; what is kept is found."""
    path = tmp_path / "c"
    cache = open_cache(f"sqlite:{path}", tell=told.append)
    await cache.put("a", ANSWER, DECODE)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await cache.put("b", ANSWER, DECODE)
        assert await cache.get("a", DECODE) is not None
        assert await cache.get("b", DECODE) is None
        other.execute("ROLLBACK")
    await cache.put("b", ANSWER, DECODE)
    assert await cache.get("b", DECODE) is not None
    assert told == []
    await cache.aclose()


FULL = """
import asyncio, resource, signal, sys
from nbgemini import Client, Settings
from nbgemini.secrets import Secret
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
async def main():
    async with Client(Settings(key=Secret("k"), base_url=sys.argv[1], cache="sqlite:" + sys.argv[2])) as client:
        for number in range(12):
            reply = await client.generate(f'hello {number}\\noffline: {{"frames": 20, "chars": 1000, "gap": 0}}')
            assert reply.state == "complete"
            await client.services.endpoints.aclose()
        print("all", client.cache.stats.misses)
asyncio.run(main())
"""


def test_a_full_disk_costs_the_cache_only(service, tmp_path):
    path = tmp_path / "cache.sqlite3"
    done = subprocess.run([sys.executable, "-c", FULL, service.url, str(path)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "all 12"), done.stderr
    assert done.stderr.count("the cache in") == 1, done.stderr
    assert "Traceback" not in done.stderr
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_file_that_is_taken_away_is_made_anew(tmp_path, told):
    path = tmp_path / "deep" / "c"
    cache = open_cache(f"sqlite:{path}", tell=told.append)
    await cache.put("a", ANSWER, DECODE)
    shutil.rmtree(path.parent)
    assert await cache.get("a", DECODE) is None
    await cache.put("a", ANSWER, DECODE)
    assert await cache.get("a", DECODE) is not None
    assert told == []
    await cache.aclose()


def test_the_key_is_masked_in_settings_that_hold_an_address():
    settings = Settings(cache=Secret("redis://u:secret@h"))
    assert "secret@" not in repr(settings)
