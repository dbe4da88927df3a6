"""Gemini's Batch API: rows to one batch, a batch's state, and what came of each row.

Sources: ai.google.dev/api/batch-api and google-genai 3.4; recorded answers name the states BATCH_STATE_…, other places
JOB_STATE_…. Real answers come out of order and sometimes without their key (python-genai issues 1909 and 2008).
Invariants: answers are cut out and not read, as one text may hold thousands; each is given to the row whose key it bears; only
where none bears a key does the order count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Raw, Struct

from nbgemini.errors import ApiError, PromptError, WireError
from nbgemini.providers.common.json import as_count, as_dict, dicts, load_frame
from nbgemini.providers.gemini.models import model_path
from nbgemini.transport.api_errors import error_from_data
from nbgemini.transport.request import Request

BatchState: TypeAlias = Literal["waiting", "running", "complete", "failed", "cancelled", "expired"]

JSONL = "application/jsonl"
_STATES: Mapping[str, BatchState] = {
    "RUNNING": "running", "PAUSED": "running", "UPDATING": "running", "CANCELLING": "running", "SUCCEEDED": "complete",
    "PARTIALLY_SUCCEEDED": "complete", "FAILED": "failed", "CANCELLED": "cancelled", "EXPIRED": "expired",
}  # fmt: skip
_OVER = ("complete", "failed", "cancelled", "expired")
_WORDS = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
)  # of google.rpc.Code, by number  # fmt: skip
_DIGITS = 9  # of a row's number
_ENTRY = {"key", "metadata", "error", "response"}
_Fields: TypeAlias = dict[str, Raw]
_T = TypeVar("_T")


class Answered(Struct, frozen=True):
    """What came of one row: a frame as of a stream that has but one, or an error."""

    key: str
    frame: bytes = b""
    error: ApiError | None = None

    @property
    def row(self) -> int | None:
        """The number of the row; none where the key is no number."""
        return int(self.key) if self.key.isascii() and self.key.isdigit() and len(self.key) <= _DIGITS else None


class Status(Struct, frozen=True):
    """A batch as the service describes it; counts are of rows, `file` holds the answers if they don't stand in `answers`."""

    name: str
    state: BatchState
    title: str = ""
    model: str = ""
    created: str = ""
    total: int = 0
    done: int = 0
    failed: int = 0
    error: ApiError | None = None
    answers: tuple[Answered, ...] = ()
    file: str = ""

    @property
    def over(self) -> bool:
        """Whether it changes no more."""
        return self.state in _OVER


def inline_request(version: str, model: str, rows: Sequence[Mapping[str, Any]], title: str) -> Request:
    """Return the request that submits rows: each the body of a request for an answer."""
    asked = [{"request": row, "metadata": {"key": str(number)}} for number, row in enumerate(rows)]
    return _create(version, model, {"requests": {"requests": asked}}, title)


def file_request(version: str, model: str, file: str, title: str) -> Request:
    """Return the request that submits an uploaded file of lines."""
    return _create(version, model, {"fileName": file}, title)


def line_of(number: int, row: Mapping[str, Any]) -> bytes:
    """Return a row as a line of such a file."""
    return msgspec.json.encode({"key": str(number), "request": row}) + b"\n"


def status_request(version: str, name: str, method: str = "") -> Request:
    """Return the request that looks at a batch, or does something to it (`cancel`); PromptError for what is no name of one."""
    bare = name.removeprefix("batches/")
    if not bare or not bare.isascii() or not bare.replace("-", "").replace("_", "").isalnum():
        raise PromptError(f"{name!r} is not the name of a batch; (await client.batches()) lists them")
    path = f"{version}/batches/{bare}"
    return Request(f"{path}:{method}", {}) if method else Request(path, method="GET")


def batches_request(version: str, page: str = "") -> Request:
    """Return the request for one page of the list of batches."""
    return Request(f"{version}/batches", None, {"pageSize": "100", **({"pageToken": page} if page else {})}, "GET")


def status_of(frame: bytes) -> Status:
    """Return what an answer says of a batch (WireError: it names none)."""
    found = _fields(frame)
    if not isinstance(_value(found, "name"), str):
        raise WireError("the service did not say which batch this is → ask again")
    return _status(found)


def statuses_of(frame: bytes) -> tuple[list[Status], str]:
    """Return the batches of one page and the token of the next page (empty at the end)."""
    data = as_dict(load_frame(frame))
    listed = [_fields(msgspec.json.encode(one)) for one in dicts(data.get("operations"))]
    return [_status(one) for one in listed], str(data.get("nextPageToken") or "")


def answers_in(lines: bytes) -> list[Answered]:
    """Return what a file of answers holds; a line that is none counts for nothing."""
    return [_answered(entry) for line in lines.splitlines() if not _ENTRY.isdisjoint(entry := _fields(line))]


def by_row(answers: Sequence[Answered], rows: int) -> list[Answered | None]:
    """Return for each of so many rows what came of it; None if nothing did."""
    if not any(answer.key for answer in answers):
        return [*answers[:rows], *[None] * (rows - len(answers))]
    found: dict[int | None, Answered] = {}
    for answer in answers:
        found.setdefault(answer.row, answer)
    return [found.get(number) for number in range(rows)]


def _create(version: str, model: str, given: dict[str, Any], title: str) -> Request:
    path = f"{version}/{model_path(model)}:batchGenerateContent"
    return Request(path, {"batch": {"displayName": title, "inputConfig": given}})


def _status(found: _Fields) -> Status:
    about = _fields(found.get("metadata"))
    output = _fields(found.get("response") or about.get("output"))
    stats, error, listed = as_dict(_value(about, "batchStats")), _value(found, "error"), output.get("inlinedResponses")
    listed = _fields(listed).get("inlinedResponses", listed)  # it mostly stands in an object of the same name
    state = _STATES.get(str(_value(about, "state")).removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_"))
    if _value(found, "done") is True and state not in _OVER:
        state = "failed" if error else "complete"
    return Status(
        str(_value(found, "name") or ""),
        state or "waiting",
        str(_value(about, "displayName") or ""),
        str(_value(about, "model") or "").removeprefix("models/"),
        str(_value(about, "createTime") or ""),
        as_count(stats.get("requestCount")),
        as_count(stats.get("successfulRequestCount")),
        as_count(stats.get("failedRequestCount")),
        _error(error) if error else None,
        tuple(_answered(_fields(entry)) for entry in _decode(listed, list[Raw]) or ()),
        str(_value(output, "responsesFile") or ""),
    )


def _decode(text: bytes | Raw | None, kind: type[_T]) -> _T | None:
    """Return a JSON text as a kind, mended if it must be; None if it is no such text."""
    if not text:
        return None
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return msgspec.json.decode(text, type=kind)
    with suppress(WireError, msgspec.ValidationError):
        return msgspec.json.decode(msgspec.json.encode(load_frame(bytes(text))), type=kind)
    return None


def _fields(text: bytes | Raw | None) -> _Fields:
    """Return the fields of a JSON object, their values as they stand there; none if it is no object."""
    return _decode(text, dict[str, Raw]) or {}


def _value(fields: _Fields, name: str) -> Any:
    return _decode(fields.get(name), object)


def _answered(entry: _Fields) -> Answered:
    key, error = _value(entry, "key"), _value(entry, "error")
    key = as_dict(_value(entry, "metadata")).get("key") if key is None else key
    said, frame = "" if key is None else str(key), bytes(entry.get("response", b""))
    if error or not frame.startswith(b"{"):
        return Answered(said, error=_error(error or {"message": "the service sent nothing for this row"}))
    return Answered(said, frame)


def _error(error: Any) -> ApiError:
    """Return the error of a google.rpc.Status, whose code is one of gRPC's."""
    told = dict(error) if isinstance(error, dict) else {"message": str(error)}
    code = told.get("code")
    if isinstance(code, int) and 0 < code < len(_WORDS):
        del told["code"]
        told.setdefault("status", _WORDS[code])
    return error_from_data(0, told)


def total_of(answers: Iterable[Answered], told: int) -> int:
    """Return how many rows a batch had, by what it says and by what came."""
    rows = [answer.row for answer in answers]
    numbers = [row + 1 for row in rows if row is not None]
    return max([told, *numbers, 0 if numbers else len(rows)])
