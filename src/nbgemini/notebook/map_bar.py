"""How far a map of Python's own is, below the cell that began it: a bar while it runs, its last line at rest."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from nbgemini.notebook.routing import Routes
from nbgemini.notebook.surroundings import kernel_of, someone_sits_there
from nbgemini.progress import Progress
from nbgemini.render.bundle import as_live, map_bundle, metadata_of, progress_bundle, status_bundle


class CellBar:
    """One display, which nobody needs a kernel or a widget to read."""

    def __init__(self, shell: Any) -> None:
        """Show nothing yet; where nobody sits, nothing but the last line."""
        self._shell = shell
        self._route = Routes(shell).capture()
        self._live = someone_sits_there(shell)
        self._id = uuid4().hex
        self._shown = False

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        if progress.over:
            self._show(map_bundle(status_bundle(progress.line())))
        elif self._live:
            self._show(as_live(map_bundle(progress_bundle(progress.part, progress.line()))))

    def _show(self, data: dict[str, Any]) -> None:
        said, transient = metadata_of(), {"display_id": self._id}
        publish, update = self._shell.display_pub.publish, self._shown
        self._route.run(lambda: publish(data=data, metadata=said, transient=transient, update=update))
        self._shown = True


def bar_of(shell: Any) -> CellBar | None:
    """Return a bar for the cell that runs now; None without a kernel, where a terminal has its own."""
    return CellBar(shell) if kernel_of(shell) is not None else None
