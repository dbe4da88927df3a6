"""Prepared answers, written by hand: texts, pictures, sound, code it has run, sources; the same for the same words."""

from __future__ import annotations

import base64
import json
import math
import re
import struct
import zlib
from array import array
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from nbgemini.offline.stream import ScriptedPart

Run = tuple[str, str]

_SUM = re.compile(r"(?<!\d)(-?\d{1,15})\s{0,9}([-+*×])\s{0,9}(-?\d{1,15})(?!\d)")  # noqa: RUF001
_SIGNED = "*From nbgemini's offline service, not from Gemini.*"


def written_answer(prompts: list[str]) -> list[Run]:
    """Return the runs of thought and answer for the last of these prompts."""
    prompt = prompts[-1]
    words = set(re.findall(r"[a-z]+", prompt.lower()))
    if words & {"sky", "sunset"}:
        return _prepared("sky")
    if "my name" in prompt.lower() and (runs := _memory(prompts)):
        return runs
    if sum_ := _SUM.search(prompt):
        return _arithmetic(sum_)
    if "asyncio" in words:
        return _prepared("asyncio")
    return _code(prompt, words) or _default(prompts)


@lru_cache(1)
def _texts() -> dict[str, list[Run]]:
    found = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return {name: [(kind, text.replace("{signed}", _SIGNED)) for kind, text in runs] for name, runs in found.items()}


def _prepared(name: str) -> list[Run]:
    """Return the runs that are written down under a name in the file beside this one."""
    return _texts()[name]


def _code(prompt: str, words: set[str]) -> list[Run]:
    if not words & {"python", "write", "function", "code", "generator"}:
        return []
    if "fibonacci" in words:
        return _prepared("fibonacci")
    return _prepared("primes") if "primes" in words or "prime number" in prompt.lower() else []


def _memory(prompts: list[str]) -> list[Run]:
    told = [name for prompt in prompts for name in re.findall(r"[Mm]y name is (\w+)", prompt)]
    if re.search(r"[Mm]y name is \w+", prompts[-1]):
        return [
            ("thought", "**A name**\n\nWorth remembering.\n\n\n"),
            ("answer", f"Nice to meet you, {told[-1]}!\n\n" + _SIGNED),
        ]
    if "?" not in prompts[-1]:
        return []
    answer = (
        f"Your name is **{told[-1]}**; you told me earlier in this chat." if told else "You have not told me your name yet."
    )
    return [("thought", "**Looking back**\n\nIt would stand in an earlier turn.\n\n\n"), ("answer", f"{answer}\n\n{_SIGNED}")]


def _arithmetic(found: re.Match[str]) -> list[Run]:
    left, sign, right = int(found[1]), found[2], int(found[3])
    result = left + right if sign == "+" else left - right if sign == "-" else left * right
    return [
        ("thought", "**Arithmetic**\n\nThis needs no model.\n\n\n"),
        ("answer", f"{left} {sign} {right} = **{result}**\n\n" + _SIGNED),
    ]


def _default(prompts: list[str]) -> list[Run]:
    exchanges = f"{len(prompts)} exchange{'' if len(prompts) == 1 else 's'}"
    before = f" Before that you asked: “{_first_line(prompts[-2])[:80]}”." if len(prompts) > 1 else ""
    answer = (
        "This is nbgemini's **offline service**, not Gemini: it speaks the same protocol, but its answers are prepared.\n\n"
        f"You asked: “{_first_line(prompts[-1])[:200]}”\n\nThis chat has {exchanges} so far.{before}\n\n"
        "For real answers set `GEMINI_API_KEY`, or run `%gemini key`."
    )
    return [("thought", "**No prepared answer**\n\nI say what I am and what I was asked.\n\n\n"), ("answer", answer)]


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
    places = [{"segment": _segment(text, words), "groundingChunkIndices": [n]} for n, (words, _, _) in enumerate(supports)]
    return {
        "groundingMetadata": {
            "webSearchQueries": list(queries),
            "searchEntryPoint": {"renderedContent": "<style>body{display:none}</style><script>offline()</script>"},
            "groundingChunks": chunks,
            "groundingSupports": places,
        }
    }


def _segment(text: str, words: str) -> dict[str, Any]:
    """Return a place in a text in bytes; what is 0 is not sent."""
    start = len(text[: max(0, text.find(words))].encode())
    return {**({"startIndex": start} if start else {}), "endIndex": start + len(words.encode()), "text": words}


def media_answer(body: dict[str, Any], model: str, prompt: str) -> list[ScriptedPart] | None:
    """Return what there is to say to a prompt that calls for more than text, or None."""
    if "-tts" in model:
        return [ScriptedPart(part, _GAP) for part in sound(min(3.0, 0.05 * len(prompt)))]
    if "-image" in model:
        draft = (
            [ScriptedPart({**picture(f"draft of {prompt}", 60), "thought": True}, _GAP)] if model.startswith("gemini-3") else []
        )
        return [
            *draft,
            ScriptedPart({"text": f"Stripes for your words. {_SIGNED}\n"}, _GAP),
            ScriptedPart(picture(prompt), _GAP),
        ]
    names = {name for tool in body.get("tools", ()) for name in tool}
    used = [*_ran(names), *_pages_read(names, prompt), *_searched(names, prompt)]
    return used or None


def _ran(names: set[str]) -> list[ScriptedPart]:
    if "codeExecution" not in names:
        return []
    parts = [
        {"text": "Let me compute that.\n"},
        code("print(6 * 7)\n"),
        code_result("42\n"),
        {"text": f"It is 42. {_SIGNED}\n\n"},
    ]
    return [ScriptedPart(part, _GAP) for part in parts]


def _pages_read(names: set[str], prompt: str) -> list[ScriptedPart]:
    if "urlContext" not in names:
        return []
    status = "URL_RETRIEVAL_STATUS_ERROR"  # it reaches no network
    pages = [{"retrievedUrl": url, "urlRetrievalStatus": status} for url in _URL.findall(prompt)[:20]]
    text = {"text": f"The offline service reads no pages. {_SIGNED}\n\n"}
    return [ScriptedPart(text, _GAP, beside={"urlContextMetadata": {"urlMetadata": pages}})]


def _searched(names: set[str], prompt: str) -> list[ScriptedPart]:
    if "googleSearch" not in names:
        return []
    text = f"{' '.join(words for words, _, _ in _FOUND)} {_SIGNED}"
    pieces = [text[:40], text[40:]]
    found = grounding(text, _FOUND, [prompt.strip().partition("\n")[0][:100]])
    return [ScriptedPart({"text": pieces[0]}, _GAP), ScriptedPart({"text": pieces[1]}, _GAP, beside=found)]
