"""What an output says of itself: its kind by the class of its outermost element, and whether more will come."""

from __future__ import annotations

import json
import re
import zlib

OUTERMOST = re.compile(r'<[a-z]+ class="([^"]+)"')
VIEW = "application/vnd.jupyter.widget-view+json"
NAMES = {"tool": "tool_call", "code-result": "code_result"}


def classes_of(data):
    """The classes of the outermost element of a mimebundle; in a file its HTML may be a list of lines."""
    html = data.get("text/html", "")
    found = OUTERMOST.match(html if isinstance(html, str) else "".join(html))
    return found[1].split() if found else []


def kind_of(data):
    """The kind of a segment that a mimebundle shows, or `status`, `map`, `prompt`, …; None if it is none of ours."""
    kinds = [name.removeprefix("nbgemini-") for name in classes_of(data) if name.startswith("nbgemini-")]
    kinds = [name for name in kinds if name not in ("live", "error")]
    return NAMES.get(kinds[0], kinds[0]) if kinds else None


def is_live(data):
    """Whether the output is still to change."""
    return "nbgemini-live" in classes_of(data) or VIEW in data


def kinds_in(outputs):
    """The kinds of a cell's outputs, as a file or a list of messages' contents holds them."""
    return [kind_of(output.get("data", {})) for output in outputs]


class Place:
    """Keeps what is shown."""

    for_good = False

    def __init__(self):
        self.shown = []

    def show(self, data, state, widget=None):  # noqa: ARG002 - a place of plain HTML
        self.shown.append((state, data))


def ops_in(message):
    """The deltas in a widget's message, which packs long ones."""
    packed = message.get("buffers", ())
    if packed:
        return json.loads(zlib.decompress(packed[0], wbits=-zlib.MAX_WBITS))
    return message["content"]["data"].get("content", {}).get("ops", [])
