"""What a kernel's replies took is counted while they run and after; the replies themselves are let go."""

from __future__ import annotations

import gc
import weakref

from nbgemini.messages.turns import Usage
from nbgemini.notebook.usage import Spending


async def test_running_and_ended_replies_count_and_ended_ones_are_let_go(client):
    spending = Spending()
    one, two = client.one_shot(), client.one_shot()
    ended, running = one.begin("hello"), two.begin("hello")
    spending.follow(ended)
    spending.follow(running)
    assert spending.usage == Usage()
    await one.drive(ended)
    assert spending.usage == ended.usage
    assert spending.usage.output > 0
    await two.drive(running)
    assert spending.usage == ended.usage + running.usage
    assert spending.cost == 0  # offline
    gone = weakref.ref(ended)
    del ended, running
    gc.collect()
    assert gone() is None
