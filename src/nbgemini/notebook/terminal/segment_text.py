"""What a terminal shows of a segment that is no text: some harmless lines, and how to get at the rest."""

from __future__ import annotations

from typing import Any

from nbgemini.messages.events import Citations, CodeResult, ExecutedCode, InlineMedia
from nbgemini.messages.media import media_file
from nbgemini.render.citations import citations_text
from nbgemini.render.escape import harmless
from nbgemini.render.mimebundle import media_words, result_title
from nbgemini.render.tool_card import card_text, card_title

_LONGEST_LINE = 500
_MOST_LINES = 40


class Lines:
    """The lines of one reply; it counts its pictures and sounds."""

    def __init__(self) -> None:
        self._counts = {"images": 0, "audio": 0, "media": 0}

    def of(self, content: Any) -> str:
        """Return what is shown of a segment's content."""
        match content:
            case InlineMedia():
                return _clipped(self._media(content))
            case ExecutedCode(source, language):
                return _clipped(f"[code that the model ran, {language}]\n{_indented(source)}")
            case CodeResult(output):
                return _clipped(f"[{result_title(content)}]\n{_indented(output)}")
            case Citations():
                return _clipped(f"Sources\n{citations_text(content)}")
        return _clipped(str(content))

    def _media(self, content: InlineMedia) -> str:
        came = media_file(content)
        kind = {"image": "images", "audio": "audio"}.get(came.mime.partition("/")[0], "media")
        kind = "media" if came.thought else kind
        # the length of a sound is known at its end
        words = "Sound from the model" if came.mime.startswith("audio/") else media_words(came)
        place = f"_gemini.{kind}[{self._counts[kind]}]"
        for name in {"media", kind}:
            self._counts[name] += 1
        return f"[{words} → {place}.save('…')]"


def call_text(call: Any) -> str:
    """Return what is printed of a tool call: that it runs, and its card once it is over."""
    return _clipped(card_text(call)) if call.over else _clipped(card_title(call)) if call.state == "running" else ""


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip("\n").split("\n"))


def _clipped(text: str) -> str:
    lines = harmless(text).rstrip("\n").split("\n")
    more = [f"… {len(lines) - _MOST_LINES} lines more"] if len(lines) > _MOST_LINES else []
    return "\n".join([*(line[:_LONGEST_LINE] for line in lines[:_MOST_LINES]), *more])
