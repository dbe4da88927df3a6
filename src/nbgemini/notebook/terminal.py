"""A reply in a plain terminal: thoughts dim, answers as rendered Markdown, the status last.

A finished block is rendered once and printed for good; the block that still grows is shown as text at the bottom of the
screen, in the only rows that are ever written again.
Invariants: nothing of the model's reaches the terminal but through `harmless`, once more after parsing, because the parser
decodes entities and percent signs; no text is lost, so a rendering that lacks a letter gives way to its source; where stdout
is no terminal, text is printed exactly as it arrives.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from threading import RLock
from time import monotonic, perf_counter
from typing import Any, Literal, NamedTuple

from nbgemini.loading import load
from nbgemini.notebook.status import badge_text, status_text
from nbgemini.render.blocks import Blocks
from nbgemini.render.links import host_of, plain_url, speaks_for_itself
from nbgemini.render.markdown import _is_bomb, _parser, _too_long_to_colour
from nbgemini.render.text import harmless
from nbgemini.reply import Reply
from nbgemini.segments import Change, SegmentDelta, SegmentEnd, SegmentStart

_DIM, _RESET = "\x1b[2m", "\x1b[0m"
_CLIP, _WRAP = "\x1b[?7l", "\x1b[?7h"  # a row wider than was reckoned is clipped, so that the count of rows stays true
_ERASE_BELOW = "\r\x1b[J"
_STYLE = re.compile(r"\x1b\[[\d;]*m")
_PADDING = re.compile(r"(?: |\x1b\[[\d;]*m)+\Z")
_KEPT_FREE = 3  # lines: the cursor's, a gap, and one on top, since some terminals keep a whole screen that is erased
_INTERVAL = 0.1  # seconds between repaints
_SLICE = 0.02  # seconds of rendering before the loop gets its turn
_LARGEST = 40_000  # characters of a block that is rendered
_LONGEST_CODE = 8_000  # characters that are coloured: 8 µs each
_LONGEST_TARGET = 500
_LONGEST_LINE = 500
_DARK_ON_LIGHT = ("7", "15")  # the background's colour as COLORFGBG names it
_THEME = {"markdown.code": "cyan", "markdown.code_block": "none"}  # no background of its own: it suits any terminal
_CLOSING = {r"\(": r"\)", r"\[": r"\]"}


class TerminalView:
    """Shows one reply."""

    def __init__(self, reply: Reply) -> None:
        """Choose the way; show nothing yet."""
        self._reply = reply
        self._way: Plain | Rendered = Rendered() if _takes_cursor_moves() else Plain()

    def open(self) -> None:
        """Show a first sign of life, where it can be taken back."""
        self._way.open()

    def apply(self, changes: list[Change]) -> None:
        """Take in what is new."""
        for change in changes:
            self._way.take(change)
        self._way.paint()

    async def finish(self) -> None:
        """Show all that is left and the status line."""
        line = " · ".join(filter(None, (badge_text(self._reply), status_text(self._reply))))
        await self._way.finish(f"— {harmless(line)}\n")


class Plain:
    """Text exactly as it arrives, without any escape code."""

    def __init__(self) -> None:
        """Print nothing yet."""
        self._open = False

    def open(self) -> None:
        """Print nothing: the cursor waits."""

    def take(self, change: Change) -> None:
        """Print what is new."""
        self._open = not isinstance(change, SegmentEnd)
        match change:
            case SegmentStart(_, "thought"):
                _write(sys.stdout, "· thinking\n")
            case SegmentStart(_, kind, content) if content is not None:
                _write(sys.stdout, _line(kind, content))
            case SegmentDelta(_, text):
                _write(sys.stdout, harmless(text))
            case SegmentEnd():
                _write(sys.stdout, "\n")

    def paint(self) -> None:
        """Let it be seen."""
        sys.stdout.flush()

    async def finish(self, line: str) -> None:
        """Print the last line."""
        _write(sys.stdout, f"\n{line}" if self._open else line)  # a segment that was stopped has no end
        sys.stdout.flush()


class Piece(NamedTuple):
    """Finished text that is to be printed; `apart` is what a blank line goes before."""

    text: str
    style: Literal["dim", "plain", "markdown"]
    apart: bool = True


class Rendered:
    """Finished text for good, and below it the block that still grows."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._screen = Screen(sys.stdout)
        self._printer: Printer | None = None
        self._loading: asyncio.Future[Printer] | None = None
        self._queue: deque[Piece] = deque()
        self._blocks: Blocks | None = None  # of the answer that is open
        self._held = ""  # line ends of a thought that may be its last
        self._begun = False
        self._mid_line = False
        self._timer: asyncio.TimerHandle | None = None
        self._painted = 0.0

    def open(self) -> None:
        """Show that something is under way, and load the renderer meanwhile."""
        self._screen.take_over()
        self._screen.put("", [_dim("· waiting")])
        self._loading = asyncio.ensure_future(load(printer))
        self._loading.add_done_callback(self._loaded)

    def take(self, change: Change) -> None:
        """Put what is new behind what is not printed yet."""
        match change:
            case SegmentStart(_, "answer"):
                self._blocks = Blocks()
            case SegmentStart(_, "thought"):
                self._queue.append(Piece("· thinking\n", "dim"))
            case SegmentStart(_, kind, content):
                self._queue.append(Piece(f"{_line(kind, content)}\n", "plain"))
            case SegmentDelta(_, text) if self._blocks:
                self._blocks.append(text)
            case SegmentDelta(_, text):
                self._think(harmless(text))
            case SegmentEnd():
                self._end_segment()

    def paint(self) -> None:
        """Paint soon: a few times a second, and not within the stream's own step."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._paint_all()
            return
        if self._timer is None:
            self._timer = loop.call_later(self._painted + _INTERVAL - monotonic(), self._tick)

    async def finish(self, line: str) -> None:
        """Print all that is left, also of a segment that was stopped, and the last line."""
        self._end_segment()
        self._queue.append(Piece(line, "dim"))
        try:
            if self._loading:
                await asyncio.wait([self._loading])
            more = self._paint()
            while more:
                await asyncio.sleep(0)
                more = self._paint()
        finally:  # also when nobody waits any more
            self._close()

    def _close(self) -> None:
        if self._timer:
            self._timer.cancel()
        try:
            self._paint_all()
        finally:
            self._screen.give_back()

    def _loaded(self, loading: asyncio.Future[Printer]) -> None:
        failed = loading.cancelled() or loading.exception()
        self._printer = Printer() if failed else loading.result()
        self.paint()

    def _think(self, text: str) -> None:
        body = (self._held + text).rstrip("\n")
        self._held = (self._held + text)[len(body) :]
        if body:
            self._queue.append(Piece(body, "dim", apart=False))

    def _end_segment(self) -> None:
        self._held = ""
        if self._blocks:
            self._add_blocks(self._blocks.cut_all())
            self._blocks = None

    def _add_blocks(self, sources: list[str]) -> None:
        self._queue += [Piece(source, "markdown") for source in sources]

    def _tick(self) -> None:
        self._timer = None
        more = self._paint()
        self._painted = 0.0 if more else monotonic()
        if more:
            self.paint()

    def _paint_all(self) -> None:
        self._printer = self._printer or (Printer() if self._loading else printer())
        while self._paint():
            pass

    def _paint(self) -> bool:
        """Print finished text, for a while, and show the growing block; say whether there is more."""
        if self._printer is None:
            return False
        if self._blocks:
            self._add_blocks(self._blocks.cut())
        columns, lines = self._screen.size()
        self._mid_line = self._screen.mid_line
        text = "".join(self._printed(self._printer, columns))
        rows = self._rows(self._printer, columns, lines)
        self._screen.put(text + ("\n" if rows and self._mid_line else ""), rows)
        return bool(self._queue)

    def _printed(self, printer: Printer, columns: int) -> Iterator[str]:
        until = perf_counter() + _SLICE
        while self._queue and perf_counter() < until:
            piece = self._queue.popleft()
            text = printer.block(piece.text, columns) if piece.style == "markdown" else piece.text
            if text:
                yield self._gap(piece) + (_dim(text) if piece.style == "dim" else text)
                self._begun, self._mid_line = True, not text.endswith("\n")

    def _gap(self, piece: Piece) -> str:
        """Return the line ends that stand before a piece."""
        return ("\n" if self._mid_line else "") + "\n" if piece.apart and self._begun else ""

    def _rows(self, printer: Printer, columns: int, lines: int) -> list[str]:
        tail = self._blocks.tail().strip("\n") if self._blocks and not self._queue else ""
        rows = printer.rows(tail, columns, lines - _KEPT_FREE) if tail and lines > _KEPT_FREE else []
        return ["", *rows] if rows and self._begun else rows


class Screen:
    """The terminal: text that scrolls up for good, and below it rows that may still change.

    The cursor rests at the start of the line below the rows. What others print meanwhile comes to stand above the rows.
    """

    def __init__(self, out: Any) -> None:
        """Write to `out`; nothing is written yet."""
        self._out = out
        self._rows: list[str] = []  # as they are on the screen
        self._wanted: list[str] = []
        self.mid_line = False  # whether a line of ours is begun
        self._stray = False  # whether a line of another's is
        self._lock = RLock()
        self._others: list[tuple[str, Any]] = []

    def size(self) -> tuple[int, int]:
        """Return how many columns may be filled and how many lines there are."""
        try:
            columns, lines = os.get_terminal_size(self._out.fileno())
        except (OSError, ValueError):
            columns, lines = 0, 0
        return max(1, (columns or 80) - 1), lines or 24

    def put(self, text: str, rows: list[str]) -> None:
        """Print text for good where the rows stood, and show new rows below it."""
        with self._lock:
            if text or rows != self._rows:
                kept = 0 if text else _common(self._rows, rows)
                shown = "".join(f"{row}\n" for row in rows[kept:])
                ended = "\n" if self._stray else ""
                self._send(self._back_to(kept) + ended + text + (f"{_CLIP}{shown}{_WRAP}" if shown else ""))
                self.mid_line = not text.endswith("\n") if text else self.mid_line
                self._stray = False
            self._rows = self._wanted = rows

    def print_above(self, text: str, out: Any) -> None:
        """Print what another wrote, above the rows."""
        with self._lock:
            self._send(self._back_to(0) + ("\n" if self.mid_line else ""))
            self._rows, self.mid_line = [], False
            _write(out, text)
            out.flush()
            self._stray = not text.endswith("\n")
            if not self._stray:
                self.put("", self._wanted)

    def take_over(self) -> None:
        """Let all that is printed come by here."""
        for name in ("stdout", "stderr"):
            out = getattr(sys, name)
            if _is_terminal(out):
                self._others.append((name, out))
                setattr(sys, name, Above(self, out))

    def give_back(self) -> None:
        """Let the others print for themselves again."""
        for name, out in self._others:
            if isinstance(getattr(sys, name), Above):
                setattr(sys, name, out)
        self._others.clear()

    def _back_to(self, kept: int) -> str:
        up = len(self._rows) - kept
        return (f"\x1b[{up}A" if up else "") + (_ERASE_BELOW if self._rows else "")

    def _send(self, text: str) -> None:
        _write(self._out, text)
        self._out.flush()


class Above:
    """Stands in for a stream while rows may change below what it prints."""

    def __init__(self, screen: Screen, out: Any) -> None:
        """Print to `out`, above the screen's rows."""
        self._screen = screen
        self._out = out

    def write(self, text: str) -> int:
        """Print above the rows."""
        if text:
            self._screen.print_above(text, self._out)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Print above the rows."""
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        """Be the stream in all else."""
        return getattr(self._out, name)


class Printer:
    """Shows Markdown as its source: what is left to do without rich."""

    def block(self, source: str, columns: int) -> str:
        """Return a finished block as it is printed."""
        del columns  # the terminal breaks the lines
        text = source.strip("\n")
        return f"{text}\n" if text.strip() else ""

    def rows(self, tail: str, columns: int, most: int) -> list[str]:
        """Return the last rows of a text."""
        lines = _end_of(tail, columns * most).expandtabs().split("\n")
        rows = [line[at : at + columns] for line in lines for at in range(0, max(1, len(line)), columns)]
        return rows if len(rows) <= most else [_dim("⋮"), *rows[len(rows) - most + 1 :]]


class RichPrinter(Printer):
    """Renders Markdown with rich."""

    def __init__(self) -> None:
        """Prepare what all blocks share."""
        from rich.console import Console  # noqa: PLC0415 - at first use, in a thread
        from rich.theme import Theme  # noqa: PLC0415

        self._console = Console(file=io.StringIO(), force_terminal=True, theme=Theme(_THEME), legacy_windows=False)
        self._markdown = _markdown()
        self._env: dict[str, Any] = {}

    def block(self, source: str, columns: int) -> str:
        """Return a block rendered, or its source where that would lose or add something, or take too long."""
        if len(source) > _LARGEST or _is_bomb(source):
            return super().block(source, columns)
        try:
            tokens = readable(_parser().parse(source, self._env))
            text = self._rendered(tokens, columns)
        except Exception:  # noqa: BLE001 - whatever a renderer stumbles over, the text is there to be read
            return super().block(source, columns)
        return text if _is_faithful(text, tokens) else super().block(source, columns)

    def rows(self, tail: str, columns: int, most: int) -> list[str]:
        """Return the last rows of a text, broken between words."""
        from rich.text import Text  # noqa: PLC0415

        text = Text(_end_of(tail, columns * most))
        rows = [line.plain.rstrip() for line in text.wrap(self._console, columns, overflow="fold")]
        return rows if len(rows) <= most else [_dim("⋮"), *rows[len(rows) - most + 1 :]]

    def _rendered(self, tokens: list[Any], columns: int) -> str:
        self._markdown.parsed = tokens  # one for all blocks: each would make a parser of its own
        with self._console.capture() as capture:
            self._console.print(self._markdown, width=columns)
        lines = [_unpadded(line) for line in capture.get().split("\n")]
        text = "\n".join(lines).strip("\n")
        return f"{text}\n" if text else ""


def printer() -> Printer:
    """Import rich, the parser and the highlighter; return what renders with them."""
    rich = RichPrinter()
    rich.block("*ready*\n```python\nx = 1\n```\n", 20)
    return rich


def readable(tokens: Iterable[Any]) -> list[Any]:
    """Return tokens that hold nothing but what a reader sees: harmless text, the targets of links, formulas as text."""
    found: list[Any] = []
    for token in tokens:
        token.content = harmless(token.content)
        if token.info and (len(token.content) > _LONGEST_CODE or _too_long_to_colour(token.content)):
            token.info = ""
        if token.type == "inline":
            token.children = readable(token.children)
        found += _rewritten(token, found)
    return found


def _rewritten(token: Any, before: Sequence[Any]) -> list[Any]:
    match token.type:
        case "formula":
            return [_words(f"{token.markup}{token.content}{_CLOSING.get(token.markup, token.markup)}")]
        case "math_block":
            token.type, token.tag, token.info, token.content = "fence", "code", "", f"$${token.content}$$"
        case "image":
            target = _target(str(token.attrGet("src") or ""))
            return [_words(f"[image not loaded: {', '.join(filter(None, (token.content, target)))}]")]
        case "link_open":
            token.type, token.tag = "link", "link"
        case "link_close":
            token.type, token.tag = "link", "link"
            return [token, *_shown_target(before)]
    return [token]


def _shown_target(before: Sequence[Any]) -> list[Any]:
    """Return the words that say where the link leads that ends here."""
    text = list(takewhile(lambda token: token.type != "link" or token.nesting != 1, reversed(before)))
    url = str(before[-len(text) - 1].attrGet("href") or "")
    shown = "".join(token.content for token in reversed(text))
    return [_words(f" ({_target(url)})")] if _target(url) and not speaks_for_itself(url, shown) else []


def _target(url: str) -> str:
    """Return where a URL leads, its host in letters that cannot pose as others."""
    target = harmless(plain_url(url) or host_of(url) or url)
    return target if len(target) <= _LONGEST_TARGET else f"{target[:_LONGEST_TARGET]}…"


def _words(text: str) -> Any:
    from markdown_it.token import Token  # noqa: PLC0415 - at first use

    return Token("text", "", 0, content=harmless(text))


def _markdown() -> Any:
    """Return what renders Markdown, to be given the tokens."""
    from rich.markdown import Markdown, TableDataElement  # noqa: PLC0415 - at first use

    class Cell(TableDataElement):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.content.overflow = "fold"  # rich would cut a long word off

    class Parsed(Markdown):
        elements = {**Markdown.elements, "td_open": Cell, "th_open": Cell}  # noqa: RUF012 - rich's own
        inlines = {*Markdown.inlines, "link"}  # noqa: RUF012

    return Parsed("", code_theme=_code_theme())


def _is_faithful(text: str, tokens: Iterable[Any]) -> bool:
    """Say whether a rendering holds every letter of the tokens, and nothing that steers the terminal."""
    shown = _STYLE.sub("", text)
    return harmless(shown) == shown and _letters(_contents(tokens)) <= _letters([shown])


def _letters(texts: Iterable[str]) -> Counter[str]:
    return Counter(char for text in texts for char in text if char.isalnum())


def _contents(tokens: Iterable[Any]) -> Iterator[str]:
    for token in tokens:
        if token.type == "inline":
            yield from _contents(token.children)
        else:
            yield token.content


def _unpadded(line: str) -> str:
    body = _PADDING.sub("", line)
    return body + _RESET if _STYLE.search(body) else body


def _code_theme() -> str:
    """Return a theme of the terminal's own colours, for a light ground where we are told of one."""
    from IPython import get_ipython  # noqa: PLC0415

    told = str(getattr(get_ipython(), "colors", "")).lower() == "lightbg"
    return "ansi_light" if told or os.environ.get("COLORFGBG", "").split(";")[-1] in _DARK_ON_LIGHT else "ansi_dark"


def _end_of(text: str, most: int) -> str:
    """Return an end of the text that holds at least `most` characters and begins where it would begin a little later too."""
    if len(text) <= most:
        return text
    begin = text.rfind("\n", 0, len(text) - most) + 1
    return text[begin + (len(text) - most - begin) // most * most :]


def _common(some: Sequence[str], others: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))


def _line(kind: str, content: Any) -> str:
    return f"[{kind}] {harmless(str(content))[:_LONGEST_LINE]}"


def _dim(text: str) -> str:
    body = text.removesuffix("\n")
    return f"{_DIM}{body}{_RESET}{text[len(body) :]}"


def _is_terminal(out: Any) -> bool:
    return bool(out is not None and out.isatty())


def _takes_cursor_moves() -> bool:
    """Say whether rows can be written again here; where one reply does that, another's is printed above it."""
    known = os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
    return known and _is_terminal(sys.stdout) and not isinstance(sys.stdout, Above)


def _write(out: Any, text: str) -> None:
    """Write text; what the terminal's encoding lacks becomes a question mark."""
    try:
        out.write(text)
    except UnicodeEncodeError:
        out.write(text.encode(out.encoding, "replace").decode(out.encoding))
