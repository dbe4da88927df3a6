"""What vouches for whole blocks of thought: other protocols sign those."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

_SECRET = b"a test server"


def seal(said: Any) -> str:
    """Return what vouches for any JSON value."""
    return base64.b64encode(hmac.digest(_SECRET, json.dumps(said, sort_keys=True).encode(), "sha512")).decode()


def is_seal(text: str, said: Any) -> bool:
    """Whether a text vouches for a JSON value, in either alphabet of base64."""
    bare = text.replace("-", "+").replace("_", "/").rstrip("=")
    return hmac.compare_digest(bare.encode(), seal(said).rstrip("=").encode())
