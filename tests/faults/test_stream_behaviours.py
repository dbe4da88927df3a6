"""62 nasty but legal behaviours of real streams: each ends in its state, with all that came, and the chat goes on."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.invariants import assert_all
from tests.fakes.script import Until
from tests.fakes.watched import watched
from tests.faults.behaviours import CASES


def test_every_behaviour_of_the_table_is_there():
    assert sorted({case.number for case in CASES}) == list(range(1, 63))


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_behaviour_of_real_streams(case):
    shown, ran = asyncio.Event(), []

    def look(city: str = "home") -> str:
        """Look."""
        ran.append(city)
        return f"sunny in {city}"

    def apply(changes):
        asked.apply(changes)
        if asked.reply.so_far.text == case.text:
            shown.set()

    scripts = [(*script, Until(shown), case.cut) if case.cut else script for script in case.scripts]
    async with watched(*scripts, **case.settings) as chat:
        chat.offer(look)
        asked = chat.begin(**case.options)
        await asyncio.wait_for(chat.chat.drive(asked.reply, apply), 60)
        reply = asked.reply
        assert (reply.state, reply.text, reply.thoughts) == (case.state, case.text, case.thoughts)
        assert [segment.kind for segment in reply.segments] == case.kinds.split()
        assert case.error in str(reply.error)
        await assert_all(chat, asked, requests=case.requests)
        chat.ran = ran
        assert case.check(chat, asked)
