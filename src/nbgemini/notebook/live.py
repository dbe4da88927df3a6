"""The delta widget: streamed text inside accordion and answer, and the status line with Stop.

Importing this opens no comm and needs no main thread, so it can happen in a worker thread. Traffic is what is new: deltas go
as numbered custom messages; a view that missed some asks for a snapshot. Message handlers may run on another thread
(ipykernel 7.0 to 7.3), so they only call what they were given as thread-safe, and numbers are given one at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import anywidget
import ipywidgets
import traitlets

_HERE = Path(__file__).parent


@cache
def _stripped(name: str, role: str) -> str:
    """Return a source file as it travels with every widget: without indentation, comments and what only other roles need."""
    kept, wanted = [], True
    for line in (_HERE / name).read_text(encoding="utf-8").splitlines():
        code = line.strip()
        if code.startswith("// only "):
            wanted = role in code.split()
        elif code == "// everyone":
            wanted = True
        elif wanted and code and not code.startswith(("//", "/*")):
            kept.append(code)
    text = "\n".join(kept)
    return re.sub(r"([{:;,]) |;\s*(?=})", r"\1", text) if name.endswith(".css") else text


@cache
def _new_layout() -> ipywidgets.Layout:
    return ipywidgets.Layout()


def _shared_layout() -> ipywidgets.Layout:
    """Return one layout for all our widgets: each would open a comm of 1.6 kB for its own."""
    if _new_layout().comm is None:  # somebody closed all widgets
        _new_layout.cache_clear()
    return _new_layout()


class Live(anywidget.AnyWidget):
    """Text or status that grows by deltas."""

    role = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        role: str,
        *,
        snapshot: Callable[[], dict[str, Any]],
        on_stop: Callable[[], None] = lambda: None,
        on_verdict: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open a widget in the role `answer`, `thought`, `status` or `card`; `snapshot` returns all that was sent so far."""
        self._numbering = Lock()
        self._n = 0
        self._greeted = 0
        self._take_snapshot = snapshot
        self._on_stop = on_stop
        self._on_verdict = on_verdict
        self.on_gone: Callable[[], object] = lambda: None  # called when a page has taken the view away
        self._esm = _stripped("live.js", role)
        self._css = _stripped("live.css", role)
        super().__init__(role=role, layout=_shared_layout())
        self.on_msg(self._heard)

    @property
    def greeted(self) -> bool:
        """Whether there is a page."""
        return self._greeted > 0

    @property
    def rebuilt(self) -> bool:
        """Whether the page was loaded again: then it may miss the static output, and this widget is what it shows."""
        return self._greeted > 1

    def tell(self, next_ops: Callable[[], list[list[Any]]]) -> int:
        """Send the deltas that `next_ops` returns and return their characters; no snapshot is taken in between."""
        with self._numbering:
            ops = next_ops()
            if ops:
                self._n += 1
                self.send({"n": self._n, "ops": ops})
        return sum(len(word) for op in ops for word in op if isinstance(word, str))

    def renew(self) -> None:
        """Send all there is, in the place of what was sent."""
        with self._numbering:
            self._n += 1
            self.send({"n": self._n, "snapshot": self._take_snapshot()})

    def _heard(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        if content.get("type") in ("hello", "lost"):
            self._greeted += content["type"] == "hello"
            with self._numbering:
                self.send({"n": self._n, "snapshot": self._take_snapshot()})
        elif content.get("type") == "stop":
            self._on_stop()
        elif content.get("type") == "gone":
            self.on_gone()
        elif content.get("type") == "verdict":
            self._on_verdict(str(content.get("verdict")))


def accordion(title: str, child: Live) -> ipywidgets.Accordion:
    """Return a closed accordion around `child`."""
    how = {"selected_index": None, "layout": _shared_layout(), "_dom_classes": ("nbg-fold",)}
    return ipywidgets.Accordion(children=[child], titles=(title,), **how)


def column(*children: ipywidgets.DOMWidget) -> ipywidgets.VBox:
    """Return these widgets one below the other."""
    return ipywidgets.VBox(children=children, layout=_shared_layout())


def view_of(widget: ipywidgets.DOMWidget) -> dict[str, Any]:
    """Return the part of a mimebundle that shows this widget."""
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": view}
