"""Where segments stand that begin after a page was loaded again, or a cell was moved.

Such a page has no record of outputs that are new since then, but the status line's widget is still there. So later
segments go inside that widget, above the line; at rest each has an output of its own like all others.
"""

from __future__ import annotations

from typing import Any, Literal

from nbgemini.notebook.display.canvas import Painting


class Home:
    """A column of widgets with the status line at its end."""

    def __init__(self, painting: Painting, line: Any) -> None:
        """Hold only the line so far."""
        self.widget = painting.column(line)
        self._painting = painting
        self._shown: list[Any] = []
        self._line = line
        self._bundles: list[dict[str, Any]] = []

    def room(self) -> Room:
        """Return a place for the next segment."""
        self._bundles.append({})
        return Room(self, len(self._bundles) - 1)

    def add(self, widget: Any) -> None:
        """Show one widget more, above the line."""
        self._shown.append(widget)
        self._painting.change(self.widget, "children", (*self._shown, self._line))

    def add_html(self, html: str) -> None:
        """Show finished, sanitised HTML, above the line."""
        widget = self._painting.text_widget("answer", lambda: {"html": html})
        self.add(widget)

    def rest(self, index: int, data: dict[str, Any]) -> None:
        """Keep what a segment looks like at rest."""
        self._bundles[index] = data

    @property
    def bundles(self) -> list[dict[str, Any]]:
        """The segments at rest, in order."""
        return [*filter(None, self._bundles)]


class Room:
    """One segment's place in the home."""

    for_good = True

    def __init__(self, home: Home, index: int) -> None:
        """Stand at this index."""
        self._home = home
        self._index = index
        self._shown = False

    def show(self, data: dict[str, Any], state: Literal["live", "final"], widget: Any = None) -> None:
        """Show the widget; a segment that is whole at once has none."""
        if state == "final":
            self._home.rest(self._index, data)
        if not self._shown and (widget is not None or state == "final"):
            self._shown = True
            self._home.add_html(data["text/html"]) if widget is None else self._home.add(widget)
