"""What a request asks, however it is written: one normal form, the name that equal requests share, and how two differ.

The spelling of names and numbers, base64's alphabets, call ids, signatures and the version of the API make no difference;
everything else does. The difference is a unified diff of the canonical JSON texts of two requests in short.
"""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Iterator
from difflib import SequenceMatcher, unified_diff
from itertools import islice
from typing import Any

from msgspec import Struct

from nbgemini.transport.request import Request

_FREE = {"args", "response", "parametersJsonSchema", "responseJsonSchema", "partMetadata", "labels", "parameters"}
_VERSION = re.compile(r"^/?v\d+(?:(?:alpha|beta)\d*)?/")
_FRAMING = {"alt", "pageSize"}  # how it comes, not what
_SAYS_NOTHING: tuple[dict[str, Any], ...] = ({}, {"text": ""})  # what is left of a part that only carried a signature
_TURNS = ("contents", "messages", "input")  # where services keep the conversation
_DIGITS = 8  # of a digest: enough to see that something differs
_LONGEST = 2000  # characters of a prompt that are kept
_COMPARED = 300  # characters of a prompt that are compared
_SHORT = 40  # characters of a value that is kept as it is
_WIDTH = 60  # characters of a line of the prompt
_MOST = 6  # lines of a diff
_MODEL = re.compile(r"^models/([^:]+):")


def normalized(value: Any) -> Any:
    """Return the JSON value with all names in camelCase and without nulls, free-form objects untouched."""
    if isinstance(value, list):
        return [normalized(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {_camel(key): item for key, item in value.items() if item is not None}
    for key, item in named.items():
        if key == "properties" and isinstance(item, dict):  # the names are the user's own
            named[key] = {name: normalized(inner) for name, inner in item.items()}
        elif key not in _FREE:
            named[key] = normalized(item)
    return named


def _subject(request: Request) -> str:
    """Return what the path names: a model and what it is to do, whether streamed or not."""
    return _VERSION.sub("", request.path).replace(":streamGenerateContent", ":generateContent")


def _query(request: Request) -> dict[str, str]:
    """Return what the query asks for."""
    return {name: value for name, value in request.query.items() if name not in _FRAMING}


def _canonical_body(request: Request) -> Any:
    """Return the body in its normal form, without what makes no difference."""
    return _essence(normalized(request.body if request.body is None else dict(request.body)), "")


def request_fingerprint(request: Request) -> str:
    """Return what equal requests have in common: 64 hexadecimal digits."""
    return digest([_subject(request), _query(request), _canonical_body(request)])


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _essence(value: Any, name: str) -> Any:
    if name in _FREE:
        return _plain(value)
    if isinstance(value, list):
        items = [_essence(item, "") for item in value]
        return [item for item in items if item not in _SAYS_NOTHING] if name == "parts" else items
    if isinstance(value, dict):
        idle = {"thoughtSignature", "id"} if name in ("functionCall", "functionResponse") else {"thoughtSignature"}
        return {key: _essence(item, key) for key, item in value.items() if key not in idle}
    if isinstance(value, str) and name == "data":
        return value.replace("-", "+").replace("_", "/").rstrip("=")
    return _plain(value)


def _plain(value: Any) -> Any:
    """Return the value with one spelling of 2 and 2.0."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


class RequestSummary(Struct, frozen=True, omit_defaults=True):
    """A request in short.

    Attributes:
        of: what its path names.
        prompt: the text of the last turn; answers to calls as JSON.
        turns: a digest of each turn.
        rest: everything else, by name: short values as they are, long ones as a digest.
    """

    of: str
    prompt: str = ""
    turns: tuple[str, ...] = ()
    rest: dict[str, str] = {}


def summarize(request: Request) -> RequestSummary:
    """Return a request in short."""
    canonical = _canonical_body(request)
    body = canonical if isinstance(canonical, dict) else {}
    name = next((name for name in _TURNS if isinstance(body.get(name), list)), "")
    turns = body.get(name) or []
    rest = {key: value for key, value in body.items() if key != name}
    return RequestSummary(
        _subject(request),
        _prompt(turns[-1]).strip()[:_LONGEST] if turns else "",
        tuple(digest(turn)[:_DIGITS] for turn in turns),
        {**dict(_short(rest)), **_query(request)},
    )


def likeness(one: RequestSummary, other: RequestSummary) -> float:
    """Return how near two requests are; the prompt counts most."""
    prompts = SequenceMatcher(None, one.prompt[:_COMPARED], other.prompt[:_COMPARED], autojunk=False).ratio()
    ours, theirs = set(_lines(one)), set(_lines(other))
    return 3 * prompts + len(ours & theirs) / len(ours | theirs)


def difference(recorded: RequestSummary, asked: RequestSummary) -> str:
    """Return in one line what differs: a unified diff, `-` before what was recorded, `+` before what is asked."""
    former, latter = list(_lines(recorded)), list(_lines(asked))
    if recorded.prompt != asked.prompt:  # then the digests of these turns say nothing new
        former, latter = ([line for line in lines if not line.startswith('"last turn"')] for lines in (former, latter))
    changes = [line for line in islice(unified_diff(former, latter, n=0, lineterm=""), 2, None) if not line.startswith("@@")]
    more = f" and {len(changes) - _MOST} more" if len(changes) > _MOST else ""
    return " ".join(changes[:_MOST]) + more


def _lines(summary: RequestSummary) -> Iterator[str]:
    """Yield the canonical text of a request in short: a value a line, of the prompt a few words a line."""
    model = _MODEL.match(summary.of)
    yield _line("model" if model else "path", model[1] if model else summary.of)
    for words in textwrap.wrap(summary.prompt, _WIDTH):
        yield _line("prompt", words)
    for number, turn in enumerate(summary.turns[:-1], 1):
        yield _line(f"turn {number}", turn)
    for turn in summary.turns[-1:]:
        yield _line("last turn", turn)
    for name, value in sorted(summary.rest.items()):
        yield f"{json.dumps(name)}: {value}"


def _line(name: str, value: str) -> str:
    return f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"


def _prompt(turn: Any) -> str:
    """Return the text of a turn: all its texts, or, of answers to calls, their JSON."""
    return "".join(texts_of(turn)) or json.dumps(turn, ensure_ascii=False, sort_keys=True)


def texts_of(turn: Any, *, results: bool = True) -> Iterator[str]:
    """Yield the texts of a turn, those that a tool has returned only with `results`."""
    if isinstance(turn, str):
        yield turn
    elif isinstance(turn, list):
        for item in turn:
            yield from texts_of(item, results=results)
    elif isinstance(turn, dict) and (results or not _is_result(turn)):
        for name in ("parts", "content", "text"):
            yield from texts_of(turn.get(name), results=results)


def _is_result(turn: dict[str, Any]) -> bool:
    return turn.get("role") == "tool" or "output" in turn or "result" in str(turn.get("type"))


def _short(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every value with its name; those of generationConfig one by one."""
    for name, value in values.items():
        if name == "generationConfig" and isinstance(value, dict):
            yield from _short(value)
        else:
            text = json.dumps(value, ensure_ascii=False, sort_keys=True)
            yield name, text if len(text) <= _SHORT else digest(value)[:_DIGITS]
