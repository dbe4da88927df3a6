"""Gemini's embeddings: texts to a request, an answer to vectors.

Sources: models.batchEmbedContents in the API's reference (ai.google.dev/api/embeddings), and how google-genai 3.4 asks it; the
service takes at most 100 texts in a request, and says so. Each text is a content of its own: as parts of one content they would
become one vector.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from nbgemini.errors import PromptError, WireError, nearest_name
from nbgemini.messages.events import Fault
from nbgemini.providers.common.json import non_empty
from nbgemini.providers.gemini.decode import GeminiDecoder
from nbgemini.providers.gemini.models import model_path
from nbgemini.transport.request import Request

AT_ONCE = 100  # texts of one request
TASKS = (
    "retrieval query", "retrieval document", "semantic similarity", "classification", "clustering", "question answering",
    "fact verification", "code retrieval query",
)  # fmt: skip


class _Vector(Struct):
    values: list[float]


class _Answer(Struct):
    embeddings: list[_Vector]


_decode = msgspec.json.Decoder(_Answer).decode


def embed_request(version: str, model: str, texts: Sequence[str], dimensions: int | None, task: str | None) -> Request:
    """Return the request for the vectors of these texts, `AT_ONCE` at most (PromptError: there is no such task)."""
    name = model_path(model)
    same = non_empty({"model": name, "taskType": None if task is None else _task(task), "outputDimensionality": dimensions})
    requests = [{**same, "content": {"parts": [{"text": text}]}} for text in texts]
    return Request(f"{version}/{name}:batchEmbedContents", {"requests": requests})


def vectors_of(frame: bytes, count: int) -> list[list[float]]:
    """Return the vectors of an answer, in the order of the texts.

    Raises:
        WireError: these are not `count` vectors.
        ApiError: the service reports an error.
    """
    try:
        vectors = [one.values for one in _decode(frame).embeddings]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        reported = [event.error for event in GeminiDecoder().feed(frame) if isinstance(event, Fault)]
        raise (reported or [WireError("the service sent something else than vectors → ask again")])[0] from None
    if len(vectors) != count or not all(vectors):
        raise WireError(f"the service sent {len(vectors)} vectors for {count} texts, or empty ones → ask again")
    return vectors


def _task(task: str) -> str:
    """Return a task in the service's words."""
    words = task.lower().replace("_", " ").strip()
    if words not in TASKS:
        near = nearest_name(words, TASKS)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(TASKS)}"
        raise PromptError(f"no task {task!r} for embeddings; {hint}")
    return words.upper().replace(" ", "_")
