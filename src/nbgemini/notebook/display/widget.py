"""The delta widget: streamed text inside accordion and answer, and the status line with Stop.

Importing this opens no comm and needs no main thread, so it can happen in a worker thread. Traffic is what is new: deltas go
as numbered custom messages, packed where they are long; a view that missed some asks for a snapshot. Message handlers may run
on another thread (ipykernel 7.0 to 7.3), so they only call what they were given as thread-safe, and numbers are given one at a
time.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import anywidget
import ipywidgets
import traitlets

from nbgemini._async.deferred import running_loop

_HERE = Path(__file__).parent
_NOTHING: tuple[Any, ...] = (None, "", (), [])
_WORTH_PACKING = 150  # characters of deltas


class _Lean:
    """A widget that does not send what has no value: pages take it for none anyway, and a layout has forty such traits."""

    comm: Any

    def get_state(self, *args: Any, **how: Any) -> dict[str, Any]:
        """Return what travels of its state."""
        state: dict[str, Any] = super().get_state(*args, **how)  # type: ignore[misc]
        return {name: value for name, value in state.items() if value not in _NOTHING} if self.comm is None else state


class _Layout(_Lean, ipywidgets.Layout):
    """A layout that says nothing."""


class _Column(_Lean, ipywidgets.VBox):
    """Widgets one below the other."""


class Module(_Lean, anywidget.AnyWidget):
    """What brings the page's part to a page, once, unseen: all other widgets start from it, and carry a few lines each."""

    code = traitlets.Bytes().tag(sync=True)

    def __init__(self) -> None:
        self._esm = "export default {}"
        source = f"{_source('live.js')}\naddStyle({json.dumps(_source('live.css'))})"
        super().__init__(code=gzip.compress(source.encode(), mtime=0), layout=_shared(_new_layout))


def _source(name: str) -> str:
    """Return a source file as it travels: without indentation and the lines that are comments."""
    lines = (line.strip() for line in (_HERE / name).read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/*")))


_MOST_KEPT = 20  # status lines
_UNLISTED = "nbgemini.retired"  # pages ask for comms whose target is "jupyter.widget"
_kept: deque[Live] = deque()
_start = cache(partial(_source, "start.js"))
_new_module = cache(Module)
_new_layout = cache(_Layout)  # one for all our widgets: each would open a comm of 1.6 kB for its own


def _shared(make: Any) -> Any:
    """Return the one widget that `make` keeps, anew if somebody closed all widgets."""
    if make().comm is None:
        make.cache_clear()
    return make()


class Live(_Lean, anywidget.AnyWidget):
    """Text or status that grows by deltas, in the role `answer`, `data`, `thought`, `status` or `card`.

    `snapshot` returns all that was sent so far, `document` the outputs that a page should hold, for one that has missed some.
    The others are called for a click on Stop, with what a click on a card says, and when a page has made the output anew, and
    with it forgotten what it knew of displays.
    """

    role = traitlets.Unicode().tag(sync=True)
    key = traitlets.Unicode().tag(sync=True)
    module = traitlets.Unicode().tag(sync=True)

    def __init__(  # noqa: PLR0913 - one for each thing that a page may say
        self,
        role: str,
        *,
        snapshot: Callable[[], dict[str, Any]],
        on_stop: Callable[[], None] = lambda: None,
        on_verdict: Callable[[str], None] = lambda _: None,
        on_moved: Callable[[], None] = lambda: None,
        document: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        self._numbering = Lock()
        self._n = 0
        self._greeted = 0
        self._take_snapshot = snapshot
        self._on_stop = on_stop
        self._on_verdict = on_verdict
        self._on_moved = on_moved
        self._document = document
        self._left = 0
        self._on_gone: Callable[[], object] = lambda: None
        self._esm = _start()
        super().__init__(role=role, key=uuid4().hex[:8], module=_shared(_new_module).model_id, layout=_shared(_new_layout))
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
            if not ops:
                return 0
            self._n += 1
            text = json.dumps(ops, ensure_ascii=False, separators=(",", ":"))
            if len(text) < _WORTH_PACKING:
                self.send({"n": self._n, "ops": ops})
            else:
                self.send({"n": self._n}, [zlib.compress(text.encode("utf-8", "replace"), wbits=-zlib.MAX_WBITS)])
        return sum(len(word) for op in ops for word in op if isinstance(word, str))

    def renew(self) -> None:
        """Send all there is, in the place of what was sent."""
        with self._numbering:
            self._n += 1
            self.send({"n": self._n, "snapshot": self._take_snapshot()})

    def _heard(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        match content.get("type"):
            case "hello" | "lost" as word:
                self._greeted += word == "hello"
                self._answer(content.get("page"), snapshot=True, document=word == "hello" and self.rebuilt)
            case "outputs":
                self._answer(content.get("page"), snapshot=False, document=True)
            case "stop":
                self._on_stop()
            case "moved":
                self._on_moved()
            case "gone":
                self._left += 1
                if self._left >= self._greeted:
                    self._on_gone()
            case "verdict":
                self._on_verdict(str(content.get("verdict")))

    def when_gone(self, call: Callable[[], object]) -> None:
        """Call once every page has taken away the view that it has now."""
        self._left = 0
        self._on_gone = call

    def _answer(self, page: str | None, *, snapshot: bool, document: bool) -> None:
        """Answer one page; the others learn only that it is this page's turn to mend a document that they may share."""
        whole = {"document": self._document(), "page": page} if document and self._document is not None else {}
        with self._numbering:
            self.send({"n": self._n, **({"snapshot": self._take_snapshot()} if snapshot else {}), **whole})


def keep(widget: Live) -> None:
    """Keep a widget that is not seen any more, for a page that comes back and reads a file from before the end."""
    if widget in _kept:
        return
    _kept.append(widget)
    if len(_kept) > _MOST_KEPT:
        retire([_kept.popleft()])


_GRACE = 60  # seconds in which the loop turns: by then, a page that has been told of a widget has its state


def retire(
    widgets: Iterable[ipywidgets.Widget], close: Callable[[ipywidgets.Widget], object] = ipywidgets.Widget.close
) -> None:
    """Close widgets once no page is still asking for their states: they are listed no more, but answer for a while.

    A page that opens may ask for a list of all widgets, and then each by itself. It shows none ("Loading widget…") until every
    one of them has answered, so one that is listed and closed a moment later would hold up all others.
    """
    leaving = [widget for widget in widgets if widget.comm is not None]
    for widget in leaving:
        widget.comm.target_name = _UNLISTED
    _close_after(_GRACE, lambda: [close(widget) for widget in leaving])


def _close_after(seconds: int, call: Callable[[], object]) -> None:
    """Call after so many seconds; one by one, since a busy loop hears no page meanwhile."""
    if seconds and (loop := running_loop()) is not None:
        loop.call_later(1, _close_after, seconds - 1, call)
    else:
        call()


def accordion(title: str, child: Live) -> ipywidgets.Accordion:
    """Return a closed accordion around `child`."""
    titled = {"titles": (title,)} if hasattr(ipywidgets.Accordion, "titles") else {"_titles": {"0": title}}  # ipywidgets 8, 7
    how = {"selected_index": None, "layout": _shared(_new_layout), "_dom_classes": ("nbg-fold",)}
    return ipywidgets.Accordion(children=[child], **titled, **how)


def column(*children: ipywidgets.DOMWidget) -> ipywidgets.VBox:
    """Return these widgets one below the other."""
    return _Column(children=children, layout=_shared(_new_layout))
