"""Recorded answers, as the offline service plays them: a cassette's for Gemini, and other services' as they are found.

A cassette of the user's own is played by whole requests, each recording as a script with the end it had. The recordings of
other services that come with nbgemini are of prepared answers, which say that they are; they are found by what was asked last,
and any of the service's models gives them. What has no recording is refused, and the error names what has one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import msgspec

from nbgemini.offline.http_server import HttpRequest
from nbgemini.offline.requests import InvalidRequest, Refused, body_of
from nbgemini.offline.responder import Delivery, send_json, send_stream
from nbgemini.offline.script import Script
from nbgemini.offline.stream import parts_of
from nbgemini.offline.thought_signatures import place
from nbgemini.replay.cassette import Player, RecordedError, Recording, read_cassette
from nbgemini.replay.fingerprint import request_fingerprint, texts_of
from nbgemini.transport.request import Request

BUNDLED = Path(__file__).with_name("recorded_services.gemini.jsonl")
_MODELS = {  # that were asked in the bundled recordings
    "anthropic": "claude-offline",
    "interactions": "gemini-3.8-flash",
    "openai": "gpt-offline",
    "openai-chat": "gpt-offline",
}

_POSTS = {
    "/v1/messages": "anthropic",
    "/v1/messages/count_tokens": "anthropic",
    "/v1/chat/completions": "openai-chat",
    "/v1/responses": "openai",
    "/v1/interactions": "interactions",
    "/v1beta/interactions": "interactions",
    "/v1alpha/interactions": "interactions",
}
_FAMILIES = {"anthropic": ("claude-",), "openai": ("gpt-", "chatgpt-", "o1", "o3", "o4")}
_TURNS = ("messages", "input")
_IDS = ("id", "call_id", "tool_call_id", "tool_use_id")
_ERRORS = range(400, 600)


def provider_of(request: HttpRequest) -> str | None:
    """Return the codec in whose dialect a request is; None if it is Gemini's. Lists of models differ by their headers alone."""
    if request.method == "POST":
        return _POSTS.get(request.path)
    if not f"{request.path}/".startswith("/v1/models/") or "x-goog-api-key" in request.headers or "key" in request.query:
        return None
    return "anthropic" if "anthropic-version" in request.headers else "openai" if "authorization" in request.headers else None


def last_asked(provider: str, body: Mapping[str, Any]) -> Request:
    """Return what a request asks last, apart from model and options: the text of its last turn, or the results of calls."""
    turns = next((body[name] for name in _TURNS if body.get(name)), "")
    last = turns[-1] if isinstance(turns, list) else turns
    text = "".join(texts_of(last, results=False)) or json.dumps(_without_ids(last), sort_keys=True, ensure_ascii=False)
    return Request(provider, {"input": [{"text": text.strip()}]})


def models_request(provider: str) -> Request:
    """Return what the bundled list of a provider's models is found by."""
    return Request(f"{provider}/models", None, {}, "GET")


class RecordedServices:
    """The recorded answers of other services: those of a cassette of the user's own before the bundled ones."""

    def __init__(self, own: Player) -> None:
        self._own = own

    async def answer(self, provider: str, request: HttpRequest, to: Delivery) -> None:
        """Answer a request in a provider's dialect."""
        try:
            body = body_of(request)
        except InvalidRequest as invalid:
            body = invalid
        if not isinstance(body, dict):
            await send_json(to.writer, 400, _error("invalid_request_error", str(body)))
        elif request.method == "GET":
            await self._list(provider, request, to)
        elif model_error := _unknown_model(provider, body):
            await send_json(to.writer, 404, model_error)
        elif recording := self._found(provider, request, body):
            await _play(recording, provider, str(body.get("model", "")), to)
        else:
            await send_json(to.writer, 400, _error("invalid_request_error", _miss(provider, body)))

    def _found(self, provider: str, request: HttpRequest, body: dict[str, Any]) -> Recording | None:
        method: Literal["GET", "POST"] = "GET" if request.method == "GET" else "POST"
        own = self._own.next(request_fingerprint(Request(request.path.lstrip("/"), body or None, request.query, method)))
        if own or request.method == "GET" or not body.get("stream"):
            return own
        return _bundled().next(request_fingerprint(last_asked(provider, body)))

    async def _list(self, provider: str, request: HttpRequest, to: Delivery) -> None:
        """Send the list of models, or one of them."""
        recording = self._found(provider, request, {}) or _bundled().next(request_fingerprint(models_request(provider)))
        data = msgspec.json.decode(recording.frames[0][1]) if recording and recording.frames else {"data": []}
        name = request.path.removeprefix("/v1/models").strip("/")
        found = next((entry for entry in data["data"] if entry.get("id") == name), None) if name else data
        await send_json(to.writer, 200 if found else 404, found or _error("not_found_error", f"model: {name}"))


class Cassette:
    """The recordings of one file, if there is one.

    Attributes:
        player: of all of them.
        signatures: the thought signatures in it, each with what its part says: clients send them back.
    """

    def __init__(self, path: Path | None) -> None:
        recordings = read_cassette(path) if path else []
        self.player = Player(recordings)
        frames = (_object(frame) or {} for recording in recordings for _, frame in recording.frames)
        self.signatures = frozenset(place(part) for frame in frames for part in parts_of(frame) if part.get("thoughtSignature"))

    def play(self, model: str, body: dict[str, Any]) -> Script | None:
        """Return the next recording for this request, or None."""
        recording = self.player.next(request_fingerprint(Request(f"models/{model}:generateContent", body)))
        if recording is None:
            return None
        frames = [(seconds, data) for seconds, frame in recording.frames if (data := _object(frame)) is not None]
        trouble = recording.trouble
        if trouble and not frames and trouble.code in _ERRORS:
            raise _refusal(trouble)
        return _script(recording, frames)


def recorded_prompts(provider: str) -> list[str]:
    """Return the prompts that have a bundled recording, in their order."""
    asked = (recording.asked.prompt for recording in _bundled().recordings if recording.provider == provider)
    return [prompt for prompt in dict.fromkeys(asked) if prompt and not prompt.startswith("{")]


@lru_cache(1)
def _bundled() -> Player:
    return Player(read_cassette(BUNDLED))


def _script(recording: Recording, frames: list[tuple[float, dict[str, Any]]]) -> Script:
    """Return these frames of a recording at their times; what broke off breaks off after them."""
    times = [0.0, *(seconds for seconds, _ in frames)]
    timed = [(max(0.0, after - before), frame) for (before, after), (_, frame) in zip(pairwise(times), frames, strict=True)]
    return Script(timed, cut=None if recording.end == "complete" else len(timed))


async def _play(recording: Recording, provider: str, model: str, to: Delivery) -> None:
    """Send the frames of a recording when they are due, as the answer of the model that was asked."""
    recorded = json.dumps(_MODELS[provider]).encode()
    events = [_event(frame.replace(recorded, json.dumps(model).encode())) for _, frame in recording.frames]
    await send_stream(_script(recording, [(seconds, {}) for seconds, _ in recording.frames]), events, to)


def _event(frame: bytes) -> bytes:
    """Return a frame as a server-sent event, under its name where it has one."""
    data = _object(frame) or {}
    name = data.get("type") or data.get("event_type")
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + frame + b"\n\n"


def _object(frame: bytes) -> dict[str, Any] | None:
    """Return a frame that is a JSON object; None for any other."""
    try:
        data = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _refusal(trouble: RecordedError) -> Refused:
    """Return the service's error; what was added to its message is added by its reader anew."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": trouble.reason}] if trouble.reason else []
    if trouble.retry_after is not None:
        delay = f"{trouble.retry_after:g}s"
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    message = trouble.message.rpartition(f" ({trouble.code}")[0] or trouble.message
    return Refused(trouble.code, message, status=trouble.status, details=details)


def _unknown_model(provider: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the error for a model that is none of the service's; None if it may be one."""
    model, families = str(body.get("model", "")), _FAMILIES.get(provider)
    if families is None or model.startswith(families):
        return None
    message = (
        f"model: {model}" if provider == "anthropic" else f"The model `{model}` does not exist or you do not have access to it."
    )
    return _error("not_found_error", message, "model_not_found")


def _miss(provider: str, body: Mapping[str, Any]) -> str:
    known = ", ".join(f"“{prompt}”" for prompt in recorded_prompts(provider)[:6])
    if not body.get("stream"):
        return f"offline there are recorded streams alone of this service: ask with stream=true. Recorded prompts: {known}"
    return (
        f"offline, {body.get('model') or provider} has no recording of this prompt; it has: {known}"
        " → ask one of these, ask a Gemini model, or leave the demo (%gemini demo off) with a key"
    )


def _error(kind: str, message: str, code: str | None = None) -> dict[str, Any]:
    """Return an error in a shape that all of these dialects read."""
    return {"type": "error", "error": {"type": kind, "message": message, "code": code or kind, "param": None}}


def _without_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_ids(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_ids(item) for name, item in value.items() if name not in _IDS}
    return value
