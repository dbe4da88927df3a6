"""The offline service's batches, as google-genai asks for them: submit, look, list, cancel, delete, download.

A batch waits at the first look, runs at the second, and is over at the third; its rows are answered as prompts are. Answers
stand in it, or in a file if its rows came in one. Counts are strings, as recorded ones are.
Source: ai.google.dev/api/batch-api.
"""

from __future__ import annotations

import itertools
import json
import re
from asyncio import StreamWriter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from msgspec import Struct, field

from nbgemini.offline.files import FileStore, rfc3339
from nbgemini.offline.http_server import HttpRequest, head
from nbgemini.offline.models import generating_model
from nbgemini.offline.requests import Refused, body_of, decode_json, list_page
from nbgemini.offline.responder import folded_answer, send_json
from nbgemini.offline.script import Script

Ask: TypeAlias = Callable[[str, Any], Script]

_CREATE = re.compile(r"(models/[^/:]+):batchGenerateContent")
_NAMED = re.compile(r"batches/([a-z0-9]+)(:cancel)?")
_DOWNLOAD = re.compile(r"(?:download/)?(?:v1|v1beta|v1alpha)/(files/batch-[a-z0-9]+):download")
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"
_PENDING, _RUNNING, _SUCCEEDED, _CANCELLED = (
    f"BATCH_STATE_{word}" for word in ("PENDING", "RUNNING", "SUCCEEDED", "CANCELLED")
)
_RPC = {400: 3, 401: 16, 403: 7, 404: 5, 429: 8, 499: 1, 503: 14, 504: 4}  # google.rpc.Code by HTTP status
_INTERNAL, _OK = 13, 200


class _Batch(Struct):
    name: str
    model: str
    title: str
    rows: list[dict[str, Any]]
    file: str
    created: str
    state: str = _PENDING
    looks: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list)


class Batches:
    """The batches that were submitted; `ask` prepares the answer to one row."""

    def __init__(self, files: FileStore, ask: Ask) -> None:
        self._files = files
        self._ask = ask
        self._known: dict[str, _Batch] = {}
        self._ids = itertools.count(1)

    async def speak(self, request: HttpRequest, path: str, version: str, writer: StreamWriter) -> bool:
        """Answer a request about batches; False if it is about something else."""
        if (found := _DOWNLOAD.fullmatch(request.path.strip("/"))) and request.method == "GET":
            batch = self._found(found[1].replace("files/batch-", "batches/"))
            lines = b"".join(json.dumps(answer, ensure_ascii=False).encode() + b"\n" for answer in batch.answers)
            writer.write(head(_OK, "application/jsonl", length=len(lines)) + lines)
            await writer.drain()
            return True
        answer = self._answer(request, path, version)
        if answer is not None:
            await send_json(writer, _OK, answer)
        return answer is not None

    def _answer(self, request: HttpRequest, path: str, version: str) -> dict[str, Any] | None:
        create, named = _CREATE.fullmatch(path), _NAMED.fullmatch(path)
        match request.method, named and bool(named[2]):
            case "POST", None if create:
                return self._created(generating_model(create[1], "generateContent", version), body_of(request))
            case "GET", None if path == "batches":
                batches = [_batch_json(batch, whole=False) for batch in reversed(self._known.values())]
                return list_page(batches, "operations", request.query)
            case "GET", False:
                return self._looked_at(self._found(path))
            case "DELETE", False:
                del self._known[self._found(path).name]
                return {}
            case "POST", True:
                batch = self._found(path.removesuffix(":cancel"))
                batch.state = _CANCELLED if batch.state in (_PENDING, _RUNNING) else batch.state
                return {}
        return None

    def _created(self, model: str, body: Any) -> dict[str, Any]:
        batch = _of(body, "batch")
        given = _of(batch, "inputConfig")
        file = _of(given, "fileName", "")
        rows = self._rows(file) if file else _of(_of(given, "requests"), "requests", [])
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            raise Refused(400, "* BatchGenerateContentRequest.batch.input_config: requests is not specified")
        name = f"batches/offline{next(self._ids):07}"
        self._known[name] = _Batch(name, model, str(_of(batch, "displayName", "")), rows, file, rfc3339(datetime.now(UTC)))
        return _batch_json(self._known[name])

    def _rows(self, file: str) -> list[dict[str, Any]]:
        """Return the rows of an uploaded file, one a line."""
        data, size = self._files.head(f"/{file}")
        if not size or len(data) < size:
            raise Refused(404, f"The file {file} is not there, or too large for the offline service.")
        rows = (decode_json(line) for line in data.splitlines() if line.strip())
        return [row if isinstance(row, dict) else {} for row in rows]

    def _looked_at(self, batch: _Batch) -> dict[str, Any]:
        batch.looks += 1
        if batch.state == _PENDING and batch.looks > 1:
            batch.state = _RUNNING
        elif batch.state == _RUNNING:
            keys: list[dict[str, Any]] = [
                {name: row[name] for name in ("key", "metadata") if name in row} for row in batch.rows
            ]
            batch.answers = [{**key, **self._answered(batch.model, row)} for key, row in zip(keys, batch.rows, strict=True)]
            batch.state = _SUCCEEDED
        return _batch_json(batch)

    def _answered(self, model: str, row: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {name: row[name] for name in ("key", "metadata") if name in row}
        asked = row.get("request")
        wanted = {name: value for name, value in asked.items() if name != "model"} if isinstance(asked, dict) else asked
        try:
            status, data = folded_answer([frame for _, frame in self._ask(model, wanted).frames])
        except Refused as refused:
            status, data = refused.code, {"error": refused.error}
        if status == _OK:
            return {**answer, "response": data}
        return {**answer, "error": {"code": _RPC.get(status, _INTERNAL), "message": str(data["error"].get("message", ""))}}

    def _found(self, name: str) -> _Batch:
        if name not in self._known:
            raise Refused(404, f"Requested entity was not found: {name}")
        return self._known[name]


def _batch_json(batch: _Batch, *, whole: bool = True) -> dict[str, Any]:
    over = batch.state in (_SUCCEEDED, _CANCELLED)
    failed = sum("error" in answer for answer in batch.answers)
    counts = {
        "requestCount": len(batch.rows),
        "successfulRequestCount": len(batch.answers) - failed,
        "failedRequestCount": failed,
        "pendingRequestCount": 0 if over else len(batch.rows),
    }
    about = {
        "@type": _TYPE,
        "model": f"models/{batch.model}",
        "displayName": batch.title,
        "createTime": batch.created,
        "updateTime": rfc3339(datetime.now(UTC)),
        "batchStats": {name: str(count) for name, count in counts.items() if count},
        "state": batch.state,
        "name": batch.name,
        **({"inputConfig": {"fileName": batch.file}} if batch.file else {}),
    }
    shown = {"name": batch.name, "metadata": about, **({"done": True} if over else {})}
    if batch.state != _SUCCEEDED or not whole:
        return shown
    inline = {"inlinedResponses": {"inlinedResponses": batch.answers}}
    output = {"responsesFile": batch.name.replace("batches/", "files/batch-")} if batch.file else inline
    return {**shown, "metadata": {**about, "output": output}, "response": {"@type": f"{_TYPE}Output", **output}}


def _of(value: Any, name: str, missing: Any = None) -> Any:
    """Return a field in either spelling."""
    spelt = re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)
    found = value.get(name, value.get(spelt)) if isinstance(value, dict) else None
    return {} if found is None and missing is None else missing if found is None else found
