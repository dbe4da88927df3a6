"""An answer at rest in the format that was asked for: data, code, or text as it is."""

from __future__ import annotations

import json
from typing import Any

from nbgemini.messages.segments import Segment, code_of
from nbgemini.messages.turns import Format, Options
from nbgemini.render.block_html import as_text
from nbgemini.render.code import code_html
from nbgemini.render.escape import harmless
from nbgemini.render.json_html import data_html, indented
from nbgemini.render.latex import to_latex
from nbgemini.render.markdown import to_html
from nbgemini.render.mimebundle import bundle
from nbgemini.render.sanitize import sanitised
from nbgemini.render.streaming_json import Indented


def at_rest(
    segment: Segment, options: Options | None, *, html: str | None = None, seconds: float | None = None, opened: bool = False
) -> dict[str, Any]:
    """Return the bundle of a segment: an answer in the format of its `options`, all else as `bundle` does."""
    if options is None or segment.kind != "answer" or not is_special(options):
        return bundle(segment, html=html, seconds=seconds, opened=opened)
    return answer_bundle(segment.text, "json" if options.json else options.format)


def is_special(options: Options) -> bool:
    """Whether an answer is to be anything but Markdown."""
    return options.json or options.format != "markdown"


def answer_bundle(text: str, form: Format) -> dict[str, Any]:
    """Return the bundle of a whole answer, or of as much of it as came."""
    html, plain = _shown(text, form)
    shown = {"text/html": f'<div class="nbgemini-answer">{html}</div>', "text/plain": harmless(plain)}
    latex = to_latex(text) if form == "code" and code_of(text) else ""  # data, bare code and text read well as they are
    return {**shown, "text/latex": latex} if latex else shown


def _shown(text: str, form: Format) -> tuple[str, str]:
    match form:
        case "json":
            return _data(text)
        case "code" if not code_of(text):
            return sanitised(code_html(harmless(text), "python")), text
        case "text":
            return as_text(harmless(text)), text
    return to_html(text), text


def _data(text: str) -> tuple[str, str]:
    """Return JSON as a table; what is none, or not whole, indented."""
    try:
        value = json.loads(code_of(text) or text)
        return data_html(value), indented(value)
    except (ValueError, RecursionError):
        shown = "".join(piece for _, piece in Indented().feed(text))
        return sanitised(code_html(harmless(shown), "json")), shown
