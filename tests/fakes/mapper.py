"""A map in a process of its own, which may be killed: `python -m tests.fakes.mapper URL STORE ROWS`; it prints each row on disk."""

from __future__ import annotations

import asyncio
import sys

from nbgemini import Client, Settings
from nbgemini.secrets import Secret


def settings(url):
    return Settings(key=Secret("k" * 20), base_url=url, model="gemini-3.8-flash")


async def main(url, store, count):
    def tell(row):
        print(f"{row.index} {row.state} {'stored' if row.stored else 'paid'}", flush=True)

    async with Client(settings(url)) as client:
        rows = [{"n": n} for n in range(int(count))]
        table = await client.map("row {n}", rows, concurrency=20, store=store, on_row=tell, progress=False)
        assert table.texts == [f"<row {n}>" for n in range(int(count))]
    print("over", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
