"""What the offline service answers: a script of timed frames, the same for the same request.

A prompt's line `offline: {json}` directs it, for tests: `parts` (a list of ["thought", text], ["answer", text],
["call", name, args], ["code", source], ["code_result", output], ["raw", part]); `pieces` cuts every text into so many frames;
`frames` with `chars` gives that many answer frames of that many characters; `gap` seconds lie between frames; `finish` is the
finishReason (null: none); `cut` drops the connection after so many frames, `stall` goes silent after so many, `fault` reports
an error inside the stream after so many; `status` with `error` and `retry_delay` refuses with that HTTP status.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from msgspec import Struct

from nbgemini.offline.library import written_answer
from nbgemini.offline.models import family
from nbgemini.offline.signatures import sign
from nbgemini.offline.validate import is_answer_to_calls

_CHARS_A_TOKEN = 4
_FIRST_PIECE = 9
_PIECES = (31, 57, 44, 72, 26, 63)  # characters: uneven, as real chunks are
_THINKS, _BETWEEN = 0.8, 0.12  # seconds at natural pace


class Script(Struct, frozen=True):
    """Timed frames and what goes wrong on the way; `gap` None means the natural pace."""

    frames: list[tuple[float, dict[str, Any]]]
    natural: bool = True
    cut: int | None = None
    stall: int | None = None
    status: int = 200
    error: dict[str, Any] = {}


class Said(Struct, frozen=True):
    """One part to say, and the wait before it."""

    part: dict[str, Any]
    wait: float


def script(body: dict[str, Any], model: str, response_id: str) -> Script:
    """Return the answer to a valid, normalised request."""
    told = _directive(body)
    if told.get("status"):
        return Script([], status=told["status"], error=_refusal(told))
    said = _directed(told) if told else _said(body, model)
    frames = _frames(_signed(said, model), body, model, told)
    if "fault" in told:
        frames[told["fault"] :] = [
            (0.0, {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}})
        ]
    for _, frame in frames:
        if "error" not in frame:
            frame |= {"modelVersion": model, "responseId": response_id}
    return Script(frames, natural="gap" not in told, cut=told.get("cut"), stall=told.get("stall"))


def count_tokens(contents: list[dict[str, Any]]) -> int:
    """Return the number of tokens: about four characters each, at least one."""
    return max(1, sum(_tokens(json.dumps(part.get("text", part))) for content in contents for part in content["parts"]))


def _tokens(text: str) -> int:
    return -(-len(text) // _CHARS_A_TOKEN)


def _text(content: dict[str, Any]) -> str:
    return "".join(part.get("text") or "" for part in content["parts"] if not part.get("thought"))


def _prompts(body: dict[str, Any]) -> list[str]:
    users = [content for content in body["contents"] if content.get("role", "user") != "model"]
    return [_text(content) for content in users if not is_answer_to_calls(content)]


def _directive(body: dict[str, Any]) -> dict[str, Any]:
    found = re.search(r"^offline: (\{.*\})\s*$", _prompts(body)[-1], re.MULTILINE)
    told: dict[str, Any] = json.loads(found[1]) if found else {}
    answered = is_answer_to_calls(body["contents"][-1])
    return {} if answered and any(item[0] == "call" for item in told.get("parts", ())) else told


def _refusal(told: dict[str, Any]) -> dict[str, Any]:
    error = {
        "code": told["status"],
        "message": "Refused, as the prompt asked for.",
        "status": "UNAVAILABLE",
        **told.get("error", {}),
    }
    if delay := told.get("retry_delay"):
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    return error


def _directed(told: dict[str, Any]) -> list[Said]:
    gap = float(told.get("gap", _BETWEEN))
    if "frames" in told:
        return [Said({"text": _filler(n, told.get("chars", 20))}, gap) for n in range(told["frames"])]
    return [Said(part, gap) for item in told["parts"] for part in _directed_parts(item, int(told.get("pieces", 1)))]


def _filler(number: int, chars: int) -> str:
    return f"word{number} and so on, ".ljust(chars, ".")[:chars]


def _directed_parts(item: list[Any], pieces: int) -> list[dict[str, Any]]:
    match item:
        case ["thought", text]:
            return [{"text": piece, "thought": True} for piece in _cut_evenly(text, pieces)]
        case ["answer", text]:
            return [{"text": piece} for piece in _cut_evenly(text, pieces)]
        case ["call", name, args]:
            return [{"functionCall": {"name": name, "args": args}}]
        case ["code", source]:
            return [{"executableCode": {"language": "PYTHON", "code": source}}]
        case ["code_result", output]:
            return [{"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": output}}]
        case ["raw", part]:
            return [part]
    raise ValueError(f"not a part: {item!r}")


def _cut_evenly(text: str, pieces: int) -> list[str]:
    size = max(1, -(-len(text) // pieces))
    return [text[start : start + size] for start in range(0, len(text), size)] or [text]


def _said(body: dict[str, Any], model: str) -> list[Said]:
    if is_answer_to_calls(body["contents"][-1]):
        return _natural([("answer", _told_results(body["contents"][-1]))])
    if calls := _calls(body):
        return [Said({"functionCall": call}, _BETWEEN) for call in calls]
    thinking = (body.get("generationConfig") or {}).get("thinkingConfig") or {}
    thinks = family(model).thinks and thinking.get("includeThoughts") and thinking.get("thinkingBudget") != 0
    runs = written_answer(_prompts(body), len(body["contents"]))
    return _natural([run for run in runs if run[0] == "answer" or thinks])


def _told_results(content: dict[str, Any]) -> str:
    results = [part["functionResponse"] for part in content["parts"]]
    said = "\n".join(f"- `{result['name']}` gave `{json.dumps(result.get('response'))}`" for result in results)
    return f"The tools have answered:\n\n{said}\n\n*From nbgemini's offline service, not from Gemini.*"


def _calls(body: dict[str, Any]) -> list[dict[str, Any]]:
    declared = {f["name"] for tool in body.get("tools") or () for f in tool.get("functionDeclarations") or ()}
    found = re.findall(r"call (\w+)\(([^()]*)\)", _prompts(body)[-1])
    calls = [(name, _keywords(text)) for name, text in found if name in declared]
    return [{"name": name, "args": args} for name, args in calls if args is not None]


def _keywords(text: str) -> dict[str, Any] | None:
    """Return the arguments of a call, or None: words in brackets are not always one."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        keywords = call.keywords if isinstance(call, ast.Call) else []
        return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
    except (SyntaxError, ValueError):
        return None


def _natural(runs: list[tuple[str, str]]) -> list[Said]:
    said: list[Said] = []
    for kind, text in runs:
        if kind == "thought":
            said.append(Said({"text": text, "thought": True}, _THINKS))
        else:
            said += [Said({"text": piece}, _BETWEEN) for piece in _cut_unevenly(text)]
    return said


def _cut_unevenly(text: str) -> list[str]:
    pieces, start, number = [text[:_FIRST_PIECE]], _FIRST_PIECE, 0
    while start < len(text):
        size = _PIECES[number % len(_PIECES)]
        pieces.append(text[start : start + size])
        start, number = start + size, number + 1
    return pieces


def _signed(said: list[Said], model: str) -> list[Said]:
    """Put signatures (and call ids) where the model's family has them."""
    kind = family(model)
    if kind.ids:
        said = [_with_id(item, number) for number, item in enumerate(said)]
    calls = [n for n, item in enumerate(said) if "functionCall" in item.part]
    if kind.signs_last:
        signed = [*calls[:1], *(n for n, item in enumerate(said) if "executableCode" in item.part)]
        said = [*said, Said({"text": ""}, 0.0)]
        signed += [] if calls else [len(said) - 1]
    else:
        signed = (calls or _texts_after_thoughts(said))[:1] if kind.signs else []
    return [Said(sign(item.part), item.wait) if n in signed else item for n, item in enumerate(said)]


def _texts_after_thoughts(said: list[Said]) -> list[int]:
    thought = next((n for n, item in enumerate(said) if item.part.get("thought")), len(said))
    return [n for n, item in enumerate(said) if n > thought and item.part.get("text") and not item.part.get("thought")]


def _with_id(item: Said, number: int) -> Said:
    if "functionCall" not in item.part or "id" in item.part["functionCall"]:
        return item
    return Said({**item.part, "functionCall": {"id": f"call_{966934 + number}", **item.part["functionCall"]}}, item.wait)


def _frames(said: list[Said], body: dict[str, Any], model: str, told: dict[str, Any]) -> list[tuple[float, dict[str, Any]]]:
    kind, asked, thought, made, answered = family(model), count_tokens(body["contents"]), 0, 0, False
    frames: list[tuple[float, dict[str, Any]]] = []
    for number, item in enumerate(said, 1):
        tokens = _tokens(str(item.part.get("text", json.dumps(item.part.get("functionCall", "")))))
        thought, made = (thought + tokens, made) if item.part.get("thought") else (thought, made + tokens)
        answered = answered or not item.part.get("thought")
        shows_thought = thought if answered or not kind.signs_last else 0
        shows_made = made if kind.thinks or number == len(said) else 0  # 2.0 counts the answer in its last chunk only
        frames.append((item.wait, _frame(item.part, _usage(asked, shows_thought, shows_made))))
    if not kind.signs_last:
        frames = _calls_together(frames)
    _finish(frames, said, model, told.get("finish", "STOP"))
    return frames


def _calls_together(frames: list[tuple[float, dict[str, Any]]]) -> list[tuple[float, dict[str, Any]]]:
    """Put calls in a row into one frame, as models before 3 do."""
    together: list[tuple[float, dict[str, Any]]] = []
    before: list[dict[str, Any]] = []
    for wait, frame in frames:
        parts = frame["candidates"][0]["content"]["parts"]
        if before and "functionCall" in before[-1] and "functionCall" in parts[0]:
            before += parts
            together[-1][1]["usageMetadata"] = frame["usageMetadata"]
        else:
            together.append((wait, frame))
            before = parts
    return together


def _frame(part: dict[str, Any], usage: dict[str, int]) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}], "usageMetadata": usage}


def _finish(frames: list[tuple[float, dict[str, Any]]], said: list[Said], model: str, reason: str | None) -> None:
    if reason is None or not frames:
        return
    last = frames[-1][1]["candidates"][0]
    last["finishReason"] = reason
    if "functionCall" in said[-1].part and not family(model).signs_last:
        last["finishMessage"] = "Model generated function call(s)."


def _usage(asked: int, thought: int, made: int) -> dict[str, int]:
    counts = {"promptTokenCount": asked, "candidatesTokenCount": made, "thoughtsTokenCount": thought}
    return {name: count for name, count in {**counts, "totalTokenCount": asked + thought + made}.items() if count}
