"""An answer ends at its limit of tokens or before a stop text, and says so, in every protocol."""

from __future__ import annotations

import anthropic
import openai
import pytest
from hypothesis import given, strategies as st

from nbgemini import Client
from nbgemini.offline.stream import ScriptedPart, token_count, within_limits
from nbgemini.settings import offline_settings
from tests.conftest import soon
from tests.support.raw_requests import ask, directive, path

WORDS = "one two three four five six seven eight nine ten"


def saying(**config):
    return {**directive(parts=[["answer", WORDS]], pieces=5), "generationConfig": config}


@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-2.5-flash", "gemini-2.0-flash"])
async def test_a_limit_of_tokens_cuts_the_answer(service, model):
    answer = await ask(service, path(model), saying(maxOutputTokens=4))
    last = answer.frames[-1]
    assert (WORDS[:14], last["candidates"][0]["finishReason"]) == (answer.text, "MAX_TOKENS"), "each piece counts by itself"
    assert last["usageMetadata"]["candidatesTokenCount"] <= 4
    whole = await ask(service, path(model), saying(maxOutputTokens="400"))
    assert (whole.text, whole.frames[-1]["candidates"][0]["finishReason"]) == (WORDS, "STOP")


@pytest.mark.parametrize("stops", [["four"], ["nine", "four"], ["ee four"]])
async def test_an_answer_ends_before_the_first_stop_text_wherever_it_is_cut(service, stops):
    answer = await ask(service, path(), saying(stopSequences=stops))
    assert answer.text == WORDS[: WORDS.index(stops[-1])]
    assert answer.frames[-1]["candidates"][0]["finishReason"] == "STOP"


async def test_thoughts_take_of_the_limit_and_a_call_comes_whole_or_not(service):
    body = directive(parts=[["thought", "t" * 40], ["answer", "a" * 40]])
    answer = await ask(service, path(), {**body, "generationConfig": {"maxOutputTokens": 10}})
    assert (answer.text, answer.frames[-1]["candidates"][0]["finishReason"]) == ("", "MAX_TOKENS")
    body = directive(parts=[["answer", "a" * 8], ["call", "f", {"x": "y" * 100}]])
    answer = await ask(service, path(), {**body, "generationConfig": {"maxOutputTokens": 10}})
    assert [part for part in answer.parts if "functionCall" in part] == []


@given(st.lists(st.text("ab "), max_size=5), st.text("ab ", min_size=1, max_size=2), st.integers(0, 20))
def test_no_answer_holds_a_stop_text_or_more_than_its_limit(texts, stop, most):
    said, finish = within_limits(
        [ScriptedPart({"text": text}, 0.0) for text in texts], {"stopSequences": [stop], "maxOutputTokens": most}, "STOP"
    )
    text = "".join(item.part["text"] for item in said)
    assert "".join(texts).startswith(text)
    assert stop not in text
    assert sum(token_count(item.part["text"]) for item in said) <= most
    assert finish == "MAX_TOKENS" or text == "".join(texts).partition(stop)[0]


async def test_every_protocol_has_a_limit(service):
    words = directive(parts=[["answer", WORDS]])["contents"][0]["parts"][0]["text"]
    asked = [{"role": "user", "content": words}]
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{service.url}/v1", max_retries=0) as client:
        chat = await client.chat.completions.create(
            model="gpt-offline", messages=asked, max_completion_tokens=5, reasoning_effort="none"
        )
        assert (chat.choices[0].message.content, chat.choices[0].finish_reason) == (WORDS[:20], "length")
        stopped = await client.chat.completions.create(
            model="gpt-offline", messages=asked, stop="three", reasoning_effort="none"
        )
        assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == (WORDS[:8], "stop")
        said = await client.responses.create(model="gpt-offline", input=words, max_output_tokens=16)
        assert said.output_text == WORDS
    async with anthropic.AsyncAnthropic(api_key="k", base_url=service.url, max_retries=0) as client:
        said = await client.messages.create(model="claude-offline", messages=asked, max_tokens=5, stop_sequences=["zzz"])
        assert (said.content[0].text, said.stop_reason) == (WORDS[:20], "max_tokens")


async def test_the_reader_is_told(service):
    async with Client(offline_settings(service.url), sleep=soon) as client:
        reply = await client.generate("tell me a long story", max_tokens=5)
        assert (reply.state, reply.finish_reason) == ("truncated", "MAX_TOKENS")
        assert reply.usage.output + reply.usage.thought <= 5
