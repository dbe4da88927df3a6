"""Whatever came of an exchange, the turns of the next request alternate and no call in them is without its answer."""

from __future__ import annotations

import pytest

from nbgemini.messages.transcript import Exchange, Facts, Transcript, alternating
from nbgemini.messages.turns import Turn, Usage, user_turn

CALL = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "sig"}
ANSWER = {"functionResponse": {"name": "f", "response": {"output": 1}}}
STATES = ["running", "waiting", "complete", "truncated", "interrupted", "blocked", "failed"]


def exchange(state, *parts, rounds=0):
    one = Exchange(user_turn("go"))
    for _ in range(rounds):
        one.parts = [{"text": "hm", "thought": True}, CALL]
        one.answer([ANSWER])
    one.parts, one.state = list(parts), state
    return one


def test_what_is_known_of_a_chat_is_what_its_last_counted_answer_took():
    transcript = Transcript()
    assert transcript.facts is None
    for context in (10, 20, 0):
        _, one = transcript.ask(user_turn("go"), None)
        one.facts = Facts("m", "gemini", Usage(), context, None, 1.0)
    transcript.ask(user_turn("and now?"), None)
    assert transcript.facts is not None
    assert transcript.facts.context == 20


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("rounds", [0, 2])
def test_a_call_without_an_answer_never_goes_back(state, rounds):
    for parts in ([CALL], [{"text": "So:"}, CALL]):
        turns = exchange(state, *parts, rounds=rounds).turns()
        calls = sum("functionCall" in part for turn in turns for part in turn.parts)
        answers = sum("functionResponse" in part for turn in turns for part in turn.parts)
        assert calls == answers == rounds


@pytest.mark.parametrize("state", STATES)
def test_answered_rounds_go_back_however_it_ended_and_thoughts_of_theirs_do_not(state):
    one = exchange(state, rounds=1)
    assert one.turns() == one.asked_so_far() == (user_turn("go"), Turn("model", (CALL,)), Turn("user", (ANSWER,)))
    assert {"text": "hm", "thought": True} in one.past[0].parts


def test_a_signed_thought_goes_back():
    signed = {"text": "hm", "thought": True, "thoughtSignature": "sig"}
    one = exchange("running", signed, CALL)
    one.answer([ANSWER])
    assert one.turns()[1].parts == (signed, CALL)


@pytest.mark.parametrize("state", ["truncated", "interrupted"])
def test_of_an_answer_cut_short_only_its_text_goes_back(state):
    parts = [{"text": "hm", "thought": True}, {"text": "So"}, {"executableCode": {"code": "1"}}]
    assert exchange(state, *parts).turns() == (user_turn("go"), Turn("model", ({"text": "So"},)))


def test_code_alone_is_an_answer():
    """Its signature is asked for again, and the model must know what ran."""
    code = {"executableCode": {"code": "1"}, "thoughtSignature": "sig"}
    assert exchange("complete", code, {"text": "", "thoughtSignature": "end"}).turns()[1].parts[0] == code
    assert exchange("complete", {"text": "", "thoughtSignature": "end"}).turns() == ()


@pytest.mark.parametrize("state", ["blocked", "failed", "running", "waiting"])
def test_an_exchange_of_which_nothing_may_go_back_is_left_out(state):
    assert exchange(state, {"text": "So"}).turns() == ()


def test_answers_that_nothing_came_of_and_the_next_prompt_are_one_turn():
    transcript = Transcript()
    transcript.exchanges.append(exchange("failed", rounds=1))
    _, second = transcript.ask(user_turn("go on"))
    turns = transcript.request_turns(second)
    assert [turn.role for turn in turns] == ["user", "model", "user"]
    assert turns[-1].parts == (ANSWER, {"text": "go on"})


def test_only_what_lies_before_an_exchange_leads_up_to_it():
    transcript = Transcript()
    for text in ("one", "two"):
        _, one = transcript.ask(user_turn(text), cell=text)
        one.parts, one.state = [{"text": text}], "complete"
    _, again = transcript.ask(user_turn("one, again"), cell="one")
    assert transcript.request_turns(again) == (user_turn("one, again"),)
    transcript.clear()
    again.parts = [CALL]
    again.answer([ANSWER])
    assert [turn.role for turn in transcript.request_turns(again)] == ["user", "model", "user"]


def test_joining_turns_of_one_side_loses_nothing():
    turns = [Turn("user", ({"text": "a"},)), Turn("user", ({"text": "b"},)), Turn("model", ({"text": "c"},))]
    assert alternating(turns) == (Turn("user", ({"text": "a"}, {"text": "b"})), turns[2])
