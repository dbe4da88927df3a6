"""What a prompt's line `offline: {json}` tells the service to do, for tests; whatever is wrong in it is refused.

`parts` lists what to say: ["thought", text], ["answer", text], ["call", name, args], ["streamed_call", name, args] (its
arguments come one by one), ["code", source], ["code_result", output] or ["code_result", output, "FAILED"], ["image", words] or
["image", words, side in pixels], ["draft", words] (a picture that is a thought), ["audio", seconds], ["grounded", text,
[[passage, url, title], …]] with optional [queries], ["beside", fields] (of a candidate), ["raw", part], and ["frame", …], which
puts several of these into one frame. `pieces` cuts every text into so many frames; `frames` with `chars` gives that many answer
frames of that many characters. Without `parts` and `frames` the service says what it would have said.
`gap` seconds lie between frames; `finish` is the finishReason (null: none); `cut` drops the connection after so many frames,
`stall` goes silent after so many, with `until` only until the file of this name is there, `fault` reports an error inside the
stream after so many; `status` with `error` and `retry_delay` refuses with that HTTP status, with `times` only the first so many
times that the very same is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, structs

from nbgemini.offline.canned_answers import code, code_result, grounding, picture, sound
from nbgemini.offline.requests import InvalidRequest, Refused, decode_json
from nbgemini.offline.stream import ScriptedPart

_LINE = re.compile(r"^offline: (\{.*\})[ \t\r]*$", re.MULTILINE)
_GAP = 0.12  # seconds
_MOST_CHARS = 100_000_000  # of all frames together

_Count = Annotated[int, Meta(ge=0, le=100_000)]


class Directive(Struct, frozen=True, forbid_unknown_fields=True):
    """A directive; the names are those of its JSON."""

    parts: list[list[Any]] | None = None
    pieces: Annotated[int, Meta(ge=1, le=100_000)] = 1
    frames: _Count | None = None
    chars: Annotated[int, Meta(ge=0, le=10_000_000)] = 20
    gap: Annotated[float, Meta(ge=0, le=3600)] | None = None
    finish: str | None = "STOP"
    cut: _Count | None = None
    stall: _Count | None = None
    until: str | None = None
    fault: _Count | None = None
    status: Annotated[int, Meta(ge=400, le=599)] | None = None
    times: _Count | None = None
    error: dict[str, Any] = {}
    retry_delay: Annotated[str, Meta(pattern=r"^\d{1,9}(\.\d{1,9})?s$")] | None = None


def parse_directive(prompt: str) -> Directive:
    """Return the directive of a prompt."""
    found = _LINE.search(prompt)
    try:
        directive = msgspec.convert(decode_json(found[1]), Directive) if found else Directive()
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The prompt's directive is not valid. {error}") from None
    if (directive.frames or 0) * directive.chars > _MOST_CHARS:
        raise InvalidRequest("The prompt's directive is not valid. So much text is too much.")
    return directive


def scripted_parts(directive: Directive) -> list[ScriptedPart] | None:
    """Return what to say, or None if that is left open."""
    gap = _GAP if directive.gap is None else directive.gap
    if directive.frames is not None:
        words = (f"word{number} and so on, ".ljust(directive.chars, ".") for number in range(directive.frames))
        return [ScriptedPart({"text": text[: directive.chars]}, gap) for text in words]
    if directive.parts is None:
        return None
    return [said for item in directive.parts for said in _entry(item, directive.pieces, gap)]


def refuse_as_directed(directive: Directive, earlier: int) -> None:
    """Raise the error of a directive with a `status`, which `earlier` requests have asked for too."""
    if directive.status and (directive.times is None or earlier < directive.times):
        again = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": directive.retry_delay}
        details = {"details": [again]} if directive.retry_delay else {}
        error = {"status": "UNAVAILABLE", **directive.error, **details}
        raise Refused(directive.status, "Refused, as the prompt asked for.", **error)


def _entry(item: Any, pieces: int, gap: float) -> list[ScriptedPart]:  # noqa: PLR0911 - a table
    match item:
        case ["frame", *entries]:
            parts = [said.part for entry in entries for said in _entry(entry, 1, gap)]
            return [ScriptedPart(part, gap, joined=number > 0) for number, part in enumerate(parts)]
        case ["streamed_call", str(name), dict(args)]:
            return [ScriptedPart({"functionCall": call}, gap) for call in _call_in_pieces(name, args, pieces)]
        case ["thought", str(text)]:
            return [ScriptedPart({"text": piece, "thought": True}, gap) for piece in cut_evenly(text, pieces)]
        case ["answer", str(text)]:
            return [ScriptedPart({"text": piece}, gap) for piece in cut_evenly(text, pieces)]
        case ["audio", int() | float() as seconds]:
            return [ScriptedPart(part, gap) for part in sound(seconds)]
        case ["grounded", str(text), list(supports), *queries]:
            return _grounded(text, supports, queries, pieces, gap)
        case ["beside", dict(fields)]:
            return [ScriptedPart({"text": ""}, gap, beside=fields)]
    return [ScriptedPart(_whole_part(item), gap)]


def _grounded(text: str, supports: list[Any], queries: list[Any], pieces: int, gap: float) -> list[ScriptedPart]:
    try:
        places = msgspec.convert(supports, list[tuple[str, str, str]])
        (searched,) = msgspec.convert(queries, list[list[str]]) or [[]]
    except (msgspec.ValidationError, ValueError):
        raise InvalidRequest("The prompt's directive is not valid. Not [[passage, url, title], …] and [queries].") from None
    said = [ScriptedPart({"text": piece}, gap) for piece in cut_evenly(text, pieces)]
    return [*said[:-1], structs.replace(said[-1], beside=grounding(text, places, searched))]


def _whole_part(item: Any) -> dict[str, Any]:  # noqa: PLR0911 - a table
    match item:
        case ["call", str(name), dict(args)]:
            return {"functionCall": {"name": name, "args": args}}
        case ["code", str(source)]:
            return code(source)
        case ["code_result", str(output)]:
            return code_result(output)
        case ["code_result", str(output), str(outcome)]:
            return code_result(output, outcome)
        case ["image", str(words)]:
            return picture(words)
        case ["image", str(words), int(side)]:
            return picture(words, side)
        case ["draft", str(words)]:
            return {**picture(words), "thought": True}
        case ["raw", dict(part)]:
            return part
    raise InvalidRequest(f"The prompt's directive is not valid. Not a part: {json.dumps(item, ensure_ascii=False)[:100]}")


def cut_evenly(text: str, pieces: int) -> list[str]:
    """Return the text in so many pieces of one length, fewer if it is short."""
    size = max(1, -(-len(text) // pieces))
    return [text[start : start + size] for start in range(0, len(text), size)] or [text]


def _call_in_pieces(name: str, args: dict[str, Any], pieces: int) -> list[dict[str, Any]]:
    """Return a call whose arguments come value by value, long texts in pieces; the last one says that it is over."""
    values = [piece for path, value in _leaves("$", args) for piece in _value_in_pieces(path, value, pieces)]
    told = [{"partialArgs": [value], "willContinue": True} for value in values]
    return [{"name": name, "willContinue": True}, *told, {}]


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(path + (f".{name}" if name.isidentifier() else f"[{json.dumps(name)}]"), item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(f"{path}[{number}]", item)
    else:
        yield path, value


def _value_in_pieces(path: str, value: Any, pieces: int) -> list[dict[str, Any]]:
    if isinstance(value, str):
        *texts, last = cut_evenly(value, pieces)
        told = [{"jsonPath": path, "stringValue": text, "willContinue": True} for text in texts]
        return [*told, {"jsonPath": path, "stringValue": last}]
    if value is None:
        return [{"jsonPath": path, "nullValue": "NULL_VALUE"}]
    return [{"jsonPath": path, "boolValue" if isinstance(value, bool) else "numberValue": value}]
