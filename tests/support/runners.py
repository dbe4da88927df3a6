"""Notebooks that Jupyter's own runners execute, each in a kernel of its own."""

from __future__ import annotations

import asyncio

from nbclient import NotebookClient

DIED = "Kernel died before replying to kernel_info"  # as one does whose port another process took a moment before it


async def again(run):
    """What a runner's call returns; made again where its kernel died before the first cell."""
    for _ in range(2):
        try:
            return await run()
        except RuntimeError as error:
            if str(error) != DIED:
                raise
    return await run()


async def execute_soon(book, **how):
    """Run a notebook's cells with nbclient."""
    how = {"timeout": 180, "kernel_name": "python3", **how}
    return await again(lambda: NotebookClient(book, **how).async_execute())


def execute(book, **how):
    """Run a notebook's cells with nbclient."""
    return asyncio.run(execute_soon(book, **how))
