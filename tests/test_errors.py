"""What a service or a model says in an error is shown and steers nothing, wherever the error ends up."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import traceback

import pytest

from nbgemini.error_body import error_from_body
from nbgemini.errors import ApiError, BlockedError, NbGeminiError, ToolError, TransportError
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
