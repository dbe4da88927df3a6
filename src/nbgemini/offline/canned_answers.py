"""Prepared answers, written by hand: texts, pictures, sound, code it has run, sources; the same for the same words."""

from __future__ import annotations

import ast
import base64
import json
import math
import operator
import re
import struct
import zlib
from array import array
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from nbgemini.formatting import plural
from nbgemini.offline.stream import ScriptedPart

Run = tuple[str, str]

_TERM = r"\({0,5}-?\d{1,15}(?:\.\d{1,9})?\){0,5}"
_EXPRESSION = re.compile(rf"(?<![\w.,]){_TERM}(?:\s{{0,9}}(?:\*\*|[-+*/×÷^])\s{{0,9}}{_TERM}){{1,9}}(?![.,]?\w)")  # noqa: RUF001
_PERCENT = re.compile(r"(?<![\w.])(\d{1,9}(?:\.\d{1,9})?)\s?(?:%|percent) of (\d{1,15}(?:\.\d{1,9})?)(?!\.?\w)")
_SIGNS = {"plus": "+", "minus": "-", "times": "*", "divided by": "/"}
_SPELT = re.compile(rf"(?<=\d )(?:{'|'.join(_SIGNS)})(?= [-\d])", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_TIGHT = re.compile(r"\d[-/]\d")  # a date, a fraction, from one number to another
_ASKS = re.compile(r"(?:what(?:'s| is)|how much is|calculate|compute|evaluate|please|=|[?.!:\s])*", re.IGNORECASE)
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
}  # fmt: skip
_LARGEST_POWER = 64
_MOST_NAMED = 8  # tools
_SIGNED = "*From nbgemini's offline service, not from Gemini.*"


def thought_and_answer(title: str, thought: str, answer: str) -> list[Run]:
    """Return the runs of an answer, and of a thought before it."""
    return [("thought", f"**{title}**\n\n{thought}\n\n\n"), ("answer", answer)]


def written_answer(prompts: list[str], tools: Iterable[str] = ()) -> list[Run]:
    """Return the runs of thought and answer for the last of these prompts; `tools` may be called."""
    return _prepared(prompts[-1]) or _memory(prompts) or _arithmetic(prompts[-1]) or _default(prompts, tools)


@lru_cache(1)
def _texts() -> dict[str, list[Run]]:
    found = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return {name: [(kind, text.replace("{signed}", _SIGNED)) for kind, text in runs] for name, runs in found.items()}


def _prepared(prompt: str) -> list[Run]:
    """Return the runs that are written down for the subject of a prompt in the file beside this one."""
    words = set(re.findall(r"[a-z]+", prompt.lower()))
    programs = words & {"python", "write", "function", "code", "generator"}
    subjects = {
        "sky": words & {"sky", "sunset"},
        "asyncio": "asyncio" in words,
        "fibonacci": programs and "fibonacci" in words,
        "primes": programs and ("primes" in words or "prime number" in prompt.lower()),
    }
    return next((_texts()[name] for name, asked in subjects.items() if asked), [])


def _memory(prompts: list[str]) -> list[Run]:
    if "my name" not in prompts[-1].lower():
        return []
    told = [name for prompt in prompts for name in re.findall(r"[Mm]y name is (\w+)", prompt)]
    if re.search(r"[Mm]y name is \w+", prompts[-1]):
        return thought_and_answer("A name", "Worth remembering.", f"Nice to meet you, {told[-1]}!\n\n{_SIGNED}")
    if "?" not in prompts[-1]:
        return []
    known = f"Your name is **{told[-1]}**; you told me earlier in this chat." if told else "You have not told me your name yet."
    return thought_and_answer("Looking back", "It would stand in an earlier turn.", f"{known}\n\n{_SIGNED}")


def calculation(prompt: str) -> tuple[str, str]:
    """Return the first calculation of a prompt and its result; nothing if there is none."""
    prompt = _SPELT.sub(lambda match: _SIGNS[match[0].lower()], _THOUSANDS.sub("", prompt))
    prompt = re.sub(r"(?<!\d )\bminus (?=\d)", "-", prompt)
    percent, found = _PERCENT.search(prompt), _EXPRESSION.search(prompt)
    if percent:
        return percent[0], _number_text(float(percent[1]) * float(percent[2]) / 100)
    if found and (not _TIGHT.search(found[0]) or _ASKS.fullmatch(prompt.replace(found[0], ""))):
        with suppress(SyntaxError, ValueError, ArithmeticError):
            text = found[0].translate({ord("×"): "*", ord("÷"): "/", ord("^"): "**"})  # noqa: RUF001
            tree = ast.parse(text, mode="eval").body
            return ast.unparse(tree).replace("*", "×" if "×" in found[0] else "*"), _number_text(_value(tree))  # noqa: RUF001
    return "", ""


def _arithmetic(prompt: str) -> list[Run]:
    shown, result = calculation(prompt)
    answer = f"{shown} = **{result}**\n\n{_SIGNED}"
    return thought_and_answer("Arithmetic", "This needs no model.", answer) if shown else []


def _value(node: ast.expr) -> float:
    match node:
        case ast.BinOp(left=left, op=sign, right=right):
            one, other = _value(left), _value(right)
            if isinstance(sign, ast.Pow) and max(abs(one), abs(other)) > _LARGEST_POWER:
                raise ValueError("too large")
            return _OPERATORS[type(sign)](one, other)
        case ast.UnaryOp(operand=operand):
            return -_value(operand)
        case ast.Constant(value=int() | float() as value):
            return value
    raise ValueError("not a number")


def _number_text(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.12g}"


def _default(prompts: list[str], tools: Iterable[str]) -> list[Run]:
    exchanges = plural(len(prompts), "exchange")
    before = f" Before that you asked: “{_first_line(prompts[-2])[:80]}”." if len(prompts) > 1 else ""
    names = ", ".join(f"`{name}`" for name in list(tools)[:_MOST_NAMED])
    offered = f"A tool is called once your prompt names it, with its values: {names}.\n\n" if names else ""
    answer = (
        "This is nbgemini's **offline service**, not Gemini: it speaks the same protocol, but its answers are prepared.\n\n"
        f"You asked: “{_first_line(prompts[-1])[:200]}”\n\nThis chat has {exchanges} so far.{before}\n\n{offered}"
        "For real answers set `GEMINI_API_KEY`, or run `%gemini key`."
    )
    return thought_and_answer("No prepared answer", "I say what I am and what I was asked.", answer)


def _first_line(prompt: str) -> str:
    return prompt.strip().partition("\n")[0]


_RATE = 24_000  # samples a second
_PIECE = 0.5  # seconds of sound in one part
_MOST_PIXELS, _MOST_SECONDS = 4_000_000, 600
_SMALL = 512  # pixels on a side: larger pictures are not compressed, so that their size is known
_URL = re.compile(r"https?://[^\s<>\"')\]]{1,500}")
_GAP = 0.12
_FOUND = (
    ("The offline service searches nothing.", "https://example.org/offline", "example.org"),
    ("What it says here, “quotes” and ½ included, shows where sources stand.", "https://example.com/sources", "example.com"),
)


def picture(words: str, side: int = 120) -> dict[str, Any]:
    """Return a part with a PNG: stripes in two colours that follow from the words."""
    side = max(1, min(side, math.isqrt(_MOST_PIXELS)))
    seed = zlib.crc32(words.encode("utf-8", "replace"))
    one, other = seed.to_bytes(4, "big")[:3], (seed ^ 0xFFFFFF7F).to_bytes(4, "big")[:3]
    rows = [b"\0" + b"".join(((one, other)[(x + y) // (side // 6 + 1) % 2]) for x in range(side)) for y in range(side)]
    size = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(rows), 9 if side <= _SMALL else 0)
    data = b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, (b"IHDR", b"IDAT", b"IEND"), (size, pixels, b"")))
    return {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(data).decode()}}


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def sound(seconds: float) -> list[dict[str, Any]]:
    """Return the parts of a tone, half a second each, as speech models send them: raw samples."""
    count, size = int(min(seconds, _MOST_SECONDS) * _RATE), int(_PIECE * _RATE)
    samples = array("h", (int(8_000 * math.sin(n * 2 * math.pi * 440 / _RATE)) for n in range(count)))
    pieces = [samples[start : start + size] for start in range(0, count, size)]
    mime = f"audio/L16;codec=pcm;rate={_RATE}"
    return [{"inlineData": {"mimeType": mime, "data": base64.b64encode(piece.tobytes()).decode()}} for piece in pieces]


def code(source: str) -> dict[str, Any]:
    """Return the part in which a model runs code."""
    return {"executableCode": {"language": "PYTHON", "code": source}}


def code_result(output: str, outcome: str = "OK") -> dict[str, Any]:
    """Return the part that says what came of it."""
    return {"codeExecutionResult": {"outcome": f"OUTCOME_{outcome}", "output": output}}


def grounding(text: str, supports: Iterable[tuple[str, str, str]], queries: Iterable[str]) -> dict[str, Any]:
    """Return what a candidate says of its sources: which passage of its text rests on which address, with its title."""
    supports = list(supports)
    chunks = [{"web": {"uri": uri, "title": title}} for _, uri, title in supports]
    places = []
    for n, (words, _, _) in enumerate(supports):
        start = len(text[: max(0, text.find(words))].encode())  # in bytes; what is 0 is not sent
        segment = {**({"startIndex": start} if start else {}), "endIndex": start + len(words.encode()), "text": words}
        places.append({"segment": segment, "groundingChunkIndices": [n]})
    return {
        "groundingMetadata": {
            "webSearchQueries": list(queries),
            "searchEntryPoint": {"renderedContent": "<style>body{display:none}</style><script>offline()</script>"},
            "groundingChunks": chunks,
            "groundingSupports": places,
        }
    }


def media_answer(body: dict[str, Any], model: str, prompt: str) -> list[ScriptedPart] | None:
    """Return what there is to say to a prompt that calls for more than text, or None."""
    if "-tts" in model:
        return [ScriptedPart(part, _GAP) for part in sound(min(3.0, 0.05 * len(prompt)))]
    if "-image" in model:
        drafts = [{**picture(f"draft of {prompt}", 60), "thought": True}] if model.startswith("gemini-3") else []
        parts = [*drafts, {"text": f"Stripes for your words. {_SIGNED}\n"}, picture(prompt)]
        return [ScriptedPart(part, _GAP) for part in parts]
    names = {name for tool in body.get("tools", ()) for name in tool}
    used: list[ScriptedPart] = []
    if "codeExecution" in names:
        ran = [code("print(6 * 7)\n"), code_result("42\n"), {"text": f"It is 42. {_SIGNED}\n\n"}]
        used += [ScriptedPart(part, _GAP) for part in ({"text": "Let me compute that.\n"}, *ran)]
    if "urlContext" in names:
        status = "URL_RETRIEVAL_STATUS_ERROR"  # it reaches no network
        pages = [{"retrievedUrl": url, "urlRetrievalStatus": status} for url in _URL.findall(prompt)[:20]]
        text = {"text": f"The offline service reads no pages. {_SIGNED}\n\n"}
        used.append(ScriptedPart(text, _GAP, beside={"urlContextMetadata": {"urlMetadata": pages}}))
    if "googleSearch" in names:
        said = f"{' '.join(words for words, _, _ in _FOUND)} {_SIGNED}"
        found = grounding(said, _FOUND, [_first_line(prompt)[:100]])
        used += [ScriptedPart({"text": said[:40]}, _GAP), ScriptedPart({"text": said[40:]}, _GAP, beside=found)]
    return used or None
