"""What every answer over HTTP goes through, whoever brings it: is it one, and where are its frames?"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

from nbgemini.error_body import GEMINI_KEY, error_from_body, retry_after
from nbgemini.errors import TransportError, WireError
from nbgemini.secret import Secret, spellings, without
from nbgemini.sources.transport import Response
from nbgemini.sources.watch import Watch
from nbgemini.wire import DONE, Framer

_LARGEST_ERROR = 65_536  # bytes of an error body that are read
_ENOUGH = 200  # bytes to tell what it was
_OK = 200
_NO_KEY = Secret("")


async def raise_if_refused(response: Response, watch: Watch, key: Secret = _NO_KEY, key_name: str = GEMINI_KEY) -> None:
    """Raise the error that a response is, if it is none that was asked for.

    Some repeat the key that they refuse: it is hidden. `key_name` is where the service's key stands.
    """
    if response.status == _OK:
        return
    if response.status // 100 == 3:  # noqa: PLR2004 - HTTP
        where = urlsplit(response.headers.get("location", "")).hostname or "nowhere"
        raise TransportError(f"unexpected redirect to {where}; it was not followed, to keep the key at home")
    body = without(await whole(response, watch, _LARGEST_ERROR), spellings(key))
    wait = retry_after(response.headers.get("retry-after", ""), response.headers.get("date", ""))
    raise error_from_body(response.status, body, wait, key_name=key_name)


async def whole(response: Response, watch: Watch, enough: int | None = None) -> bytes:
    """Return the body; not much more than `enough` bytes of it."""
    pieces, held = [], 0
    while chunk := await watch.awaited(response.chunk()):
        pieces.append(chunk)
        held += len(chunk)
        if enough is not None and held > enough:
            break
    return b"".join(pieces)


async def cut(response: Response, watch: Watch, *, streams: bool = False) -> AsyncGenerator[bytes, None]:
    """Yield the frames of a response as they come, and `[DONE]` once it says that it is whole.

    Where a stream was asked for (`streams`), one object that comes instead says so too.
    """
    framer, head, any_frame, told = Framer(), b"", False, False
    while chunk := await watch.awaited(response.chunk()):
        for frame in framer.feed(chunk):
            any_frame = True
            watch.frame()
            yield frame
        if framer.whole and not told:
            told = any_frame = True
            yield DONE
        if not any_frame and len(head) < _ENOUGH:
            head += chunk[:_ENOUGH]
    for frame in framer.close():
        any_frame = True
        yield frame
    if framer.whole and not told and (streams or not framer.is_json):
        yield DONE
    elif not any_frame and head.strip() and head.strip()[:1] not in b"{[d":
        kind = response.headers.get("content-type", "unknown type")
        raise WireError(f"not an answer of the API ({kind}): {head[:80]!r} → check the base URL")
