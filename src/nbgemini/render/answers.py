"""An answer at rest in the format that was asked for: data, code, or text as it is."""

from __future__ import annotations

import json
from typing import Any

from nbgemini.code_blocks import code_of
from nbgemini.render.block_html import as_text
from nbgemini.render.coloured_code import code_html
from nbgemini.render.data import data_html, indented
from nbgemini.render.growing_json import Indented
from nbgemini.render.markdown import to_html
from nbgemini.render.sanitise import sanitised
from nbgemini.render.text import harmless
from nbgemini.turns import Format


def answer_bundle(text: str, form: Format) -> dict[str, Any]:
    """Return the bundle of a whole answer, or of as much of it as came."""
    html, plain = _shown(text, form)
    return {"text/html": f'<div class="nbgemini-answer">{html}</div>', "text/plain": harmless(plain)}


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
