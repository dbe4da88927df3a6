"""Vectors of texts without a model: every word has a direction of its own, so texts that share words are near each other."""

from __future__ import annotations

import hashlib
import math
import re
from array import array
from typing import Any

from nbgemini.offline.requests import InvalidRequest
from nbgemini.offline.stream import count_tokens
from nbgemini.offline.validation import BATCH_EMBED, EMBED, check_shape

_USUAL, _MOST = 768, 3072  # numbers in a vector
_AT_ONCE = 100  # texts in a request
_WORD = re.compile(r"\w+")


def vectors(body: dict[str, Any], method: str) -> dict[str, Any]:
    """Return the answer to a normalised request for one vector or for many."""
    many = method == "batchEmbedContents"
    check_shape(body, BATCH_EMBED if many else EMBED)
    requests = body.get("requests", []) if many else [body]
    if not requests:
        raise InvalidRequest("* BatchEmbedContentsRequest.requests: requests is not specified")
    if len(requests) > _AT_ONCE:
        raise InvalidRequest(f"* BatchEmbedContentsRequest.requests: at most {_AT_ONCE} requests can be in one batch")
    made = [{"values": _vector(text_of(request), _size(request))} for request in requests]
    usage = {"promptTokenCount": count_tokens([request["content"] for request in requests])}
    return {"embeddings": made, "usageMetadata": usage} if many else {"embedding": made[0], "usageMetadata": usage}


def text_of(request: dict[str, Any]) -> str:
    """Return the text that a vector is asked of."""
    parts = request.get("content", {}).get("parts")
    if not parts:
        raise InvalidRequest("* EmbedContentRequest.content: contents is not specified")
    return "".join(part.get("text", "") for part in parts)


def _size(request: dict[str, Any]) -> int:
    asked = request.get("outputDimensionality", request.get("embedContentConfig", {}).get("outputDimensionality", _USUAL))
    if type(asked) is not int or not 0 < asked <= _MOST:
        raise InvalidRequest(f"* EmbedContentRequest.output_dimensionality: must be from 1 to {_MOST}")
    return asked


def _vector(text: str, size: int) -> list[float]:
    words = _WORD.findall(text.lower()) or [text]
    digests = (hashlib.shake_256(word.encode("utf-8", "replace")).digest(2 * _MOST) for word in words)
    numbers = [math.fsum(column) for column in zip(*(array("h", digest) for digest in digests), strict=True)][:size]
    length = math.hypot(*numbers) or 1.0
    return [number / length for number in numbers]
