"""The cells that run now and what the last ones left: whose code waits for what it reads, whose reply is shown already.

A cell's own code waits for a reply, while coroutines, callbacks and tools on the same loop can't.

A cell may wait for long: it is run from within, by its own task. Any other task on the loop has to await; and whatever only
looks at an object must neither wait nor be given half of it: Tab, `reply?`, %whos, a debugger, a front end's list of variables.

A cell that asked for its last value itself shows it no second time: `%time %gemini ask …`, or a line where cells can't await,
gives its reply to whoever wants it, and IPython would show it again below the answer.

The last exception is never one that nbgemini raised: a mistyped command must not hide the error that its user asks about.
"""

from __future__ import annotations

import asyncio
import base64
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from nbgemini.notebook.kernel.environment import execution_id, kernel_of, note_cell, runs_silently

if TYPE_CHECKING:
    from nbgemini._async.readers import Reader
    from nbgemini.chat.reply import Reply  # %load_ext makes none

_LOOKS = (  # modules that read what nobody asked them to read
    "IPython.core.completer",
    "IPython.core.guarded_eval",
    "IPython.core.magics.namespace",
    "IPython.core.oinspect",
    "_pydevd_bundle",
    "debugpy",
    "jedi",
    "pydevd",
)
_RUNS_A_CELL = "run_code"  # IPython's
_DISPLAY_HOOK = "compute_format_data"  # where IPython asks for a cell's last value; display() does not come by there
_CODE = ("execute_request", "comm_open", "comm_msg", "comm_close", None)  # messages that a user's code answers


class Cells:
    """The cells of one shell that run now: the task and the thread of each."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._running: list[tuple[asyncio.Task[Any] | None, int]] = []

    def install(self) -> None:
        """Follow the cells from the one that runs now on."""
        self._entered()
        self._shell.events.register("pre_run_cell", self._entered)
        self._shell.events.register("post_run_cell", self._left)

    def remove(self) -> None:
        """Follow them no longer."""
        self._shell.events.unregister("pre_run_cell", self._entered)
        self._shell.events.unregister("post_run_cell", self._left)

    def reader(self) -> Reader:
        """Return who reads here and now."""
        if _is_looked_at() or self._front_end_looks():
            return "looks"
        from nbgemini._async.readers import reader_without_notebook  # noqa: PLC0415 - %load_ext stays quick

        if reader_without_notebook() == "waits":
            return "waits"
        here = asyncio.current_task()  # none in a callback
        return "waits" if here is not None and any(task is here for task, _ in self._running) else "awaits"

    def _front_end_looks(self) -> bool:
        """Whether a front end completes, inspects, or runs code of its own: silently, so it is no cell of the user's."""
        kernel = kernel_of(self._shell)
        if kernel is None or threading.current_thread() is not threading.main_thread():
            return False
        request = kernel.get_parent("shell") or {}
        return request.get("header", {}).get("msg_type") not in _CODE or runs_silently(self._shell)

    def _entered(self, *_: Any) -> None:
        note_cell(self._shell)
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        self._running.append((task, threading.get_ident()))

    def _left(self, *_: Any) -> None:
        here = [number for number, (_, thread) in enumerate(self._running) if thread == threading.get_ident()]
        if here:
            del self._running[here[-1]]


def _is_looked_at() -> bool:
    """Whether a tool reads, as the calls that led here tell, from the cell on: the kernel itself may be run by a debugger."""
    return any(str(frame.f_globals.get("__name__", "")).startswith(_LOOKS) for frame in _callers(until=_RUNS_A_CELL))


def _callers(until: str = "") -> Iterator[FrameType]:
    """Return the frames that led here, up to a function of this name."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - documented
    while frame is not None and frame.f_code.co_name != until:
        yield frame
        frame = frame.f_back


class Results:
    """The replies of one shell, and the cells that asked for them."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._cells: WeakKeyDictionary[Reply, tuple[str, int]] = WeakKeyDictionary()
        self._formatter = shell.display_formatter.ipython_display_formatter

    def install(self) -> None:
        """Let `_show` decide about replies."""
        from nbgemini.chat.reply import Reply  # noqa: PLC0415 - loaded with the session

        self._formatter.for_type(Reply, self._show)

    def remove(self) -> None:
        """Let IPython show them as anything is."""
        from nbgemini.chat.reply import Reply  # noqa: PLC0415 - as above

        self._formatter.pop(Reply, None)

    def asked(self, reply: Reply) -> None:
        """Note that the cell that runs now asks for this."""
        self._cells[reply] = self._here()

    def _show(self, reply: Reply) -> None:
        """Show nothing as the value of the cell that asked.

        Raises:
            NotImplementedError: it is to be shown as anything is (IPython's convention).
        """
        is_last_value = any(frame.f_code.co_name == _DISPLAY_HOOK for frame in _callers())
        if self._cells.get(reply) != self._here() or not is_last_value:
            raise NotImplementedError

    def _here(self) -> tuple[str, int]:
        return execution_id(self._shell), self._shell.execution_count


class Failure:  # no Struct and no NamedTuple, whose making would take a tenth of %load_ext
    """An exception, and its cell as it was typed; number 0 and no source where no cell is to blame."""

    def __init__(self, error: BaseException, source: str = "", number: int = 0) -> None:
        self.error = error
        self.source = source
        self.number = number


class LastError:
    """The last exception of the user's own code that a cell of one shell ended with."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.seen: Failure | None = None

    def install(self) -> None:
        """Look at how each cell ends."""
        self._shell.events.register("post_run_cell", self._ran)

    def remove(self) -> None:
        """Look no longer, and forget what was seen."""
        self._shell.events.unregister("post_run_cell", self._ran)
        self.seen = None

    def _ran(self, result: Any) -> None:
        error = result.error_in_exec or result.error_before_exec
        if error is not None and result.info is not None and is_from_user_code(error):
            self.seen = Failure(error, result.info.raw_cell, result.execution_count or 0)


def is_from_user_code(error: BaseException) -> bool:
    """Whether an exception comes from the user's own code."""
    from nbgemini.errors import NbGeminiError  # noqa: PLC0415 - %load_ext stays quick

    return not isinstance(error, NbGeminiError | KeyboardInterrupt | SystemExit | GeneratorExit)


class LastPicture:
    """The last PNG that a cell of one shell displayed."""

    def __init__(self, shell: Any) -> None:
        self._publisher = shell.display_pub
        self._encoded = ""

    def install(self) -> None:
        """Look at what is displayed, where outputs are messages."""
        if hasattr(self._publisher, "register_hook"):
            self._publisher.register_hook(self._seen)

    def remove(self) -> None:
        """Look no longer."""
        if hasattr(self._publisher, "unregister_hook"):
            self._publisher.unregister_hook(self._seen)

    @property
    def png(self) -> bytes | None:
        """The picture, if one was shown."""
        return base64.b64decode(self._encoded) if self._encoded else None

    def _seen(self, message: dict[str, Any]) -> dict[str, Any]:
        data = message["content"].get("data") or {}
        if isinstance(shown := data.get("image/png"), str):
            self._encoded = shown
        return message
