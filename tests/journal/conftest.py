"""A journal in a folder of its own, a client that writes to it, and a program that asks by itself."""

from __future__ import annotations

import os

import pytest

from nbgemini import Client, Settings
from nbgemini.journal import Journal
from nbgemini.secrets import Secret

THOROUGH = int(os.environ.get("NBGEMINI_THOROUGH", "1"))  # times what a push tests

ASK = """
import asyncio, sys
from pathlib import Path
from nbgemini import Client, Settings
from nbgemini.journal import Journal
from nbgemini.secrets import Secret
url, path, prompt, count = sys.argv[1:]
async def main():
    journal = Journal(Path(path), "a.ipynb")
    client = Client(Settings(key=Secret("k"), base_url=url), log=journal)
    for _ in range(int(count)):
        def came(changes):
            if any("20" in getattr(change, "text", "") for change in changes):
                print("came", flush=True)
        reply = client.chat().begin(prompt)
        await client.chat().drive(reply, came)
    journal.close()
asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "journal.sqlite3"


@pytest.fixture
def journal(path):
    one = Journal(path, "a.ipynb")
    yield one
    one.close()


@pytest.fixture
async def asking(service, journal):
    async with Client(Settings(key=Secret("k"), base_url=service.url), log=journal) as client:
        yield client


def later(path):
    """What another kernel finds."""
    return Journal(path, "a.ipynb")
