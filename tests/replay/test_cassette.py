"""What is written is read again, exactly; what is no cassette says so in one line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.errors import ApiError, ConfigurationError, RateLimitError, ServerError, TransportError, WireError
from nbgemini.replay import cassette
from nbgemini.replay.cassette import Player, end_line, error_of, frame_line, opening_line, read_cassette
from nbgemini.replay.fingerprint import difference, request_fingerprint, summarize
from nbgemini.transport.request import Request


def asked(text, *, model="gemini-3.8-flash", earlier=(), **more):
    contents = [*earlier, {"role": "user", "parts": [{"text": text}]}]
    return Request(f"v1beta/models/{model}:streamGenerateContent", {"contents": contents, **more}, {"alt": "sse"})


def answer(name, request, *frames, end="complete", error=None):
    lines = [frame_line(name, number / 10, frame) for number, frame in enumerate(frames, 1)]
    return b"".join([opening_line(name, "gemini", request), *lines, end_line(name, 1, end, error)])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40) | st.from_type(dict).map(lambda data: json.dumps(str(data)).encode()), max_size=5))
def test_any_bytes_come_back(tmp_path_factory, frames):
    tape = tmp_path_factory.mktemp("any") / "tape"
    tape.write_bytes(answer("a", asked("hi"), *frames))
    (recording,) = read_cassette(tape)
    assert [json.loads(frame) if is_json(frame) else frame for _, frame in recording.frames] == [
        json.loads(frame) if is_json(frame) else frame for frame in frames
    ]
    assert recording.end == "complete"


def is_json(frame):
    try:
        json.loads(frame)
    except ValueError:
        return False
    return True


def test_json_stands_in_its_line_as_it_came(tmp_path):
    pretty = b'{\r\n "a": 1.50,\n "b": "\xe2\x80\xa8 \\n"\n}'
    tape = tmp_path / "tape"
    tape.write_bytes(answer("a", asked("hi"), pretty))
    assert len(tape.read_bytes().splitlines()) == 3
    assert read_cassette(tape)[0].frames == [(0.1, pretty.replace(b"\r", b" ").replace(b"\n", b" "))]


@pytest.mark.parametrize(
    "error",
    [
        TransportError("broke", passing=True),
        WireError("not JSON"),
        ApiError("no", code=404, status="NOT_FOUND", reason="X"),
        ServerError("busy", code=503, status="UNAVAILABLE"),
        RateLimitError("slow", code=429),
    ],
)
def test_an_error_comes_back_with_all_it_says(tmp_path, error):
    if isinstance(error, RateLimitError):
        error.retry_after, error.daily, error.passing = 3.5, True, False
    tape = tmp_path / "tape"
    tape.write_bytes(answer("a", asked("hi"), end="error", error=error))
    again = error_of(read_cassette(tape)[0].trouble)
    assert type(again) is type(error)
    names = ("code", "status", "reason", "retry_after", "daily", "passing")
    said, meant = ([str(one), *(getattr(one, name, None) for name in names)] for one in (again, error))
    assert said == meant


def test_an_error_of_a_kind_that_nobody_knows_is_one_of_transport():
    assert type(error_of(cassette.RecordedError("SystemExit", "x"))) is TransportError


def test_a_recording_may_break_off_at_any_byte(tmp_path):
    whole = answer("a", asked("hi"), b'{"x": 1}', b"no json") + answer("b", asked("ho"), b"{}")
    tape = tmp_path / "tape"
    for cut in range(len(whole) + 1):
        tape.write_bytes(whole[:cut])
        recordings = read_cassette(tape)
        tape.write_bytes(whole[:cut] + b"\n" + answer("c", asked("more"), b"{}"))
        assert len(read_cassette(tape)) == len(recordings) + 1
    assert [recording.end for recording in recordings] == ["complete", "complete"]


def test_answers_recorded_at_once_are_kept_apart(tmp_path):
    one, two = answer("a", asked("one"), b"1", b"2"), answer("b", asked("two"), b"3", b"4")
    mixed = [line for pair in zip(one.splitlines(True), two.splitlines(True), strict=True) for line in pair]
    tape = tmp_path / "tape"
    tape.write_bytes(b"".join(mixed))
    assert [[frame for _, frame in recording.frames] for recording in read_cassette(tape)] == [[b"1", b"2"], [b"3", b"4"]]


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01",
        b"\xff\xfe",
        b"hello\n",
        b"[1]\n",
        b'{"cells": [], "metadata": {}}',
        b'{"answer": 1}\n',
        b'{"answer": "a", "t": 1e9}\n',
        b'{"answer": "a", "t": NaN}\n',
        b'{"cassette": 2, "answer": "a"}\n',
        b'{"answer": "a", "frame": ' + b"[" * 100_000 + b"\n",
        b'{"answer":' + b"[" * 100_000 + b"\n",
        b"[" * 100_000 + b"\n",
        b'{"answer": "a", "base64": "?"}\n',
    ],
)
def test_what_is_no_cassette_says_so_in_one_line(tmp_path, data):
    tape = tmp_path / "tape"
    tape.write_bytes(data)
    with pytest.raises(ConfigurationError, match=r"tape is not a cassette, or damaged: line 1: ") as caught:
        read_cassette(tape)
    assert "\n" not in str(caught.value)


def test_no_file_and_too_large_a_file_say_so(tmp_path, monkeypatch):
    with pytest.raises(ConfigurationError, match="No such file"):
        read_cassette(tmp_path / "none")
    with pytest.raises(ConfigurationError, match="directory"):
        read_cassette(tmp_path)
    (tmp_path / "huge").write_bytes(b"\n" * 2_000_000)
    monkeypatch.setattr(cassette, "LARGEST", 1_048_576)
    with pytest.raises(ConfigurationError, match="huge is too large for a cassette: 1 MB of at most 1"):
        read_cassette(tmp_path / "huge")


def test_an_empty_file_is_a_cassette_without_answers(tmp_path):
    (tmp_path / "tape").touch()
    player = Player(read_cassette(tmp_path / "tape"))
    assert player.next(request_fingerprint(asked("hi"))) is None
    assert player.explain_miss(asked("hi")) == "nothing is recorded there"


def played(tmp_path, *answers):
    tape = tmp_path / "tape"
    tape.write_bytes(b"".join(answers))
    return Player(read_cassette(tape))


def test_the_nth_equal_request_gets_the_nth_recording_and_the_last_repeats(tmp_path):
    player = played(tmp_path, *(answer(name, asked("hi"), name.encode()) for name in "1234"), answer("x", asked("ho"), b"0"))
    got = [player.next(request_fingerprint(asked("hi"))).frames[0][1] for _ in range(6)]
    assert got == [b"1", b"2", b"3", b"4", b"4", b"4"]


def test_what_was_stopped_answers_only_where_there_is_nothing_else(tmp_path):
    stopped, broken = answer("1", asked("hi"), b"1", end="left"), opening_line("2", "gemini", asked("ho"))
    player = played(tmp_path, stopped, broken, answer("3", asked("hi"), b"3"))
    assert player.next(request_fingerprint(asked("hi"))).frames[0][1] == b"3"
    assert player.next(request_fingerprint(asked("ho"))).end == "open"


TURN = {"role": "model", "parts": [{"text": "so"}]}
CONFIG = {"generationConfig": {"temperature": 0.5}}


@pytest.mark.parametrize(
    ("recorded", "wanted", "told"),
    [
        (asked("a"), asked("a", model="m"), '-"model": "gemini-3.8-flash" +"model": "m"'),
        (
            asked("Why is the sky blue?"),
            asked("Why is the sky red?"),
            '-"prompt": "Why is the sky blue?" +"prompt": "Why is the sky red?"',
        ),
        (
            asked("a" * 90 + "b"),
            asked("a" * 90 + "c"),
            '-"prompt": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab" +"prompt": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"',
        ),
        (asked("a"), asked("a", earlier=[TURN]), '+"turn 1": "'),
        (asked("a", earlier=[TURN]), asked("a", earlier=[{**TURN, "role": "user"}]), '-"turn 1": "'),
        (asked("a"), asked("a "), '-"last turn": "'),
        (asked("a"), asked("a", **CONFIG), '+"temperature": 0.5'),
        (
            asked("a", systemInstruction={"parts": [{"text": "x" * 99}]}),
            asked("a"),
            '-"systemInstruction": ',
        ),
        (asked("a b"), asked("b c", model="m", earlier=[TURN], **CONFIG, seed=1), "and 1 more"),
    ],
)
def test_a_miss_says_what_differs(recorded, wanted, told):
    assert told in difference(summarize(recorded), summarize(wanted))
    assert "\n" not in difference(summarize(recorded), summarize(wanted))


def test_the_nearest_is_the_one_that_asks_the_same(tmp_path):
    near, far = asked("Why is the sky blue?", model="m"), asked("Tell me a joke")
    player = played(tmp_path, answer("1", far), answer("2", near), answer("3", far))
    assert player.explain_miss(asked("Why is the sky blue?")) == (
        'nearest (- recorded, + asked): -"model": "m" +"model": "gemini-3.8-flash"'
    )


def test_a_miss_after_tools_shows_what_they_gave():
    def tool_turn(degrees):
        response = {"functionResponse": {"name": "weather", "response": {"degrees": degrees}}}
        return Request("v1/models/m:generateContent", {"contents": [{"role": "user", "parts": [response]}]})

    told = difference(summarize(tool_turn(21)), summarize(tool_turn(22)))
    assert "21" in told
    assert "22" in told
