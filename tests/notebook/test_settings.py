"""What %gemini demo means for clients that the notebook's own code makes."""

from __future__ import annotations

import pytest

from nbgemini import Client, Settings
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.settings import SettingsResolver


@pytest.fixture
def backend():
    backend = SettingsResolver(Gemini())
    yield backend
    backend.leave_demo()


async def test_the_demo_reaches_clients_of_ones_own(backend):
    url = backend.enter_demo(0.0)
    async with Client() as client, Client(Settings(cache="memory")) as other:
        replies = [await client.generate("hello"), await other.generate("hello")]
        assert {client.settings.base_url, other.settings.base_url} == {url}
    assert [(reply.offline, reply.cost) for reply in replies] == [(True, 0.0)] * 2
    backend.leave_demo()
    assert Client().settings.base_url == Settings().base_url != url
