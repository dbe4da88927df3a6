"""Kernels that share one file, that are killed while they write, that fork: what is found is whole, and nothing is damaged."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from nbgemini.cache import open_cache
from tests.cache.conftest import DECODE

HEAD = """
import asyncio, json, os, sys
from nbgemini.cache import open_cache
from nbgemini.providers.gemini.codec import GeminiCodec
path, *rest = sys.argv[1:]
decode = GeminiCodec().decoder()
def answer(number, size=200):
    frame = {"candidates": [{"content": {"parts": [{"text": str(number) * size}]}, "finishReason": "STOP"}]}
    return [json.dumps(frame).encode()]
"""

WRITE = (
    HEAD
    + """
async def main():
    cache = open_cache("sqlite:" + path, entries=300)
    for number in range(100_000):
        await cache.put(str(number), answer(number), decode)
        print(number, flush=True)
        if number % 3 == 0:
            await cache.get(str(number // 2), decode)
asyncio.run(main())
"""
)

SHARE = (
    HEAD
    + """
async def main():
    cache, found = open_cache("sqlite:" + path), 0
    for number in range(100):
        entry = await cache.get(str(number), decode)
        assert entry is None or list(entry.frames) == answer(number)
        found += entry is not None
        if entry is None:
            await cache.put(str(number), answer(number), decode)
    await cache.aclose()
    print(found, cache.trouble)
asyncio.run(main())
"""
)

FORK = (
    HEAD
    + """
cache = open_cache("sqlite:" + path)
async def some(first):
    for number in range(first, first + 20):
        await cache.put(str(number), answer(number), decode)
        assert await cache.get(str(number), decode) is not None
asyncio.run(some(0))
children = []
for child in range(1, 4):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            asyncio.run(some(20 * child))
            assert not cache.trouble
            code = 0
        finally:
            os._exit(code)
    children.append(pid)
asyncio.run(some(80))
assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0, 0, 0]
asyncio.run(cache.aclose())
"""
)


def command(code, path):
    return [sys.executable, "-c", code, str(path)]


def sound(path):
    """The number of rows, in a file without damage whose totals are right."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        count, size = connection.execute("SELECT COUNT(*), TOTAL(size) FROM entry").fetchone()
        assert connection.execute("SELECT entries, bytes FROM total").fetchone() == (count, size)
        return count


async def found(path, name):
    cache = open_cache(f"sqlite:{path}")
    entry = await cache.get(name, DECODE)
    await cache.aclose()
    return entry is not None and not cache.trouble


def test_what_a_killed_kernel_had_kept_is_there_and_whole(tmp_path):
    """Killed at random times, four times on one file."""
    chance, path = random.Random(5), tmp_path / "c"
    for _ in range(4):
        with subprocess.Popen(command(WRITE, path), stdout=subprocess.PIPE, text=True) as process:
            for _ in range(chance.randrange(20, 400)):
                line = process.stdout.readline()
            process.kill()
            process.stdout.read()
        assert 0 < sound(path) <= 301  # one may have come before the oldest went
        assert asyncio.run(found(path, line.strip()))


def test_two_kernels_share_one_file(tmp_path):
    first, second = (
        subprocess.run(command(SHARE, tmp_path / "c"), check=True, capture_output=True, text=True).stdout for _ in range(2)
    )
    assert (first.strip(), second.strip()) == ("0", "100")


def test_eight_kernels_at_once(tmp_path):
    processes = [
        subprocess.Popen(command(SHARE, tmp_path / "c"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    said = [process.communicate() for process in processes]
    assert [error for _, error in said] == [""] * 8
    assert [out.split(maxsplit=1)[1:] for out, _ in said] == [[]] * 8
    assert sound(tmp_path / "c") == 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork there")
def test_after_a_fork_each_process_has_the_file_for_itself(tmp_path):
    done = subprocess.run(command(FORK, tmp_path / "c"), check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert sound(tmp_path / "c") == 100
