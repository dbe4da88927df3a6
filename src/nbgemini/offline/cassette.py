"""Cassettes: recorded answers as JSON lines, found again by a hash of what was asked.

The hash is of the normalised request, so that spelling (camelCase or snake_case), base64 alphabets, call ids and signatures
don't matter. The nth equal request gets the nth recording; the last one repeats. No key is ever in a cassette.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from nbgemini.offline.frames import Timed, parts_of
from nbgemini.offline.signatures import Place, place
from nbgemini.offline.validate import normalised

_HEADER = {"nbgemini": "cassette", "version": 1}


def request_hash(model: str, body: dict[str, Any]) -> str:
    """Return the name under which the answers to this request are kept."""
    return hashlib.sha256(json.dumps([model, _essence(normalised(body))], sort_keys=True).encode()).hexdigest()


def record(path: Path, model: str, body: dict[str, Any], frames: Iterable[Timed], *, n: int = 0) -> None:
    """Add the nth answer to a request: frames with their seconds since the request."""
    new = not path.exists()
    with path.open("a", encoding="utf-8") as file:
        if new:
            file.write(json.dumps(_HEADER) + "\n")
        name = request_hash(model, body)
        for seconds, frame in frames:
            file.write(json.dumps({"request": name, "n": n, "t": round(seconds, 4), "frame": frame}, ensure_ascii=False) + "\n")


class _Header(Struct):
    nbgemini: Literal["cassette"]


class _Entry(Struct):
    request: str
    n: int
    t: float
    frame: dict[str, Any]


class Cassette:
    """The recordings of one file.

    Attributes:
        signatures: the thought signatures in it, each with what its part says: clients send them back.
    """

    def __init__(self, path: Path) -> None:
        """Read them all.

        Raises:
            ValueError: the file is not a cassette.
        """
        entries = _entries(path)
        self._answers: dict[str, dict[int, list[Timed]]] = defaultdict(lambda: defaultdict(list))
        self._asked: dict[str, int] = defaultdict(int)
        for entry in entries:
            self._answers[entry.request][entry.n].append((entry.t, entry.frame))
        self.signatures = frozenset(signature for entry in entries for signature in _signatures(entry.frame))

    def play(self, model: str, body: dict[str, Any]) -> list[Timed] | None:
        """Return the next recording for this request as (wait before it, frame), or None."""
        name = request_hash(model, body)
        answers = self._answers.get(name)
        if not answers:
            return None
        number = max((n for n in answers if n <= self._asked[name]), default=min(answers))
        self._asked[name] += 1
        times = [0.0, *(seconds for seconds, _ in answers[number])]
        return [(seconds - before, frame) for before, (seconds, frame) in zip(times, answers[number], strict=False)]


def _entries(path: Path) -> list[_Entry]:
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line]  # texts may hold other line ends
    try:
        msgspec.json.decode(lines.pop(0) if lines else "", type=_Header)
        return [msgspec.json.decode(line, type=_Entry) for line in lines]
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not a cassette: {error}") from None


def _signatures(frame: dict[str, Any]) -> list[Place]:
    return [place(part) for part in parts_of(frame) if part.get("thoughtSignature")]


def _essence(value: Any) -> Any:
    if isinstance(value, list):
        return [_essence(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: item for key, item in value.items() if key != "thoughtSignature"}
    for call in ("functionCall", "functionResponse"):
        if isinstance(kept.get(call), dict):
            kept[call] = {key: item for key, item in kept[call].items() if key != "id"}
    if isinstance(data := kept.get("data"), str):
        kept["data"] = data.replace("-", "+").replace("_", "/").rstrip("=")
    return {key: _essence(item) for key, item in kept.items()}
