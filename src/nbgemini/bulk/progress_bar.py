"""Who shows how far a map is that asks no terminal: a notebook says so when its extension is loaded.

A map stands below the notebook and knows none; so the notebook hands down what makes a bar.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from nbgemini.bulk.progress import Progress  # %load_ext registers a bar, and shows none

Maker: TypeAlias = Callable[[], Callable[[Any], object] | None]

_makers: list[Maker] = []


def register_bar(maker: Maker) -> None:
    """Let `maker` make the bars from now on; it is called where a map begins."""
    _makers.append(maker)


def unregister_bar(maker: Maker) -> None:
    """Undo that; harmless twice."""
    if maker in _makers:
        _makers.remove(maker)


def custom_bar() -> Callable[[Any], object] | None:
    """Return a new bar; None if nobody makes any here."""
    return _makers[-1]() if _makers else None


class Bar:
    """One bar; it is gone when the map is over, and its last line stays."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._live: Any = None

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        from rich.live import Live  # noqa: PLC0415 - where there is a terminal
        from rich.text import Text  # noqa: PLC0415

        if self._live is None:
            self._live = Live(console=_console(), auto_refresh=False)
            self._live.start()
        self._live.update(Text(progress.line()) if progress.over else _painted(progress), refresh=True)
        if progress.over:
            self._live.stop()


def progress_bar() -> Callable[[Progress], object] | None:
    """Return a bar where there is somewhere to show it."""
    return custom_bar() or (Bar() if sys.stderr is not None and sys.stderr.isatty() else None)


def _console() -> Any:
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True)


def _painted(progress: Progress) -> Any:
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    line = Table.grid(padding=(0, 1))
    known = progress.part is not None
    painted = ProgressBar(100, 100 * (progress.part or 0.0), width=24, pulse=not known)
    line.add_row(painted, progress.line())
    return line
