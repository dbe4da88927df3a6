"""Makes the views of one shell: whether a cell waits, how its output can be updated, and what shows a reply there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias

from nbgemini.chat.reply import Reply
from nbgemini.notebook.approvals import Approvals
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.display.canvas import Painting, Refresh
from nbgemini.notebook.display.insert_cell import has_commands, offered_code
from nbgemini.notebook.display.output_area import output_around
from nbgemini.notebook.display.stream_view import StreamView
from nbgemini.notebook.jobs import View
from nbgemini.notebook.kernel import environment
from nbgemini.notebook.kernel.interrupts import IdleInterrupt
from nbgemini.notebook.kernel.output_routing import Route, Routes, Straight
from nbgemini.notebook.options import PromptArgs
from nbgemini.notebook.terminal.view import TerminalView

Mode: TypeAlias = Literal["widgets", "html", "kept", "at_end"]
"""How output is shown: by widgets; as HTML, repainted; kept up to date for a runner that may cut the cell off; at the end."""


class ViewFactory:
    """Makes the views of one shell; an interrupt between cells calls `stop`."""

    def __init__(self, shell: Any, config: Gemini, stop: Callable[[], object]) -> None:
        self._shell = shell
        self._config = config
        self._routes = Routes(shell)
        self._refresh = Refresh()
        self._interrupts = IdleInterrupt(environment.kernel_of(shell), stop)
        self._last: tuple[str, StreamView] | None = None

    def close(self) -> None:
        """Leave interrupts to the kernel again."""
        self._interrupts.remove()

    def waits(self, args: PromptArgs) -> bool:
        """Whether the cell waits for the answer: as its line says, else as %config says, else in unattended runs."""
        if args.wait is not None:
            return args.wait
        if self._config.wait != "auto":
            return bool(self._config.wait)
        return not environment.is_watched(self._shell) or self._routes.captured

    def mode(self, args: PromptArgs) -> Mode:
        """Return how the output of a prompt can be shown."""
        waits = self.waits(args)
        if not self._config.live or self._is_captured(args):
            return "at_end"
        if waits and output_around(self._shell) is not None:
            return "at_end"  # an Output widget shows no updates
        if not environment.is_watched(self._shell):
            return "kept" if environment.may_be_cut_off(self._shell) and waits else "at_end"
        clicks_arrive = not waits or environment.clicks_arrive_while_waiting(self._shell)
        shown = not environment.in_colab()  # which shows other people's widgets only where its user has switched that on
        widgets = self._config.widgets and shown and not self._refresh.no_widgets
        return "widgets" if widgets and clicks_arrive else "html"

    def canvas(self, args: PromptArgs) -> tuple[Route, Painting]:
        """Return the route to the outputs of the cell that runs now, and the canvas for them."""
        self._interrupts.install()
        inside = output_around(self._shell) is not None
        route = Straight() if self._is_captured(args) else self._routes.capture(inside_output=inside)
        updates = self._config.updates_per_second
        return route, Painting(self.mode(args), route, self._refresh, updates, shows_errors=not self.waits(args))

    def reply_view(self, args: PromptArgs, reply: Reply, approvals: Approvals | None) -> View:
        """Return what shows a reply in the cell that runs now."""
        if environment.kernel_of(self._shell) is None:
            return TerminalView(reply)
        route, painting = self.canvas(args)
        painting.approvals = approvals
        if not self.waits(args) and has_commands(self._shell):
            painting.offered = partial(offered_code, reply)
        execution = environment.execution_id(self._shell)
        earlier = self._last[1] if self._last and self._last[0] == execution else None
        view = StreamView(self._shell, route, reply, painting, earlier)
        self._last = execution, view
        return view

    def _is_captured(self, args: PromptArgs) -> bool:
        """Whether the answer goes where the outputs of its cell are captured; it must be there when the cell ends."""
        return self._routes.captured and self.waits(args)
