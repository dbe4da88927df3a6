"""One segment as a static mimebundle: text/html that is sanitised, text/plain that is harmless, media that is what it says.

The outermost element says by its class what it is (`nbgemini-answer`, `-tool`, …), and by `nbgemini-live` that more will come:
neither the metadata, which has to stay as it is for good, nor a MIME type of our own could say so in every front end.
Text that came as Markdown is there as text/latex too, for documents that are made of a notebook. Never text/markdown: a front
end would render it unsanitised. No inline style: a saved file looks right with any theme. Media are HTML made from their bytes,
which nothing else in the bundle holds: what is large is sent and saved once.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from nbgemini.formatting import LOOKS
from nbgemini.messages.events import Citations, CodeResult, ExecutedCode, InlineMedia, ToolRun
from nbgemini.messages.media import MediaFile, media_file, size_text
from nbgemini.messages.segments import Segment, code_of
from nbgemini.messages.turns import Format, Options
from nbgemini.render.block_html import preformatted
from nbgemini.render.citations import citations_html, citations_text, with_references
from nbgemini.render.code import code_html
from nbgemini.render.escape import harmless
from nbgemini.render.json_html import Indented, data_html, indented
from nbgemini.render.latex import titled_quotation, to_latex
from nbgemini.render.math import untypeset
from nbgemini.render.sanitize import sanitize
from nbgemini.render.streaming_markdown import to_html
from nbgemini.render.tool_card import card_html, card_text

_NUMBER = re.compile(r"(?:[<$]*[\d.,/ ]*\d(?: s| %)?|\?)?")
_TABLE = re.compile(r"((?:^|\n)\|[^\n]*\|\n\|(?: --- \|)+(?:\n\|[^\n]*\|)*)")  # in a prompt: what a DataFrame became
_PREVIEW = 200  # characters of plain text while it streams
ERROR_STYLE = (  # as the front end marks errors
    "border-left:4px solid var(--jp-error-color1,#d32f2f);padding:1px 8px;"
    "background:var(--jp-rendermime-error-background,transparent)"
)
_CLASS = 'class="'
_TABLE_HEAD = '<table cellpadding="6" rules="none"><thead style="border-bottom:1px solid #8888">'  # a table on any page
_BAR_TAG = '<progress style="accent-color:var(--jp-brand-color1,var(--vscode-progressBar-background,#0078d4))" max="1"'


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
        source = with_references(segment.text, segment.cited) if segment.cited else segment.text
        shown = to_html(source) if segment.cited else _rendered(source, html)
        return _bundle(framed("answer", shown), segment.text, to_latex(source))
    return _special(segment.kind, segment.content)


def framed(kind: str, html: str) -> str:
    """Return finished HTML in the element whose class says what it is."""
    return f'<div class="nbgemini-{kind.replace("_", "-")}">{html}</div>'


def metadata_of(chat: str | None = None, turn: int | None = None) -> dict[str, Any]:
    """Return the metadata of a display: what never changes of it, since VS Code takes other metadata for another output."""
    return {"nbgemini": {"chat": chat, "turn": turn}}


def as_live(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a bundle of ours marked as one that is still to change."""
    return {**data, "text/html": data["text/html"].replace(_CLASS, f"{_CLASS}nbgemini-live ", 1)}


def status_bundle(line: str, badge: str = "") -> dict[str, Any]:
    """Return one quiet line."""
    text = f"{badge} · {line}" if badge else line
    shown = f'<span class="nbgemini-badge">{_prose(badge)}</span> · {_prose(line)}' if badge else _prose(line)
    return _bundle(framed("status", f"<small>{shown}</small>"), text)


def progress_bundle(part: float | None, line: str, badge: str = "") -> dict[str, Any]:
    """Return one quiet line behind a bar; nobody knows how long it is where `part` is None."""
    filled = "" if part is None else f' value="{part:.3f}"'
    said = status_bundle(line, badge)
    bar = f'<div class="nbgemini-status">{_BAR_TAG}{filled}></progress> '
    return {**said, "text/html": said["text/html"].replace('<div class="nbgemini-status">', bar, 1)}


def map_bundle(*bundles: dict[str, Any]) -> dict[str, Any]:
    """Return what a map shows, one part below the other."""
    html, plain = ("\n".join(data[mime] for data in bundles) for mime in ("text/html", "text/plain"))
    return _bundle(framed("map", html), plain)


def error_bundle(title: str, message: str) -> dict[str, Any]:
    """Return a card that says what went wrong."""
    shown = f"<p>⚠ {_prose(message)}<br><small>{_prose(title)}</small></p>"
    html = f'<div class="nbgemini-status nbgemini-error" style="{ERROR_STYLE}">{shown}</div>'
    return _bundle(html, f"⚠ {message}\n{title}")


def live_bundle(kind: str, html: str = "", plain: str = "") -> dict[str, Any]:
    """Return a segment that still streams, for a page without widgets: all of it as HTML, and its end as text."""
    if kind == "audio":
        return _bundle(framed(kind, "<p><small>Sound is coming…</small></p>"), "Sound is coming…")
    if kind == "thought":
        return _bundle(f'<details class="nbgemini-thought"><summary>Thinking…</summary>{html}</details>', "Thinking…")
    return _bundle(framed(kind, html), plain[-_PREVIEW:])


def prompt_bundle(text: str) -> dict[str, Any]:
    """Return what was asked, for a chat shown again."""
    pieces = (to_html(piece) if number % 2 else _lines(piece) for number, piece in enumerate(_TABLE.split(text)))
    return _bundle(framed("prompt", f"<blockquote>{''.join(pieces)}</blockquote>"), f"> {text}")


def _lines(text: str) -> str:
    return _prose(text.strip("\n")).replace("\n", "<br>")


def prompt_picture(media: InlineMedia) -> dict[str, Any]:
    """Return a picture that went along with what was asked."""
    return _bundle(framed("prompt", media_html(media)), media_text(media))


def table_bundle(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return a table of plain texts."""
    sides = ["right" if all(map(_is_number, column)) else "left" for column in zip(*rows, strict=True)] or ["left"] * len(
        headers
    )
    head = "".join(f'<th><div align="{side}">{_prose(cell)}</div></th>' for cell, side in zip(headers, sides, strict=True))
    lines = ("".join(_cell(str(cell), side) for cell, side in zip(row, sides, strict=True)) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    table = f'{_TABLE_HEAD}<tr>{head}</tr></thead><tbody valign="top">{body}</tbody></table>'
    return _bundle(framed("table", table), _aligned([headers, *rows]))


def _cell(text: str, side: str) -> str:
    """Return a cell; the side is the content's own, as JupyterLab's style has its way with cells."""
    return f'<td><div align="{side}">{_prose(text)}</div></td>'


def _is_number(cell: object) -> bool:
    return _NUMBER.fullmatch(str(cell)) is not None


def thought_title(seconds: float | None) -> str:
    """Return the title of a thought that is over."""
    return "Thoughts" if seconds is None or not LOOKS.durations else f"Thought for {max(1, round(seconds))} s"


def _thought(text: str, html: str | None, seconds: float | None, *, opened: bool) -> dict[str, Any]:
    title = thought_title(seconds)
    details = f'<details class="nbgemini-thought"{" open" if opened else ""}>'
    shown = f"{details}<summary>{title}</summary>{_rendered(text, html)}</details>"
    barred = "\n".join(f"│ {line}" for line in harmless(text).strip().split("\n"))
    return _bundle(shown, f"{title}\n{barred}", titled_quotation(title, to_latex(text, in_quote=True)))


def _special(kind: str, content: Any) -> dict[str, Any]:
    if kind == "tool_call":
        pictures = "".join(map(media_html, content.media)) if isinstance(content, ToolRun) else ""
        card = card_html(content)
        return _bundle(framed("tool", card + pictures) if pictures else card, card_text(content))
    html, plain = _whole(content)
    return _bundle(framed(kind, html), plain)


def _whole(content: Any) -> tuple[str, str]:
    """Return a segment that is whole at once as HTML and as text."""
    match content:
        case ExecutedCode(source, language):
            title = "<p><small>Code the model ran</small></p>"
            return f"{title}{sanitize(code_html(harmless(source), language))}", source
        case CodeResult(output):
            title = result_title(content)
            return f"<p><small>{title}</small></p><pre>{_text(output)}</pre>", f"{title}:\n{output}"
        case InlineMedia():
            return media_html(content), media_text(content)
        case Citations():
            return citations_html(content), citations_text(content)
    return "", ""


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


def _bundle(html: str, plain: str, latex: str = "") -> dict[str, Any]:
    bundle = {"text/html": html, "text/plain": harmless(plain)}
    return {**bundle, "text/latex": latex} if latex else bundle


def at_rest(
    segment: Segment, options: Options | None, *, html: str | None = None, seconds: float | None = None, opened: bool = False
) -> dict[str, Any]:
    """Return the bundle of a segment: an answer in the format of its `options`, all else as `bundle` does."""
    if options is None or segment.kind != "answer" or not is_special(options):
        return bundle(segment, html=html, seconds=seconds, opened=opened)
    return answer_bundle(segment.text, "json" if options.json else options.format)


def recalled_bundle(segment: Segment, form: Format | None) -> dict[str, Any]:
    """Return the bundle of a segment as its exchange showed it; without a format JSON is data and all else Markdown."""
    if form is None:
        form = "json" if segment.text.startswith(("{", "[")) and segment.text.endswith(("}", "]")) else "markdown"
    if segment.kind != "answer" or form == "markdown":
        return bundle(segment)
    return answer_bundle(segment.text, form)


def is_special(options: Options) -> bool:
    """Whether an answer is to be anything but Markdown."""
    return options.json or options.format != "markdown"


def answer_bundle(text: str, form: Format) -> dict[str, Any]:
    """Return the bundle of a whole answer, or of as much of it as came."""
    html, plain = _answer_forms(text, form)
    shown = {"text/html": f'<div class="nbgemini-answer">{html}</div>', "text/plain": harmless(plain)}
    latex = to_latex(text) if form == "code" and code_of(text) else ""  # data, bare code and text read well as they are
    return {**shown, "text/latex": latex} if latex else shown


def _answer_forms(text: str, form: Format) -> tuple[str, str]:
    match form:
        case "json":
            return _data(text)
        case "code" if not code_of(text):
            return sanitize(code_html(harmless(text), "python")), text
        case "text":
            return preformatted(harmless(text)), text
    return to_html(text), text


def _data(text: str) -> tuple[str, str]:
    """Return JSON as a table; what is none, or not whole, indented."""
    try:
        value = json.loads(code_of(text) or text)
        return data_html(value), indented(value)
    except (ValueError, RecursionError):
        shown = "".join(piece for _, piece in Indented().feed(text))
        return sanitize(code_html(harmless(shown), "json")), shown


LARGEST = 20_000_000  # bytes that a page shows


def media_html(media: InlineMedia) -> str:
    """Return what a page shows of it."""
    came = media_file(media)
    shown = _media_element(came) if came.known and len(came.data) <= LARGEST else f"<p>[{untypeset(_text(_refused(came)))}]</p>"
    if not came.thought:
        return shown
    return f'<details class="nbgemini-thought"><summary>A draft, not the answer</summary>{shown}</details>'


def media_text(media: InlineMedia) -> str:
    """Return what it is, in words."""
    return media_words(media_file(media))


def media_words(came: MediaFile) -> str:
    """Return what it is, in words."""
    if not came.known:
        return f"{came.mime or 'unnamed data'} of {len(came.data):,} bytes"
    draft, kind = "Draft picture" if came.thought else "Picture", came.mime.partition("/")[2].upper()
    if came.mime.startswith("image/"):
        return f"{draft} from the model ({kind}, {size_text(len(came.data))})"
    seconds = "" if came.seconds is None else f"{came.seconds:.1f} s, "
    return f"Sound from the model ({seconds}{kind}, {size_text(len(came.data))})"


def _media_element(came: MediaFile) -> str:
    url, words = f"data:{came.mime};base64,{base64.b64encode(came.data).decode()}", _text(media_words(came))
    if came.mime.startswith("image/"):
        return f'<img src="{url}" alt="{words}">'
    return f'<audio controls src="{url}"></audio><p><small>{words}; reply.audio holds it</small></p>'


def _refused(came: MediaFile) -> str:
    why = "too large for a page" if came.known else "not a kind that is shown"
    return f"{media_words(came)}: {why}; reply.media holds it"
