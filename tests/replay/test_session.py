"""What was recorded comes back without key and network: the same frames, errors and ends; never silently, never made up."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import threading
import time
from contextlib import aclosing

import msgspec
import pytest

from nbgemini import Client, ConfigurationError, RateLimitError, Settings
from nbgemini.errors import ServerError
from nbgemini.replay import cassette, recorder
from nbgemini.replay.cassette import read_cassette
from nbgemini.replay.session import Replay
from tests.canary import CANARY, found_in
from tests.conftest import soon
from tests.fakes.raw import CLOSE, END, RawServer, chunk, event, head, text_frame

NOWHERE = Settings(base_url="http://127.0.0.1:9", model="gemini-3.8-flash")  # nobody listens there, and there is no key


def weather(city: str) -> str:
    """Say how warm it is."""
    return f"21 in {city}"


def told(**directive):
    return f"offline: {json.dumps(directive)}"


@pytest.fixture
def tape(tmp_path):
    return tmp_path / "talk.gemini.jsonl"


async def replay(tape, settings=NOWHERE, **how):
    client = Client(settings, sleep=soon)
    await client.replay(tape, **how)
    return client


def essence(reply):
    return [(segment.kind, segment.text) for segment in reply.segments], reply.state, reply.usage, reply.exchange.parts


PROMPTS = {
    "thoughts and formulas": "Why is the sky blue, but the sunset red?",
    "pieces": told(parts=[["thought", "hm" * 50], ["answer", "ja " * 50]], pieces=20, gap=0),
    "an error inside": told(frames=3, fault=2, gap=0),
    "cut off": told(frames=5, cut=3, gap=0),
    "withheld": told(parts=[["answer", "x"]], finish="SAFETY", gap=0),
    "too long": told(parts=[["answer", "x"]], finish="MAX_TOKENS", gap=0),
    "a refusal": told(status=400, error={"status": "INVALID_ARGUMENT"}),
    "a refusal that passes": told(status=503, times=1),
    "trouble to the end": told(status=503),
}


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
async def test_an_answer_comes_back_as_it_was(client, tape, prompt):
    await client.record(tape)
    first = await settled(client, prompt)
    again = await settled(await replay(tape), prompt)
    assert essence(again) == essence(first)
    assert (type(again.error), str(again.error), again.retries) == (type(first.error), str(first.error), first.retries)
    assert (first.played, again.played, again.offline) == ("", "replay", True)


async def test_what_was_recorded_a_moment_ago_is_played_whole(client, tape, monkeypatch):
    on_disk, prompt = threading.Event(), PROMPTS["an error inside"]

    def frame_line(*what):
        assert on_disk.wait(30)
        return cassette.frame_line(*what)

    monkeypatch.setattr(recorder, "frame_line", frame_line)
    await client.record(tape)
    first = await settled(client, prompt)
    asyncio.get_running_loop().call_later(0.2, on_disk.set)  # the disk is slow
    assert essence(await settled(await replay(tape), prompt)) == essence(first)


async def settled(client, prompt):
    chat = client.chat()
    reply = chat.begin(prompt)
    await chat.drive(reply)
    return reply


async def test_a_conversation_with_tools_and_signatures_comes_back(client, tape):
    await client.record(tape)
    prompts = ["Please call weather(city='Rome') and call weather(city='Oslo')", "My name is Ada.", "What is my name?"]
    chat = client.chat(tools=[weather], approve="auto")
    first = [await chat.ask(prompt) for prompt in prompts]
    chat = (await replay(tape)).chat(tools=[weather], approve="auto")
    again = [await chat.ask(prompt) for prompt in prompts]
    assert [essence(reply) for reply in again] == [essence(reply) for reply in first]
    assert len(read_cassette(tape)) == 4
    assert [call.args for call in again[0].tool_calls] == [{"city": "Rome"}, {"city": "Oslo"}]


async def test_a_tool_that_gives_something_else_is_a_miss(client, tape):
    def lottery(city: str) -> str:
        """Say how warm it is."""
        return f"99 in {city}"

    lottery.__name__ = "weather"
    await client.record(tape)
    await client.chat(tools=[weather], approve="auto").ask("Please call weather(city='Rome')")
    player = await replay(tape)
    with pytest.raises(ConfigurationError, match="no recording of this request; nearest .*21 in.*99 in") as caught:
        await player.chat(tools=[lottery], approve="auto").ask("Please call weather(city='Rome')")
    assert caught.value.reply.played == "replay"


async def test_models_and_counts_come_back_too(client, tape):
    await client.record(tape)
    models, count = await client.list_models(), await client.count_tokens("one two three")
    player = await replay(tape)
    assert (await player.list_models(), await player.count_tokens("one two three")) == (models, count)


async def test_a_miss_is_one_line_that_names_the_nearest(client, tape):
    await client.record(tape)
    await client.generate("Why is the sky blue?")
    player = await replay(tape)
    with pytest.raises(ConfigurationError) as caught:
        await player.generate("Why is the sky red?")
    assert str(caught.value) == (
        "talk.gemini.jsonl has no recording of this request; nearest (- recorded, + asked): "
        '-"prompt": "Why is the sky blue?" +"prompt": "Why is the sky red?" → record it'
    )


async def test_what_is_missed_may_come_from_the_live_service(client, settings, tape):
    await client.record(tape)
    await client.generate("One?")
    player = await replay(tape, settings, strict=False)
    assert [(await player.generate(prompt)).played for prompt in ("One?", "Two?")] == ["replay", ""]
    await player.aclose()
    without_key = await replay(tape, strict=False)
    with pytest.raises(ConfigurationError, match="no API key"):
        await without_key.generate("Two?")


async def test_an_answer_plays_as_fast_as_is_asked(client, tape):
    await client.record(tape)
    recorded_reply = await client.generate(told(frames=5, gap=0.1))
    assert recorded_reply.seconds > 0.4
    began = asyncio.get_running_loop().time()
    await (await replay(tape)).generate(told(frames=5, gap=0.1))
    at_once = asyncio.get_running_loop().time() - began
    again = await (await replay(tape, speed=1)).generate(told(frames=5, gap=0.1))
    assert at_once < again.seconds
    assert again.seconds > 0.4
    assert (await (await replay(tape, speed=4)).generate(told(frames=5, gap=0.1))).seconds < again.seconds


async def test_a_replay_can_be_stopped(client, tape):
    await client.record(tape)
    await client.generate(told(frames=5, gap=0.01))
    chat = (await replay(tape, speed=0.001)).chat()
    reply = chat.begin(told(frames=5, gap=0.01))
    driving = asyncio.create_task(chat.drive(reply))
    while reply.state != "running":
        await asyncio.sleep(0.001)
    reply.stop()
    await driving
    assert reply.state == "interrupted"


async def test_a_stopped_recording_ends_where_it_was_stopped(client, tape):
    await client.record(tape)
    async with aclosing(client.chat().stream(told(frames=9, stall=2, gap=0))) as events:
        async for event in events:
            if getattr(event, "text", ""):
                break
    await client.record(None)
    (recording,) = read_cassette(tape)
    assert recording.end == "left"
    reply = await settled(await replay(tape), told(frames=9, stall=2, gap=0))
    assert (reply.state, str(reply.error)) == ("truncated", "the recording ends here: it was stopped")
    assert reply.text


async def test_the_key_is_not_recorded_even_if_the_service_repeats_it(settings, tape):
    said = [{"x": CANARY}, {"x": CANARY.replace("/", "%2F").replace("+", "%2B").replace("=", "%3D")}]
    answer = [head(), *map(event, [*said, text_frame(f"Your key is {CANARY}.", finish="STOP")]), END]
    refusal = [head("400 Bad"), chunk(json.dumps({"error": {"message": f"bad key {CANARY}"}}).encode()), END, CLOSE]
    async with RawServer(answer, refusal) as server, Client(msgspec.structs.replace(settings, base_url=server.url)) as client:
        await client.record(tape)
        await client.generate("x")
        await settled(client, "y")
    assert server.requests
    data = tape.read_text()
    assert found_in(data) == []
    assert data.count("[key]") >= 3
    assert (await settled(await replay(tape), "x")).text == "Your key is [key]."


async def test_a_cassette_is_its_owners_alone(client, tape):
    """It holds what people said; whoever puts it into a repository decides otherwise."""
    before = os.umask(0o022)
    try:
        await client.record(tape)
    finally:
        os.umask(before)
    assert stat.S_IMODE(tape.stat().st_mode) == 0o600
    tape.chmod(0o644)
    await client.generate("x")
    await client.record(None)
    assert stat.S_IMODE(tape.stat().st_mode) == 0o644


async def test_nothing_else_is_written_to(client, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("dear diary\n")
    with pytest.raises(ConfigurationError, match="notes.txt is not a cassette"):
        await client.record(notes)
    with pytest.raises(ConfigurationError, match=r"can't record into .*: No such file or directory"):
        await client.record(tmp_path / "no" / "folder.jsonl")
    assert notes.read_text() == "dear diary\n"
    assert (await client.generate("x")).played != "replay"


async def test_a_file_that_can_t_be_written_any_more_costs_the_recording_not_the_answer(client, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    await client.record(folder / "talk.gemini.jsonl")
    chat = client.chat()
    reply = chat.begin(told(frames=5, gap=0.05))
    driving = asyncio.create_task(chat.drive(reply))
    while not reply.so_far.segments:
        await asyncio.sleep(0.001)
    folder.rename(tmp_path / "elsewhere")
    with pytest.warns(RuntimeWarning, match=r"can't record into .*: No such file or directory; the recording is not whole"):
        await driving
    assert reply.state == "complete"
    await client.record(None)


async def test_a_recording_goes_on_in_its_file(client, tape):
    await client.record(tape)
    await client.generate("One?")
    with tape.open("ab") as file:
        file.write(b'{"answer":"broken off')
    assert await client.record(tape) > 0
    await client.generate("Two?")
    player = await replay(tape)
    assert [(await player.generate(prompt)).state for prompt in ("One?", "Two?")] == ["complete"] * 2


async def test_replaying_ends_recording_and_recording_ends_replaying(client, tape):
    """Also of the same cassette."""
    await client.record(tape)
    live = await client.generate("Hello")
    assert await client.replay(tape.parent / "x" / ".." / tape.name) == 1
    assert ((replayed := await client.generate("Hello")).text, replayed.played) == (live.text, "replay")
    await client.record(tape)
    assert (await client.generate("Hello")).played == ""
    assert await client.replay(tape) == 2


async def test_a_prompt_does_not_replay_what_is_being_recorded(client, tape):
    await client.record(tape)
    with pytest.raises(ConfigurationError, match=r"talk.gemini.jsonl can't be recorded and replayed at once"):
        client.services.endpoint("gemini:any", Replay(tape.resolve()))


async def test_what_is_recorded_is_not_replayed_before_its_answers_have_ended(client, tape):
    await client.record(tape)
    chat = client.chat()
    reply = chat.begin(told(frames=5, gap=0.05))
    driving = asyncio.create_task(chat.drive(reply))
    while not reply.so_far.segments:
        await asyncio.sleep(0.001)
    await client.replay(tape)
    with pytest.raises(
        ConfigurationError, match=r"talk.gemini.jsonl is being recorded → replay it once the answers have ended"
    ):
        await client.generate("Hello")
    await driving


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
async def test_time_goes_on(client, tape, speed):
    await client.record(tape)
    await client.record(None)
    with pytest.raises(ConfigurationError, match="speed above 0"):
        await client.replay(tape, speed=speed)


async def test_replaying_again_begins_anew_and_so_does_a_changed_file(client, tape):
    await client.record(tape)
    texts = [(await client.generate(told(parts=[["answer", text]], gap=0))).text for text in "ab"]
    player = await replay(tape)
    for _ in range(2):
        assert (await player.generate(told(parts=[["answer", "a"]], gap=0))).text == texts[0]
        assert await player.replay(tape) == 2
    await client.generate("One more?")
    assert (await player.generate("One more?")).played == "replay"


async def test_a_stream_waits_for_a_slow_disk_and_never_fills_memory(client, tape, monkeypatch):
    monkeypatch.setattr(recorder, "_MOST_WAITING", 1000)
    waits = []

    async def written(self, ours=recorder.CassetteFile.written):
        waits.append(self._added - self._taken)
        await ours(self)

    monkeypatch.setattr(recorder.CassetteFile, "written", written)
    await client.record(tape)
    await client.generate(told(frames=50, chars=500, gap=0))
    assert len(waits) > 3
    assert max(waits) < 3000
    assert len(read_cassette(tape)[0].frames) >= 50


SCRIPT = """
import asyncio, sys
from nbgemini import Client, Settings
from nbgemini.secrets import Secret

async def main(url, tape, who):
    async with Client(Settings(key=Secret("k"), base_url=url, model="gemini-3.8-flash")) as client:
        await client.record(tape)
        await asyncio.gather(*(client.generate(f'offline: {{"frames": 20, "chars": 300, "gap": 0}}\\n{who}{n}') for n in range(5)))

asyncio.run(main(*sys.argv[1:]))
"""


def test_two_processes_record_into_one_file(service, tape):
    command = [sys.executable, "-c", SCRIPT, service.url, str(tape)]
    running = [subprocess.Popen([*command, who]) for who in ("a", "b")]
    assert [process.wait(60) for process in running] == [0, 0]
    recordings = read_cassette(tape)
    assert len(recordings) == 10
    assert {(recording.end, len(recording.frames)) for recording in recordings} == {("complete", 21)}


def test_a_process_that_is_killed_leaves_a_cassette(service, tape):
    script = SCRIPT.replace('"frames": 20', '"frames": 20, "stall": 3')
    process = subprocess.Popen([sys.executable, "-c", script, service.url, str(tape), "a"])
    while not tape.exists() or tape.read_bytes().count(b'"frame"') < 15:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert {(recording.end, len(recording.frames)) for recording in read_cassette(tape)} == {("open", 3)}


async def test_errors_keep_their_class_and_seconds(settings, tape):
    async with Client(msgspec.structs.replace(settings, retries=0), sleep=soon) as client:
        await client.record(tape)
        with pytest.raises(RateLimitError):
            await client.generate(told(status=429, error={"status": "RESOURCE_EXHAUSTED"}, retry_delay="7s"))
        with pytest.raises(ServerError):
            await client.generate(told(status=500))
    player = await replay(tape, msgspec.structs.replace(NOWHERE, retries=0))
    with pytest.raises(RateLimitError) as caught:
        await player.generate(told(status=429, error={"status": "RESOURCE_EXHAUSTED"}, retry_delay="7s"))
    assert (caught.value.retry_after, caught.value.code, caught.value.played) == (7.0, 429, True)
    with pytest.raises(ServerError):
        await player.generate(told(status=500))
