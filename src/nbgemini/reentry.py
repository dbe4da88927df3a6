"""Running the loop from within: code that can't await waits, and everything else on the loop goes on.

It patches asyncio, so it happens only for whoever needs it, and as little as possible: `asyncio.run` stays what it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from nbgemini.errors import ConfigurationError

T = TypeVar("T")


def run_within(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` to its end on the running `loop`.

    Raises:
        ConfigurationError: the loop is of a kind that can't be entered again (uvloop); nothing was patched.
    """
    if not isinstance(loop, asyncio.BaseEventLoop):
        coroutine.close()
        raise ConfigurationError(f"a loop of {type(loop).__module__} can't wait in code that is not async; use await instead")
    import nest_asyncio2  # noqa: PLC0415 - patches asyncio

    run = asyncio.run
    nest_asyncio2.apply(loop)
    asyncio.run = run  # the patched one breaks what others run in their threads
    return loop.run_until_complete(coroutine)
