"""By what name an answer is kept: all of the request as it goes out, and who asks whom.

A cassette knows a request however it is spelled, since people carry it from one program to another. A cache finds only what
this program has sent, so each byte counts: what differs in any way is another question. The name is made with the API key and
is nothing that can be made from the key alone; whoever has another key finds nothing.
"""

from __future__ import annotations

import hmac
from typing import Any

import msgspec
from msgspec import Struct

from nbgemini.secrets import Secret
from nbgemini.transport.request import Request

_FORMAT = 1
_OFFERS = ("tools", "functions", "mcp_servers", "web_search_options")
_GOES_ON = (
    *("continuationToken", "previous_interaction_id", "previousInteractionId", "previous_response_id"),
    *("conversation", "cachedContent", "background"),
)


class Identity(Struct, frozen=True):
    """Who asks whom, in which words."""

    service: str
    dialect: str
    base_url: str
    key: Secret


def key_for(request: Request, identity: Identity) -> str:
    """Return the name of a request's answer: 64 hexadecimal digits."""
    whom = (_FORMAT, identity.service, identity.dialect, identity.base_url)
    what = (request.method, request.path, dict(request.query), request.body)
    return hmac.new(identity.key.reveal().encode(), msgspec.json.encode((whom, what)), "sha256").hexdigest()


def may_be_kept(request: Request) -> bool:
    """Whether the request is a prompt that says all that its answer depends on, and asks for nothing but words.

    With a tool the answer depends on the world; what goes on from an earlier answer depends on what its service remembers.
    """
    body: Any = request.body or {}
    asks = request.reuse != "never" and request.method == "POST"
    return asks and bool(body) and not any(body.get(name) for name in (*_OFFERS, *_GOES_ON))
