"""The offline service's files: resumable upload, look, list, delete, as google-genai asks for them.

Invariants: of a file its beginning is kept, in memory; videos take two looks until they are ACTIVE, as real ones take seconds.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct, field

from nbgemini.offline.http_server import HttpRequest
from nbgemini.offline.requests import Refused, body_of

KEPT = 1024 * 1024  # bytes of a file that are kept, for looking at it
_LINES = 64 * KEPT  # of one whose lines are asked, as a batch
_MOST = 2 * _LINES  # bytes of all files
_MOST_FILES = 1_000
_UPLOAD = re.compile(r"/upload/(v1|v1beta|v1alpha)/files")
_FILE = re.compile(r"(?:v1|v1beta|v1alpha)/(files(?:/[a-z0-9-]{1,40})?)")
_URI = re.compile(r"/(files/[^/?]+)$")
_LOOKS = 2  # until a video is ready
_HOURS = 48


class FileAnswer(Struct, frozen=True):
    """What goes back: JSON, and headers about the upload."""

    data: Any
    headers: dict[str, str] = {}


class _Upload(Struct):
    about: dict[str, Any]
    size: int
    mime: str
    head: bytearray = field(default_factory=bytearray)
    received: int = 0
    digest: Any = None
    over: bool = False


class _Stored(Struct):
    entry: dict[str, Any]
    head: bytes
    looks: int


class FileStore:
    """The files that were uploaded."""

    def __init__(self) -> None:
        self._files: dict[str, _Stored] = {}
        self._uploads: dict[str, _Upload] = {}
        self._ids = itertools.count(1)
        self._held = 0  # bytes

    def uploads(self, request: HttpRequest) -> bool:
        """Whether a request goes on with an upload; its address is leave enough, no key comes with it."""
        return bool(_UPLOAD.fullmatch(request.path)) and "upload_id" in request.query

    def answer(self, request: HttpRequest, base: str) -> FileAnswer | None:
        """Return the answer to a request about files; None if it is about something else."""
        if found := _UPLOAD.fullmatch(request.path):
            return self._go_on(request, base) if "upload_id" in request.query else self._begin(request, base, found[1])
        named = _FILE.fullmatch(request.path.strip("/"))
        match request.method, named and named[1]:
            case "GET", "files":
                return FileAnswer({"files": [stored.entry for stored in self._files.values()]} if self._files else {})
            case "GET", str(name):
                return FileAnswer(self._looked_at(name))
            case "DELETE", str(name) if name != "files":
                self._held -= len(self._found(name).head)
                del self._files[name]
                return FileAnswer({})
        return None

    def check(self, contents: list[dict[str, Any]]) -> None:
        """Let contents pass whose files are all there, and ready."""
        uris = [(part.get("fileData") or {}).get("fileUri", "") for content in contents for part in content["parts"]]
        for name in (found[1] for uri in uris if (found := _URI.search(str(uri)))):
            if self._found(name).entry["state"] != "ACTIVE":
                bare = name.removeprefix("files/")
                raise Refused(400, f"The File {bare} is not in an ACTIVE state and usage is not allowed.")

    def head(self, uri: str) -> tuple[bytes, int]:
        """Return the beginning of a file and its size; nothing of what is elsewhere."""
        found = _URI.search(uri)
        stored = self._files.get(found[1]) if found else None
        return (stored.head, int(stored.entry["sizeBytes"])) if stored else (b"", 0)

    def _begin(self, request: HttpRequest, base: str, version: str) -> FileAnswer:
        said = request.headers
        if said.get("x-goog-upload-protocol") != "resumable" or said.get("x-goog-upload-command") != "start":
            raise Refused(400, "Request contains an invalid argument.")
        about = body_of(request)
        file = about.get("file") if isinstance(about, dict) else None
        length, mime = said.get("x-goog-upload-header-content-length", ""), said.get("x-goog-upload-header-content-type", "")
        if not length.isdecimal() or not mime:
            raise Refused(400, "Unable to determine mimeType or size of the file.")
        while len(self._uploads) >= _MOST_FILES:
            self._held -= len(self._uploads.pop(next(iter(self._uploads))).head)
        if len(self._files) >= _MOST_FILES:
            raise Refused(400, "You have exceeded your file storage quota.")
        key = f"upload-{next(self._ids)}"
        described = file if isinstance(file, dict) else {}
        self._uploads[key] = _Upload({"version": version, **described}, int(length), mime, digest=hashlib.sha256())
        url = f"{base}/upload/{version}/files?upload_id={key}&upload_protocol=resumable"
        return FileAnswer({}, {"X-Goog-Upload-URL": url, "X-Goog-Upload-Status": "active"})

    def _go_on(self, request: HttpRequest, base: str) -> FileAnswer:
        key = request.query["upload_id"]
        upload = self._uploads.get(key)
        commands = {word.strip() for word in request.headers.get("x-goog-upload-command", "").split(",")}
        if upload is None:
            raise Refused(404, "Upload not found.")
        if commands == {"query"}:
            return FileAnswer({}, _status("final" if upload.over else "active", upload))
        if request.headers.get("x-goog-upload-offset", "") != str(upload.received) or "upload" not in commands or upload.over:
            raise Refused(400, "Upload offset does not match.")
        upload.received += len(request.body)
        wanted = request.body[: (_LINES if "jsonl" in upload.mime else KEPT) - len(upload.head)]
        if self._held + len(wanted) > _MOST:
            raise Refused(400, "You have exceeded your file storage quota.")
        self._held += len(wanted)
        upload.head += wanted
        upload.digest.update(request.body)
        if "finalize" not in commands:
            return FileAnswer({}, _status("active", upload))
        upload.over = True
        if upload.received != upload.size:
            raise Refused(400, "Upload size does not match.")
        return FileAnswer({"file": self._stored(upload, base)}, _status("final", upload))

    def _stored(self, upload: _Upload, base: str) -> dict[str, Any]:
        name, now = f"files/offline{next(self._ids):07}", datetime.now(UTC)
        wanted = upload.about.get("name")
        name = wanted if isinstance(wanted, str) and re.fullmatch(r"files/[a-z0-9][a-z0-9-]{0,39}", wanted) else name
        looks = _LOOKS if upload.mime.startswith("video/") else 0
        title = upload.about.get("displayName") or upload.about.get("display_name")
        entry = {
            "name": name,
            **({"displayName": str(title)} if title else {}),
            "mimeType": upload.mime,
            "sizeBytes": str(upload.size),
            "createTime": rfc3339(now),
            "updateTime": rfc3339(now),
            "expirationTime": rfc3339(now + timedelta(hours=_HOURS)),
            "sha256Hash": base64.b64encode(upload.digest.hexdigest().encode()).decode(),
            "uri": f"{base}/{upload.about['version']}/{name}",
            "state": "PROCESSING" if looks else "ACTIVE",
            "source": "UPLOADED",
        }
        before = self._files.pop(name, None)
        self._held -= len(before.head) if before else 0
        self._files[name] = _Stored(entry, bytes(upload.head), looks)
        upload.head.clear()
        return entry

    def _looked_at(self, name: str) -> dict[str, Any]:
        stored = self._found(name)
        stored.looks -= 1
        if stored.looks <= 0:
            stored.entry = {**stored.entry, "state": "ACTIVE"}
        return stored.entry

    def _found(self, name: str) -> _Stored:
        if name not in self._files:
            bare = name.removeprefix("files/")
            raise Refused(403, f"You do not have permission to access the File {bare} or it may not exist.")
        return self._files[name]


def _status(status: str, upload: _Upload) -> dict[str, str]:
    return {"X-Goog-Upload-Status": status, "X-Goog-Upload-Size-Received": str(upload.received)}


def rfc3339(moment: datetime) -> str:
    """Return a time as Google writes it."""
    return moment.isoformat().replace("+00:00", "Z")
