"""Every reason that the service knows for ending an answer is said in words, with a way out where there is one."""

from __future__ import annotations

import json

import pytest
from google.genai.types import BlockedReason, FinishReason

from nbgemini.errors import BlockedError
from nbgemini.messages.events import describe_stop_reason
from nbgemini.notebook.display.status_line import status_text

SILENT = {"STOP", "FINISH_REASON_UNSPECIFIED", "CONTINUATION", "BLOCKED_REASON_UNSPECIFIED"}


@pytest.mark.parametrize("reason", sorted({member.value for kind in (FinishReason, BlockedReason) for member in kind} - SILENT))
def test_every_reason_has_words(reason):
    assert reason not in describe_stop_reason(reason)
    assert describe_stop_reason(f"prompt: {reason}").startswith("the prompt was ")


def test_an_unheard_of_reason_is_its_own_word():
    assert describe_stop_reason("NEW_ONE") == "NEW_ONE"
    assert describe_stop_reason("prompt: NEW_ONE") == "the prompt was refused: NEW_ONE"


async def test_a_cut_answer_says_what_helps(client):
    reply = await client.generate(f"offline: {json.dumps({'parts': [['answer', 'so']], 'finish': 'MAX_TOKENS'})}")
    assert (reply.state, reply.text) == ("truncated", "so")
    assert status_text(reply).endswith("cut at the token limit → --max-tokens")
    assert reply.exchange.note == "cut at the token limit → --max-tokens"


async def test_a_withheld_answer_says_why(client):
    rated = {"safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}]}
    prompt = f"offline: {json.dumps({'parts': [['answer', 'so'], ['beside', rated]], 'finish': 'SAFETY'})}"
    with pytest.raises(BlockedError, match=r"considers it unsafe → ask in other words \(SAFETY; harassment: high\)"):
        await client.generate(prompt, model="gemini-2.5-flash")


async def test_what_the_service_says_itself_is_not_lost(client):
    message = {"finishMessage": "Malformed function call: print(x)"}
    prompt = f"offline: {json.dumps({'parts': [['answer', 'so'], ['beside', message]], 'finish': 'MALFORMED_FUNCTION_CALL'})}"
    reply = await client.generate(prompt, model="gemini-2.5-flash")
    assert reply.exchange.note.endswith("→ ask again (Malformed function call: print(x))")
