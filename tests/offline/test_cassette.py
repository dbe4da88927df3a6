"""A played cassette is a service like any other: what it sent may be sent back."""

from __future__ import annotations

import pytest

from nbgemini import ConfigurationError
from nbgemini.errors import RateLimitError, TransportError
from nbgemini.offline.recordings import Cassette
from nbgemini.offline.server import OfflineService
from tests.fakes.tape import record
from tests.support.raw_requests import ANSWER, CALL, USER, ask, model, path, prompt

REAL = "CiQB0e2Kb+/x8="  # of another service
CALLING = {**CALL, "thoughtSignature": REAL}
ENDING = {"text": "", "thoughtSignature": "QUJD/+8="}


def frame(*parts, **more):
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0, **more}]}


@pytest.fixture
def taped(tmp_path):
    tape = tmp_path / "talk.gemini.jsonl"
    record(tape, "gemini-3.8-flash", prompt("hi"), [(0.1, frame(CALLING)), (0.2, frame(ENDING, finishReason="STOP"))])
    with OfflineService(pace=0, cassette=tape) as service:
        yield service


@pytest.mark.parametrize("spelled", [REAL, REAL.replace("+", "-").replace("/", "_"), REAL.rstrip("=")])
async def test_recorded_signatures_are_taken_in_their_own_place(taped, spelled):
    assert (await ask(taped, path(), prompt("hi"))).parts == [CALLING, ENDING]
    body = {"contents": [USER, model({**CALL, "thoughtSignature": spelled}, ENDING), ANSWER]}
    answer = await ask(taped, path(), body)
    assert answer.status == 200
    assert '`f` gave `{"r": 1}`' in answer.text


@pytest.mark.parametrize(
    "part",
    [
        {"functionCall": {"name": "f", "args": {"a": 2}}, "thoughtSignature": REAL},
        {**CALL, "thoughtSignature": ENDING["thoughtSignature"]},
        {**CALL, "thoughtSignature": REAL[:-2]},
    ],
)
async def test_recorded_signatures_are_refused_elsewhere(taped, part):
    answer = await ask(taped, path(), {"contents": [USER, model(part), ANSWER]})
    assert (answer.status, answer.json["error"]["message"]) == (400, "Invalid thought signature.")


async def test_a_recorded_call_in_pieces_goes_back_whole(tmp_path):
    begin = {"functionCall": {"name": "f", "willContinue": True}, "thoughtSignature": REAL}
    piece = {"functionCall": {"partialArgs": [{"jsonPath": "$.a", "numberValue": 1}]}}
    tape = tmp_path / "pieces.gemini.jsonl"
    record(tape, "gemini-3.8-flash", prompt("hi"), [(0, frame(begin)), (0, frame(piece, finishReason="STOP"))])
    with OfflineService(pace=0, cassette=tape) as service:
        for parts in ([begin, piece], [CALLING]):
            assert (await ask(service, path(), {"contents": [USER, model(*parts), ANSWER]})).status == 200
        renamed = {"functionCall": {"name": "g", "args": {"a": 1}}, "thoughtSignature": REAL}
        assert (await ask(service, path(), {"contents": [USER, model(renamed), ANSWER]})).status == 400


async def test_foreign_signatures_are_refused_without_the_cassette(service):
    assert (await ask(service, path(), {"contents": [USER, model(CALLING), ANSWER]})).status == 400


STRANGE = [
    {},
    {"candidates": None},
    {"candidates": [5, {"content": None}, {"content": {"parts": None}}, {"content": {"parts": ["x", {"text": 5}]}}]},
    {"usageMetadata": {"promptTokenCount": 1}},
]


async def test_strange_frames_are_played_as_they_came(tmp_path):
    tape = tmp_path / "strange.gemini.jsonl"
    record(tape, "gemini-2.0-flash", prompt("hi"), [(0, shown) for shown in STRANGE])
    with OfflineService(pace=0, cassette=tape) as service:
        assert (await ask(service, path("gemini-2.0-flash"), prompt("hi"))).frames == STRANGE
        whole = await ask(service, path("gemini-2.0-flash", "generateContent"), prompt("hi"))
    assert whole.json["candidates"][0]["content"]["parts"] == [{"text": 5}]


@pytest.mark.parametrize(
    ("error", "status"), [({"code": 499}, 499), ({"code": "x"}, 500), ({}, 500), ("x", 500), ({"code": 7}, 500)]
)
async def test_a_recorded_error_is_the_answer_in_one_piece(tmp_path, error, status):
    tape = tmp_path / "error.gemini.jsonl"
    record(tape, "gemini-2.0-flash", prompt("hi"), [(0, frame({"text": "x"})), (0, {"error": error})])
    with OfflineService(pace=0, cassette=tape) as service:
        answer = await ask(service, path("gemini-2.0-flash", "generateContent"), prompt("hi"))
    assert (answer.status, answer.json) == (status, {"error": error})


async def test_a_recorded_refusal_is_one_again(tmp_path):
    tape = tmp_path / "busy.gemini.jsonl"
    error = RateLimitError("Slow down (429 RESOURCE_EXHAUSTED) → ask again", code=429, status="RESOURCE_EXHAUSTED")
    error.retry_after = 3.5
    record(tape, "gemini-2.0-flash", prompt("hi"), [], end="error", error=error)
    with OfflineService(pace=0, cassette=tape) as service:
        answer = await ask(service, path("gemini-2.0-flash"), prompt("hi"))
    assert answer.status == 429
    told = answer.json[0]["error"] if isinstance(answer.json, list) else answer.json["error"]
    assert (told["message"], told["status"], told["details"][0]["retryDelay"]) == ("Slow down", "RESOURCE_EXHAUSTED", "3.5s")


@pytest.mark.parametrize("end", ["left", "open", "error"])
async def test_what_broke_off_breaks_off_again(tmp_path, end):
    tape = tmp_path / "broken.gemini.jsonl"
    error = TransportError("the connection broke") if end == "error" else None
    record(tape, "gemini-2.0-flash", prompt("hi"), [(0, frame({"text": "x"}))], end=end, error=error)
    with OfflineService(pace=0, cassette=tape) as service:
        assert not (await ask(service, path("gemini-2.0-flash"), prompt("hi"))).whole


@pytest.mark.parametrize("line", ["[]", '{"request": "x"}', '{"answer": 5}', '{"answer": "x", "t": -1}', "{}x"])
def test_what_is_not_a_cassette_is_no_cassette(tmp_path, line):
    tape = tmp_path / "x.gemini.jsonl"
    tape.write_text(line + "\n")
    with pytest.raises(ConfigurationError, match=r"is not a cassette, or damaged: line 1"):
        Cassette(tape)
