"""A prompt's directive does what it says, in a stream and in one piece; what is wrong in it is refused."""

from __future__ import annotations

import json

import pytest

from nbgemini.offline.directive import Directive, parse_directive, scripted_parts
from nbgemini.offline.requests import InvalidRequest
from nbgemini.offline.server import OfflineService
from tests.support.raw_requests import TOOLS, ask, connect, directive, model, path, prompt, request, until

STREAM, WHOLE = path("gemini-2.0-flash"), path("gemini-2.0-flash", "generateContent")
MODERN, MODERN_WHOLE = path(), path(method="generateContent")
A, B = ["call", "f", {"city": "Rome"}], ["call", "g", {"city": "Oslo"}]


@pytest.mark.parametrize(
    "told",
    [
        {"nope": 1},
        {"parts": "x"},
        {"parts": [5]},
        {"parts": [["nope", "x"]]},
        {"parts": [["answer", 5]]},
        {"parts": [["answer"]]},
        {"parts": [["call", "f", "x"]]},
        {"parts": [["frame", ["answer", None]]]},
        {"parts": [["raw", "x"]]},
        {"frames": -1},
        {"frames": 10**9},
        {"frames": "3"},
        {"frames": True},
        {"frames": 1000, "chars": 10**6},
        {"frames": 1, "chars": 10**9},
        {"parts": [["answer", "x"]], "pieces": 0},
        {"parts": [["answer", "x"]], "pieces": 10**9},
        {"frames": 1, "gap": -1},
        {"frames": 1, "gap": 1e9},
        {"frames": 1, "gap": "0"},
        {"frames": 1, "finish": 5},
        {"frames": 1, "cut": -1},
        {"frames": 1, "stall": 0.5},
        {"frames": 1, "fault": []},
        {"status": 200},
        {"status": 600},
        {"status": "503"},
        {"status": 503, "error": "x"},
        {"status": 503, "retry_delay": 3},
        {"status": 503, "retry_delay": "soon"},
    ],
    ids=json.dumps,
)
async def test_a_wrong_directive_is_refused(service, told):
    for target in (MODERN, MODERN_WHOLE):
        answer = await ask(service, target, directive(**told))
        assert (answer.status, answer.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
        assert answer.json["error"]["message"].startswith("The prompt's directive is not valid. ")


async def test_a_directive_that_is_not_json_is_refused(service):
    answer = await ask(service, MODERN, prompt("offline: {'parts': []}"))
    assert (answer.status, answer.json["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_without_parts_the_service_says_what_it_would_have_said(service):
    asked = "What is 2 + 3?"
    plain = await ask(service, MODERN, prompt(asked))
    cut = await ask(service, MODERN, prompt(f'{asked}\noffline: {{"cut": 1, "gap": 0}}'))
    assert cut.parts == plain.parts[:1]
    assert not cut.whole


@pytest.mark.parametrize("status", [400, 429, 499, 503, 529])
async def test_any_status_can_be_asked_for(service, status):
    told = directive(status=status, error={"status": "X", "message": "m"}, retry_delay="1.5s")
    answer = await ask(service, MODERN, told)
    error = answer.json["error"]
    assert (answer.status, error["code"], error["status"], error["message"]) == (status, status, "X", "m")
    assert error["details"][0]["retryDelay"] == "1.5s"


async def test_the_very_same_is_refused_so_many_times(service):
    told = directive(status=503, times=2)
    assert [(await ask(service, WHOLE, told)).status for _ in range(3)] == [503, 503, 200]
    assert (await ask(service, WHOLE, directive(status=503, times=2, gap=0))).status == 503  # another prompt


async def test_a_fault_comes_after_so_many_frames(service):
    answer = await ask(service, STREAM, directive(frames=3, fault=2))
    assert [("error" in frame) for frame in answer.frames] == [False, False, True]
    assert answer.whole
    whole = await ask(service, WHOLE, directive(frames=3, fault=2))
    assert (whole.status, whole.json) == (503, answer.frames[-1])


async def test_a_fault_behind_the_last_frame_never_comes(service):
    for target in (STREAM, WHOLE):
        answer = await ask(service, target, directive(frames=3, fault=9))
        assert answer.status == 200
        assert b'"error"' not in answer.body


@pytest.mark.parametrize("cut", range(4))
async def test_a_cut_answer_comes_as_far_as_its_frames_did(service, cut):
    stream = await ask(service, STREAM, directive(frames=3, cut=cut, gap=0))
    assert (stream.whole, len(stream.frames)) == (False, cut)
    reader, writer = await connect(service)
    writer.write(request(WHOLE, directive(frames=3, cut=cut, gap=0)))
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    length = int(head.split("Content-Length: ")[1].split("\r\n")[0])
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert len(body) == (length - 1) * cut // 3 < length
    writer.close()


async def test_a_cut_behind_the_last_frame_never_comes(service):
    for target in (STREAM, WHOLE):
        assert (await ask(service, target, directive(frames=3, cut=9))).whole


async def test_an_answer_in_one_piece_takes_as_long_as_the_stream():
    with OfflineService(pace=0) as service:
        reader, writer = await connect(service)
        writer.write(request(WHOLE, directive(frames=2, gap=3600)))
        await until(lambda: len(service.requests) == 1)
        assert (await ask(service, WHOLE, directive(frames=2, gap=0))).status == 200
        assert not reader._buffer
        writer.close()


async def test_a_stalled_answer_in_one_piece_ends_when_the_client_leaves(service):
    reader, writer = await connect(service)
    writer.write(request(WHOLE, directive(frames=2, stall=1)))
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("target", [STREAM, WHOLE])
async def test_a_stalled_answer_goes_on_when_its_file_is_there(service, tmp_path, target):
    reader, writer = await connect(service)
    writer.write(request(target, directive(frames=2, chars=9, gap=0, stall=1, until=str(tmp_path / "go"))))
    if target is STREAM:
        assert b"word0" in await reader.readuntil(b"word0")
    await until(lambda: len(service.requests) == 1)
    assert b"word1" not in reader._buffer
    (tmp_path / "go").touch()
    await reader.readuntil(b"word1")
    writer.close()


def test_several_parts_stand_in_one_frame():
    said = scripted_parts(Directive(parts=[["answer", "x"], ["frame", ["thought", "t"], ["answer", "y"], A]]))
    assert [item.joined for item in said] == [False, False, True, True]


@pytest.mark.parametrize("name", ["gemini-3.8-flash", "gemini-2.5-flash", "gemini-2.0-flash"])
async def test_calls_stand_where_their_family_has_them(service, name):
    modern = name.startswith("gemini-3")
    answer = await ask(service, path(name), directive(parts=[["answer", "I look."], A, B]))
    frames = [[set(part) for part in frame["candidates"][0]["content"]["parts"]] for frame in answer.frames]
    signed = {"functionCall", "thoughtSignature"}
    calls = (
        [[signed], [{"functionCall"}], [{"text"}]]
        if modern
        else [[signed if "2.5" in name else signed - {"thoughtSignature"}, {"functionCall"}]]
    )
    assert frames == [[{"text"}], *calls]
    made = [part["functionCall"] for part in answer.parts if "functionCall" in part]
    assert [(call["name"], call["args"]) for call in made] == [("f", {"city": "Rome"}), ("g", {"city": "Oslo"})]
    assert [("id" in call) for call in made] == [modern, modern]
    assert len({call.get("id") for call in made}) == (2 if modern else 1)
    last = answer.frames[-1]["candidates"][0]
    assert last["finishReason"] == "STOP"
    assert ("finishMessage" in last) == (not modern)


async def test_parallel_calls_may_share_a_frame_in_any_family(service):
    answer = await ask(service, MODERN, directive(parts=[["frame", A, B]]))
    first = answer.frames[0]["candidates"][0]["content"]["parts"]
    assert [part["functionCall"]["name"] for part in first] == ["f", "g"]
    assert [("thoughtSignature" in part) for part in first] == [True, False]


def answered(told, parts, *names):
    responses = [{"functionResponse": {"name": name, "response": {"result": f"sunny {n}"}}} for n, name in enumerate(names)]
    return {**told, "contents": [*told["contents"], model(*parts), {"role": "user", "parts": responses}]}


@pytest.mark.parametrize(
    "told", [[A, B], [["frame", A, B]], [["raw", {"functionCall": {"name": n, "args": {}}}] for n in "fg"]]
)
@pytest.mark.parametrize("name", ["gemini-3.8-flash", "gemini-2.5-flash"])
async def test_results_are_answered_with_text_that_names_them(service, name, told):
    asked = {**directive(parts=told), "tools": TOOLS}
    called = await ask(service, path(name), asked)
    answer = await ask(service, path(name), answered(asked, called.parts, "f", "g"))
    assert '`f` gave `{"result": "sunny 0"}`' in answer.text
    assert '`g` gave `{"result": "sunny 1"}`' in answer.text
    refused = await ask(service, path(name), answered(asked, called.parts, "f"))
    assert "number of function response parts" in refused.json["error"]["message"]


async def test_arguments_come_in_pieces(service):
    args = {"flight": {"seat": "12A", "stops": ["Rome", None]}, "n": 2, "ok": True, "a b": 1.5}
    asked = directive(parts=[["streamed_call", "book", args]], pieces=2)
    answer = await ask(service, MODERN, asked)
    calls = [part["functionCall"] for part in answer.parts if "functionCall" in part]
    first = calls.pop(0)
    assert (first["name"], first["willContinue"], set(first)) == ("book", True, {"id", "name", "willContinue"})
    assert calls.pop() == {}
    assert all(call["willContinue"] is True for call in calls)
    assert [value for call in calls for value in call["partialArgs"]] == [
        {"jsonPath": "$.flight.seat", "stringValue": "12", "willContinue": True},
        {"jsonPath": "$.flight.seat", "stringValue": "A"},
        {"jsonPath": "$.flight.stops[0]", "stringValue": "Ro", "willContinue": True},
        {"jsonPath": "$.flight.stops[0]", "stringValue": "me"},
        {"jsonPath": "$.flight.stops[1]", "nullValue": "NULL_VALUE"},
        {"jsonPath": "$.n", "numberValue": 2},
        {"jsonPath": "$.ok", "boolValue": True},
        {"jsonPath": '$["a b"]', "numberValue": 1.5},
    ]
    assert [("thoughtSignature" in part) for part in answer.parts if "functionCall" in part] == [True] + [False] * 9
    assert "sunny 0" in (await ask(service, MODERN, answered(asked, answer.parts, "book"))).text


@pytest.mark.parametrize(("args", "status"), [({"seat": "12A", "n": 2}, 200), ({"n": 2.0, "seat": "12A"}, 200), ({}, 400)])
async def test_a_call_in_pieces_is_signed_with_all_its_arguments(service, args, status):
    """It goes back whole, and only as it was made."""
    asked = directive(parts=[["streamed_call", "book", {"seat": "12A", "n": 2}]], pieces=3)
    first = (await ask(service, MODERN, asked)).parts[0]
    whole = {**first, "functionCall": {"id": first["functionCall"]["id"], "name": "book", "args": args}}
    assert (await ask(service, MODERN, answered(asked, [whole], "book"))).status == status


async def test_the_signature_of_a_call_in_pieces_stays_with_its_name(service):
    asked = directive(parts=[["streamed_call", "book", {"n": 2}]])
    first, *rest = (await ask(service, MODERN, asked)).parts
    other = {**first, "functionCall": {**first["functionCall"], "name": "pay"}}
    assert (await ask(service, MODERN, answered(asked, [other, *rest], "pay"))).status == 400


async def test_a_streamed_call_keeps_its_frames_in_every_family(service):
    answer = await ask(service, STREAM, directive(parts=[["streamed_call", "f", {"a": 1}], A, B]))
    assert [len(frame["candidates"][0]["content"]["parts"]) for frame in answer.frames] == [1, 1, 1, 2]


def test_only_a_line_of_its_own_directs():
    assert parse_directive('say offline: {"frames": 2}') == Directive()
    assert parse_directive('x\noffline: {"frames": 2} \r\ny').frames == 2
    with pytest.raises(InvalidRequest):
        parse_directive('offline: {"frames": 2}}')
