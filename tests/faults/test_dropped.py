"""A long session: hundreds of calls, a hundred chats that are dropped; nothing of them stays."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import weakref

from nbgemini.tools.toolbox import Toolbox, allow

CALLS = [["call", "add", {"a": number, "b": 1}] for number in range(5)]
PROMPT = f"offline: {json.dumps({'parts': [['thought', 'Let me add.'], ['frame', *CALLS]], 'gap': 0})}"


async def test_a_hundred_chats_and_five_hundred_calls_leave_nothing(client):  # L8
    made, watched = [], []

    def add(a: int, b: int) -> int:
        """Add."""
        made.append(a + b)
        return a + b

    async def talk(name):
        chat = client.chat(name)
        reply = chat.begin(PROMPT, toolbox=Toolbox([add], allow))
        await chat.drive(reply)
        assert reply.state == "complete"
        assert "have answered" in reply.text
        watched.extend(map(weakref.ref, (chat, reply, reply.exchange, chat.transcript)))
        del client.chats[name]

    await talk("warm")
    tasks, threads = asyncio.all_tasks(), threading.active_count()
    watched.clear()
    for number in range(100):
        await talk(f"chat {number}")
    assert len(made) == 505
    gc.collect()
    assert [ref() for ref in watched if ref() is not None] == []
    assert asyncio.all_tasks() == tasks
    assert threading.active_count() <= threads + 8  # of asyncio's pool
