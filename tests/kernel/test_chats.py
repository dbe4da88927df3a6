"""A chat can be asked again, branched, and shortened; what is said in one branch stays there."""

from __future__ import annotations

import pytest


def said_by(kernel):
    return kernel.text("print(_gemini.state, len(_gemini.exchange.asked.parts), _gemini.turn, _gemini.text)")


def line_of(messages):
    return [m["content"]["data"]["text/plain"] for m in messages if m["msg_type"] == "display_data"][-1]


def evalues(messages):
    return [message["content"]["evalue"] for message in messages if message["msg_type"] == "error"]


@pytest.fixture
def chatting(kernel):
    kernel.run("%gemini reset\n%gemini ask --wait My name is Zoe.")
    return kernel


def test_a_fork_knows_what_was_said_and_goes_its_own_way(chatting):
    assert "1 exchange of main" in line_of(chatting.run("%gemini fork main branch"))
    chatting.run("%gemini ask -c branch --wait My name is Max.")
    chatting.run("%gemini ask -c branch --wait What is my name?")
    assert "Max" in said_by(chatting)
    chatting.run("%gemini ask --wait What is my name?")
    assert "Zoe" in said_by(chatting)
    (error,) = evalues(chatting.run("%gemini fork main branch"))
    assert "already" in error


def test_a_retry_takes_the_place_of_the_last_answer(chatting):
    chatting.run("%gemini ask --wait What is my name?")
    chatting.run("%gemini retry")
    assert chatting.text("print(_gemini.turn, (await _gemini).text)").startswith("1 ")
    chatting.run("%gemini retry main")
    assert chatting.text("print((await _gemini).turn)").strip() == "1"


def test_the_last_turn_can_be_dropped(chatting):
    chatting.run("%gemini ask --wait My name is Max.\n%gemini drop")
    chatting.run("%gemini ask --wait What is my name?")
    assert "Zoe" in said_by(chatting)


@pytest.mark.parametrize("line", ["%gemini drop empty", "%gemini retry empty", "%gemini fork a", "%gemini fork nope b"])
def test_what_cannot_be_done_is_one_line(chatting, line):
    chatting.run("%gemini reset other\nfrom nbgemini import Client")
    messages = chatting.run(line)
    assert len(evalues(messages)) == 1
