"""How far a map is: in a notebook by what its extension hands down (`HOST.map_bar`), in a terminal by a bar of rich."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbgemini._environment import HOST

if TYPE_CHECKING:
    from nbgemini.bulk.progress import Progress  # %load_ext registers a bar, and shows none


def progress_bar() -> Callable[[Progress], object] | None:
    """Return a bar where there is somewhere to show it."""
    bar = HOST.map_bar() if HOST.map_bar else None
    return bar or (Bar() if sys.stderr is not None and sys.stderr.isatty() else None)


class Bar:
    """One bar in a terminal; it is gone when the map is over, and its last line stays."""

    def __init__(self) -> None:
        self._live: Any = None

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        from rich.console import Console  # noqa: PLC0415 - where there is a terminal
        from rich.live import Live  # noqa: PLC0415
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        if self._live is None:
            self._live = Live(console=Console(stderr=True), auto_refresh=False)
            self._live.start()
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(100, 100 * (progress.part or 0.0), width=24, pulse=progress.part is None)
        line.add_row(*([] if progress.over else [bar]), progress.line())
        self._live.update(line, refresh=True)
        if progress.over:
            self._live.stop()
