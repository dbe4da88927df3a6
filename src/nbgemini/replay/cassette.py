"""Cassettes: recorded answers as lines of JSON, found again by what was asked.

A line opens an answer, holds one of its frames with the seconds since the request, or ends it; it names its answer, so that
several may be recorded at once. What comes is written as it comes: a recording that breaks off is a cassette too, and a line
that was cut off is left out. The nth equal request gets the nth recording, and the last one repeats.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from nbgemini._storage import open_regular
from nbgemini.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    NbGeminiError,
    RateLimitError,
    ServerError,
    TransportError,
    WireError,
)
from nbgemini.replay.fingerprint import RequestSummary, difference, likeness, request_fingerprint, summarize
from nbgemini.transport.request import Request

VERSION = 1
LARGEST = 256 * 1024 * 1024  # bytes of a file that is read

End: TypeAlias = Literal["open", "complete", "left", "error"]

_Seconds = Annotated[float, Meta(ge=0, le=1e6)]
_STARTS = (b'{"answer":', b'{"cassette":')
_MOST_COMPARED = 500  # recordings
_CUT_OFF = "Input data was truncated"  # how msgspec says it
_FACTS = ("code", "status", "reason", "retry_after", "daily", "passing")  # of errors, where they have them
_KINDS: dict[str, type[NbGeminiError]] = {
    kind.__name__: kind for kind in (ApiError, AuthenticationError, RateLimitError, ServerError, TransportError, WireError)
}


class RecordedError(Struct, frozen=True, omit_defaults=True):
    """An error that ended an answer; the names are those of `errors`."""

    kind: str
    message: str
    code: int = 0
    status: str = ""
    reason: str = ""
    retry_after: _Seconds | None = None
    daily: bool = False
    passing: bool = False


class Recording(Struct):
    """One recorded answer; `end` is `open` if the recording broke off, `left` if its reader stopped it."""

    request: str
    asked: RequestSummary
    provider: str = ""
    frames: list[tuple[float, bytes]] = []
    end: End = "open"
    seconds: float = 0.0
    trouble: RecordedError | None = None


class _Line(Struct, omit_defaults=True):
    cassette: int = 0
    answer: str = ""
    provider: str = ""
    request: str = ""
    asked: RequestSummary | None = None
    t: _Seconds = 0.0
    frame: Raw | UnsetType = UNSET
    base64: bytes | UnsetType = UNSET
    end: End = "open"
    error: RecordedError | None = None


_DECODER = msgspec.json.Decoder(_Line)


def _written(line: _Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def opening_line(answer: str, provider: str, request: Request) -> bytes:
    """Return the line that opens an answer."""
    return _written(_Line(VERSION, answer, provider, request_fingerprint(request), summarize(request)))


def frame_line(answer: str, seconds: float, frame: bytes) -> bytes:
    """Return the line of a frame, which stands in it as JSON if it is that."""
    line = _Line(answer=answer, t=round(seconds, 4))
    try:
        msgspec.json.decode(frame)
        line.frame = Raw(frame.replace(b"\n", b" ").replace(b"\r", b" "))  # between values: no text holds bare ones
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        line.base64 = frame
    return _written(line)


def end_line(answer: str, seconds: float, end: End, error: NbGeminiError | None = None) -> bytes:
    """Return the line that ends an answer."""
    facts = {name: getattr(error, name) for name in _FACTS if hasattr(error, name)}
    trouble = RecordedError(type(error).__name__, str(error), **facts) if error else None
    return _written(_Line(answer=answer, t=round(seconds, 4), end=end, error=trouble))


def read_cassette(path: Path) -> list[Recording]:
    """Return the recordings of a file in the order in which they began.

    Raises:
        ConfigurationError: there is no such file, it is too large, or no cassette.
    """
    recordings: list[Recording] = []
    known: dict[str, Recording] = {}
    try:
        with open_regular(path, "rb") as file:
            for number, text in enumerate(_lines(path, file), 1):
                if text.strip():
                    _add_line(path, number, text, known, recordings)
    except OSError as error:
        raise ConfigurationError(f"can't read the cassette {path}: {error.strerror}") from None
    return recordings


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file, one at a time: it may hold nothing else, and many of them."""
    size, left = os.fstat(file.fileno()).st_size, LARGEST
    while size <= LARGEST and (line := file.readline(left + 1)):
        left -= len(line)
        size = max(size, LARGEST - left)  # it may grow
        if left >= 0:
            yield line.removesuffix(b"\n")
    if size > LARGEST:
        raise ConfigurationError(f"{path} is too large for a cassette: {size >> 20} MB of at most {LARGEST >> 20}")


def _add_line(path: Path, number: int, text: bytes, known: dict[str, Recording], recordings: list[Recording]) -> None:
    try:
        line = _of_our_version(_DECODER.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error, RecursionError) or not _is_cut_off(text):
            raise ConfigurationError(f"{path} is not a cassette, or damaged: line {number}: {error}") from None
        return
    if line.asked is not None:
        known[line.answer] = Recording(line.request, line.asked, line.provider)
        recordings.append(known[line.answer])
    elif recording := known.get(line.answer):  # else its opening was cut off
        recording.seconds = line.t
        if line.frame is not UNSET:
            recording.frames.append((line.t, bytes(line.frame)))
        elif line.base64 is not UNSET:
            recording.frames.append((line.t, line.base64))
        else:
            recording.end, recording.trouble = line.end, line.error


def _of_our_version(line: _Line) -> _Line:
    if line.cassette > VERSION:
        raise msgspec.DecodeError("a newer nbgemini wrote it")
    if not line.answer:
        raise msgspec.DecodeError("it names no answer")
    return line


def _is_cut_off(text: bytes) -> bool:
    """Whether this is the beginning of a line of ours, with brackets that are not closed."""
    if not any(text.startswith(start) or start.startswith(text) for start in _STARTS):
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return not text.endswith(b"}") or str(error) == _CUT_OFF
    except RecursionError:
        return False
    return False


def is_cassette(line: bytes) -> bool:
    """Whether a file that begins with this line is one, or may become one."""
    try:
        return not line.strip() or msgspec.json.decode(line, type=_Line).cassette > 0
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def reports_error(frame: bytes) -> bool:
    """Whether a frame is an error that a service reports inside its stream: after it there is nothing more."""
    try:
        data = msgspec.json.decode(frame or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(data, dict) and "error" in data


def error_of(trouble: RecordedError) -> NbGeminiError:
    """Return the error as it was raised."""
    kind = _KINDS.get(trouble.kind, TransportError)
    if issubclass(kind, ApiError):
        error: NbGeminiError = kind(trouble.message, code=trouble.code, status=trouble.status, reason=trouble.reason)
    else:
        error = kind(trouble.message)
    for name in _FACTS:
        if hasattr(error, name):
            setattr(error, name, getattr(trouble, name))
    return error


class Player:
    """The recordings of a cassette, and how far they have been played.

    Attributes:
        recordings: all of them, in their order.
    """

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self.recordings = recordings
        self._answers: dict[str, list[Recording]] = defaultdict(list)
        self._asked: Counter[str] = Counter()
        for recording in recordings:
            self._answers[recording.request].append(recording)
        for key, answers in self._answers.items():
            self._answers[key] = [answer for answer in answers if answer.end in ("complete", "error")] or answers

    def __len__(self) -> int:
        """Count the recordings."""
        return len(self.recordings)

    def next(self, key: str) -> Recording | None:
        """Return the recording that answers the request with this key now, or None."""
        answers = self._answers.get(key)
        if not answers:
            return None
        number, self._asked[key] = self._asked[key], self._asked[key] + 1
        return answers[min(number, len(answers) - 1)]

    def explain_miss(self, request: Request) -> str:
        """Return in words which recording is nearest to a request, and how they differ."""
        if not self.recordings:
            return "nothing is recorded there"
        asked = summarize(request)
        nearest = max(self.recordings[-_MOST_COMPARED:], key=lambda recording: likeness(recording.asked, asked))
        return f"nearest (- recorded, + asked): {difference(nearest.asked, asked)}"
