"""What a service or a model says in an error is shown and steers nothing, wherever the error ends up."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import traceback
from contextlib import suppress

import pytest

from nbgemini.errors import ApiError, BlockedError, NbGeminiError, ServerError, ToolError, TransportError
from nbgemini.transport.api_errors import error_from_body
from tests.corpus import PAYLOADS
from tests.render.checker import controls


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: repr(payload)[1:50])
def test_no_message_steers_a_terminal(payload):
    body = json.dumps({"error": {"message": payload, "status": payload, "details": [{"reason": payload}]}}).encode()
    for error in (
        error_from_body(400, body),
        error_from_body(502, payload.encode("utf-8", "replace")),
        BlockedError(payload),
        ToolError(payload),
        TransportError(payload),
    ):
        for shown in (str(error), repr(error), *error._render_traceback_(), *traceback.format_exception_only(error)):
            assert [char for char in controls(shown) if not char.isprintable()] == []  # letters without a shape steer nothing
            assert "\n" not in shown.removesuffix("\n")


def test_a_message_stays_as_it_is_through_copies():
    for error in (ApiError("\x1b[31m naïve 日本 → x", code=400), NbGeminiError(), ToolError("a")):
        assert str(copy.copy(error)) == str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(NbGeminiError("naïve 日本 → “x” …")) == "naïve 日本 → “x” …"
    assert str(NbGeminiError("\x1b[2J\x9b\u202e")) == "\\x1b[2J\\x9b\\u202e"


def test_a_script_that_dies_of_it_prints_no_control_character():
    code = "from nbgemini.errors import ApiError\nraise ApiError('\\x1b]0;owned\\x07 \\x9b31m')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "owned" in run.stderr
    assert controls(run.stderr.replace("\n", "")) == []


def refused(delay=None, header=None, **more):
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}] if delay else []
    body = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED", "details": [*details, more]}}
    return str(error_from_body(429, json.dumps(body).encode(), header)).split(" → ")[1]


def test_a_quota_says_when_it_is_there_again():
    assert refused("41.2s") == "ask again in 42 s; %gemini models lists other models"
    assert refused(header=7.0) == "ask again in 7 s; %gemini models lists other models"
    assert refused("2s", header=7.0).startswith("ask again in 2 s")
    assert refused("600s").startswith("ask again in 10 min")
    assert refused("36000s").startswith("ask again in 10 h")
    assert refused().startswith("ask again in a moment")
    assert refused("2s", quotaId="GenerateRequestsPerDay").startswith("the daily quota resets at midnight Pacific time")


def test_one_line_while_it_fails_and_the_chain_afterwards(monkeypatch):
    """`%tb` shows what IPython keeps in sys.last_value, when nothing fails any more."""
    inner, outer = KeyError("inner"), ToolError("outer")
    outer.__cause__ = inner
    monkeypatch.setattr(sys, "last_value", outer, raising=False)
    with pytest.raises(ToolError) as caught:
        raise_and_render(outer, lines := [])
    assert lines == ["ToolError: outer"]
    lines = caught.value._render_traceback_()
    assert "KeyError: 'inner'" in lines
    assert lines[-1].endswith("ToolError: outer")
    assert not [line for line in lines if "\n" in line]


def raise_and_render(error, lines):
    try:
        raise error
    finally:
        lines += error._render_traceback_()


def test_an_error_is_one_line_in_a_cell():
    assert ServerError("busy")._render_traceback_() == ["ServerError: busy"]
    assert NbGeminiError("x").reply is None


def test_an_error_is_the_whole_chain_when_it_is_asked_for_later(monkeypatch):
    busy = ServerError("busy")
    monkeypatch.setattr(sys, "last_value", busy, raising=False)
    with suppress(ServerError):
        try:
            raise busy
        finally:
            at_once = busy._render_traceback_()
    later = busy._render_traceback_()
    assert at_once == ["ServerError: busy"]
    assert later[0].startswith("Traceback")
    assert later[-1].endswith("ServerError: busy")
