"""What is true after whatever happened to a stream, each as an assertion of its own, and all of them as one.

I7 (nothing leaks) is asserted when the client is closed, by `assert_all`; I6 (tools) and I8 (the loop) have tests of their own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import traceback

from nbgemini.errors import NbGeminiError
from nbgemini.messages.events import AnswerDelta, ThoughtDelta
from nbgemini.messages.segments import SegmentDelta, SegmentEnd, SegmentStart
from nbgemini.providers.common.parts import parts_to_events
from nbgemini.render.mimebundle import bundle
from tests.fakes.script import FINE
from tests.fakes.watched import CANARY, Asked, Watched
from tests.render.checker import Checker

TERMINAL = {"complete", "truncated", "interrupted", "blocked", "failed"}
FOREIGN = ("httpx", "httpcore", "h11.", "google.genai", "Traceback", "anyio", "msgspec")


def assert_one_end(asked: Asked) -> None:
    """I1: exactly one terminal state, reached once and never left."""
    reply = asked.reply
    assert reply.state in TERMINAL
    assert reply.done
    assert asked.ends == 1
    assert not TERMINAL & set(asked.states[:-1])
    state = reply.state
    reply.stop()
    assert reply._state.finish("interrupted") == []
    assert (reply.state, reply.exchange.state, asked.ends) == (state, state, 1)


def assert_nothing_lost(asked: Asked) -> None:
    """I2: what was shown is what the reply holds and what the transcript holds; each segment begins and ends once."""
    shown: dict[int, list[str]] = {}
    for change in asked.changes:
        match change:
            case SegmentStart(index):
                assert index not in shown
                shown[index] = []
            case SegmentDelta(index, text):
                shown[index].append(text)
    ended = [change.index for change in asked.changes if isinstance(change, SegmentEnd)]
    assert sorted(ended) == sorted(shown)
    assert ["".join(pieces) for pieces in shown.values()] == [segment.text for segment in asked.reply.segments]


def assert_kinds_apart(watched: Watched, asked: Asked) -> None:
    """I3: the kinds are those of the parts, and so is their order."""
    recalled = [(segment.kind, segment.text) for segment in watched.chat.segments(asked.reply.exchange)]
    shown = [(segment.kind, segment.text) for segment in asked.reply.segments]
    texts = ("thought", "answer")
    assert [item for item in shown if item[0] in texts] == [item for item in recalled if item[0] in texts]
    for part in asked.reply.exchange.parts:
        said = [event for event in parts_to_events([part]) if isinstance(event, AnswerDelta | ThoughtDelta)]
        kind = ThoughtDelta if part.get("thought") else AnswerDelta
        assert all(isinstance(event, kind) for event in said)


def assert_valid(watched: Watched) -> None:
    """I4: nothing that was asked is what Google would refuse."""
    assert watched.server.refused == []


def assert_stored_first(asked: Asked) -> None:
    """I5: the prompt was stored before the request left, and is there now."""
    assert asked.stored_first
    assert asked.reply.exchange.asked.parts[-1]["text"] == asked.prompt


async def assert_nothing_leaks(watched: Watched) -> None:
    """I7: once the client is closed there is no connection, no task and no stream of it."""
    await watched.client.aclose()
    async with asyncio.timeout(10):
        while watched.server.open:
            await asyncio.sleep(0.001)
    own = {asyncio.current_task()} | watched.server.tasks | watched.tasks
    assert [task for task in asyncio.all_tasks() - own if not task.done()] == []


def assert_no_secret(watched: Watched, asked: Asked) -> None:
    """I9: the key is in one header of each request and nowhere else, in none of its forms."""
    reply = asked.reply
    error = "".join(traceback.format_exception(reply.error)) if reply.error else ""
    told = [repr(reply), repr(vars(reply)), error, repr(watched.client), repr(vars(watched.client)), *watched.logged]
    told += [json.dumps([exchange.parts, exchange.note]) for exchange in watched.chat.transcript]
    for hit in watched.server.hits:
        headers = {name: value for name, value in hit.request.headers.items() if value == CANARY}
        assert set(headers) <= {"x-goog-api-key"}
        told += [hit.request.path, repr(hit.request.query), repr(hit.request.body)]
    everything = "\n".join(told)
    for form in (CANARY, base64.b64encode(CANARY.encode()).decode().rstrip("="), CANARY[::-1]):
        assert form not in everything


def assert_harmless(asked: Asked) -> None:
    """I10: what is shown is on the allow-list, the error too."""
    for segment in asked.reply.segments:
        html = str(bundle(segment).get("text/html", ""))
        checker = Checker()
        checker.feed(html)
        assert checker.faults == [], html


def assert_error_ours(asked: Asked) -> None:
    """I11: an error is ours, one line, and does not speak of libraries; a complete answer has none."""
    error = asked.reply.error
    if asked.reply.state in ("failed", "blocked"):
        assert error is not None
    if asked.reply.state in ("complete", "interrupted"):
        assert error is None
    if error is not None:
        assert isinstance(error, NbGeminiError)
        (line,) = error._render_traceback_()
        assert "\n" not in line
        assert len(line) < 700
        assert not any(word in line for word in FOREIGN), line
        assert error.__cause__ is None
        assert error.reply is asked.reply


async def assert_all(watched: Watched, asked: Asked, *, requests: int | None = 1) -> None:
    """Assert everything, and that the next prompt of the same chat is valid and answered. `requests`: I12."""
    if requests is not None:
        assert asked.requests == requests
    assert_one_end(asked)
    assert_nothing_lost(asked)
    assert_kinds_apart(watched, asked)
    assert_stored_first(asked)
    assert_harmless(asked)
    assert_error_ours(asked)
    watched.server.play(FINE)
    following = await watched.ask("and now?")
    assert (following.reply.state, following.reply.text, following.reply.thoughts) == ("complete", "fine", "hm")
    roles = [content["role"] for content in watched.server.hits[-1].body["contents"]]
    assert roles == ["user", "model"] * (len(roles) // 2) + ["user"]
    if asked.reply.state in ("failed", "blocked") and not asked.reply.exchange.past:
        assert len(roles) == 1  # nothing came of it that the service could go on from
    assert_valid(watched)
    assert_no_secret(watched, asked)
    await assert_nothing_leaks(watched)
