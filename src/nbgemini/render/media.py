"""A picture or a sound as HTML made from its bytes, once, and as a line of text; anything else is only described.

The HTML holds the bytes, and nothing else in the bundle does: what is large is sent and saved once.
"""

from __future__ import annotations

import base64
from html import escape

from nbgemini.messages.events import Media
from nbgemini.messages.media import Received, received, size_text
from nbgemini.render.escape import harmless
from nbgemini.render.math import untypeset

LARGEST = 20_000_000  # bytes that a page shows


def media_html(media: Media) -> str:
    """Return what a page shows of it."""
    came = received(media)
    shown = _shown(came) if came.known and len(came.data) <= LARGEST else f"<p>[{untypeset(_text(_refused(came)))}]</p>"
    if not came.thought:
        return shown
    return f'<details class="nbgemini-thought"><summary>A draft, not the answer</summary>{shown}</details>'


def media_text(media: Media) -> str:
    """Return what it is, in words."""
    return media_words(received(media))


def media_words(came: Received) -> str:
    """Return what it is, in words."""
    if not came.known:
        return f"{came.mime or 'unnamed data'} of {len(came.data):,} bytes"
    draft, kind = "Draft picture" if came.thought else "Picture", came.mime.partition("/")[2].upper()
    if came.mime.startswith("image/"):
        return f"{draft} from the model ({kind}, {size_text(len(came.data))})"
    seconds = "" if came.seconds is None else f"{came.seconds:.1f} s, "
    return f"Sound from the model ({seconds}{kind}, {size_text(len(came.data))})"


def _shown(came: Received) -> str:
    url, words = f"data:{came.mime};base64,{base64.b64encode(came.data).decode()}", _text(media_words(came))
    if came.mime.startswith("image/"):
        return f'<img src="{url}" alt="{words}">'
    return f'<audio controls src="{url}"></audio><p><small>{words}; reply.audio holds it</small></p>'


def _refused(came: Received) -> str:
    why = "too large for a page" if came.known else "not a kind that is shown"
    return f"{media_words(came)}: {why}; reply.media holds it"


def _text(text: str) -> str:
    return escape(harmless(text))
