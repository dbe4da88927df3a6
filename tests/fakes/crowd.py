"""A crowd of prompts in a process of its own, which prints what came of them: `python -m tests.fakes.crowd WHAT COUNT URL`."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

from nbgemini import Client, Settings
from nbgemini.secrets import Secret

FRAMES = 20
PLACES = 20


def settings(url, streams):
    return Settings(key=Secret("k" * 20), base_url=url, model="gemini-3.8-flash", max_streams=streams, retries=0)


def words(name):
    return "".join(f"{name}.{number} " for number in range(FRAMES))


async def streams(count, url):
    """So many at once: the server answers nobody before all have come."""
    async with Client(settings(url, count)) as client:
        replies = await asyncio.gather(*(client.generate(f"echo {n} {FRAMES} {count}") for n in range(count)))
    exact = sum((r.text, r.thoughts, r.state) == (words(n), f"T{n} ", "complete") for n, r in enumerate(replies))
    return {"exact": exact}


async def line(count, url):
    """More than there are places: all are served, in line."""
    async with Client(settings(url, PLACES)) as client:
        replies = await asyncio.gather(*(client.generate(f"echo {n} {FRAMES}") for n in range(count)))
    return {"exact": sum((r.text, r.state) == (words(n), "complete") for n, r in enumerate(replies))}


async def churn(count, url):
    """So many are cancelled, at any step, while five times as many want a place as there are; then ten fresh ones."""
    loop, cancelled, began = asyncio.get_running_loop(), 0, 0
    async with Client(settings(url, PLACES)) as client:
        await client.generate("echo warm 1")
        while cancelled < count:
            kinds = ("wait", "echo")
            tasks = [loop.create_task(client.generate(f"{kinds[n % 2]} {n} 3")) for n in range(5 * PLACES)]
            for number, task in enumerate(tasks):
                for _ in range(number % 7):
                    await asyncio.sleep(0)
                cancelled += task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            began += sum(not isinstance(end, BaseException) for end in ends)
            assert all(isinstance(end, asyncio.CancelledError) or end.state == "complete" for end in ends), ends
        async with asyncio.timeout(30):
            fresh = [(await client.generate(f"echo {n} {FRAMES}")).text == words(n) for n in range(10)]
            together = await asyncio.gather(*(client.generate(f"echo {n} {FRAMES} 1") for n in range(PLACES)))
    return {"cancelled": cancelled, "complete": began, "fresh": sum(fresh), "together": sum(bool(r.text) for r in together)}


def held():
    """MB of memory once all that is free has gone back to the system, and open files."""
    gc.collect()
    with suppress(OSError, AttributeError):  # elsewhere than with glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20, len(list(Path("/proc/self/fd").iterdir()))


async def turns(count, url):
    """One answer of 10,000 frames after the other: nothing may grow after the first fifth."""
    text, start = "".join(f"x.{number} " for number in range(10_000)), (0.0, 0)
    async with Client(settings(url, PLACES)) as client:
        for number in range(count):
            if number == max(1, count // 5):
                start = held()
            assert (await client.generate("echo x 10000")).text == text
        memory, files = held()
    return {"grown": memory - start[0], "files": files - start[1]}


async def main(what, count, url):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found = await {"streams": streams, "line": line, "churn": churn, "turns": turns}[what](int(count), url)
    tasks = len(asyncio.all_tasks()) - 1
    print(json.dumps({**found, "tasks": tasks, "rss": most_resident()}))


def most_resident():
    """Return this program's largest size in MB; getrusage would tell that of whoever started it, if that was larger."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
