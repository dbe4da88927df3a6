"""What an answer waits for is seen as it changes, holds no cell up, and can be stopped: the next attempt, or a place."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.kernel.conftest import at_rest, complaints, is_final_status, kinds, outputs, parent, said

numbers = itertools.count()
AGAIN = re.compile(r"503 UNAVAILABLE, retrying in (\d+) s \((\d) of 3\)")


def busy(seconds):
    """A prompt that no other is equal to, refused once."""
    return f'Number {next(numbers)}\noffline: {{"status": 503, "times": 1, "retry_delay": "{seconds}s", "gap": 0, "frames": 2}}'


def told(message):
    """What a message tells of the wait, through a widget or as a static line."""
    return AGAIN.search(str(message["content"]))


@pytest.fixture(params=[True, False], ids=["widgets", "html"])
def way(request, kernel):
    kernel.run(f"%config Gemini.widgets = {request.param}")
    yield
    kernel.run("%config Gemini.widgets = True")


@pytest.mark.usefixtures("way")
def test_the_wait_is_counted_down_and_the_answer_comes(kernel):
    mine = kernel.send(f"%%gemini --once\n{busy(4)}")
    messages = at_rest(kernel, mine, [])
    seconds = [int(found[1]) for found in map(told, messages) if found]
    assert seconds[0] >= 2
    assert len(set(seconds)) > 1
    assert seconds == sorted(seconds, reverse=True)
    shown = outputs(messages, mine)
    assert kinds(shown) == ["answer", "status"]
    assert "again in" not in str(shown)
    assert not complaints(messages)


@pytest.mark.usefixtures("way")
def test_a_wait_can_be_stopped_while_other_cells_run(kernel):
    mine = kernel.send(f"%%gemini --once\n{busy(50)}")
    messages = kernel.until(told)
    assert kernel.text("print(6 * 7)") == "42\n"
    messages += kernel.run("%gemini stop --all")
    if not any(is_final_status(message) and parent(message) == mine for message in messages):
        messages += kernel.until(lambda message: is_final_status(message) and parent(message) == mine)
    shown = outputs(messages, mine)
    assert kinds(shown) == ["status"]
    assert "stopped" in shown[0]["data"]["text/plain"]
    assert kernel.text("print(_gemini.state, _gemini.retries)") == "interrupted 1\n"


def test_who_waits_for_a_place_says_how_many_are_ahead(kernel):
    kernel.run("%config Gemini.max_streams = 1")
    slow = '{"frames": 1000, "gap": 0.01}'
    first = kernel.send(f"%%gemini --once\noffline: {slow}")
    kernel.until(lambda message: parent(message) == first and said(message).get("kind") == "answer")
    kernel.run(f"%%gemini --once\noffline: {slow}")
    kernel.send(f"%%gemini --once\noffline: {slow}")
    kernel.until(lambda message: "waiting: 1 ahead" in str(message["content"]))
    messages = kernel.run("%gemini stop --all\n%config Gemini.max_streams = 1000")
    assert not complaints(messages)
