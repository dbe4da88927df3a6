"""One segment as a static mimebundle: text/html that is sanitised, text/plain that is harmless, media that is what it says.

Never text/markdown: a front end would render it unsanitised. No inline style: a saved file looks right with any theme.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from nbgemini.events import Citations, Code, CodeResult, Media, ToolCallGrowing, ToolRun
from nbgemini.render.card import card_html, card_text
from nbgemini.render.citations import citations_html, citations_text
from nbgemini.render.coloured_code import code_html
from nbgemini.render.formulas import untypeset
from nbgemini.render.markdown import to_html
from nbgemini.render.media import media_html, media_text
from nbgemini.render.references import with_references
from nbgemini.render.sanitise import sanitised
from nbgemini.render.text import harmless
from nbgemini.segments import Segment

_NUMBER = re.compile(r"(?:[<$]*[\d.,/ ]*\d(?: s| %)?|\?)?")
_PREVIEW = 200  # characters of plain text while it streams


def bundle(segment: Segment, *, html: str | None = None, seconds: float | None = None, opened: bool = False) -> dict[str, Any]:
    """Return the bundle of a segment at rest.

    Args:
        segment: what to show.
        html: its text already rendered and sanitised, where that was done on the way.
        seconds: how long a thought took.
        opened: whether a thought is shown open, because its reader had opened it.
    """
    if segment.kind == "thought":
        return _thought(segment.text, html, seconds, opened=opened)
    if segment.kind == "answer":
        shown = to_html(with_references(segment.text, segment.cited)) if segment.cited else _rendered(segment.text, html)
        return _bundle(f'<div class="nbgemini-answer">{shown}</div>', segment.text)
    return _special(segment.content)


def status_bundle(line: str, badge: str = "") -> dict[str, Any]:
    """Return one quiet line."""
    text = f"{badge} · {line}" if badge else line
    shown = f'<span class="nbgemini-badge">{_prose(badge)}</span> · {_prose(line)}' if badge else _prose(line)
    return _bundle(f'<div class="nbgemini-status"><small>{shown}</small></div>', text)


def progress_bundle(part: float | None, line: str, badge: str = "") -> dict[str, Any]:
    """Return one quiet line behind a bar; nobody knows how long it is where `part` is None."""
    filled = "" if part is None else f' value="{part:.3f}"'
    said = status_bundle(line, badge)
    bar = f'<div class="nbgemini-status"><progress max="1"{filled}></progress> '
    return {**said, "text/html": said["text/html"].replace('<div class="nbgemini-status">', bar, 1)}


def error_bundle(title: str, message: str) -> dict[str, Any]:
    """Return a card that says what went wrong."""
    shown = f'<div class="nbgemini-error"><p>⚠ {_prose(message)}<br><small>{_prose(title)}</small></p></div>'
    return _bundle(shown, f"⚠ {message}\n{title}")


def live_bundle(kind: str, tail: str, *, html: str = "") -> dict[str, Any]:
    """Return a segment that still streams, for a page without widgets: `html` is done, `tail` is not."""
    rest = f"<p>{_prose(tail).replace(chr(10), '<br>')}</p>" if tail.strip() else ""
    if kind == "audio":
        return _bundle("<p><small>Sound is coming…</small></p>", "Sound is coming…")
    if kind == "thought":
        return _bundle(f'<details class="nbgemini-thought"><summary>Thinking…</summary>{html}{rest}</details>', "Thinking…")
    return _bundle(f'<div class="nbgemini-tail">{html}{rest}</div>', tail[-_PREVIEW:])


def prompt_bundle(text: str) -> dict[str, Any]:
    """Return what was asked, for a chat shown again."""
    return _bundle(f"<blockquote>{_prose(text).replace(chr(10), '<br>')}</blockquote>", f"> {text}")


def table_bundle(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return a table of plain texts."""
    sides = ["right" if all(map(_is_number, column)) else "left" for column in zip(*rows, strict=True)] or ["left"] * len(
        headers
    )
    head = "".join(f'<th><div align="{side}">{_prose(cell)}</div></th>' for cell, side in zip(headers, sides, strict=True))
    lines = ("".join(_cell(str(cell), side) for cell, side in zip(row, sides, strict=True)) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return _bundle(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", _aligned([headers, *rows]))


def _cell(text: str, side: str) -> str:
    """Return a cell; the side is the content's own, as JupyterLab's style has its way with cells."""
    return f'<td><div align="{side}">{_prose(text)}</div></td>'


def _is_number(cell: object) -> bool:
    return _NUMBER.fullmatch(str(cell)) is not None


def thought_title(seconds: float | None) -> str:
    """Return the title of a thought that is over."""
    return "Thoughts" if seconds is None else f"Thought for {max(1, round(seconds))} s"


def _thought(text: str, html: str | None, seconds: float | None, *, opened: bool) -> dict[str, Any]:
    title = thought_title(seconds)
    details = f'<details class="nbgemini-thought"{" open" if opened else ""}>'
    shown = f"{details}<summary>{title}</summary>{_rendered(text, html)}</details>"
    quoted = "\n".join(f"│ {line}" for line in harmless(text).strip().split("\n"))
    return _bundle(shown, f"{title}\n{quoted}")


def _special(content: Any) -> dict[str, Any]:
    match content:
        case ToolCallGrowing() | ToolRun():
            media = content.media if isinstance(content, ToolRun) else ()
            pictures = "".join(map(media_html, media))
            return _bundle(card_html(content) + pictures, card_text(content))
        case Code(source, language):
            title = "<p><small>Code the model ran</small></p>"
            return _bundle(f"{title}{sanitised(code_html(harmless(source), language))}", source)
        case CodeResult(output):
            title = result_title(content)
            return _bundle(f"<p><small>{title}</small></p><pre>{_text(output)}</pre>", f"{title}:\n{output}")
        case Media():
            return _bundle(media_html(content), media_text(content))
        case Citations():
            return _bundle(citations_html(content), citations_text(content))
    return _bundle("", "")


def result_title(result: CodeResult) -> str:
    """Return how code that the model ran ended."""
    return "Its output" if result.ok else "⚠ It took too long and was stopped" if result.late else "⚠ It failed"


def _rendered(text: str, html: str | None) -> str:
    return to_html(text) if html is None else html


def _text(text: str) -> str:
    """Return text for an attribute or for code, where no typesetter looks for formulas."""
    return escape(harmless(text))


def _prose(text: str) -> str:
    return untypeset(_text(text))


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def _bundle(html: str, plain: str) -> dict[str, Any]:
    return {"text/html": html, "text/plain": harmless(plain)}
