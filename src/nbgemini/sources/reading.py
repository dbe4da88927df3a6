"""What every answer over HTTP goes through, whoever brings it: is it one, and where are its frames?

Invariants: a body is read in bounded pieces, and others have their turn between them; what is read whole has a largest size; of
a body nothing is quoted before the key was taken out.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

from nbgemini.error_body import GEMINI_KEY, error_from_body, retry_after
from nbgemini.errors import TransportError, WireError
from nbgemini.pace import Pace
from nbgemini.secret import Mask
from nbgemini.sources.transport import Response
from nbgemini.sources.watch import Watch
from nbgemini.wire import DONE, Framer

_LARGEST_ERROR = 65_536  # bytes of an error body that are read
LARGEST_BODY = 128 * 2**20  # bytes of an answer that is no stream
PIECE = 8_192  # bytes of which frames are made at once: of the smallest that takes two milliseconds
_ENOUGH = 2_000  # bytes to tell what it was, and to hold a key whole
_OK = 200
_NO_KEY = Mask()


async def raise_if_refused(response: Response, watch: Watch, mask: Mask = _NO_KEY, key_name: str = GEMINI_KEY) -> None:
    """Raise the error that a response is, if it is none that was asked for.

    Some repeat the key that they refuse: it is hidden. `key_name` is where the service's key stands.
    """
    if response.status == _OK:
        return
    if response.status // 100 == 3:  # noqa: PLR2004 - HTTP
        where = urlsplit(response.headers.get("location", "")).hostname or "nowhere"
        raise TransportError(f"unexpected redirect to {where}; it was not followed, to keep the key at home")
    body = mask.hide(await _read(response, watch, _LARGEST_ERROR))
    wait = retry_after(response.headers.get("retry-after", ""), response.headers.get("date", ""))
    raise error_from_body(response.status, body, wait, key_name=key_name)


async def whole(response: Response, watch: Watch) -> bytes:
    """Return the body.

    Raises:
        WireError: it is too large.
    """
    body = await _read(response, watch, LARGEST_BODY)
    if len(body) > LARGEST_BODY:
        raise WireError(f"the answer is larger than {LARGEST_BODY >> 20} MiB → ask for less at once")
    return body


async def _read(response: Response, watch: Watch, enough: int) -> bytes:
    """Return the body; not much more than `enough` bytes of it."""
    pieces, held, pace = [], 0, Pace.here()
    while held <= enough and (chunk := await watch.awaited(response.chunk())):
        await pace.ready()
        pieces.append(chunk)
        held += len(chunk)
    return b"".join(pieces)


async def cut(response: Response, watch: Watch, mask: Mask = _NO_KEY, *, streams: bool = False) -> AsyncGenerator[bytes, None]:
    """Yield the frames of a response as they come, and `[DONE]` once it says that it is whole.

    Where a stream was asked for (`streams`), one object that comes instead says so too.
    """
    framer, head, any_frame, told, pace = Framer(), b"", False, False, Pace.here()
    while chunk := await watch.awaited(response.chunk()):
        for at in range(0, len(chunk), PIECE):
            await pace.ready()
            for frame in framer.feed(chunk[at : at + PIECE]):
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
        raise WireError(f"not an answer of the API ({kind}): {mask.hide(head)[:80]!r} → check the base URL")
