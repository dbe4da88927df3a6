"""What a cassette holds, as the offline service plays it: each recording a script, with the end it had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from nbgemini.offline.gemini.stream import Timed, parts_of
from nbgemini.offline.script import Script
from nbgemini.offline.thought_signatures import Place, place
from nbgemini.replay.cassette import RecordedError, Recording, read
from nbgemini.replay.fingerprint import fingerprint
from nbgemini.replay.player import Player
from nbgemini.transport.request import Request

_ERRORS = range(400, 600)


class Cassette:
    """The recordings of one file.

    Attributes:
        signatures: the thought signatures in it, each with what its part says: clients send them back.
    """

    def __init__(self, path: Path) -> None:
        """Read them all.

        Raises:
            ConfigurationError: the file is not a cassette.
        """
        recordings = read(path)
        self._player = Player(recordings)
        frames = (frame for recording in recordings for _, frame in _objects(recording))
        self.signatures = frozenset(signature for frame in frames for signature in _signatures(frame))

    def play(self, model: str, body: dict[str, Any]) -> Script | None:
        """Return the next recording for this request, or None."""
        recording = self._player.next(fingerprint(Request(f"models/{model}:generateContent", body)))
        return _script(recording) if recording else None


def _script(recording: Recording) -> Script:
    frames = _objects(recording)
    times = [0.0, *(seconds for seconds, _ in frames)]
    waits = [(max(0.0, seconds - before), frame) for before, (seconds, frame) in zip(times, frames, strict=False)]
    if recording.trouble and not waits and recording.trouble.code in _ERRORS:
        return Script([], status=recording.trouble.code, error=_refusal(recording.trouble))
    return Script(waits, cut=None if recording.end == "complete" else len(waits))


def _refusal(trouble: RecordedError) -> dict[str, Any]:
    """Return the service's error; what was added to its message is added by its reader anew."""
    error = {"code": trouble.code, "message": trouble.message.rpartition(f" ({trouble.code}")[0] or trouble.message}
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": trouble.reason}] if trouble.reason else []
    if trouble.retry_after is not None:
        delay = f"{trouble.retry_after:g}s"
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return {**error, "status": trouble.status, "details": details}


def _objects(recording: Recording) -> list[Timed]:
    """Return the frames that are JSON objects, which this service can send."""
    timed = ((seconds, _decoded(frame)) for seconds, frame in recording.frames)
    return [(seconds, frame) for seconds, frame in timed if isinstance(frame, dict)]


def _decoded(frame: bytes) -> Any:
    try:
        return msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _signatures(frame: dict[str, Any]) -> list[Place]:
    return [place(part) for part in parts_of(frame) if part.get("thoughtSignature")]
