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
from typing import Any

from nbgemini._environment import HOST
from nbgemini.messages.events import Citations, CodeResult, ExecutedCode, InlineMedia, ToolCallGrowing, ToolRun
from nbgemini.messages.media import MediaFile, media_file, size_text
from nbgemini.messages.segments import Segment, code_of
from nbgemini.messages.turns import Format, Options
from nbgemini.render.block_html import preformatted
from nbgemini.render.citations import citations_html, citations_text, with_references
from nbgemini.render.code import code_html
from nbgemini.render.escape import harmless, plain_html
from nbgemini.render.json_html import Indented, data_html, indented
from nbgemini.render.latex import titled_quotation, to_latex
from nbgemini.render.math import prose
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
    """Return the bundle of a segment at rest; `html` is its text already rendered and sanitised, where that was done before."""
    text = segment.text
    if segment.kind == "thought":
        title, barred = thought_title(seconds), "\n".join(f"│ {line}" for line in harmless(text).strip().split("\n"))
        details = f'<details class="nbgemini-thought"{" open" if opened else ""}><summary>{title}</summary>'
        shown = f"{details}{to_html(text) if html is None else html}</details>"
        return _bundle(shown, f"{title}\n{barred}", titled_quotation(title, to_latex(text, in_quote=True)))
    if segment.kind == "answer":
        source = with_references(text, segment.cited) if segment.cited else text
        shown = to_html(source) if html is None or segment.cited else html
        return _bundle(framed("answer", shown), text, to_latex(source))
    return _whole(segment.kind, segment.content)


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
    shown = f'<span class="nbgemini-badge">{prose(badge)}</span> · {prose(line)}' if badge else prose(line)
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
    shown = f"<p>⚠ {prose(message)}<br><small>{prose(title)}</small></p>"
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
    pieces = (
        to_html(piece) if number % 2 else prose(piece.strip("\n")).replace("\n", "<br>")
        for number, piece in enumerate(_TABLE.split(text))
    )
    return _bundle(framed("prompt", f"<blockquote>{''.join(pieces)}</blockquote>"), f"> {text}")


def prompt_picture(media: InlineMedia) -> dict[str, Any]:
    """Return a picture that went along with what was asked."""
    return _bundle(framed("prompt", media_html(media)), media_words(media_file(media)))


def table_bundle(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return a table of plain texts; columns of numbers stand on the right."""
    lines = [[str(cell) for cell in row] for row in (headers, *rows)]
    columns = list(zip(*lines, strict=True))
    sides = ["right" if rows and all(map(_NUMBER.fullmatch, column[1:])) else "left" for column in columns]
    head, *body = (
        "".join(  # the side is the content's own, as JupyterLab's style has its way with cells
            f'<{tag}><div align="{side}">{prose(cell)}</div></{tag}>' for cell, side in zip(line, sides, strict=True)
        )
        for tag, line in zip(["th", *["td"] * len(rows)], lines, strict=True)
    )
    html_rows = "".join(f"<tr>{line}</tr>" for line in body)
    table = f'{_TABLE_HEAD}<tr>{head}</tr></thead><tbody valign="top">{html_rows}</tbody></table>'
    widths = [max(map(len, column)) for column in columns]
    aligned = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return _bundle(framed("table", table), "\n".join(aligned))


def thought_title(seconds: float | None) -> str:
    """Return the title of a thought that is over."""
    return "Thoughts" if seconds is None or not HOST.durations else f"Thought for {max(1, round(seconds))} s"


def _whole(kind: str, content: Any) -> dict[str, Any]:
    """Return the bundle of a segment that is whole at once."""
    match content:
        case ToolRun() | ToolCallGrowing():
            pictures = "".join(map(media_html, content.media)) if isinstance(content, ToolRun) else ""
            card = card_html(content)
            return _bundle(framed("tool", card + pictures) if pictures else card, card_text(content))
        case ExecutedCode(source, language):
            code = sanitize(code_html(harmless(source), language))
            html, plain = f"<p><small>Code the model ran</small></p>{code}", source
        case CodeResult(output):
            title = result_title(content)
            html, plain = f"<p><small>{title}</small></p><pre>{plain_html(output)}</pre>", f"{title}:\n{output}"
        case InlineMedia():
            html, plain = media_html(content), media_words(media_file(content))
        case Citations():
            html, plain = citations_html(content), citations_text(content)
        case _:
            html = plain = ""
    return _bundle(framed(kind, html), plain)


def result_title(result: CodeResult) -> str:
    """Return how code that the model ran ended."""
    return "Its output" if result.ok else "⚠ It took too long and was stopped" if result.late else "⚠ It failed"


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
    plain, code = text, code_of(text)
    match form:
        case "json":
            html, plain = _data(code or text)
        case "code" if not code:
            html = sanitize(code_html(harmless(text), "python"))
        case "text":
            html = preformatted(harmless(text))
        case _:
            html = to_html(text)
    latex = to_latex(text) if form == "code" and code else ""  # data, bare code and text read well as they are
    return _bundle(framed("answer", html), plain, latex)


def _data(text: str) -> tuple[str, str]:
    """Return JSON as a table; what is none, or not whole, indented."""
    try:
        value = json.loads(text)
        return data_html(value), indented(value)
    except (ValueError, RecursionError):
        shown = "".join(piece for _, piece in Indented().feed(text))
        return sanitize(code_html(harmless(shown), "json")), shown


LARGEST = 20_000_000  # bytes that a page shows


def media_html(media: InlineMedia) -> str:
    """Return what a page shows of it."""
    came = media_file(media)
    words = media_words(came)
    if not came.known or len(came.data) > LARGEST:
        why = "too large for a page" if came.known else "not a kind that is shown"
        shown = f"<p>[{prose(f'{words}: {why}; reply.media holds it')}]</p>"
    else:
        url = f"data:{came.mime};base64,{base64.b64encode(came.data).decode()}"
        sound = f'<audio controls src="{url}"></audio><p><small>{plain_html(words)}; reply.audio holds it</small></p>'
        shown = f'<img src="{url}" alt="{plain_html(words)}">' if came.mime.startswith("image/") else sound
    if not came.thought:
        return shown
    return f'<details class="nbgemini-thought"><summary>A draft, not the answer</summary>{shown}</details>'


def media_words(came: MediaFile) -> str:
    """Return what it is, in words."""
    if not came.known:
        return f"{came.mime or 'unnamed data'} of {len(came.data):,} bytes"
    draft, kind = "Draft picture" if came.thought else "Picture", came.mime.partition("/")[2].upper()
    if came.mime.startswith("image/"):
        return f"{draft} from the model ({kind}, {size_text(len(came.data))})"
    seconds = "" if came.seconds is None else f"{came.seconds:.1f} s, "
    return f"Sound from the model ({seconds}{kind}, {size_text(len(came.data))})"
