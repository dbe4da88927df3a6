"""Whatever JSON a client sends, it gets a well-formed HTTP answer with a body of Google's shape."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import example, given, settings, strategies as st

from nbgemini.offline.server import OfflineService
from tests.support.any_json import ANYTHING, FITTING, SCALARS, places, replaced
from tests.support.raw_requests import CALL, TOOLS, USER, ask, model, path, prompt

METHODS = ["streamGenerateContent?alt=sse", "streamGenerateContent", "generateContent", "countTokens"]
MODELS = ["gemini-3.8-flash", "gemini-2.5-flash", "gemini-2.0-flash"]


LOOSE = {name: values | ANYTHING | st.integers() for name, values in FITTING.items() if name != "gap"}
WRONG = {**LOOSE, "gap": st.sampled_from([0, -1, "x", None, 1e300]), "status": st.integers(398, 602) | SCALARS, "nope": SCALARS}
DIRECTED = st.one_of(st.fixed_dictionaries({}, optional=told) for told in (FITTING, FITTING, WRONG)).map(
    lambda told: prompt(f"offline: {json.dumps(told)}")
)
TALK = {
    **prompt("call f(a=1)"),
    "contents": [
        USER,
        model({"text": "x"}, {"thoughtSignature": "skip_thought_signature_validator", **CALL}),
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": 1}}}]},
    ],
    "tools": TOOLS,
    "generationConfig": {"temperature": 1, "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"}},
    "systemInstruction": {"parts": [{"text": "x"}]},
}


SPOILT = st.builds(replaced, st.just(TALK), st.sampled_from(list(places(TALK))), ANYTHING)
BODIES = st.one_of(ANYTHING, DIRECTED, SPOILT)


@pytest.fixture(scope="module")
def running():
    with OfflineService(pace=0) as service:
        yield service


def is_error(data, status):
    error = data["error"]
    assert data.keys() == {"error"}
    assert (type(error["message"]), type(error["status"])) == (str, str)
    return error["code"] == status


def check(answer, method):
    assert answer.whole
    data = answer.frames if answer.status == 200 and "alt=sse" in method else answer.json
    if answer.status != 200:
        assert answer.status in range(400, 600)
        return is_error(data[0] if method == "streamGenerateContent" else data, answer.status)
    if method == "countTokens":
        return data["totalTokens"] >= 1
    frames = data if isinstance(data, list) else [data]
    return all(is_error(frame, 503) if "error" in frame else "responseId" in frame or frame == {} for frame in frames)


@settings(max_examples=300, deadline=None)
@given(BODIES, st.sampled_from(METHODS), st.sampled_from(MODELS))
@example(prompt("\ud800"), METHODS[0], MODELS[0])
@example(prompt("call f(a=b'x', b={1}, c=1e999, d='\\ud800')", tools=TOOLS), METHODS[0], MODELS[0])
@example(prompt(f"call f(a={'-' * 5000}1)", tools=TOOLS), METHODS[0], MODELS[0])
@example(prompt(f"{'9' * 5000} * {'9' * 5000}"), METHODS[0], MODELS[0])
@example(prompt(f'offline: {{"parts": {"[" * 500}{"]" * 500}}}'), METHODS[0], MODELS[0])
@example(prompt('offline: {"parts": [["raw", {"text": 5}], ["raw", {"text": null}], ["answer", "x"]]}'), METHODS[2], MODELS[2])
@example(prompt('offline: {"parts": [["answer", "\\ud800"]]}'), METHODS[2], MODELS[2])
@example(prompt('offline: {"parts": [["answer", "x"]], "pieces": 0}'), METHODS[0], MODELS[0])
@example({"contents": [{"parts": [{"text": " "}]}, USER, model({"text": "x"}), USER]}, METHODS[0], MODELS[0])
def test_any_body_is_answered(running, body, method, name):
    data = json.dumps(body).encode()
    assert check(asyncio.run(ask(running, path(name, method), data)), method)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40) | st.integers(90, 3000).map(lambda deep: b"[" * deep + b"]" * deep), st.sampled_from(METHODS[:3]))
@example(b'{"contents": NaN}', METHODS[0])
@example(b'{"contents": 1e999}', METHODS[0])
@example(b'{"contents": [{"parts": [{"text": "\xff"}]}]}', METHODS[0])
@example(b"1" * 5000, METHODS[0])
def test_what_is_not_json_is_refused(running, data, method):
    answer = asyncio.run(ask(running, path(method=method), data))
    assert answer.status == 400
    assert check(answer, method)
