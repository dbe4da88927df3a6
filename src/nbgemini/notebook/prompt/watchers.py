"""The last exception of the user's own code, with the cell that raised it, for `%gemini fix`.

Invariant: what nbgemini raises itself is never meant: a mistyped command must not hide the error that its user asks about.
"""

from __future__ import annotations

import base64
import re
import sys
from types import TracebackType
from typing import Any

from nbgemini.errors import NbGeminiError

_NUMBER = r"In\[(\d+)\]$"


class Failure:  # no Struct and no NamedTuple, whose making would take a tenth of %load_ext
    """An exception, and its cell as it was typed; number 0 and no source where no cell is to blame."""

    def __init__(self, error: BaseException, source: str = "", number: int = 0) -> None:
        self.error = error
        self.source = source
        self.number = number


class LastError:
    """Looks on while cells run."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._seen: Failure | None = None

    def install(self) -> None:
        """Begin."""
        self._shell.events.register("post_run_cell", self._ran)

    def remove(self) -> None:
        """End."""
        self._shell.events.unregister("post_run_cell", self._ran)
        self._seen = None

    def failure(self) -> Failure | None:
        """Return the last exception: also one that %run or %%time showed, or that came before this extension."""
        last = getattr(sys, "last_value", None)
        if not isinstance(last, BaseException) or not _is_the_users(last):
            return self._seen
        if self._seen is not None and self._seen.error is last:
            return self._seen
        number = self._cell_of(last)
        sources = self._shell.history_manager.input_hist_raw
        return Failure(last, sources[number], number) if 0 < number < len(sources) else Failure(last)

    def _ran(self, result: Any) -> None:
        error = result.error_in_exec or result.error_before_exec
        if error is not None and result.info is not None and _is_the_users(error):
            self._seen = Failure(error, result.info.raw_cell, result.execution_count or 0)

    def _cell_of(self, error: BaseException) -> int:
        """Return the number of the first cell that the exception went through."""
        from nbgemini.notebook.prompt.cells import cell_title  # noqa: PLC0415 - %load_ext stays quick

        files = [str(getattr(error, "filename", "") or ""), *(frame.f_code.co_filename for frame in traceback_frames(error))]
        found = (re.search(_NUMBER, cell_title(self._shell, file)) for file in files)
        return next((int(match[1]) for match in found if match), 0)


def traceback_frames(error: BaseException) -> list[Any]:
    """Return the frames that an exception went through, the outermost first."""
    frames, step = [], error.__traceback__
    while isinstance(step, TracebackType):
        frames.append(step.tb_frame)
        step = step.tb_next
    return frames


def _is_the_users(error: BaseException) -> bool:
    return not isinstance(error, NbGeminiError | KeyboardInterrupt | SystemExit | GeneratorExit)


class LastPicture:
    """Looks on while cells display, and keeps the last PNG."""

    def __init__(self, shell: Any) -> None:
        self._publisher = shell.display_pub
        self._encoded = ""

    def install(self) -> None:
        """Begin, where outputs are messages."""
        if hasattr(self._publisher, "register_hook"):
            self._publisher.register_hook(self._seen)

    def remove(self) -> None:
        """End."""
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
