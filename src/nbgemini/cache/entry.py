"""What is kept of an answer, and by what name; which answers are worth keeping.

Invariants: what comes out of a store is judged as what goes in is, so nobody who can write there can make a tool run, an
error appear, or half an answer pass as one; an entry is data and nothing that runs.

A cassette knows a request however it is spelled, since people carry it from one program to another. A cache finds only what
this program has sent, so each byte counts: what differs in any way is another question. The name is made with the API key and
is nothing that can be made from the key alone; whoever has another key finds nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from nbgemini.errors import NbGeminiError
from nbgemini.messages import events
from nbgemini.messages.events import WHOLE, Done, Event, Finish, ResponseInfo, UsageReport
from nbgemini.messages.turns import Usage
from nbgemini.secrets import Secret
from nbgemini.transport.request import Request

LARGEST = 8 * 1024 * 1024  # bytes of an answer that is kept

Decode: TypeAlias = Callable[[bytes], list[Event]]

_VERSION = 1
_UNFIT = (
    *(events.ToolCall, events.ToolCallStart, events.ToolArgsDelta, events.ToolArgsText, events.ToolArgsPiece),
    *(events.ToolCallEnd, events.Fault, events.Continuation),
)


class CacheEntry(Struct, frozen=True):
    """One whole answer: its frames as they came, who gave it, and what it took."""

    frames: tuple[bytes, ...]
    model: str = ""
    usage: Usage = Usage()


class _Packed(Struct, frozen=True, array_like=True):
    version: int
    frames: tuple[bytes, ...]


def complete_entry(frames: Sequence[bytes], decode: Decode) -> CacheEntry | None:
    """Return the entry of an answer that is complete, without calls and faults; None for any other."""
    model, usage = "", Usage()
    finish: Finish | None = None
    try:
        for event in (event for frame in frames for event in decode(frame)):
            match event:
                case Finish():
                    finish = event
                case Done():
                    finish = finish or WHOLE
                case UsageReport(usage):
                    pass
                case ResponseInfo(model):
                    pass
                case _ if isinstance(event, _UNFIT):
                    return None
    except NbGeminiError:
        return None
    return CacheEntry(tuple(frames), model, usage) if finish is not None and finish.state == "complete" else None


def encode_frames(frames: Sequence[bytes]) -> bytes:
    """Return the frames as the bytes that a store keeps."""
    return msgspec.msgpack.encode(_Packed(_VERSION, tuple(frames)))


def decode_entry(data: bytes, decode: Decode) -> CacheEntry | None:
    """Return the entry that bytes of a store hold; None if they hold none that may be played."""
    try:
        found = msgspec.msgpack.decode(data, type=_Packed)
    except msgspec.DecodeError:
        return None
    return complete_entry(found.frames, decode) if found.version == _VERSION else None


_FORMAT = 1
_OFFERS = ("tools", "functions", "mcp_servers", "web_search_options")
_GOES_ON = (
    *("continuationToken", "previous_interaction_id", "previousInteractionId", "previous_response_id"),
    *("conversation", "cachedContent", "background"),
)


class CacheScope(Struct, frozen=True):
    """Who asks whom, in which words."""

    service: str
    dialect: str
    base_url: str
    key: Secret


def cache_key(request: Request, identity: CacheScope) -> str:
    """Return the name of a request's answer: 64 hexadecimal digits."""
    whom = (_FORMAT, identity.service, identity.dialect, identity.base_url)
    what = (request.method, request.path, dict(request.query), request.body)
    return hmac.new(identity.key.reveal().encode(), msgspec.json.encode((whom, what)), "sha256").hexdigest()


def is_cacheable(request: Request) -> bool:
    """Whether the request is a prompt that says all that its answer depends on, and asks for nothing but words.

    With a tool the answer depends on the world; what goes on from an earlier answer depends on what its service remembers.
    """
    body: Any = request.body or {}
    asks = request.reuse != "never" and request.method == "POST"
    return asks and bool(body) and not any(body.get(name) for name in (*_OFFERS, *_GOES_ON))
