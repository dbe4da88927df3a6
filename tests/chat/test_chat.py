"""A conversation stays valid whatever happens to its streams."""

from __future__ import annotations

import asyncio

import pytest

from nbgemini import Client, Settings
from nbgemini.chat.chat import Chat
from nbgemini.errors import (
    ApiError,
    AuthenticationError,
    BlockedError,
    ConfigurationError,
    PromptError,
    ServerError,
    TransportError,
)
from nbgemini.messages.events import AnswerDelta, ThoughtDelta
from nbgemini.secrets import Secret
from nbgemini.settings import offline_settings
from tests.fakes.raw import CLOSE, END, STALL, RawServer, event, head, text_frame


def told(service, number=-1):
    """What the last request told: role and text of every turn."""
    contents = service.requests[number].body["contents"]
    return [(content["role"], "".join(part.get("text", "") for part in content["parts"])) for content in contents]


async def test_a_chat_remembers(client, service):
    chat = client.chat()
    await chat.ask("My name is Zoe.")
    assert "Zoe" in (await chat.ask("What is my name?")).text
    assert [role for role, _ in told(service)] == ["user", "model", "user"]


async def test_named_chats_are_apart_and_one_shots_forget(client, service):
    await client.chat("a").ask("My name is Zoe.")
    assert "not told" in (await client.chat("b").ask("What is my name?")).text
    await client.generate("hello")
    assert len(told(service)) == 1


async def test_signatures_go_back_and_thoughts_stay_out(client, service):
    """The service checks every signature it is sent; thoughts without one are not sent."""
    chat = client.chat()
    reply = await chat.ask("Why is the sky blue?")
    assert reply.thoughts
    await chat.ask("Thanks!")
    parts = [part for content in service.requests[-1].body["contents"] for part in content["parts"]]
    assert sum("thoughtSignature" in part for part in parts) == 1
    assert not any(part.get("thought") for part in parts)


async def test_stream_yields_events_and_the_reply_is_their_fold(client):
    events = [event async for event in client.chat().stream("Why is the sky blue?")]
    chat = client.chats["main"]
    assert "".join(e.text for e in events if isinstance(e, AnswerDelta)) == "".join(
        s.text for s in chat.segments(chat.transcript.exchanges[0]) if s.kind == "answer"
    )
    assert any(isinstance(e, ThoughtDelta) for e in events)


async def test_leaving_the_stream_keeps_what_arrived_and_closes_the_connection(client, service):
    chat = client.chat()
    stream = chat.stream('offline: {"frames": 1000, "gap": 0.01}')
    async for event_ in stream:
        if isinstance(event_, AnswerDelta):
            break
    await stream.aclose()
    assert chat.transcript.exchanges[0].state == "interrupted"
    await asyncio.wait_for(closed(service), 30)
    await chat.ask("and now?")
    assert [role for role, _ in told(service)] == ["user", "model", "user"]


async def closed(service):
    while service.open_streams:
        await asyncio.sleep(0.001)


async def test_stop_ends_quietly_and_twice_is_once(client, service):
    chat = client.chat()
    reply = chat.begin('offline: {"frames": 1000, "gap": 0.01}')
    driving = asyncio.create_task(chat.drive(reply))
    while not reply.so_far.text:
        await asyncio.sleep(0.001)
    reply.stop()
    reply.stop()
    await driving
    assert (reply.state, (await reply) is reply) == ("interrupted", True)
    reply.stop()
    await asyncio.wait_for(closed(service), 30)


async def test_a_stop_before_the_first_step_is_a_stop(client):
    chat = client.chat()
    reply = chat.begin("hello")
    driving = asyncio.create_task(chat.drive(reply))
    await asyncio.sleep(0)
    reply.stop()
    await driving
    assert reply.state == "interrupted"


async def test_cancelling_the_caller_stops_the_reply_and_cancels_on(client):
    chat = client.chat()
    reply = chat.begin('offline: {"stall": 1, "frames": 9}')
    driving = asyncio.create_task(chat.drive(reply))
    while not reply.so_far.text:
        await asyncio.sleep(0.001)
    driving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await driving
    assert reply.state == "interrupted"


async def test_a_time_limit_truncates_and_says_so(client):
    reply = await client.generate('offline: {"frames": 1000, "gap": 0.01}', timeout=1.5)
    assert reply.state == "truncated"
    assert "--timeout" in str(reply.error)
    assert reply.text


async def test_a_time_limit_ends_a_stream_too(client, service):
    chat = client.chat()
    events = [event_ async for event_ in chat.stream('offline: {"frames": 2, "gap": 0, "stall": 1}', timeout=1.5)]
    (exchange,) = chat.transcript
    assert (exchange.state, "--timeout" in exchange.note) == ("truncated", True)
    assert any(isinstance(event_, AnswerDelta) for event_ in events)
    await asyncio.wait_for(closed(service), 30)
    assert (await chat.ask("what is 1 + 1")).state == "complete"


async def test_the_readers_own_work_is_not_cut_by_the_time_limit(client):
    worked = 0
    async for event_ in client.chat().stream('offline: {"frames": 3, "gap": 0}', timeout=3.0):
        if isinstance(event_, AnswerDelta):
            await asyncio.sleep(3.2)  # longer than the limit: the next step is cut, this one isn't
            worked += 1
    assert worked
    assert client.chat().transcript.exchanges[0].state in ("truncated", "complete")


async def test_two_prompts_at_once_follow_each_other(client, service):
    chat = client.chat()
    replies = await asyncio.gather(*(chat.ask(f"what is {n} + 1") for n in range(4)))
    assert [f"**{n + 1}**" in reply.text for n, reply in enumerate(replies)] == [True] * 4
    assert [role for role, _ in told(service)] == ["user", "model"] * 3 + ["user"]


async def test_a_prompt_waits_for_the_one_before_it_and_says_so(client, service):
    chat = client.chat()
    first, second = (chat.begin(prompt) for prompt in ('offline: {"frames": 9, "gap": 0, "stall": 1}', "what is 1 + 1"))
    driving = [asyncio.create_task(chat.drive(reply)) for reply in (first, second)]
    while not first.so_far.text:
        await asyncio.sleep(0.001)
    assert (first.state, second.state, len(service.requests)) == ("running", "waiting", 1)
    first.stop()
    await asyncio.gather(*driving)
    assert (first.state, second.state) == ("interrupted", "complete")
    assert [exchange.state for exchange in chat.transcript] == ["interrupted", "complete"]
    assert [role for role, _ in told(service)] == ["user", "model", "user"]


async def test_a_prompt_that_is_stopped_in_line_holds_nobody_up(client, service):
    chat = client.chat()
    replies = [chat.begin(prompt) for prompt in ('offline: {"frames": 9, "gap": 0, "stall": 1}', "never", "what is 1 + 1")]
    driving = [asyncio.create_task(chat.drive(reply)) for reply in replies]
    while not replies[0].so_far.text:
        await asyncio.sleep(0.001)
    for reply in replies[1], replies[0]:
        reply.stop()
    await asyncio.gather(*driving)
    assert [reply.state for reply in replies] == ["interrupted", "interrupted", "complete"]
    assert "never" not in str(told(service))


async def test_a_cell_that_runs_again_replaces_its_turn_where_it_stood(client, service):
    chat = client.chat()
    for prompt, cell in (("My name is Zoe.", "a"), ("thanks", "b"), ("My name is Max.", "a")):
        await chat.drive(chat.begin(prompt, cell=cell))
    assert [exchange.asked.parts[0]["text"] for exchange in chat.transcript] == ["My name is Max.", "thanks"]
    assert told(service) == [("user", "My name is Max.")]  # what came later doesn't lead up to it
    assert "Max" in (await chat.ask("What is my name?")).text


async def test_many_chats_at_once_do_not_mix(client):
    replies = await asyncio.gather(*(client.generate(f"what is {n} + 1000") for n in range(50)))
    assert all(f"**{n + 1000}**" in reply.text for n, reply in enumerate(replies))


@pytest.mark.parametrize(
    ("directive", "state", "kind"),
    [
        ('{"frames": 3, "cut": 2}', "truncated", TransportError),
        ('{"frames": 3, "finish": null}', "truncated", TransportError),
        ('{"frames": 3, "finish": "MAX_TOKENS"}', "truncated", type(None)),
        ('{"frames": 3, "finish": "SOMETHING_NEW"}', "truncated", type(None)),
        ('{"frames": 3, "finish": "SAFETY"}', "blocked", BlockedError),
        ('{"frames": 3, "fault": 2}', "failed", ServerError),
        ('{"status": 503}', "failed", ServerError),
        ('{"frames": 3, "cut": 0}', "failed", TransportError),
    ],
)
async def test_every_ending_has_its_state_and_the_next_prompt_is_valid(client, directive, state, kind):
    chat = client.chat()
    reply = chat.begin(f"offline: {directive}")
    await chat.drive(reply)
    assert reply.state == state
    assert isinstance(reply.error, kind)
    assert bool(reply.text) == ("status" not in directive and '"cut": 0' not in directive)
    assert (await chat.ask("what is 1 + 1")).state == "complete"  # the service checks the whole history


async def test_a_lost_terminator_after_a_complete_answer_is_a_complete_answer(settings):
    async with RawServer([head(), event(text_frame("all", finish="STOP")), CLOSE]) as server:
        async with Client(Settings(key=settings.key, base_url=server.url)) as client:
            assert (await client.generate("x")).state == "complete"


async def test_a_finish_in_the_middle_does_not_end_the_reading(settings):
    script = [head(), event(text_frame("a", finish="STOP")), event(text_frame("b", finish="STOP")), END]
    async with RawServer(script) as server, Client(Settings(key=settings.key, base_url=server.url)) as client:
        assert (await client.generate("x")).text == "ab"


async def test_an_empty_answer_says_so(settings):
    async with RawServer([head(), END]) as server, Client(Settings(key=settings.key, base_url=server.url)) as client:
        with pytest.raises(TransportError, match="empty"):
            await client.generate("x")


async def test_a_continuation_is_another_round_of_the_same_reply(settings):
    first = text_frame("one ", finish="CONTINUATION")
    first["candidates"][0]["continuationToken"] = "dG9r"
    first["usageMetadata"] = {"totalTokenCount": 5}
    second = {**text_frame("two", finish="STOP"), "usageMetadata": {"totalTokenCount": 7}}
    async with RawServer([head(), event(first), END], [head(), event(second), END]) as server:
        async with Client(Settings(key=settings.key, base_url=server.url)) as client:
            reply = await client.generate("x")
    assert (reply.text, reply.usage.total, reply.state) == ("one two", 12, "complete")
    assert b'"continuationToken":"dG9r"' in server.requests[1][1]


async def test_a_continuation_without_a_token_is_an_answer_cut_short(settings):
    script = [head(), event(text_frame("one", finish="CONTINUATION")), END]
    async with RawServer(script) as server, Client(Settings(key=settings.key, base_url=server.url)) as client:
        reply = await client.generate("x")
        assert (reply.text, reply.state, reply.finish_reason, len(server.requests)) == ("one", "truncated", "CONTINUATION", 1)


async def test_what_was_asked_is_stored_before_the_request_leaves(settings):
    async with RawServer([head(), STALL]) as server, Client(Settings(key=settings.key, base_url=server.url)) as client:
        chat = client.chat()
        reply = chat.begin("remember me")
        assert len(chat.transcript) == 1
        driving = asyncio.create_task(chat.drive(reply))
        while not server.requests:
            await asyncio.sleep(0)
        assert reply.state == "running"
        reply.stop()
        await driving


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"think": "medium", "model": "gemini-3-pro-preview"}, PromptError),
        ({"think": 5, "model": "gemini-3.8-flash"}, PromptError),
    ],
)
async def test_what_the_model_cannot_take_is_refused_before_anything_is_stored(client, options, kind):
    chat = client.chat()
    with pytest.raises(kind):
        await chat.ask("hello", **options)
    assert len(chat.transcript) == 0


async def test_an_empty_prompt_and_a_missing_key_store_nothing(client):
    with pytest.raises(PromptError):
        await client.chat().ask("  \n ")
    keyless = Client(Settings())
    with pytest.raises(ConfigurationError, match="GEMINI_API_KEY"):
        await keyless.chat().ask("hello")
    assert len(keyless.chat().transcript) == 0


async def test_a_wrong_key_and_an_unknown_model_are_told(service, client):
    async with Client(Settings(key=Secret("bad-key"), base_url=service.url)) as wrong:
        with pytest.raises(AuthenticationError) as caught:
            await wrong.generate("hello")
    assert caught.value.reply.state == "failed"
    with pytest.raises(ApiError) as unknown:
        await client.generate("hello", model="gemini-3.8-flsh")
    assert "gemini-3.8-flash" in await client.services.explain(unknown.value, "gemini", "gemini-3.8-flsh")


async def test_the_models_and_the_tokens(client):
    models = await client.list_models()
    assert {"gemini-3.8-flash", "gemini-flash-latest"} <= {model.name for model in models}
    assert await client.count_tokens("four words are counted") > 2


async def test_a_reply_can_be_waited_for_from_a_thread(client):
    chat = client.chat()
    reply = chat.begin('offline: {"frames": 20, "gap": 0.005}')
    driving = asyncio.create_task(chat.drive(reply))
    assert (await asyncio.to_thread(reply.result, 10)).state == "complete"
    await driving


def test_a_chat_asked_in_three_loops_works(service):
    client = Client(Settings(key=Secret("k"), base_url=service.url))

    async def ask(chat: Chat):
        try:
            return (await chat.ask("what is 1 + 1")).state
        finally:
            await client.aclose()

    assert [asyncio.run(ask(client.chat())) for _ in range(3)] == ["complete"] * 3


async def test_a_stopped_reply_closes_its_open_segment_for_the_reader():
    """The last changes of a stopped stream are shown too."""
    async with RawServer([head() + event(text_frame("Half")), STALL]) as server:
        async with Client(Settings(key=Secret("k"), base_url=server.url)) as client:
            chat, seen = client.chat(), []
            reply = chat.begin("hi")

            def apply(changes):
                seen.extend(changes)
                if reply.so_far.text:
                    reply.stop()

            await chat.drive(reply, apply)
    assert [type(change).__name__ for change in seen] == ["SegmentStart", "SegmentDelta", "SegmentEnd"]


async def test_anthropic_counts_too_and_who_does_not_says_so(service):
    async with Client(offline_settings(service.url)) as client:
        assert await client.count_tokens("one two three", model="anthropic:claude-offline") > 0
        with pytest.raises(PromptError, match="openai can't count"):
            await client.count_tokens("one", model="openai:gpt-offline")
