"""What a kernel's replies took is counted while they run and after; the replies themselves are let go."""

from __future__ import annotations

import gc
import weakref

from nbgemini.messages.turns import Usage
from nbgemini.notebook.usage import UsageMeter


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
