"""How a cell waits for its answer with the loop alive.

A hook behind IPython's own transformations puts `await` before a magic call that stands at the beginning of a line, so the
cell is natively asynchronous: other tasks, widgets and interrupts go on. In[] and the history keep what was typed. A magic
called from a function, inside %%time or from a thread is not reached by the hook; there the loop is run from within. So it is
for what the text of a cell does not show: a function, exec, a script or a shell line that reads a reply (see `cells`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from nbgemini.chatter import hush
from nbgemini.notebook.questions import called
from nbgemini.reentry import run_within

T = TypeVar("T")

AWAITED = "_awaited"  # the magic's other name, which the hook writes: it tells the magic that its result is awaited
_CALL = re.compile(r"^get_ipython\(\)\.run_(cell|line)_magic\('gemini',", re.MULTILINE)


class AwaitHook:
    """The transformation, and the two events that tell a whole cell from a piece of one."""

    def __init__(self, shell: Any, complete: Callable[[str], str], ours: Callable[[], bool] = lambda: True) -> None:
        """Watch `shell`; `complete` is given each whole cell, once it may await, to add what it likes.

        `ours` says whether `%%gemini` means us: another extension may have taken the name.
        """
        self._ours = ours
        self._shell = shell
        self._complete = complete
        self._running = 0

    def install(self) -> None:
        """Begin."""
        self._shell.input_transformers_cleanup.append(self.keep_questions)
        self._shell.input_transformers_post.append(self.transform)
        self._shell.events.register("pre_run_cell", self._entered)
        self._shell.events.register("post_run_cell", self._left)

    def remove(self) -> None:
        """End; harmless twice."""
        if self.transform in self._shell.input_transformers_post:
            self._shell.input_transformers_cleanup.remove(self.keep_questions)
            self._shell.input_transformers_post.remove(self.transform)
            self._shell.events.unregister("pre_run_cell", self._entered)
            self._shell.events.unregister("post_run_cell", self._left)

    def keep_questions(self, lines: list[str]) -> list[str]:
        """Keep IPython from taking the question mark of `%gemini ask …?` (or fix, explain, map) for a call for help."""
        automagic = bool(getattr(self._shell, "automagic", False)) and "gemini" not in self._shell.user_ns
        return called(lines, automagic=automagic)

    def transform(self, lines: list[str]) -> list[str]:
        """Put `await` before our magics, in whole cells only: %%time and exec compile pieces that can't await."""
        if self._running or not self._awaits_on_our_loop or not self._ours():
            return lines
        code = _CALL.sub(rf"await get_ipython().run_\1_magic('gemini{AWAITED}',", "".join(lines))
        return self._complete(code).splitlines(keepends=True)

    @property
    def _awaits_on_our_loop(self) -> bool:
        """Whether a cell that awaits does so on the kernel's own loop: `%autoawait trio` brings another one."""
        shell = self._shell
        ours = getattr(shell, "loop_runner_map", {}).get("asyncio", (None,))[0]
        runs_here = getattr(shell, "loop_runner", ours) is ours and getattr(shell, "trio_runner", None) is None
        return runs_here and bool(getattr(shell, "autoawait", False))

    def _entered(self, *_: Any) -> None:
        self._running += 1

    def _left(self, *_: Any) -> None:
        self._running = max(0, self._running - 1)


def run_from_within(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end in code that is not async, the running loop (if there is one) staying alive.

    Raises:
        ConfigurationError: the loop is of a kind that can't be entered again (uvloop).
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        hush("asyncio")
        return asyncio.run(coroutine)
    return run_within(loop, coroutine)
