"""Cassettes made by hand."""

from __future__ import annotations

import json
from itertools import count

from nbgemini.replay.cassette import end_line, frame_line, opening_line
from nbgemini.transport.request import Request

_numbers = count()


def record(path, model, body, frames, **end):
    """Add an answer to a request: frames with their seconds since it, and how it ended (well)."""
    name = f"answer-{next(_numbers)}"
    request = Request(f"v1beta/models/{model}:streamGenerateContent", body, {"alt": "sse"})
    with path.open("ab") as file:
        file.write(opening_line(name, "gemini", request))
        file.writelines(frame_line(name, seconds, json.dumps(frame, ensure_ascii=False).encode()) for seconds, frame in frames)
        file.write(end_line(name, max([0.0, *(seconds for seconds, _ in frames)]), **{"end": "complete", **end}))
