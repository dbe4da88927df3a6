"""Recorded in one kernel, replayed in another that has neither key nor network: the saved outputs are the same."""

from __future__ import annotations

import json
import re

import pytest

from nbgemini.offline.server import OfflineService
from tests.kernel.conftest import Kernel, complaints, is_final_status, kinds, outputs, parent, said, summary

NOWHERE = "http://127.0.0.1:9"
TOOL = 'def weather(city: str) -> str:\n    """Say how warm it is."""\n    return f"21 in {city}"'
CELLS = (
    "%%gemini\nWhy is the sky blue, but the sunset red?",
    '%%gemini -t weather --approve auto\nPlease call weather(city="Rome") and call weather(city="Oslo").',
    "%%gemini --once\nWrite a Python generator of prime numbers.",
    '%%gemini\noffline: {"parts": [["thought", "hm"], ["answer", "cut"]], "pieces": 3, "cut": 4, "gap": 0}',
    '%%gemini --once\noffline: {"status": 400, "error": {"message": "Not like this."}}',
)


@pytest.fixture(params=["at_end", "live"])
def sits(request):
    return request.param == "live"


def shown(kernel, sits):
    """The outputs of all cells at rest, without times and what marks a replay."""
    kernel.run(TOOL)
    made = []
    for code in CELLS:
        cell = kernel.send(code, sits=sits)
        messages = kernel.until(lambda message, cell=cell: parent(message) == cell and is_final_status(message))
        messages += kernel.run("pass", sits=sits)
        made.append(outputs(messages, cell))
    return made


def without_times(made):
    text = json.dumps(made, sort_keys=True, ensure_ascii=False)
    text = re.sub(r'(<span class=\\"nbgemini-badge\\">)?(offline service|replay)(</span>)? · ', "", text)
    return json.loads(re.sub(r"( · )?\d+(\.\d+)? s\b", "", text.replace(" · nothing spent", "")))  # a call may take none


def test_the_outputs_are_the_same(python, tmp_path, sits):
    tape = tmp_path / "notebook.gemini.jsonl"
    with OfflineService(pace=0) as service:
        recorder = Kernel(python, GOOGLE_GEMINI_BASE_URL=service.url, GEMINI_API_KEY="of the recorder alone")
        try:
            assert not complaints(recorder.run(f"%load_ext nbgemini\n%gemini record {tape}"))
            first = shown(recorder, sits)
        finally:
            recorder.close()
    player = Kernel(python, GOOGLE_GEMINI_BASE_URL=NOWHERE)
    try:
        assert not complaints(player.run(f"%load_ext nbgemini\n%gemini replay {tape} --speed now"))
        again = shown(player, sits)
    finally:
        player.close()
    for before, now in zip(without_times(first), without_times(again), strict=True):
        assert now == before
    assert [kinds(output).count("tool_call") for output in again] == [0, 2, 0, 0, 0]
    assert "of the recorder" not in tape.read_text()
    assert all("replay" in json.dumps(output) for output in again)


def test_a_miss_and_what_is_no_cassette_are_one_line(kernel, tmp_path):
    tape = tmp_path / "notebook.gemini.jsonl"
    (tmp_path / "notes.txt").write_text("dear diary")
    kernel.run(f"%%gemini --once --wait --record {tape}\nWhy is the sky blue?")
    for code, line in {
        f"%%gemini --once --wait --replay {tape}\nWhy is the sky red?": 'nearest (- recorded, + asked): -"prompt"',
        f"%%gemini --once --wait --replay {tape} -m gemini-2.0-flash\nWhy is the sky blue?": '+"model": "gemini-2.0-flash"',
        f"%%gemini --once --wait --replay {tmp_path / 'none'}\nx": "No such file",
        f"%%gemini --once --wait --replay {tmp_path / 'notes.txt'}\nx": "is not a cassette",
        f"%gemini replay {tmp_path / 'notes.txt'}": "is not a cassette",
        f"%gemini record {tmp_path / 'notes.txt'}": "is not a cassette",
        f"%%gemini --record {tape} --replay {tape}\nx": "can't be combined with",
    }.items():
        (said_line,) = complaints(kernel.run(code))
        assert line in said_line
        assert "\n" not in said_line.strip()


def test_what_is_being_recorded_is_not_replayed(kernel, tmp_path):
    tape = tmp_path / "notebook.gemini.jsonl"
    slow = 'offline: {"frames": 9, "gap": 0.05, "stall": 5}'
    cell = kernel.send(f"%%gemini --once --no-wait --record {tape}\n{slow}")
    kernel.until(lambda message: parent(message) == cell and said(message).get("kind") == "answer")
    (line,) = complaints(kernel.run(f"%%gemini --once --wait --replay {tape}\nx"))
    assert "is being recorded" in line
    kernel.run("%gemini stop --all")
    messages = kernel.run(f"%%gemini --once --wait --replay {tape}\n{slow}")
    assert any("replay" in str(summary(message)) and "cut off" in str(summary(message)) for message in messages)


def test_a_replay_can_be_stopped_and_others_run(kernel, tmp_path):
    tape = tmp_path / "notebook.gemini.jsonl"
    prompt = 'offline: {"frames": 9, "gap": 0.05}'
    kernel.run(f"%%gemini --once --wait --record {tape}\n{prompt}")
    kernel.run(f"%gemini replay {tape} --speed 0.001")
    cell = kernel.send(f"%%gemini --once --no-wait -o slow\n{prompt}")
    assert kernel.text("print(_gemini.done)") == "False\n"
    kernel.run("%gemini stop --all")
    kernel.until(lambda message: parent(message) == cell and is_final_status(message))
    assert kernel.text("print(slow.state)") == "interrupted\n"
    kernel.run("%gemini replay off")
