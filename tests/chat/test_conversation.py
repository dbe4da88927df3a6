"""A conversation stays one that the service takes, whatever happens in it, in any order; also after the kernel was killed.

One machine plays the model, the reader and the tools of up to three chats at once, frame by frame. After every rule the next
request of each chat must pass what Google checks, nothing ran unasked, too early or twice, each reply ended at most once, and
what the reader saw is what the transcript and the journal hold.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import threading
import time
from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from nbgemini.errors import PromptError, ServerError, TransportError
from nbgemini.messages.transcript import alternating
from nbgemini.messages.turns import user_turn
from nbgemini.notebook.commands import chats as commands
from nbgemini.notebook.jobs import ReplyJob
from nbgemini.providers.gemini.codec import GeminiCodec
from nbgemini.tools.toolbox import Toolbox
from nbgemini.transport import retry
from nbgemini.transport.retry import RetryBudget
from tests.fakes.line import STREAM_ENDS, Line, said
from tests.fakes.reader import Kernel, Talk, contents

MODELS = ("gemini-3.8-flash", "gemini-2.5-flash")
GOING = ("running", "waiting")
TERMINAL = {"complete", "truncated", "interrupted", "blocked", "failed"}
CHATS = ("main", "b", "c")
THOROUGH = int(os.environ.get("NBGEMINI_THOROUGH", "1"))  # times what a push tests
RUNS, STEPS = 120 * THOROUGH, 50
MOST_GOING = 4  # replies at once
KINDS = st.sampled_from(["thought", "answer", "call", "call", "quick", "copy", "unknown", "bad"])
WHICH = st.sampled_from(["all", "all", 0, 1, 2])


def some(things, which):
    """All of them, or one."""
    things = list(things)
    return things if which == "all" else [things[which % len(things)]]


class Conversations(RuleBasedStateMachine):
    """Up to three chats; every call has a ticket of its own, so that each run of it is known."""

    def __init__(self, loop):
        super().__init__()
        self.loop = loop
        self.numbers = itertools.count(1)
        self.talks = []
        self.asked = {}  # by ticket: the questions that wait
        self.running = {}  # by ticket: the tools that work
        self.ran = Counter()
        self.approved = set()
        self.kernel = None
        self.checked = {}

    @initialize(model=st.sampled_from(MODELS))
    def begin(self, model):
        self.directory = tempfile.TemporaryDirectory(prefix="nbgemini-")
        self.line = Line(model)
        self.toolbox = Toolbox([self.work, self.quick], self.approve)
        self.kernel = Kernel(self.line, self.path)

    @property
    def path(self):
        return Path(self.directory.name) / "journal"

    @property
    def going(self):
        return [talk for talk in self.talks if not talk.reply.done]

    def run(self, act):
        """Do something on the loop and let it work until it waits for us; what commands print is not looked at."""

        async def acted():
            with redirect_stdout(StringIO()):
                act()
            while True:
                await asyncio.sleep(0)
                for thread in threading.enumerate():
                    if thread.name == "nbgemini-tool":
                        thread.join()
                if not self.loop._ready:
                    return

        self.loop.run_until_complete(acted())

    # --- tools and who allows them

    async def approve(self, _tool, call, _number):
        ticket = call.args["ticket"]
        verdict = self.asked[ticket] = self.loop.create_future()
        try:
            said = await verdict
        finally:
            del self.asked[ticket]
        self.approved |= {ticket} if said else set()
        return said

    async def work(self, ticket: int) -> str:
        """Work until told otherwise."""
        self.ran[ticket] += 1
        self.running[ticket] = self.loop.create_future()
        try:
            return await self.running[ticket]
        finally:
            del self.running[ticket]

    def quick(self, ticket: int) -> str:
        """Work in a thread."""
        self.ran[ticket] += 1
        return f"worked {ticket}"

    @precondition(lambda self: self.asked)
    @rule(which=WHICH, said=st.sampled_from([True, True, False]))
    def decide(self, which, said):
        """Approve or refuse some of the calls that wait."""
        self.run(lambda: [verdict.set_result(said) for verdict in some(self.asked.values(), which)])

    @precondition(lambda self: self.running)
    @rule(which=WHICH, fails=st.booleans())
    def tool_ends(self, which, fails):
        for outcome in some(self.running.values(), which):
            self.run(lambda o=outcome: o.set_exception(ValueError("no")) if fails else o.set_result("worked"))

    # --- the reader

    def chat(self, which):
        chats = list(self.kernel.client.chats.values())
        return chats[which % len(chats)] if chats else self.kernel.client.chat()

    def ask(self, chat, prompt, cell):
        reply = chat.begin(prompt, cell=cell, toolbox=self.toolbox)
        talk = Talk(self.line, chat, reply)
        self.talks.append(talk)

        async def explained(*_):
            """Say no more about an error."""

        def start():
            talk.task = self.kernel.jobs.start(ReplyJob(chat, reply, talk, cell, explained))

        self.run(start)

    @precondition(lambda self: len(self.going) < MOST_GOING)
    @rule(name=st.sampled_from(CHATS), cell=st.sampled_from([None, None, "x", "y"]))
    def send(self, name, cell):
        """Ask, maybe while the chat still answers, maybe in a cell that has asked before."""
        self.ask(self.kernel.client.chat(name), f"prompt {next(self.numbers)}", cell and f"{cell} {name}")

    def retry(self, which):
        try:
            ask, exchange = commands.last_exchange(self.kernel, self.chat(which).name)
        except PromptError:
            return
        exchange.cell = exchange.cell or uuid4().hex
        self.ask(self.kernel.client.chat(ask.chat), exchange.asked, exchange.cell)

    def stop(self, which, cancelled):
        talk = self.going[which % len(self.going)]
        self.run(talk.task.cancel if cancelled else talk.reply.stop)
        assert talk.reply.state == "interrupted"

    def forget(self, which, command):
        try:
            self.run(lambda: command(self.kernel, self.chat(which).name))
        except PromptError:
            return

    def fork(self, which, to):
        chat = self.chat(which)
        try:
            self.run(lambda: commands.fork(self.kernel, f"{chat.name} {to}"))
        except PromptError:
            return
        branch = self.kernel.client.chat(to).transcript
        assert [e.turns() for e in branch] == [e.turns() for e in chat.transcript if e.state not in GOING]

    # --- the model

    @precondition(lambda self: self.line.voices)
    @rule(
        which=st.integers(0, 2),
        kinds=st.lists(KINDS, max_size=3),
    )
    def says(self, which, kinds):
        """Say something, in one frame; nothing at all is a frame too, and what is an echo of a call comes in one of its own."""
        voice = self.line.voices[which % len(self.line.voices)]
        parts = [] if voice.half else [(kind, self.part(voice, kind)) for kind in kinds]  # it has one at a time
        frames = [[]]
        for kind, part in parts:
            frames += [[part], []] if kind == "copy" else []
            frames[-1] += [] if kind == "copy" else [part]
        said = [frame for frame in frames if frame] or [[]]
        self.run(lambda: [voice.push(*frame) for frame in said])

    def part(self, voice, kind):
        number = next(self.numbers)
        match kind:
            case "thought":
                return voice.thought(f"(thought {number})")
            case "answer":
                return voice.answer(f"(said {number})")
            case "copy":
                return voice.copy()
            case "bad":
                return voice.call("work", {"ticket": number, "more": 1})
        return voice.call({"call": "work"}.get(kind, kind), {"ticket": number})

    @precondition(lambda self: self.line.voices)
    @rule(which=st.integers(0, 2), kinds=st.lists(KINDS, min_size=1, max_size=4))
    def calls(self, which, kinds):
        """Say something and end well: a whole turn."""
        self.says(which, [*kinds, "call"])
        self.ends(which, "STOP")

    @precondition(lambda self: self.line.voices)
    @rule(which=st.integers(0, 2), pieces=st.sampled_from([3, 3, 3, 2, 1]))
    def says_a_call_in_pieces(self, which, pieces):
        voice = self.line.voices[which % len(self.line.voices)]
        parts = [] if voice.half else voice.streamed("work", {"ticket": next(self.numbers)})[:pieces]
        voice.half |= len(parts) in (1, 2)
        self.run(lambda: [voice.push(part) for part in parts])

    @precondition(lambda self: self.line.voices and self.line.family.ids)
    @rule(which=st.integers(0, 2))
    def runs_code(self, which):
        voice = self.line.voices[which % len(self.line.voices)]
        part = voice.code("1 + 1")
        self.run(lambda: voice.push(part))

    @precondition(lambda self: self.line.voices)
    @rule(which=st.integers(0, 2), reason=st.sampled_from(["STOP"] * 8 + ["MAX_TOKENS", "SAFETY", "MALFORMED_FUNCTION_CALL"]))
    def ends(self, which, reason):
        voice = self.line.voices[which % len(self.line.voices)]
        voice.well = reason == "STOP"
        last = voice.last()

        def end():
            voice.push(last, finishReason=reason)
            voice.waits.put_nowait(STREAM_ENDS)

        self.run(end)

    def is_cut_in_two(self, which):
        voice = self.line.voices[which % len(self.line.voices)]
        self.run(lambda: self.line.cut_in_two(voice))

    def breaks_off(self, which, how):
        """The connection dies, ends without a word, after its last word, or an error comes inside of the stream."""
        voice = self.line.voices[which % len(self.line.voices)]
        last = voice.last()

        def end():
            if how == "finished":
                voice.push(last, finishReason="STOP")
            error = ServerError("overloaded") if how == "fault" else TransportError("cut off")
            voice.waits.put_nowait(STREAM_ENDS if how == "silent" else error)

        self.run(end)

    # --- kernels

    def restart(self, killed):
        """The kernel ends, or is killed, and the next one goes on with what is in the journal."""
        old, before = self.kernel, {}
        if not killed:
            self.run(lambda: [talk.reply.stop() for talk in self.going])
        for chat in old.client.chats.values():
            before[chat.name] = [exchange.turns() for exchange in chat.transcript if exchange.state not in GOING]
        assert old.journal.flush()
        self.kernel = Kernel(self.line, self.path)
        for name, turns in before.items():
            self.restored(name, turns, old.client.chats[name])
        self.run(lambda: [talk.task.cancel() for talk in self.going])
        old.journal.close()
        self.talks.clear()

    def restored(self, name, turns, chat):
        if not len(chat.transcript):  # former kernels may know more of a chat that was forgotten
            return
        self.run(lambda: commands.load(self.kernel, name))
        loaded = self.kernel.client.chat(name)
        pairs = list(zip(chat.transcript, loaded.transcript, strict=True))
        assert [new.turns() for old, new in pairs if old.state not in GOING] == turns
        for old, new in pairs:
            assert all(s.content is None or s.kind != "tool_call" or s.content.over for s in loaded.segments(new))
            now, then = contents(loaded.segments(new)), contents(chat.segments(old))
            assert now == then or ([one[:2] for one in now] == [one[:2] for one in then] and old.state in GOING)

    @rule(
        what=st.sampled_from(
            [
                "stop",
                "cancel",
                "retry",
                "drop",
                "reset",
                "fork",
                "restart",
                "kill",
                "cut",
                "silent",
                "fault",
                "finished",
                "two",
                "two",
            ]
        ),
        which=st.integers(0, 3),
        to=st.sampled_from(CHATS),
    )
    def trouble(self, what, which, to):
        """What a reader, a connection or the end of a kernel does at any moment."""
        match what:
            case "stop" | "cancel" if self.going:
                self.stop(which, cancelled=what == "cancel")
            case "retry" if len(self.going) < MOST_GOING:
                self.retry(which)
            case "drop" | "reset":
                self.forget(which, getattr(commands, what))
            case "fork":
                self.fork(which, to)
            case "restart" | "kill":
                self.restart(killed=what == "kill")
            case "two" if self.line.voices:
                self.is_cut_in_two(which)
            case "cut" | "silent" | "fault" | "finished" if self.line.voices:
                self.breaks_off(which, what)

    @rule(turn=st.lists(KINDS, max_size=4), calls=st.booleans(), said=st.sampled_from([True, True, False]), fails=st.booleans())
    def goes_on(self, turn, calls, said, fails):
        """What comes next if all goes its way: the other rules may be switched off in a run."""
        if self.running:
            self.tool_ends("all", fails)
        elif self.asked:
            self.decide("all", said)
        elif not self.line.voices:
            self.send(CHATS[0], None)
        elif calls:
            self.calls(0, turn)
        else:
            self.says(0, turn)
            self.ends(0, "STOP")

    # --- what holds after every rule

    @invariant()
    def nothing_runs_unasked_too_early_or_twice(self):
        assert set(self.ran) <= self.approved
        assert not self.kernel or not self.line.not_to_run() & {*self.ran, *self.asked}
        assert set(self.ran.values()) <= {1}

    @invariant()
    def each_reply_ends_once_and_shows_what_came(self):
        for talk in self.talks:
            reply = talk.reply
            assert (talk.ends == 1) == (reply.state in TERMINAL) == reply.done == talk.task.done()
            if talk.task.done() and not talk.task.cancelled() and not talk.checked:
                talk.checked = True
                self.check_end(talk, reply)

    def check_end(self, talk, reply):
        assert talk.task.exception() is None, reply.error
        assert [tuple(one) for one in talk.shown] == [(s.kind, s.text, s.content) for s in reply.segments]
        assert contents(talk.chat.segments(reply.exchange)) == contents(reply.segments)
        went = {said(part) for turn in reply.exchange.turns() for part in turn.parts}
        assert talk.said <= went or reply.state != "complete"
        assert "(thought" not in reply.text
        assert "(said" not in reply.thoughts

    @invariant()
    def one_answer_at_a_time_in_each_chat(self):
        prompts = {voice.prompt for voice in self.line.voices} if self.kernel else set()
        speaking = [talk.chat.name for talk in self.going if talk.reply.exchange.asked.parts[0]["text"] in prompts]
        assert len(speaking) == len(set(speaking))

    @invariant()
    def the_next_request_is_valid_and_faithful(self):
        for chat in self.kernel.client.chats.values() if self.kernel else ():
            exchanges = list(chat.transcript)
            seen = [(exchange, exchange.state, len(exchange.past), len(exchange.parts)) for exchange in exchanges]
            if self.checked.get(chat) != seen:
                self.checked[chat] = seen
                self.check(chat, exchanges)

    def check(self, chat, exchanges):
        turns = [turn for exchange in exchanges for turn in exchange.turns()]
        self.line.check(GeminiCodec().encode(alternating([*turns, user_turn("prompt")]), chat.options).body)

    def teardown(self):
        if self.kernel:
            self.run(lambda: [talk.task.cancel() for talk in self.going])
            self.kernel.journal.close()
            self.directory.cleanup()
            assert not self.line.voices
            assert not asyncio.all_tasks(self.loop)


@pytest.mark.timeout(300)
def test_any_conversation_stays_valid(monkeypatch, capsys):
    monkeypatch.setattr(retry, "BUDGET", RetryBudget(tokens=10**9))  # what a run may do must not hang on the runs before
    began = time.monotonic()
    loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        run_state_machine_as_test(
            lambda: Conversations(loop),
            settings=settings(
                max_examples=RUNS,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=True,
                database=None,
                report_multiple_bugs=False,
                phases=(Phase.generate,),  # what fails is short enough to be read as it is
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    with capsys.disabled():
        print(f"{RUNS} conversations of {STEPS} steps in {time.monotonic() - began:.0f} s")
