"""One function a reader: it takes any bytes and fails where a promise of that reader does."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec

from nbgemini.chat.structured_output import value_so_far
from nbgemini.errors import ApiError, ConfigurationError, NbGeminiError, WireError
from nbgemini.messages.events import (
    PartReceived,
    ToolArgsDelta,
    ToolArgsPiece,
    ToolArgsText,
    ToolCall,
    ToolCallEnd,
    ToolCallGrowing,
    ToolCallStart,
)
from nbgemini.messages.segments import Segmenter
from nbgemini.messages.tool_call_assembler import ToolCallAssembler
from nbgemini.offline.recordings import Cassette
from nbgemini.providers.gemini.codec import GeminiCodec
from nbgemini.render.sanitize import sanitize
from nbgemini.render.streaming_markdown import to_html
from nbgemini.replay.cassette import end_line, error_of, frame_line, opening_line, read_cassette
from nbgemini.transport.api_errors import error_from_body
from nbgemini.transport.asyncio_transport import ResponseParser
from nbgemini.transport.framing import Framer
from nbgemini.transport.request import Request
from tests.render.checker import controls, faults

_NEXT = b"".join(
    [
        opening_line("the next", "gemini", Request("models/m:generateContent", {"contents": []})),
        *(frame_line("the next", seconds, frame) for seconds, frame in ((0.1, b"{}"), (0.2, b"\xff"))),
        end_line("the next", 0.3, "complete"),
    ]
)
_SCRATCH = tempfile.TemporaryDirectory(prefix="nbgemini-fuzz-")


def framer(data):
    """Frames are the same however the bytes are cut, and too large ones are a WireError."""
    whole = _frames([data])
    assert _frames(data[at : at + 1] for at in range(len(data))) == whole
    middle = len(data) // 2
    assert _frames([data[:middle], b"", data[middle:]]) == whole


def http_response(data):
    """A body is the same however the bytes are cut, and is whole or has one trouble."""
    whole = _body([data])
    assert _body(data[at : at + 1] for at in range(len(data))) == whole
    middle = len(data) // 2
    assert _body([data[:middle], b"", data[middle:]]) == whole


def gemini(data):
    """Any bytes are events, or one WireError; whatever comes can be shown, stored and sent back."""
    try:
        events = GeminiCodec().decoder()(data)
    except WireError:
        return
    for event in events:
        if isinstance(event, PartReceived):
            msgspec.json.encode(event.part)
    segmenter = Segmenter()
    segmenter.feed(events)
    segmenter.close()
    assert all(isinstance(segment.text, str) for segment in segmenter.segments)


def tool_args(data):
    """Whatever comes in whatever order, a call is made once and of an object, and nothing is raised."""
    calls, made = ToolCallAssembler(), []
    for event in _tool_events(data):
        made += [news for news in calls.feed(event) if isinstance(news, ToolCall)]
    assert all(isinstance(call, ToolCallGrowing) for call in calls.close())
    assert all(isinstance(call.args, dict) for call in made)
    ids = [call.id for call in made if call.id]
    assert len(ids) == len(set(ids))


def markdown(data):
    """Any Markdown, and any HTML, leaves with nothing but what the allow-list names."""
    text = data.decode("utf-8", "replace")
    html = to_html(text)
    assert faults(html) == []
    assert controls(html) == []
    assert [fault for fault in faults(sanitize(text)) if not fault.startswith(("unbalanced", "left open"))] == []


def cassette(data):
    """A file is a cassette, or one line says that it is none."""
    path = Path(_SCRATCH.name) / "tape"
    path.write_bytes(data)
    try:
        tape = Cassette(path)
    except ConfigurationError as error:
        line = str(error)
    else:
        line = ""
        assert tape.play("m", {"contents": []}) is None
    assert "\n" not in line


def recording(data):
    """A file is recordings, and stays one when the next is written to it; or one line says what is wrong with it."""
    path = Path(_SCRATCH.name) / "recording"
    path.write_bytes(data)
    try:
        recordings = read_cassette(path)
    except ConfigurationError as error:
        line = str(error)
    else:
        line = ""
        _check_recordings(recordings, path, data)
    assert "\n" not in line


def _check_recordings(recordings, path, data):
    assert all(isinstance(error_of(one.trouble), NbGeminiError) for one in recordings if one.trouble)
    assert all(0 <= seconds <= 1e6 for one in recordings for seconds, _ in one.frames)
    path.write_bytes(data + b"\n" + _NEXT)
    *former, last = read_cassette(path)
    assert former == recordings
    assert (last.frames, last.end) == ([(0.1, b"{}"), (0.2, b"\xff")], "complete")


def partial_json(data):
    """The beginning of any text gives a value of JSON or nothing, and a whole one that begins with a bracket its value."""
    text = data[:400].decode("utf-8", "replace")
    for end in range(len(text) + 1):
        json.dumps(value_so_far(text[:end]))
    with suppress(ValueError, RecursionError):
        whole = json.loads(text)
        assert not isinstance(whole, dict | list) or repr(value_so_far(text)) == repr(whole)


def error_body(data):
    """Any body of any code is one of our errors, whose line is one line."""
    error = error_from_body(400 + (data[0] if data else 0), data[1:])
    assert isinstance(error, ApiError)
    assert "\n" not in str(error)
    assert error.retry_after is None or error.retry_after >= 0
    assert len(str(error)) < 2000


_CHECKS = (framer, http_response, gemini, tool_args, partial_json, markdown, cassette, recording, error_body)
HARNESSES = {check.__name__: check for check in _CHECKS}


def _frames(chunks):
    ours, frames = Framer(1000), []
    try:
        for chunk in chunks:
            frames += ours.feed(chunk)
        return [*frames, *ours.close()], ""
    except WireError as error:
        return frames, str(error)


def _body(chunks):
    parser, body = ResponseParser(), []
    for chunk in chunks:
        body.append(parser.feed(chunk))
    parser.end()
    assert parser.done != bool(parser.fault)
    return b"".join(body), parser.status, parser.headers if parser.status else [], parser.done


def _tool_events(data):
    """Bytes as events: one a line, its kind and call by the first byte."""
    for line in data.split(b"\n"):
        kind, key = (line[0] % 6, str(line[0] % 2)) if line else (5, "0")
        text = line[1:].decode("utf-8", "replace")
        match kind:
            case 0:
                yield ToolCallStart(key, text[:9], text[9:12] or None)
            case 1:
                yield ToolArgsDelta(key, text)
            case 2:
                yield ToolArgsText(key, text)
            case 3:
                path, _, value = text.partition("=")
                yield ToolArgsPiece(key, path, _json(value), more=line[0] > 127)
            case 4:
                yield ToolCall(text[:9], {"a": text[9:]}, text[:2] or None)
            case _:
                yield ToolCallEnd(key)


def _json(text):
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
