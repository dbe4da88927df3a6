"""Files on their way to a service: uploaded ahead of the request to Google's own store of files, or inside of the request.

To Google goes ahead what is too large for a request, once, and is named by its URI; to the others all goes along.

Invariants: the same content is uploaded once by a client, until the service forgets it (48 hours); pieces go out one after the
other, so that a stop takes effect at once and trouble that passes costs one piece; no `sha256:` name ever leaves.
Source: ai.google.dev/api/files and Google's resumable upload protocol (X-Goog-Upload-*), as google-genai speaks it. The
largest request is 32 MB at Anthropic and about 50 MB at OpenAI (their API references); base64 is a third more.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from time import monotonic, time
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from nbgemini.errors import ConfigurationError, NbGeminiError, PromptError, TransportError, WireError
from nbgemini.messages.attachments import Attachment, attachment_of, content_hash, inline_attachment
from nbgemini.messages.events import Retrying, Uploading
from nbgemini.messages.turns import NOTE, Part, Turn
from nbgemini.transport.request import Source, SupportsCall, WholeResponse
from nbgemini.transport.retry import Retry

REQUEST_BYTES = 18 * 1024 * 1024  # of base64 in one request, which may have 20 MB in all
KEPT_SECONDS = 48 * 3600
_SPARE_SECONDS = 600  # before that a file counts as forgotten
_STEP = 256 * 1024  # pieces are multiples of it
_FIRST_PIECE, _LARGEST_PIECE = 4 * _STEP, 64 * _STEP
_QUICK = 0.5  # seconds: a piece that took less is followed by a larger one
_LOOK_AGAIN = 2.0  # seconds
_LARGEST_INLINE = 24_000_000  # bytes of one file that goes along

Notice: TypeAlias = Uploading | Retrying


class _Remote(Struct, frozen=True):
    """A file of the service."""

    uri: str
    until: float


class FileUploader:
    """The files that one client has uploaded."""

    def __init__(self, source: Source, version: str, retry: Retry) -> None:
        self.retry = retry
        self.version = version
        self._source = source
        self._remote: dict[str, _Remote] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    @property
    def caller(self) -> SupportsCall:
        """What uploads.

        Raises:
            ConfigurationError: nothing does: a cassette records or plays.
        """
        if not isinstance(self._source, SupportsCall):
            raise ConfigurationError("a file this large must be uploaded, which is impossible with a cassette")
        return self._source

    async def upload(self, held: Attachment) -> str:
        """Upload what no prompt names, and return its name at the service."""
        upload = _Upload(self, held)
        async with aclosing(upload.progress()) as notices:
            async for _ in notices:
                pass
        return str(upload.file["name"])

    async def prepared(self, turns: Sequence[Turn]) -> AsyncGenerator[Notice | list[Turn], None]:
        """Upload what must be ahead of a request, saying how far it is; the last that is yielded are the turns to send.

        Raises:
            NbGeminiError: something can't be read or uploaded.
        """
        uris: dict[int, str] = {}
        ours = [part for turn in turns for part in turn.parts if content_hash(part)]
        for part in [*ours, *_outsized_parts(turns)]:
            held = await asyncio.to_thread(inline_attachment if "inlineData" in part else attachment_of, part)
            if held is not None:
                async with self._locks.setdefault(held.digest, asyncio.Lock()):  # two prompts with a file upload it once
                    if not self._uri(held.digest):
                        upload = _Upload(self, held)
                        async with aclosing(upload.progress()) as notices:
                            async for notice in notices:
                                yield notice
                        self._remote[held.digest] = _Remote(str(upload.file["uri"]), _expiry(upload.file) - _SPARE_SECONDS)
            uris[id(part)] = self._uri(held.digest if held else content_hash(part))
        yield [Turn(turn.role, tuple(_outgoing_part(part, uris) for part in turn.parts)) for turn in turns]

    def _uri(self, digest: str) -> str:
        """Return the URI of what was uploaded; empty if it was not, or long ago."""
        remote = self._remote.get(digest)
        return remote.uri if remote and remote.until > time() else ""

    def doubt(self, error: NbGeminiError) -> None:
        """Forget the files that an error names, so that they are uploaded again: somebody has deleted them."""
        said = str(error)
        self._remote = {key: remote for key, remote in self._remote.items() if remote.uri.rpartition("/")[2] not in said}


class _Upload:
    """One file on its way."""

    def __init__(self, files: FileUploader, held: Attachment) -> None:
        self._files = files
        self._held = held
        self._caller = files.caller
        self._target = ""
        self._sent = 0
        self._piece = _FIRST_PIECE
        self.file: dict[str, Any] = {}

    async def progress(self) -> AsyncGenerator[Notice, None]:
        """Go step by step: begin, piece after piece, and wait until the service has looked at it."""
        yield Uploading(self._held.name, 0, self._held.size)
        while not self.file or self.file.get("state") == "PROCESSING":
            async with aclosing(self._persist()) as trouble:
                async for retrying in trouble:
                    yield retrying
            yield Uploading(self._held.name, self._sent, self._held.size)
            if self.file.get("state") == "PROCESSING":
                await self._files.retry.sleep(_LOOK_AGAIN)
        if self.file.get("state") == "FAILED" or not self.file.get("uri"):
            raise PromptError(f"the service can't use {self._held.name}: {_reason_text(self.file)}; nothing was asked")

    async def _persist(self) -> AsyncGenerator[Retrying, None]:
        """Do the next step, and again after trouble that passes."""
        attempts = self._files.retry.attempts()
        while True:
            try:
                await self._step(again=attempts.made > 1)
            except NbGeminiError as error:
                wait = attempts.again(error)
                if wait is None:
                    raise _name_file(error, self._held.name) from None
            else:
                attempts.succeeded()
                return
            yield Retrying(f"uploading {self._held.name}", wait, attempts.made, attempts.most)
            await self._files.retry.sleep(wait)

    async def _step(self, *, again: bool) -> None:
        if not self._target:
            await self._begin()
        elif self.file:
            self.file = _file(await self._caller.call("GET", f"{self._files.version}/{self.file['name']}"))
        else:
            if again:
                await self._ask_how_far()
            await self._send()

    async def _begin(self) -> None:
        held = self._held
        headers = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(held.size),
            "X-Goog-Upload-Header-Content-Type": held.mime,
            "Content-Type": "application/json",
        }
        about = json.dumps({"file": {"display_name": held.name[:500]}}).encode()
        answer = await self._caller.call("POST", f"upload/{self._files.version}/files", headers, about)
        parts = urlsplit(answer.headers.get("x-goog-upload-url", ""))  # its host is never used: the key goes to ours alone
        if not parts.path:
            raise WireError("the service did not say where to upload to → ask again")
        self._target = f"{parts.path}?{parts.query}"

    async def _send(self) -> None:
        size = self._held.size
        piece = await asyncio.to_thread(self._held.read, self._sent, self._piece)
        last = self._sent + len(piece) >= size
        headers = {
            "X-Goog-Upload-Command": "upload, finalize" if last else "upload",
            "X-Goog-Upload-Offset": str(self._sent),
        }
        began = monotonic()
        answer = await self._caller.call("POST", self._target, headers, piece)
        if monotonic() - began < _QUICK:
            self._piece = min(2 * self._piece, _LARGEST_PIECE)
        self._sent += len(piece)
        if last:
            if answer.headers.get("x-goog-upload-status") != "final":
                raise WireError(f"the service did not take all of {self._held.name} → ask again")
            self.file = _file(answer)

    async def _ask_how_far(self) -> None:
        """Go on where the service stands; an upload that it has closed begins anew."""
        answer = await self._caller.call("POST", self._target, {"X-Goog-Upload-Command": "query"}, b"")
        if answer.headers.get("x-goog-upload-status") == "active":
            self._sent = min(int(answer.headers.get("x-goog-upload-size-received", "0")), self._held.size)
        else:
            self._sent = 0
            await self._begin()


class InlineFiles:
    """Files that go out with the prompt."""

    async def prepared(self, turns: Sequence[Turn]) -> AsyncGenerator[Notice | list[Turn], None]:
        """Read the files, which is quick, and yield the turns to send.

        Raises:
            NbGeminiError: one can't be read, or is too large.
        """
        yield [Turn(turn.role, tuple([await _with_data(part) for part in turn.parts])) for turn in turns]

    def doubt(self, error: NbGeminiError) -> None:
        """Nothing is kept that could be doubted."""


def _name_file(error: NbGeminiError, name: str) -> NbGeminiError:
    """Say which file the trouble is about."""
    if isinstance(error, TransportError):
        error.args = (f"uploading {name}: {error}",)
    return error


def _reason_text(file: Mapping[str, Any]) -> str:
    error = file.get("error")
    said = str(error.get("message") or "") if isinstance(error, Mapping) else ""
    return " ".join(said.split())[:200] or "it said no more"


def _file(answer: WholeResponse) -> dict[str, Any]:
    try:
        data = json.loads(answer.body)
    except ValueError:
        raise WireError("the service sent what is not JSON after an upload → ask again") from None
    file = data.get("file", data) if isinstance(data, dict) else None
    if not isinstance(file, dict) or not isinstance(file.get("name"), str):
        raise WireError("the service did not describe the uploaded file → ask again")
    return file


def _expiry(file: Mapping[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(file["expirationTime"])).replace(tzinfo=UTC).timestamp()
    except (KeyError, ValueError):
        return time() + KEPT_SECONDS


def _outsized_parts(turns: Sequence[Turn]) -> list[Part]:
    """Return the largest inline parts of ours, as many as make the request too large."""
    weighed = [
        (len(part["inlineData"]["data"]), part)
        for turn in turns
        for part in turn.parts
        if turn.role == "user" and isinstance(part.get("inlineData"), Mapping)
    ]
    over = sum(size for size, _ in weighed) - REQUEST_BYTES
    chosen: list[Part] = []
    for size, part in sorted(weighed, key=lambda pair: pair[0], reverse=True):
        if over <= 0:
            break
        chosen.append(part)
        over -= size
    return chosen


def _outgoing_part(part: Part, uris: Mapping[int, str]) -> Part:
    """Return a part as it goes out; of a file that is no longer at hand, words."""
    if uri := uris.get(id(part)):
        about = part.get("inlineData") or part["fileData"]
        return {"fileData": {"mimeType": about["mimeType"], "fileUri": uri}}
    return _words_for_file(part) if content_hash(part) else _without_note(part)


async def _with_data(part: Part) -> Part:
    """Return a part as it goes out with the data of its file; of a file that is no longer at hand, words."""
    if not content_hash(part):
        return _without_note(part)
    held = await asyncio.to_thread(attachment_of, part)
    return _words_for_file(part) if held is None else await asyncio.to_thread(_inline, held)


def _inline(held: Attachment) -> Part:
    if held.size > _LARGEST_INLINE:
        size, most = f"{held.size:,}", f"{_LARGEST_INLINE:,}"
        raise PromptError(f"{held.name} is {size} bytes, more than this service takes ({most}); nothing was asked")
    return {"inlineData": {"mimeType": held.mime, "data": base64.b64encode(held.read(0, held.size)).decode()}}


def _words_for_file(part: Part) -> Part:
    return {"text": f"\n[a file of type {part['fileData']['mimeType']} was attached here; it is no longer at hand]\n"}


def _without_note(part: Part) -> Part:
    return {name: value for name, value in part.items() if name != NOTE} if NOTE in part else part
