"""What is said, as frames: with ids, signatures, usage and the finish where the model's family has them.

An answer ends before its end at a text that it is to stop at, or at as many tokens as it may have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from msgspec import Struct, structs

from nbgemini.messages.events import ToolArgsPiece, ToolCall, ToolCallEnd, ToolCallStart
from nbgemini.messages.tool_call_assembler import ToolCallAssembler
from nbgemini.offline.models import family
from nbgemini.offline.thought_signatures import sign

Timed: TypeAlias = tuple[float, dict[str, Any]]

CHARS_A_TOKEN = 4
_TILE_TOKENS = 258  # ai.google.dev, "Understand and count tokens"
_FIRST_ID = 966934


class ScriptedPart(Struct, frozen=True):
    """One part to say, and the wait before it; `joined` puts it into the frame of the one before.

    `beside` is what the frame's candidate says besides: of sources, of safety.
    """

    part: dict[str, Any]
    wait: float
    joined: bool = False
    beside: dict[str, Any] = {}


def gemini_frames(said: Sequence[ScriptedPart], contents: list[dict[str, Any]], model: str, finish: str | None) -> list[Timed]:
    """Return the frames in which a model says this; models before 3 put calls in a row into one."""
    said, kind = _signed(said, model), family(model)
    frames: list[Timed] = []
    before: ScriptedPart | None = None
    for item, usage in zip(said, _usages(said, count_tokens(contents), model), strict=True):
        in_a_row = before and not kind.signs_last and _is_whole_call(before.part) and _is_whole_call(item.part)
        if frames and (item.joined or in_a_row):
            frames[-1][1]["candidates"][0]["content"]["parts"].append(item.part)
            frames[-1][1]["usageMetadata"] = usage
        else:
            candidate = {"content": {"parts": [item.part], "role": "model"}, "index": 0}
            frames.append((item.wait, {"candidates": [candidate], "usageMetadata": usage}))
        frames[-1][1]["candidates"][0] |= item.beside
        before = item
    if before and finish is not None:
        candidate = frames[-1][1]["candidates"][0]
        candidate["finishReason"] = finish
        if "functionCall" in before.part and not kind.signs_last:
            candidate["finishMessage"] = "Model generated function call(s)."
    return frames


def count_tokens(contents: list[dict[str, Any]]) -> int:
    """Return the number of tokens: about four characters each, at least one; any picture or file counts as one tile."""
    parts = [part for content in contents for part in content["parts"]]
    tiles = sum(bool({"inlineData", "fileData"} & part.keys()) for part in parts)
    texts = [json.dumps(part.get("text", part)) for part in parts if not {"inlineData", "fileData"} & part.keys()]
    return max(1, tiles * _TILE_TOKENS + sum(map(token_count, texts)))


def candidates_of(frame: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the candidates of a frame, however strange it is."""
    return _dicts(frame.get("candidates"))


def parts_of(frame: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of a frame, however strange it is."""
    contents = _dicts([candidate.get("content") for candidate in candidates_of(frame)])
    return [part for content in contents for part in _dicts(content.get("parts"))]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _is_whole_call(part: dict[str, Any]) -> bool:
    return begins_call(part) and not part["functionCall"].get("willContinue")


def begins_call(part: dict[str, Any]) -> bool:
    """Say whether a call begins in a part: later pieces of its arguments have no name."""
    call = part.get("functionCall")
    return isinstance(call, dict) and "name" in call


def _signed(said: Sequence[ScriptedPart], model: str) -> list[ScriptedPart]:
    """Put signatures (and call ids) where the model's family has them."""
    kind = family(model)
    said = [_with_id(item, number) for number, item in enumerate(said)] if kind.ids else list(said)
    calls = [n for n, item in enumerate(said) if begins_call(item.part)]
    if kind.signs_last:
        said.append(ScriptedPart({"text": ""}, 0.0))
        signed = {*calls[:1], *(() if calls else (len(said) - 1,))}
        signed |= {n for n, item in enumerate(said) if isinstance(item.part.get("executableCode"), dict)}
        signed |= {n for n, item in enumerate(said) if "inlineData" in item.part and not item.part.get("thought")}
    else:
        thought = next((n for n, item in enumerate(said) if item.part.get("thought")), len(said))
        texts = [n for n, item in enumerate(said) if n > thought and item.part.get("text") and not item.part.get("thought")]
        signed = set((calls or texts)[:1] if kind.signs else [])
    for n in signed:
        if "thoughtSignature" not in said[n].part:
            whole = whole_call([item.part for item in said[n:]])
            said[n] = structs.replace(said[n], part=sign(said[n].part, whole))
    return said


def whole_call(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the first of these parts; if a call begins there whose arguments come in pieces, with all of them."""
    if not begins_call(parts[0]) or _is_whole_call(parts[0]):
        return parts[0]
    name, growing = str(parts[0]["functionCall"]["name"]), ToolCallAssembler()
    growing.feed(ToolCallStart("", name))
    for call in one_call(parts):
        for piece in _dicts(call.get("partialArgs")):
            value = next((piece[kind] for kind in ("stringValue", "numberValue", "boolValue") if kind in piece), None)
            growing.feed(ToolArgsPiece("", str(piece.get("jsonPath")), value, bool(piece.get("willContinue"))))
    made = growing.feed(ToolCallEnd(""))
    args = next((call.args for call in made if isinstance(call, ToolCall)), {})
    return {"functionCall": {"name": name, "args": args}}


def one_call(parts: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the pieces of the first call, to the one that no other follows."""
    for call in _dicts([part.get("functionCall") for part in parts]):
        yield call
        if not call.get("willContinue"):
            return


def _with_id(item: ScriptedPart, number: int) -> ScriptedPart:
    if not begins_call(item.part) or "id" in item.part["functionCall"]:
        return item
    call = {"id": f"call_{_FIRST_ID + number}", **item.part["functionCall"]}
    return structs.replace(item, part={**item.part, "functionCall": call})


def _usages(said: Sequence[ScriptedPart], asked: int, model: str) -> list[dict[str, int]]:
    """Return the running totals as the family counts: 3 and later hide thoughts until they answer, 2.0 counts at the end."""
    kind, thought, made, answered = family(model), 0, 0, False
    usages: list[dict[str, int]] = []
    for number, item in enumerate(said, 1):
        if item.part.get("thought"):
            thought += _tokens(item)
        else:
            made, answered = made + _tokens(item), True
        shown = thought if answered or not kind.signs_last else 0
        counted = made if kind.thinks or number == len(said) else 0
        counts = {"promptTokenCount": asked, "candidatesTokenCount": counted, "thoughtsTokenCount": shown}
        counts["totalTokenCount"] = sum(counts.values())
        usages.append({name: count for name, count in counts.items() if count})
    return usages


def token_count(text: str) -> int:
    """Return how many tokens a text counts as."""
    return -(-len(text) // CHARS_A_TOKEN)


def within_limits(
    said: Sequence[ScriptedPart], config: dict[str, Any], finish: str | None
) -> tuple[list[ScriptedPart], str | None]:
    """Return what is said within the bounds of a `generationConfig`, and why it ends; what it would end by is `finish`."""
    said, text = list(said), "".join(map(_text, said))
    stops, most = [stop for stop in config.get("stopSequences", ()) if stop], config.get("maxOutputTokens")
    if (end := min((at for stop in stops if (at := text.find(stop)) >= 0), default=None)) is not None:
        said, finish = list(_first(said, end)), finish and "STOP"
    if most is not None and sum(map(_tokens, said)) > int(float(most)):
        said, finish = list(_within(said, int(float(most)))) or [ScriptedPart({"text": ""}, 0.0)], finish and "MAX_TOKENS"
    return said, finish


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
    return token_count(str(item.part.get("text", json.dumps(item.part.get("functionCall", "")))))
