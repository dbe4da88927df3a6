"""A thought or an answer on the page: text that grows.

The page holds the text as HTML; behind its finished blocks stands what is still being written, formatted as far as it came.
Each character travels once, but for those that turn out to be something else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any, TypeAlias

from msgspec import Struct

from nbgemini.messages.segments import Change, Segment, SegmentCited, SegmentDelta, SegmentEnd
from nbgemini.messages.turns import Options
from nbgemini.notebook.display.canvas import Painting, Place
from nbgemini.notebook.display.insert_cell import button_html
from nbgemini.notebook.display.segment_view import SegmentPainter
from nbgemini.render.html_tree import Node, Operation, Patch, amend, parse_html, serialize_html
from nbgemini.render.json_html import JsonBlocks
from nbgemini.render.mimebundle import at_rest, is_special, live_bundle, thought_title
from nbgemini.render.streaming_markdown import Blocks, RenderedBlock, Verbatim

_FIRST_REPAINT = 200  # characters of plain HTML
_KEPT_A_SECOND = 20_000  # the same where nobody looks

Growing: TypeAlias = Blocks | JsonBlocks | Verbatim  # finished blocks as HTML, and behind them what is still being written


class TextPainter(SegmentPainter):
    """Paints one segment; `options` say in which format an answer comes."""

    def __init__(self, segment: Segment, painting: Painting, options: Options | None = None) -> None:
        super().__init__(segment, painting)
        self._options = options if options and segment.kind == "answer" and is_special(options) else None
        self._blocks = _growing(self._options)
        self._deltas = Deltas()
        self._fresh: list[str] = []
        self._kept = self._began = monotonic()
        self._seconds: float | None = None
        self._told_end = False
        self._stream_over = False
        self._accordion: Any = None
        self._title = ""

    @property
    def waiting(self) -> bool:
        """Whether there is something to paint."""
        return bool(self._fresh) or (self._seconds is not None and not self._parked and not self.at_rest)

    @property
    def _parked(self) -> bool:
        """Whether a thought is whole, but stays the accordion that a reader may have open until the stream ends."""
        return self._accordion is not None and self._title.startswith("Thought") and not self._stream_over

    def take(self, change: Change) -> None:
        """Take in text, or that the segment is whole."""
        match change:
            case SegmentDelta(_, text):
                self._fresh.append(text)
            case SegmentEnd():
                self._end()
            case SegmentCited():
                self.at_rest = False  # it is shown once more, with its references

    def end_of_stream(self) -> None:
        """Note that the whole stream is over: everything becomes static."""
        self._end()
        self._stream_over = True

    def begin(self, place: Place) -> None:
        """Take the place on the page."""
        self.place = place
        if self._seconds is not None or not self._painting.live:
            return
        if self._painting.widgets:
            # a page shows `data` as it is, and puts rows into tables
            role = self.kind if isinstance(self._blocks, Blocks) else "data"
            self._widget = self._painting.live_widget(role, self._deltas.snapshot)
            if self.kind == "thought":
                self._title = "Thinking…"
                self._accordion = self._painting.widget(lambda module: module.accordion(self._title, self._widget))
        place.show(live_bundle(self.kind), "live", self._accordion or self._widget)

    async def paint(self) -> None:
        """Show what is new; put the segment to rest once it is whole."""
        self._take_in()
        if self._widget is not None and self._painting.widgets and (self._seconds is None or self._accordion or self._needed):
            self._tell(await asyncio.to_thread(self._advance))
            self._name_accordion()
        elif self._seconds is None and self.place and self._painting.live:
            await (self._show_as_at_rest(self.place) if self._painting.kept else self._repaint(self.place))
        if self._seconds is not None and not self._parked:
            await self._rest()

    def _advance(self) -> Update:
        """Return what is new; in a thread, since it may take long."""
        blocks = self._blocks.advance() if self._blocks.promising else []
        return update_of(blocks, self._blocks.patch())

    def _tell(self, update: Update) -> None:
        ended = [["e"]] if self._seconds is not None and not self._told_end else []
        self._told_end = self._seconds is not None
        self._painting.tell(self._widget, lambda: [*self._deltas.next(update), *ended])

    def _name_accordion(self) -> None:
        if self._accordion is None:
            return
        title = f"Thinking… {monotonic() - self._began:.0f} s" if self._seconds is None else thought_title(self._seconds)
        if title != self._title:
            self._title = title
            self._painting.change(lambda: self._accordion.set_title(0, title))

    async def _repaint(self, place: Place) -> None:
        """Show plain HTML again, if it has grown enough."""
        if self._has_grown(len(self._segment.text), _FIRST_REPAINT):
            self._deltas.next(await asyncio.to_thread(self._advance))
            place.show(live_bundle(self.kind, self._blocks.html() + self._deltas.open_html(), self._segment.text), "live")

    async def _show_as_at_rest(self, place: Place) -> None:
        """Show what came as it would stand at rest, each second and later seldom: so much a second, and no more."""
        length, now = len(self._segment.text), monotonic()
        if length > self._painted and now - self._kept >= max(1.0, length / _KEPT_A_SECOND):
            self._painted, self._kept = length, now
            place.show(await asyncio.to_thread(self._static_bundle), "live")

    def _take_in(self) -> None:
        self._blocks.append("".join(self._fresh))
        self._fresh.clear()

    async def _rest(self) -> None:
        self._take_in()  # the last words may have come while something was painted
        cited = self._segment.cited
        last, data = await asyncio.to_thread(self._at_rest_bundle)
        if self._needed:
            self._tell(last)
        else:
            self._deltas.next(last)  # for a page that comes back later
        if self._deltas.correct(self._blocks.html()) and self._needed:  # what was defined late
            self._painting.change(self._widget.renew)
        if self.place:
            self.place.show(data, "final", self._widget)
        self.at_rest = self._segment.cited == cited  # else its sources came meanwhile

    def _at_rest_bundle(self) -> tuple[Update, dict[str, Any]]:
        """Return the last blocks and the whole bundle; in a thread, since both may take long."""
        return update_of(self._blocks.close(), Patch([])), self._static_bundle(self._blocks.html())

    def _static_bundle(self, html: str | None = None) -> dict[str, Any]:
        """Return the bundle at rest; `html` is the text as it has grown."""
        opened = self._accordion is not None and self._accordion.selected_index == 0
        shown = at_rest(self._segment, self._options, html=html, seconds=self._seconds, opened=opened)
        code = self._painting.offered(self._segment.text) if self.kind == "answer" else ""
        return {**shown, "text/html": shown["text/html"] + button_html(code)} if code else shown

    def _end(self) -> None:
        if self._seconds is None:
            self._seconds = monotonic() - self._began


def _growing(options: Options | None) -> Growing:
    """Return what the text of an answer grows in."""
    if options is None or options.format == "code":
        return Blocks()
    return JsonBlocks() if options.json else Verbatim()


class Update(Struct, frozen=True):
    """What a text has become: further finished blocks, as HTML and as nodes, and how the rest looks, if it looks different."""

    html: tuple[str, ...]
    nodes: list[Node]
    patch: Patch | None


def update_of(blocks: Sequence[RenderedBlock], patch: Patch | None) -> Update:
    """Return an update; blocks that may be long are parsed here, so not on the loop."""
    html = tuple(block.html for block in blocks)
    return Update(html, [node for text in html for node in parse_html(text)], patch)


class Deltas:
    """The kernel's side of one streamed text."""

    def __init__(self) -> None:
        self._finished: list[str] = []
        self._open: list[Node] = []

    def next(self, update: Update) -> list[Operation]:
        """Return the operations that bring the page up to date; `html_tree` says what they are."""
        rest = update.patch or Patch([])
        if not update.html:
            return amend(self._open, rest.nodes, rest.levels) if update.patch else []
        operations = amend(self._open, [*update.nodes, *rest.nodes])
        del self._open[: len(update.nodes)]
        self._finished += update.html
        return operations

    def correct(self, html: str) -> bool:
        """Take this for all finished blocks; say whether the page was told otherwise and needs a snapshot."""
        told, self._finished = "".join(self._finished), [html]
        return told != html

    def open_html(self) -> str:
        """Return what stands behind the finished blocks."""
        return serialize_html(self._open)

    def snapshot(self) -> dict[str, Any]:
        """Return all that was told so far, for a page that missed some of it."""
        return {"html": "".join(self._finished), "open": self.open_html()}
