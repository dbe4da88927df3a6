"""How an answer of each format is painted: as it grows, and at rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from nbgemini.messages.segments import Segment
from nbgemini.messages.turns import Options
from nbgemini.notebook.display.insert_cell import button_html
from nbgemini.render.html_tree import Patch
from nbgemini.render.json_html import Indented, JsonBlocks
from nbgemini.render.mimebundle import at_rest, is_special
from nbgemini.render.streaming_markdown import Blocks, RenderedBlock, Verbatim

_FENCE = "`" * 12


class Growing(Protocol):
    """Text that grows on a page: finished blocks as HTML, and behind them what is still being written."""

    @property
    def promising(self) -> bool:
        """Whether there may be a finished block."""
        ...

    def append(self, text: str) -> str:
        """Take in text and return it as it will be shown."""
        ...

    def advance(self) -> list[RenderedBlock]:
        """Render what is finished; may run in another thread."""
        ...

    def close(self) -> list[RenderedBlock]:
        """Render what is left."""
        ...

    def html(self) -> str:
        """Return all that is finished."""
        ...

    def patch(self) -> Patch | None:
        """Return how what is not finished looks; None if it looks as before."""
        ...


class Form:
    """How one segment of text is painted."""

    def __init__(self, segment: Segment, options: Options | None, offered: Callable[[str], str] = lambda _: "") -> None:
        """Paint `segment`, of whose kinds only answers have formats; `offered` returns the code that a button offers."""
        self._segment = segment
        self._offered = offered
        self._options = options if options and segment.kind == "answer" and is_special(options) else None

    @property
    def role(self) -> str:
        """The role of its widget: `data` shows text as it is, and puts rows into tables."""
        return self._segment.kind if isinstance(self.growing(), Blocks) else "data"

    def growing(self) -> Growing:
        """Return what the text grows in."""
        if self._options is None or self._options.format == "code":
            return Blocks()
        return JsonBlocks() if self._options.json else Verbatim()

    def at_rest(self, html: str | None, seconds: float | None, *, opened: bool) -> dict[str, Any]:
        """Return the static bundle; `html` is the text as it has grown."""
        shown = at_rest(self._segment, self._options, html=html, seconds=seconds, opened=opened)
        code = self._offered(self._segment.text) if self._segment.kind == "answer" else ""
        return {**shown, "text/html": shown["text/html"] + button_html(code)} if code else shown


class Printed:
    """How an answer is printed as Markdown: data and plain text stand in a fence that no text has."""

    def __init__(self, options: Options | None) -> None:
        """Print in the format that was asked for."""
        fenced = options is not None and (options.json or options.format == "text")
        self._indented = Indented() if options and options.json else None
        language = "json" if self._indented else ""
        self.begin, self.end = (f"{_FENCE}{language}\n", f"\n{_FENCE}\n") if fenced else ("", "")

    def shown(self, text: str) -> str:
        """Return text that came as it is printed."""
        return "".join(piece for _, piece in self._indented.feed(text)) if self._indented else text
