"""One segment as a static mimebundle: text/html that is sanitised, text/plain that is harmless, media that is checked.

Never text/markdown: a front end would render it unsanitised. No inline style: a saved file looks right with any theme.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from html import escape
from typing import Any

from nbgemini.events import Citations, Code, CodeResult, Media, ToolCallGrowing, ToolRun
from nbgemini.render.card import card_html, card_text
from nbgemini.render.formulas import untypeset
from nbgemini.render.links import host_of, plain_url
from nbgemini.render.markdown import code_html, to_html
from nbgemini.render.sanitise import sanitised
from nbgemini.render.text import harmless
from nbgemini.segments import Segment

_PREVIEW = 200  # characters of plain text while it streams
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
    b"\xff\xf3": "audio/mpeg",
    b"\xff\xf2": "audio/mpeg",
    b"OggS": "audio/ogg",
    b"fLaC": "audio/flac",
}


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
        return _bundle(f'<div class="nbgemini-answer">{_rendered(segment.text, html)}</div>', segment.text)
    return _special(segment.content)


def status_bundle(line: str, badge: str = "") -> dict[str, Any]:
    """Return one quiet line."""
    text = f"{badge} · {line}" if badge else line
    shown = f'<span class="nbgemini-badge">{_prose(badge)}</span> · {_prose(line)}' if badge else _prose(line)
    return _bundle(f'<div class="nbgemini-status"><small>{shown}</small></div>', text)


def error_bundle(title: str, message: str) -> dict[str, Any]:
    """Return a card that says what went wrong."""
    shown = f'<div class="nbgemini-error"><p>⚠ {_prose(message)}<br><small>{_prose(title)}</small></p></div>'
    return _bundle(shown, f"⚠ {message}\n{title}")


def live_bundle(kind: str, tail: str, *, html: str = "") -> dict[str, Any]:
    """Return a segment that still streams, for a page without widgets: `html` is done, `tail` is not."""
    rest = f"<p>{_prose(tail).replace(chr(10), '<br>')}</p>" if tail.strip() else ""
    if kind == "thought":
        return _bundle(f'<details class="nbgemini-thought"><summary>Thinking…</summary>{html}{rest}</details>', "Thinking…")
    return _bundle(f'<div class="nbgemini-tail">{html}{rest}</div>', tail[-_PREVIEW:])


def prompt_bundle(text: str) -> dict[str, Any]:
    """Return what was asked, for a chat shown again."""
    return _bundle(f"<blockquote>{_prose(text).replace(chr(10), '<br>')}</blockquote>", f"> {text}")


def table_bundle(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return a table of plain texts."""
    head = "".join(f"<th>{_prose(cell)}</th>" for cell in headers)
    body = "".join("<tr>" + "".join(f"<td>{_prose(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return _bundle(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", _aligned([headers, *rows]))


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
            pictures = "".join(str(_media(one.mime, one.data)["text/html"]) for one in media)
            return _bundle(card_html(content) + pictures, card_text(content))
        case Code(source, language):
            return _bundle(
                f"<p><small>Code the model ran</small></p>{sanitised(code_html(harmless(source), language))}", source
            )
        case CodeResult(output, ok):
            title = "Its output" if ok else "It failed"
            return _bundle(f"<p><small>{title}</small></p><pre>{_text(output)}</pre>", f"{title}:\n{output}")
        case Media(mime, data):
            return _media(mime, data)
        case Citations(sources):
            items = "".join(f"<li>{_source(source.uri, source.title)}</li>" for source in sources)
            plain = "\n".join(f"[{n}] {source.title} {source.uri}" for n, source in enumerate(sources, 1))
            return _bundle(f'<div class="nbgemini-citations"><small>Sources</small><ol>{sanitised(items)}</ol></div>', plain)
    return _bundle("", "")


def _source(uri: str, title: str) -> str:
    uri = harmless(uri)
    url, shown = plain_url(uri), _prose(title or uri)
    return f'<a href="{escape(url)}" target="_blank">{shown}</a> ({escape(host_of(url))})' if url else shown


def _media(mime: str, data: str) -> dict[str, Any]:
    try:
        content = base64.b64decode(data.replace("-", "+").replace("_", "/") + "=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    found = _kind_of(content)
    clean = base64.b64encode(content).decode()
    note = f"{mime} of {len(content):,} bytes"
    if found and found.startswith("image/"):
        return {found: clean, **_bundle(f'<img src="data:{found};base64,{clean}" alt="{_text(note)}">', note)}
    if found:
        return _bundle(f'<audio controls src="data:{found};base64,{clean}"></audio>', note)
    return _bundle(f"<p>[{_prose(note)}: not a kind that is shown]</p>", note)


def _kind_of(content: bytes) -> str | None:
    if content[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(content[8:12])
    return next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), None)


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
