"""What the tests of the Interactions codec share: requests that Google's own types take, and streams of steps."""

from __future__ import annotations

import base64
import json

from nbgemini.messages.events import PartReceived
from nbgemini.messages.turns import Options
from nbgemini.providers.interactions.codec import InteractionsCodec

codec = InteractionsCodec()
ASK = Options(model="gemini-3.8-flash")
PNG = base64.b64encode(b"\x89PNG").decode()


def encoded(*turns, **options):
    """The body of a request, which Google's own types take without finding anything unknown in it."""
    from google.genai._gaos.types.interactions import CreateModelInteraction

    body = codec.encode(turns, Options(**{"model": "gemini-3.8-flash", **options})).body
    taken = CreateModelInteraction.model_validate(body)
    assert not list(unknown_to_google(taken))
    assert json.loads(json.dumps(taken.model_dump(mode="json", by_alias=True, exclude_none=True))) == body
    return body


def unknown_to_google(value):
    if type(value).__name__ == "FunctionResultStepResult":
        return  # any object at all
    if getattr(value, "is_unknown", False) or getattr(value, "model_extra", None):
        yield value
    inside = vars(value).values() if hasattr(value, "model_fields_set") else value if isinstance(value, list) else ()
    for item in inside:
        yield from unknown_to_google(item)


def stream(*frames):
    decode = codec.decoder()
    return [event for frame in frames for event in decode(json.dumps(frame).encode())]


def step(block, *deltas, end=True):
    yield {"event_type": "step.start", "index": 0, "step": block}
    for delta in deltas:
        yield {"event_type": "step.delta", "index": 0, "delta": delta}
    if end:
        yield {"event_type": "step.stop", "index": 0}


def completed(status, **more):
    return {"event_type": "interaction.completed", "interaction": {"id": "v1", "status": status, **more}}


def parts(events):
    return tuple(event.part for event in events if isinstance(event, PartReceived))


def without_parts(events):
    return [event for event in events if not isinstance(event, PartReceived)]
