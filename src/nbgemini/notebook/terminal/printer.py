"""A reply's way onto a screen: finished text for good, and below it the block that still grows.

Rule: a finished block is rendered once, when its turn comes; of the growing one only the last rows are shown, as text.
Invariants: text is printed in the order it came in, and all of it, however the reply ends; the loop gets its turn every 20 ms
and the screen is painted 10 times a second at most; rich is imported in the loading thread, while the answer is waited for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Literal, NamedTuple

from nbgemini._async.deferred import running_loop
from nbgemini._async.threads import run_in_import_thread
from nbgemini.messages.segments import Change, SegmentDelta, SegmentEnd, SegmentStart, SegmentUpdate
from nbgemini.messages.turns import Options
from nbgemini.notebook.terminal.live_region import Screen
from nbgemini.notebook.terminal.markdown import Renderer, dim, rich_renderer
from nbgemini.notebook.terminal.segment_text import Lines, call_text
from nbgemini.render.escape import harmless
from nbgemini.render.json_html import Indented
from nbgemini.render.streaming_markdown import Blocks

_INTERVAL = 0.1  # seconds between repaints
_SLICE = 0.02  # seconds of rendering before the loop gets its turn
_FENCE = "`" * 12


class Piece(NamedTuple):
    """Finished text that is to be printed; `apart` is what a blank line goes before."""

    text: str
    style: Literal["dim", "plain", "markdown"]
    apart: bool = True


class Printing:
    """Prints one reply; `doing` says what it waits for before it goes on, or nothing."""

    def __init__(self, screen: Screen, doing: Callable[[], str], options: Options | None = None) -> None:
        self._screen = screen
        self._options = options
        self._form = Printed(options)
        self._doing = doing
        self._renderer: Renderer | None = None
        self._loading: asyncio.Future[Renderer] | None = None
        self._queue: deque[Piece] = deque()
        self._blocks: Blocks | None = None  # of the answer that is open
        self._lines = Lines()
        self._held = ""  # line ends of a thought that may be its last
        self._begun = False
        self._timer: asyncio.TimerHandle | None = None
        self._painted = 0.0

    def open(self) -> None:
        """Show that something is under way, and load the renderer meanwhile."""
        self._screen.take_over()
        self._screen.put("", [dim("· waiting")])
        self._loading = asyncio.ensure_future(run_in_import_thread(rich_renderer))
        self._loading.add_done_callback(self._loaded)

    def take(self, change: Change) -> None:
        """Put what is new behind what is not printed yet."""
        match change:
            case SegmentStart(_, "answer"):
                self._blocks, self._form = Blocks(), Printed(self._options)
                self._blocks.append(self._form.begin)
            case SegmentStart(_, "thought"):
                self._queue.append(Piece("· thinking\n", "dim"))
            case SegmentStart(_, "tool_call", content) | SegmentUpdate(_, content):
                if text := call_text(content):
                    self._queue.append(Piece(f"{text}\n", "plain"))
            case SegmentStart(_, _, content):
                self._queue.append(Piece(f"{self._lines.of(content)}\n", "plain"))
            case SegmentDelta(_, text) if self._blocks:
                self._blocks.append(self._form.shown(text))
            case SegmentDelta(_, text):
                self._think(harmless(text))
            case SegmentEnd():
                self._end_segment()

    def paint(self) -> None:
        """Paint soon: a few times a second, and not within the stream's own step."""
        if (loop := running_loop()) is None:
            self._paint_all()
        elif self._timer is None:
            self._timer = loop.call_later(self._painted + _INTERVAL - monotonic(), self._tick)

    async def finish(self, line: str) -> None:
        """Print all that is left, also of a segment that was stopped, and the last line."""
        self._end_segment()
        self._queue.append(Piece(line, "dim"))
        try:
            if self._loading:
                await asyncio.wait([self._loading])
            while self._paint():  # noqa: ASYNC110 - it is the painting that goes on, and the loop gets its turn
                await asyncio.sleep(0)
        finally:  # also when nobody waits any more
            if self._timer:
                self._timer.cancel()
            try:
                self._paint_all()
            finally:
                self._screen.give_back()

    def _loaded(self, loading: asyncio.Future[Renderer]) -> None:
        failed = loading.cancelled() or loading.exception()
        self._renderer = Renderer() if failed else loading.result()
        self.paint()

    def _think(self, text: str) -> None:
        body = (self._held + text).rstrip("\n")
        self._held = (self._held + text)[len(body) :]
        if body:
            self._queue.append(Piece(body, "dim", apart=False))

    def _end_segment(self) -> None:
        self._held = ""
        if self._blocks:
            self._blocks.append(self._form.end)
            self._queue += [Piece(source, "markdown") for source in self._blocks.cut_all()]
            self._blocks = None

    def _tick(self) -> None:
        self._timer = None
        more = self._paint()
        self._painted = 0.0 if more else monotonic()
        if more:
            self.paint()
        elif self._doing():
            self._timer = asyncio.get_running_loop().call_later(1.0, self._tick)

    def _paint_all(self) -> None:
        self._renderer = self._renderer or (Renderer() if self._loading else rich_renderer())
        while self._paint():
            pass

    def _paint(self) -> bool:
        """Print finished text, for a while, and show the growing block; say whether there is more."""
        if self._renderer is None:
            return False
        if self._blocks:
            self._queue += [Piece(source, "markdown") for source in self._blocks.cut()]
        columns, most = self._screen.size()
        text = self._finished_text(self._renderer, columns)
        self._screen.put(text, self._rows(self._renderer, columns, most))
        return bool(self._queue)

    def _finished_text(self, renderer: Renderer, columns: int) -> str:
        until, printed = perf_counter() + _SLICE, ""
        while self._queue and perf_counter() < until:
            piece = self._queue.popleft()
            text = renderer.block(piece.text, columns) if piece.style == "markdown" else piece.text
            if text:
                printed += self._gap(piece, printed) + (dim(text) if piece.style == "dim" else text)
                self._begun = True
        return printed

    def _gap(self, piece: Piece, printed: str) -> str:
        """Return the line ends that stand between what is printed and a piece."""
        return ("\n" if self._screen.mid_line_after(printed) else "") + "\n" if piece.apart and self._begun else ""

    def _rows(self, renderer: Renderer, columns: int, most: int) -> list[str]:
        tail = self._blocks.tail().strip("\n") if self._blocks and not self._queue else ""
        rows = renderer.rows(tail, columns, most) if tail and most else []
        if (doing := self._doing()) and most and not rows:
            rows = [dim(f"· {harmless(doing)}")]
        return ["", *rows] if rows and self._begun else rows


class Printed:
    """How an answer is printed as Markdown: data and plain text stand in a fence that no text has."""

    def __init__(self, options: Options | None) -> None:
        fenced = options is not None and (options.json or options.format == "text")
        self._indented = Indented() if options and options.json else None
        language = "json" if self._indented else ""
        self.begin, self.end = (f"{_FENCE}{language}\n", f"\n{_FENCE}\n") if fenced else ("", "")

    def shown(self, text: str) -> str:
        """Return text that came as it is printed."""
        return "".join(piece for _, piece in self._indented.feed(text)) if self._indented else text
