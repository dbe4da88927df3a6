"""Frames over HTTP: one request out, the frames of its response in.

Invariants: the key travels in one header and nowhere else; redirects are never followed (a redirect would carry the key to
another host); a body is read in bounded pieces, and others have their turn between them; what is read whole has a largest size;
of a body nothing is quoted before the key was taken out.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, suppress
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import msgspec

from nbgemini._async.scheduler import FairScheduler
from nbgemini.errors import ApiError, ConfigurationError, NbGeminiError, TransportError, WireError
from nbgemini.secrets import Mask, Secret
from nbgemini.services import KNOWN, Service
from nbgemini.transport.api_errors import error_from_body, retry_after
from nbgemini.transport.client import HttpClients, translate_error
from nbgemini.transport.framing import DONE, Framer
from nbgemini.transport.key_filter import KeyFilter, KeyForms, in_turns
from nbgemini.transport.origin import origin_of
from nbgemini.transport.request import Request, WholeResponse
from nbgemini.transport.sockets import shut_down
from nbgemini.transport.timeouts import StallTimeout, Timeouts

if TYPE_CHECKING:
    import httpx2

AGENT = "nbgemini/0.1.0"
LARGEST_BODY = 128 * 2**20  # bytes of a response that is no stream
PIECE = 8_192  # bytes of which frames are made at once: of the smallest that takes two milliseconds
LARGEST_UNPACKED = 32_768  # bytes that are unpacked at once: half a megabyte can hold half a gigabyte of nothing
_LARGEST_ERROR = 65_536  # bytes of an error body that are read
_ENOUGH = 2_000  # bytes to tell what it was, and to hold a key whole
_OK = 200
_GZIP = {"gzip", "x-gzip"}
_CODINGS = {*_GZIP, "deflate"}
_HEADER = re.compile(r"[\x20-\x7e]*")
_ALWAYS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": AGENT}
_JSON = {"content-type": "application/json"}


class HttpCall:
    """One request and its response; leaving it closes the connection at once, unless all was read and it may serve again.

    Attributes:
        stall: how long it may keep silent.
        status: the status code; 0 before the head of the response has come.
        headers: names in any case find their values.
    """

    def __init__(self, clients: HttpClients, host: str, timeouts: Timeouts) -> None:
        self.stall = StallTimeout(host, timeouts)
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._clients = clients
        self._host = host
        self._timeouts = timeouts
        self._response: httpx2.Response | None = None
        self._read_whole = False

    async def __aenter__(self) -> Self:
        self._clients.enter()
        self.stall.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stall.stop()
        try:
            await self.aclose()
        finally:
            self._clients.leave()

    async def accept(self, response: httpx2.Response, mask: Mask, key_name: str) -> None:
        """Take the response whose head has come.

        Args:
            response: the library's.
            mask: hides the key, which some repeat that refuse it.
            key_name: the variable that holds the service's key.

        Raises:
            NbGeminiError: it is one that refuses the request.
        """
        self.stall.response_begun()
        self.status, self.headers, self._response = response.status_code, response.headers, response
        if self.status == _OK:
            return
        if self.status // 100 == 3:  # noqa: PLR2004 - HTTP
            where = urlsplit(self.headers.get("location", "")).hostname or "nowhere"
            raise TransportError(f"unexpected redirect to {where}; it was not followed, to protect the key")
        body = mask.hide(await self.read(_LARGEST_ERROR))
        wait = retry_after(self.headers.get("retry-after", ""), self.headers.get("date", ""))
        raise error_from_body(self.status, body, wait, key_name=key_name)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body in bounded pieces, unpacked.

        Raises:
            TransportError: it ended before it was whole, came too slowly, or can't be unpacked.
        """
        coding = self.headers.get("content-encoding", "").strip().lower()
        unpacker = Unpacker(coding) if coding in _CODINGS else None
        async with aclosing(aiter(self._response.stream)) as chunks:  # type: ignore[union-attr,arg-type]
            while chunk := await self._next(chunks):
                if unpacker is None:
                    yield chunk
                    continue
                for piece in unpacker.pieces(chunk):
                    yield piece
            self._read_whole = True

    async def read(self, enough: int) -> bytes:
        """Return the body; not much more than `enough` bytes of it."""
        read, size, scheduler = [], 0, FairScheduler.here()
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                await scheduler.turn()
                read.append(piece)
                size += len(piece)
                if size > enough:
                    break
        return b"".join(read)

    async def aclose(self) -> None:
        """Close the connection, unless it may serve again."""
        if self._response is None:
            return
        stream = None if self._read_whole else self._response.extensions.get("network_stream")
        if stream is not None:  # httpx2's own transport closes, but does not shut down
            shut_down(stream.get_extra_info("socket"))
        await self._response.aclose()

    async def _next(self, chunks: Any) -> bytes:
        try:
            return await self.stall.wait(anext(chunks, b""))
        except Exception as error:  # noqa: BLE001 - the border: what leaves is ours, the rest goes on as it was
            trouble = translate_error(error, self._host, self._timeouts)
        raise trouble  # out here it has no context: the library's error holds the request, and that the key


class HttpSource:
    """Sends requests to one base URL with one key."""

    def __init__(
        self,
        base_url: str,
        key: Secret,
        *,
        service: Service = KNOWN["gemini"],
        timeouts: Timeouts | None = None,
        clients: HttpClients | None = None,
    ) -> None:
        """Remember where and as whom to ask; nothing is opened yet.

        Args:
            base_url: what all paths stand behind.
            key: as whom; empty where the service wants none.
            service: which headers it wants.
            timeouts: how long to wait for what.
            clients: by which requests go out; else clients of its own.

        Raises:
            ConfigurationError: the URL is none, or would send the key unencrypted over a network.
        """
        self._origin = origin_of(base_url, secret=bool(key))
        self._host = self._origin.host
        self._key = key
        self._service = service
        self._mask = Mask(key)
        self._forms = KeyForms(self._mask)
        self._key_name = service.key_names[-1] if service.key_names else ""
        self._timeouts = timeouts or Timeouts()
        self._clients = clients or HttpClients()

    async def frames(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield the frames of the response as they come; in none of them, and in no error, is the key."""
        keys = KeyFilter(self._forms)
        try:
            self._refuse_odd_key()
            async with aclosing(self._batches(request)) as batches:
                async for batch in batches:
                    for frame in await keys.filtered(batch) if keys.suspects(batch) else batch:
                        yield frame
        except NbGeminiError as error:
            for frame in keys.close():
                yield frame
            self._hide_key(error)
            raise
        for frame in keys.close():
            yield frame

    async def _batches(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        """Yield the frames as they are; those that came together, together."""
        body = None if request.body is None else msgspec.json.encode(request.body)
        target, headers = self._origin.target(request.path, request.query), {} if body is None else _JSON
        async with HttpCall(self._clients, self._host, self._timeouts) as call:
            await self._ask(call, request.method, target, headers, body)
            async with aclosing(iter_frames(call, self._mask, streams=request.streams)) as batches:
                async for batch in batches:
                    yield batch

    async def call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> WholeResponse:
        """Send one request and return the whole response; a path that begins with a slash stands below the host."""
        try:
            self._refuse_odd_key()
            async with HttpCall(self._clients, self._host, self._timeouts) as call:
                await self._ask(call, method, self._origin.target(path, {}), headers or {}, content)
                body = await call.read(LARGEST_BODY)
                if len(body) > LARGEST_BODY:
                    raise WireError(f"the answer is larger than {LARGEST_BODY >> 20} MiB → ask for less at once")
                return WholeResponse(dict(call.headers), await in_turns(self._mask.steps(body)))
        except NbGeminiError as error:
            self._hide_key(error)
            raise

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._clients.aclose()

    def retire(self) -> None:
        """Close the running loop's connections as soon as no stream needs them."""
        self._clients.retire()

    async def _ask(self, call: HttpCall, *what: Any) -> None:
        """Send a request and wait for the head of its response."""
        send = await self._clients.sender()
        try:
            response = await call.stall.wait(send(self._request(call.stall, *what)))
        except Exception as error:  # noqa: BLE001 - the border, as above
            trouble = self._translate(error)
        else:
            await call.accept(response, self._mask, self._key_name)
            return
        raise trouble

    def _request(
        self, stall: StallTimeout, method: str, target: str, headers: Mapping[str, str], content: bytes | None
    ) -> httpx2.Request:
        """Return the library's request; no variable of a coroutine ever holds the key."""
        import httpx2  # noqa: PLC0415 - loaded in a thread, for the client

        service = self._service
        key = {service.header: f"{service.scheme}{self._key.reveal()}"} if self._key else {}
        length = {} if content is None and method == "GET" else {"content-length": str(len(content or b""))}
        fields = {"host": self._origin.header, **_ALWAYS, **headers, **service.headers, **key, **length}
        return httpx2.Request(
            method,
            _url(f"{self._origin.root}{target}"),
            headers=[(name.encode(), value.encode()) for name, value in fields.items()],
            stream=httpx2.ByteStream(content or b""),
            extensions=request_extensions(self._timeouts, stall),
        )

    def _refuse_odd_key(self) -> None:
        if not _HEADER.fullmatch(self._key.reveal()):
            raise ConfigurationError(f"the key for {self._host} has characters that HTTP does not allow → check it")

    def _hide_key(self, error: NbGeminiError) -> None:
        """Hide the key in what is raised: a service may repeat it wherever it is quoted, and a library what it can't send."""
        error.args = tuple(self._mask.hide_parts(said) if isinstance(said, str) else said for said in error.args)
        if isinstance(error, ApiError):
            error.status, error.reason = self._mask.hide_parts(error.status), self._mask.hide_parts(error.reason)

    def _translate(self, error: Exception) -> NbGeminiError:
        return translate_error(error, self._host, self._timeouts)


class Unpacker:
    """Undoes one content coding as the bytes come, by no more than a bounded piece at a time."""

    def __init__(self, coding: str) -> None:
        self._head = b""
        self._inflate = zlib.decompressobj(wbits=31) if coding in _GZIP else None

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes and yield what they hold.

        Raises:
            TransportError: what follows was not packed this way.
        """
        if self._inflate is None:
            data = self._head = self._head + data
            if len(data) < 2:  # noqa: PLR2004 - the head of zlib's format, which some services leave out
                return
            zlibs = data[0] & 15 == zlib.DEFLATED and (data[0] << 8 | data[1]) % 31 == 0
            self._inflate = zlib.decompressobj(wbits=15 if zlibs else -15)
        more = not self._inflate.eof
        while more:
            before = self._inflate.copy()
            try:
                piece = self._inflate.decompress(data, LARGEST_UNPACKED)
            except zlib.error as error:
                yield from _until_fault(before, data)
                why = " ".join(str(error).split())
                raise TransportError(f"the answer can't be unpacked: {why} → ask again", passing=True) from None
            data = self._inflate.unconsumed_tail
            more = len(piece) == LARGEST_UNPACKED
            if piece:
                yield piece


def _until_fault(inflate: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """Yield what the sound beginning of `data` holds, which zlib forgets."""
    with suppress(zlib.error):
        for at in range(len(data)):
            yield inflate.decompress(data[at : at + 1], LARGEST_UNPACKED)


@lru_cache(maxsize=128)
def _url(address: str) -> httpx2.URL:
    import httpx2  # noqa: PLC0415 - as above

    return httpx2.URL(address)


def request_extensions(timeouts: Timeouts, stall: StallTimeout) -> dict[str, Any]:
    """Return what a transport is to know of a request; for reading there is the stall timeout, told when the request is out."""
    return {
        "timeout": {"connect": timeouts.connect, "write": timeouts.write, "read": None, "pool": None},
        "trace": stall.trace,
    }


async def iter_frames(call: HttpCall, mask: Mask, *, streams: bool = False) -> AsyncGenerator[list[bytes], None]:
    """Yield the frames of a response as they come, in lists, and `[DONE]` once it says that it is whole.

    Where a stream was asked for (`streams`), one object that comes instead says so too.
    """
    framer, head, any_frame, told, scheduler = Framer(), b"", False, False, FairScheduler.here()
    async with aclosing(call.pieces()) as pieces:
        async for piece in pieces:
            for at in range(0, len(piece), PIECE):
                await scheduler.turn()
                if frames := framer.feed(piece[at : at + PIECE]):
                    any_frame = True
                    call.stall.content_came()
                    yield frames
            if framer.whole and not told:
                told = any_frame = True
                yield [DONE]
            if not any_frame and len(head) < _ENOUGH:
                head += piece[:_ENOUGH]
    if last := framer.close():
        any_frame = True
        yield last
    if framer.whole and not told and (streams or not framer.is_json):
        yield [DONE]
    elif not any_frame and head.strip() and head.strip()[:1] not in b"{[d":
        kind = call.headers.get("content-type", "unknown type")
        raise WireError(f"not an answer of the API ({kind}): {mask.hide(head)[:80]!r} → check the base URL")
