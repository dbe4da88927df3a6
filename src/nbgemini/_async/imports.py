"""Heavy libraries are imported off the loop, one after the other.

An import holds the interpreter for 5 ms at a time. With one thread importing, the loop loses that once a turn; with two at
once it waits for both, and a 10 ms heartbeat was seen to skip 65 ms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_one_at_a_time = ThreadPoolExecutor(1, thread_name_prefix="nbgemini-loading")


async def load(function: Callable[[], T]) -> T:
    """Run `function`, which imports something heavy, in the loading thread and return its result."""
    return await asyncio.get_running_loop().run_in_executor(_one_at_a_time, function)
