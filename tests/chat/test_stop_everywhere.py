"""A turn with tools is stopped at every point where it waits, in every way there is; afterwards all is as if it had been meant.

Every task of the turn is counted: wherever one of them suspends, the reply is stopped, the driving task is cancelled (before or
after what it waits for has come), or cancelled once more while it tidies up.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import aclosing, asynccontextmanager, suppress

import pytest

from nbgemini import Client, Settings
from nbgemini.chat.endpoint import Endpoint
from nbgemini.journal import Journal
from nbgemini.messages.events import ToolRun
from nbgemini.messages.segments import SegmentDelta, SegmentStart, SegmentUpdate
from nbgemini.secrets import Secret
from nbgemini.tools.toolbox import Toolbox
from nbgemini.transport.retry import Retry
from tests.fakes.line import STREAM_ENDS, Line
from tests.fakes.reader import contents
from tests.support.suspensions import Waits, nothing_left

MODEL = "gemini-3.8-flash"
WAYS = ("stop", "cancel", "cancel late", "stop, then cancel", "cancel twice")


# --- the transcripts: as the service is told to say them, and as a voice says them


def told(*entries):
    return f"offline: {json.dumps({'parts': entries, 'gap': 0.001})}"


PROMPTS = {
    "plain": told(["thought", "(hm)"], ["answer", "(said)"], ["thought", "(hm)"], ["answer", "(more)"]),
    "parallel": told(["thought", "(hm)"], ["call", "work", {"ticket": 1}], ["call", "block", {"ticket": 2}]),
    "pieces": "in pieces",
}


def plain(voice):
    for part in (voice.thought("(hm)"), voice.answer("(said)"), voice.thought("(hm)"), voice.answer("(more)"), voice.last()):
        voice.push(part)


def parallel(voice):
    voice.push(voice.thought("(hm)"))
    voice.push(voice.call("work", {"ticket": 1}), voice.call("block", {"ticket": 2}))


class Playing(Line):
    """A line on which the model says a whole transcript by itself, and few words after that."""

    def __init__(self, transcript):
        super().__init__(MODEL)
        self._transcript = transcript

    async def frames(self, request):
        async with aclosing(super().frames(request)) as frames:
            async for frame in frames:
                await asyncio.sleep(0)
                yield frame

    def _answering(self, body):
        voice = super()._answering(body)
        answers = sum("functionResponse" in part for part in body["contents"][-1]["parts"])
        if answers or voice.prompt != PROMPTS[self._transcript]:
            voice.push(voice.answer("Done."))
        elif self._transcript == "pieces" and not body.get("continuationToken"):
            first, *voice.rest = voice.streamed("work", {"ticket": 1})
            voice.push(first)
            self.cut_in_two(voice)
            return voice
        elif self._transcript == "pieces":
            for part in voice.rest:
                voice.push(part)
        else:
            {"plain": plain, "parallel": parallel}[self._transcript](voice)
        voice.well = True
        voice.push(voice.last(), finishReason="STOP")
        voice.waits.put_nowait(STREAM_ENDS)
        return voice


# --- every wait is counted


class Turn:
    """One turn, its tools and its reader."""

    def __init__(self, chat, prompt):
        self.ran = Counter()
        self.shown = []
        self.ends = 0
        self.chat = chat
        self.reply = chat.begin(prompt, toolbox=Toolbox([self.work, self.block], self.approve))
        self.reply.when_done(self.ended)
        self.driving = None
        self.cancelled = False  # from outside, while it still ran

    def ended(self):
        self.ends += 1

    async def approve(self, *_):
        await asyncio.sleep(0)
        return True

    async def work(self, ticket: int) -> str:
        """Work on the loop."""
        self.ran[ticket] += 1
        await asyncio.sleep(0)
        return "worked"

    def block(self, ticket: int) -> str:
        """Work in a thread."""
        self.ran[ticket] += 1
        return "worked"

    def apply(self, changes):
        for change in changes:
            match change:
                case SegmentStart():
                    self.shown.append([change.kind, "", change.content])
                case SegmentDelta():
                    self.shown[change.index][1] += change.text
                case SegmentUpdate():
                    self.shown[change.index][2] = change.content

    def stop(self, way, waited):
        loop = asyncio.get_running_loop()
        if way.startswith("stop"):
            self.reply.stop()
        elif way == "cancel late" and asyncio.isfuture(waited):
            waited.add_done_callback(self.cancel)  # before the task hears of it
        elif way == "cancel late":
            loop.call_soon(self.cancel)
        else:
            self.cancel()
        if way in ("stop, then cancel", "cancel twice"):
            loop.call_soon(loop.call_soon, self.cancel)

    def cancel(self, *_):
        self.cancelled |= self.driving.cancel()

    async def drive(self, way, at):
        """Drive the turn and end it at its `at`-th wait; return how many waits it had."""
        with Waits(at, lambda waited: self.stop(way, waited)) as waits:
            self.driving = asyncio.create_task(self.chat.drive(self.reply, self.apply))
            with suppress(asyncio.CancelledError):
                await self.driving
            await nothing_left()
        return waits.count


def check(turn, *, whole):
    """What holds after any end."""
    reply, exchange = turn.reply, turn.reply.exchange
    assert (turn.ends, reply.done, reply.state) == (1, True, "complete" if whole else "interrupted")
    assert turn.driving.cancelled() == turn.cancelled
    assert [tuple(one) for one in turn.shown] == [(s.kind, s.text, s.content) for s in reply.segments]
    assert contents(turn.chat.segments(exchange)) == contents(reply.segments)
    assert set(turn.ran.values()) <= {1}
    answers = [part["functionResponse"] for past in exchange.past for part in past.parts if "functionResponse" in part]
    calls = [segment.content for segment in reply.segments if isinstance(segment.content, ToolRun)]
    assert len(answers) == len(calls) or not (answers or turn.ran)
    for run, answer in zip(calls, answers, strict=False):
        assert run.over
        assert run.response == answer["response"]
        assert "nothing was done" not in str(answer) or not turn.ran[run.call.args["ticket"]]
        assert "output" not in answer["response"] or turn.ran[run.call.args["ticket"]]


async def goes_on(chat, turn):
    before = turn.ran.copy()
    assert (await chat.ask("what is 1 + 1")).state == "complete"
    assert turn.ran == before


@asynccontextmanager
async def asking(url, path, source=None):
    journal = Journal(path, "a.ipynb")
    async with Client(Settings(key=Secret("k"), base_url=url, model=MODEL), log=journal) as client:
        if source:
            client.services.endpoints.put("gemini", Endpoint.over(source, retry=Retry(sleep=lambda _: asyncio.sleep(0))))
        yield client, journal
    journal.close()


async def stopped_everywhere(client, journal, prompt, way, quiet):
    """Stop a turn at its first wait, its second, … until it is over before; return how many there were."""
    waits, at = 1, 0
    while waits >= at:
        at += 1
        chat = client.chat(f"{way} {at}")
        turn = Turn(chat, prompt)
        waits = await turn.drive(way, at)
        whole = waits < at or turn.reply.state == "complete"
        check(turn, whole=whole)
        await quiet()
        assert journal.flush()
        (restored,) = Journal(journal.path, "a.ipynb").exchanges(chat.name)
        assert restored.turns() == turn.reply.exchange.turns()
        later = client.chat(f"{way} {at} later")
        later.transcript.exchanges.append(restored)
        assert contents(later.segments(restored)) == contents(turn.reply.segments)
        for one in (chat, later):
            await goes_on(one, turn)
    return waits


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("transcript", PROMPTS)
async def test_a_turn_can_be_stopped_at_every_wait(tmp_path, transcript, way):
    line = Playing(transcript)

    async def quiet():
        assert not line.voices

    async with asking("http://localhost", tmp_path / "journal", line) as (client, journal):
        waits = await stopped_everywhere(client, journal, PROMPTS[transcript], way, quiet)
    assert waits >= {"plain": 5, "parallel": 15, "pieces": 10}[transcript]
    print(f"{transcript}, {way}: {waits} waits")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("transcript", ["plain", "parallel"])
async def test_a_stopped_turn_leaves_no_stream_open_at_the_service(service, tmp_path, transcript, way):
    async def quiet():
        async with asyncio.timeout(20):
            while service.open_streams:
                await asyncio.sleep(0)

    async with asking(service.url, tmp_path / "journal") as (client, journal):
        waits = await stopped_everywhere(client, journal, PROMPTS[transcript], way, quiet)
    assert waits  # how many there are depends on how many frames come at once
    print(f"{transcript}, {way}: {waits} waits")
