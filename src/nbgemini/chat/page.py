"""A reply as it stands at rest on a page, for whoever shows objects: IPython, marimo, Quarto, and documents made of notebooks.

A reply that still runs is shown as far as it has come, and its last line says so.
"""

from __future__ import annotations

from nbgemini.chat.reply import Reply
from nbgemini.chat.status_text import badge_text, misfit_text, status_text
from nbgemini.render.latex import verbatim
from nbgemini.render.mimebundle import at_rest, error_bundle, status_bundle


def page_of(reply: Reply) -> dict[str, str]:
    """Return all segments and the line below them: as sanitised HTML, and as LaTeX."""
    trouble = str(reply.so_far.error) if reply.so_far.error else misfit_text(reply)
    line, badge = status_text(reply), badge_text(reply)
    last = error_bundle(" · ".join(filter(None, (badge, line))), trouble) if trouble else status_bundle(line, badge)
    bundles = [*(at_rest(segment, reply.options) for segment in reply.so_far.segments), last]
    latex = "".join(bundle.get("text/latex") or verbatim(bundle["text/plain"]) for bundle in bundles)
    return {"text/html": "".join(bundle["text/html"] for bundle in bundles), "text/latex": latex}
