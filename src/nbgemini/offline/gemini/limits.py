"""Where an answer ends before its end: at a text that it is to stop at, or at as many tokens as it may have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import structs

from nbgemini.offline.gemini.stream import CHARS_A_TOKEN, ScriptedPart, tokens


def within_limits(
    said: Sequence[ScriptedPart], config: dict[str, Any], finish: str | None
) -> tuple[list[ScriptedPart], str | None]:
    """Return what is said within the bounds of a `generationConfig`, and why it ends; what it would end by is `finish`."""
    said = list(said)
    stops, most = [stop for stop in config.get("stopSequences", ()) if stop], config.get("maxOutputTokens")
    if stops and (end := _stopping(said, stops)) is not None:
        said, finish = list(_first(said, end)), finish and "STOP"
    if most is not None and sum(map(_tokens, said)) > int(float(most)):
        said, finish = list(_within(said, int(float(most)))) or [ScriptedPart({"text": ""}, 0.0)], finish and "MAX_TOKENS"
    return said, finish


def _stopping(said: Sequence[ScriptedPart], stops: Sequence[str]) -> int | None:
    """Return after how many characters of the answer the first of these texts begins."""
    text = "".join(_text(item) for item in said)
    return min((at for stop in stops if (at := text.find(stop)) >= 0), default=None)


def _first(said: Sequence[ScriptedPart], characters: int) -> Iterator[ScriptedPart]:
    """Yield what is said up to so many characters of the answer."""
    for item in said:
        text = _text(item)
        if len(text) >= characters and text:
            yield structs.replace(item, part={**item.part, "text": text[:characters]})
            return
        characters -= len(text)
        yield item


def _within(said: Sequence[ScriptedPart], most: int) -> Iterator[ScriptedPart]:
    """Yield what is said in so many tokens, thoughts too; a call comes whole or not at all."""
    for item in said:
        if (count := _tokens(item)) > most:
            if isinstance(text := item.part.get("text"), str) and most:
                yield structs.replace(item, part={**item.part, "text": text[: most * CHARS_A_TOKEN]})
            return
        most -= count
        yield item


def _text(item: ScriptedPart) -> str:
    return str(item.part.get("text", "")) if not item.part.get("thought") else ""


def _tokens(item: ScriptedPart) -> int:
    return tokens(str(item.part.get("text", json.dumps(item.part.get("functionCall", "")))))
