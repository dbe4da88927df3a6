"""What a kernel's replies took is counted while they run and after; the replies themselves are let go.

Context windows are asked for once for each service; without an answer a chat is weighed in tokens.
"""

from __future__ import annotations

import asyncio
import gc
import weakref

from nbgemini import Client, Settings
from nbgemini.formatting import percent
from nbgemini.messages.turns import Usage
from nbgemini.notebook.usage import ContextWindows, UsageMeter, fill_text
from nbgemini.secrets import Secret


async def test_running_and_ended_replies_count_and_ended_ones_are_let_go(client):
    meter = UsageMeter()
    one, two = client.one_shot(), client.one_shot()
    ended, running = one.begin("hello"), two.begin("hello")
    meter.follow_reply(ended)
    meter.follow_reply(running)
    assert meter.tokens == Usage()
    await one.drive(ended)
    assert meter.tokens == ended.usage
    assert meter.tokens.output > 0
    await two.drive(running)
    assert meter.tokens == ended.usage + running.usage
    assert meter.cost == 0  # offline
    gone = weakref.ref(ended)
    del ended, running
    gc.collect()
    assert gone() is None


async def test_a_service_is_asked_once_however_many_want_to_know(client, monkeypatch):
    asked = []
    list_models = client.list_models

    async def counted(service):
        asked.append(1)
        return await list_models(service)

    monkeypatch.setattr(client, "list_models", counted)
    windows = ContextWindows()
    assert windows.of(client, "gemma-4-31b-it") is None
    await asyncio.gather(*(windows.learn(client) for _ in range(5)))
    assert asked == [1]
    assert windows.of(client, "gemma-4-31b-it") == windows.of(client, "models/gemma-4-31b-it") == 262_144
    assert windows.of(client, "unheard-of") is None


async def test_trouble_leaves_windows_unknown_and_they_are_asked_for_again(service, client):
    windows = ContextWindows()
    for settings in (Settings(base_url=service.url), Settings(key=Secret("k"), base_url="http://127.0.0.1:9", retries=0)):
        async with Client(settings) as other:
            await windows.learn(other)
            assert windows.of(other, "gemma-4-31b-it") is None
    await windows.learn(client)  # with a key
    assert windows.of(client, "gemma-4-31b-it") == 262_144


def test_a_share_is_said_in_words():
    assert fill_text(1_234, None) == "1,234 tokens"
    assert fill_text(600, 1_000) == "60 % of 1,000 tokens"
    assert (percent(1, 1_000), percent(10, 1_000), percent(1_500, 1_000)) == ("< 1 %", "1 %", "150 %")
