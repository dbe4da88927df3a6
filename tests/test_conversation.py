"""A conversation stays one that the service takes, whatever happens in it, in any order; also after the kernel was killed.

The offline service checks on every request what Google checks: order, roles, one answer a call, ids, signatures.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from nbgemini import Client, Settings
from nbgemini.journal import Journal
from nbgemini.offline.signatures import sign
from nbgemini.offline.validate import normalised, validate
from nbgemini.secret import Secret
from nbgemini.toolbox import Toolbox, allow
from nbgemini.transcript import alternating
from nbgemini.turns import user_turn
from tests.fakes.raw import END, RawServer, event, head, text_frame

MODELS = ("gemini-3.8-flash", "gemini-2.5-flash")
TERMINAL = {"complete", "truncated", "interrupted", "blocked", "failed"}
TICKET = re.compile(r'"ticket": (\d+)')
THOUGHT, SAID = "(a thought)", "(said)"


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def told(*entries, **more):
    return f"offline: {json.dumps({'parts': entries, 'gap': 0, **more})}"


def later(path):
    """What another kernel finds."""
    return Journal(path, "a.ipynb")


def client_of(service, journal, model=MODELS[0]):
    return Client(Settings(key=Secret("k"), base_url=service.url, model=model), log=journal)


# --- through the journal


@pytest.mark.parametrize("model", MODELS)
async def test_a_loaded_chat_goes_on_with_its_calls_results_and_signatures(service, tmp_path, model):
    path = tmp_path / "journal"
    first = Journal(path, "a.ipynb")
    async with client_of(service, first, model) as client:
        prompt = told(
            ["thought", THOUGHT], ["answer", SAID], ["call", "add", {"a": 1, "b": 2}], ["call", "add", {"a": 3, "b": 4}]
        )
        reply = await client.chat().ask(prompt, toolbox=Toolbox([add], allow))
        shown = client.chat().segments(reply.exchange)
    first.close()
    second = later(path)
    async with client_of(service, second, model) as client:
        (restored,) = second.exchanges("main")
        client.chat().transcript.exchanges.append(restored)
        second.adopt("main", [restored])
        assert restored.turns() == reply.exchange.turns()
        assert [(s.kind, s.text, s.content) for s in client.chat().segments(restored)] == [
            (s.kind, s.text, s.content) for s in shown
        ]
        assert (await client.chat().ask("what is 1 + 1")).state == "complete"
    second.close()
    assert next(exchange.turns() for exchange in later(path).exchanges("main")) == reply.exchange.turns()


ASK = """
import asyncio, sys
from pathlib import Path
from nbgemini import Client, Settings
from nbgemini.journal import Journal
from nbgemini.secret import Secret
from nbgemini.toolbox import Toolbox, allow
url, path, model, prompt = sys.argv[1:]
def hang(n: int) -> None:
    print("runs", n, flush=True)
    if n:
        import threading
        threading.Event().wait()
async def main():
    client = Client(Settings(key=Secret("k"), base_url=url, model=model), log=Journal(Path(path), "a.ipynb"))
    await client.chat().ask(prompt, toolbox=Toolbox([hang], allow))
asyncio.run(main())
"""


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("text", [[], [["answer", SAID]]])
async def test_a_kernel_killed_between_call_and_answer_leaves_a_chat_that_goes_on(service, tmp_path, model, text):
    """What was called was on disk before it ran; that it was is shown, but doesn't go back."""
    path, prompt = tmp_path / "journal", told(*text, ["call", "hang", {"n": 1}])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ASK, service.url, str(path), model, prompt, stdout=asyncio.subprocess.PIPE
    )
    assert await process.stdout.readline() == b"runs 1\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    journal = later(path)
    async with client_of(service, journal, model) as client:
        (restored,) = journal.exchanges("main")
        client.chat().transcript.exchanges.append(restored)
        (run,) = [s.content for s in client.chat().segments(restored) if s.kind == "tool_call"]
        assert (restored.state, run.call.args, run.state) == ("interrupted", {"n": 1}, "stopped")
        assert (await client.chat().ask("what is 1 + 1")).state == "complete"
    journal.close()
    assert len(service.requests[-1].body["contents"]) == (3 if text else 1)


async def test_a_kernel_killed_in_a_later_round_leaves_the_former_one_whole(tmp_path):
    """What had been done is told to the model, what may have been done is not."""
    path, model = tmp_path / "journal", MODELS[0]
    turns = [call_turn("hang", {"n": n}, f"c{n}") for n in (0, 1)]
    async with RawServer(*turns, [head(), event(text_frame("Done.", finish="STOP")), END]) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ASK, server.url, str(path), model, "go", stdout=asyncio.subprocess.PIPE
        )
        assert [await process.stdout.readline() for _ in range(2)] == [b"runs 0\n", b"runs 1\n"]
        process.send_signal(signal.SIGKILL)
        await process.wait()
        journal = later(path)
        async with Client(Settings(key=Secret("k"), base_url=server.url, model=model), log=journal) as client:
            client.chat().transcript.exchanges += journal.exchanges("main")
            shown = client.chat().segments(client.chat().transcript.exchanges[0])
            assert [(s.content.call.id, s.content.state) for s in shown] == [("c0", "done"), ("c1", "stopped")]
            assert (await client.chat().ask("go on")).text == "Done."
        journal.close()
        body = json.loads(server.requests[-1][1])
    validate(normalised(body), model)
    assert [next(iter(part)) for content in body["contents"] for part in content["parts"]] == [
        "text",
        "functionCall",
        "functionResponse",
        "text",
    ]


def call_turn(name, args, id_):
    part = sign({"functionCall": {"id": id_, "name": name, "args": args}})
    candidate = {"content": {"parts": [part], "role": "model"}, "index": 0, "finishReason": "STOP"}
    return [head(), event({"candidates": [candidate], "modelVersion": "m"}), END]


# --- anything, in any order


class Sandbox:
    """One conversation and what its tools did, on a loop of its own that runs while a rule does."""

    def __init__(self, service, model):
        self.service, self.model = service, model
        self.directory = tempfile.TemporaryDirectory(prefix="nbgemini-")
        self.path = Path(self.directory.name) / "journal"
        self.runner = asyncio.Runner()
        self.reply = None
        self.driving = None
        self.ran = Counter()  # of each ticket
        self.approved = set()
        self.forbidden = set()  # calls of turns that don't end well
        self.questions = {}
        self.news = asyncio.Event()
        self.ends = Counter()
        self.tickets = 0
        self.open()

    def open(self):
        self.journal = later(self.path)
        self.client = client_of(self.service, self.journal, self.model)
        self.chat = self.client.chat()

    def run(self, coroutine):
        return self.runner.run(coroutine)

    def ticket(self):
        self.tickets += 1
        return self.tickets

    async def approve(self, _tool, call, _number):
        verdict = self.questions[call.args["ticket"]] = asyncio.get_running_loop().create_future()
        self.news.set()
        try:
            said = await verdict
        finally:
            del self.questions[call.args["ticket"]]
        if said:
            self.approved.add(call.args["ticket"])
        return said

    async def work(self, ticket: int, fails: bool = False) -> str:
        """Work."""
        self.ran[ticket] += 1
        if fails:
            raise ValueError(ticket)
        return f"worked {ticket}"

    async def wait(self, ticket: int) -> None:
        """Wait for ever."""
        self.ran[ticket] += 1
        self.news.set()
        await asyncio.Event().wait()

    async def begin(self, prompt, cell):
        self.reply = self.chat.begin(prompt, cell=cell, toolbox=Toolbox([self.work, self.wait], self.approve))
        mark = len(self.ends)
        self.reply.when_done(lambda: self.ends.update([mark]))
        self.driving = asyncio.create_task(self.chat.drive(self.reply, lambda _: self.news.set()))
        self.driving.add_done_callback(lambda _: self.news.set())
        await self.settled()

    async def settled(self):
        """Until the reply has ended, or nothing happens any more that isn't ours to do."""
        while not self.driving.done() and not self.stuck():
            self.news.clear()
            await self.news.wait()
        if self.driving.done():
            await self.driving

    def stuck(self):
        runs = [segment.content for segment in self.reply.segments if segment.kind == "tool_call"]
        going = [run for run in runs if not run.over]
        return bool(going) and all(
            (run.state == "asking" and run.call.args["ticket"] in self.questions)
            or (run.state == "running" and run.call.name == "wait" and self.ran[run.call.args["ticket"]])
            for run in going
        )

    @property
    def at_rest(self):
        return self.driving is None or self.driving.done()

    async def stop(self):
        self.reply.stop()
        await self.driving

    async def close(self):
        if not self.at_rest:
            await self.stop()
        await self.client.aclose()
        self.journal.close()

    async def reload(self):
        """A kernel is restarted and goes on with what was stored."""
        await self.close()
        self.open()
        restored = self.journal.exchanges("main")
        self.chat.transcript.exchanges += restored
        self.journal.adopt("main", restored)
        self.reply = self.driving = None


BEFORE_THE_END = [{"cut": 0}, {"cut": 1}, {"fault": 0}, {"fault": 1}]  # of any turn with calls
BAD_ENDS = [{"finish": reason} for reason in ("MAX_TOKENS", "SAFETY", "MALFORMED_FUNCTION_CALL", None)]
LATER = [{"cut": n} for n in (2, 3, 5)] + [{"fault": n} for n in (2, 3)]  # after the tools, as a rule
TROUBLE = st.sampled_from([{}] * 16 + BEFORE_THE_END + BAD_ENDS + LATER)
KINDS = st.sampled_from(["work", "work", "work", "fail", "wait", "unknown", "bad", "streamed"])


TURNS = st.tuples(
    st.lists(KINDS, min_size=1, max_size=4),
    st.lists(st.sampled_from(["thought", "answer"]), max_size=2),  # before the calls
    st.integers(0, 3),  # copies of the last one
    st.booleans(),  # with an id
    st.booleans(),  # all in one frame
    TROUBLE,
)


class Conversation(RuleBasedStateMachine):
    """One chat with one model; every call has a ticket of its own, so that each run of it is known."""

    prompts = Bundle("prompts")

    def __init__(self, service):
        super().__init__()
        self.service = service
        self.box = None

    @initialize(model=st.sampled_from(MODELS))
    def begin(self, model):
        self.box = Sandbox(self.service, model)

    def entry(self, kind):
        ticket = self.box.ticket()
        match kind:
            case "fail":
                return ["call", "work", {"ticket": ticket, "fails": True}]
            case "wait":
                return ["call", "wait", {"ticket": ticket}]
            case "unknown":
                return ["call", "unknown", {"ticket": ticket}]
            case "bad":
                return ["call", "work", {"ticket": ticket, "fails": "perhaps"}]
            case "streamed":
                return ["streamed_call", "work", {"ticket": ticket}]
        return ["call", "work", {"ticket": ticket}]

    @precondition(lambda self: self.box.at_rest)
    @rule(target=prompts, thought=st.booleans(), said=st.booleans(), trouble=TROUBLE)
    def send(self, thought, said, trouble):
        """Ask something that is answered without tools."""
        entries = [["thought", THOUGHT]] * thought + [["answer", SAID]] * said + [["thought", THOUGHT]] * (thought and said)
        return self.ask(told(*(entries or [["answer", SAID]]), **trouble), None)

    @precondition(lambda self: self.box.at_rest)
    @rule(target=prompts, turn=TURNS)
    def call(self, turn):
        """Ask something for which the model calls tools."""
        kinds, around, copies, with_id, one_frame, trouble = turn
        before = [[kind, THOUGHT if kind == "thought" else SAID] for kind in around]
        calls = [self.entry(kind) for kind in kinds]
        name, args = calls[-1][1:]
        named = {"name": name, "args": args, **({"id": f"own_{args['ticket']}"} if with_id else {})}
        if copies and calls[-1][0] == "call" and with_id:
            calls[-1:] = [["raw", {"functionCall": named}]] * copies
        elif copies and calls[-1][0] == "call" and self.box.model == MODELS[1]:
            calls[-1:] = [calls[-1]] * copies  # copies without an id
        whole = [["frame", *before, *calls]] if one_frame and "streamed" not in kinds else [*before, *calls]
        if trouble in BEFORE_THE_END + BAD_ENDS:
            self.box.forbidden |= {int(ticket) for ticket in TICKET.findall(told(*calls))}
        return self.ask(told(*whole, **trouble), f"cell {self.box.tickets}")

    def ask(self, prompt, cell):
        self.box.run(self.box.begin(prompt, cell))
        return prompt, cell

    @rule(prompt=prompts)
    def retry(self, prompt):
        """Run a cell again, maybe while another one's tools run: its calls are proposed again, as calls of a new turn."""
        text, cell = prompt
        if not self.box.at_rest:
            self.box.run(self.box.stop())
        for ticket in map(int, TICKET.findall(text)):
            self.box.ran.pop(ticket, None)
            self.box.approved.discard(ticket)
        self.box.run(self.box.begin(text, cell))

    @precondition(lambda self: self.box.questions)
    @rule(which=st.integers(0, 9), said=st.sampled_from([True, True, False]), twice=st.booleans())
    def decide(self, which, said, twice):
        """Approve or refuse one of the calls that wait."""
        box = self.box
        ticket = sorted(box.questions)[which % len(box.questions)]

        async def decide():
            verdict = box.questions[ticket]
            for _ in range(1 + twice):
                if not verdict.done():
                    verdict.set_result(said)
            await box.settled()

        box.run(decide())

    @precondition(lambda self: not self.box.at_rest)
    @rule(cancelled=st.booleans())
    def stop(self, cancelled):
        async def stop():
            if cancelled:
                self.box.driving.cancel()
                with suppress(asyncio.CancelledError):
                    await self.box.driving
            else:
                await self.box.stop()

        self.box.run(stop())
        assert self.box.reply.state == "interrupted"

    @precondition(lambda self: self.box.at_rest)
    @rule()
    def forget(self):
        self.box.chat.transcript.clear()
        self.box.journal.forget("main")

    @rule()
    def save_and_load(self):
        before = None if not self.box.at_rest else [exchange.turns() for exchange in self.box.chat.transcript]
        self.box.run(self.box.reload())
        if before:  # of a chat that was forgotten, former kernels may know more
            assert [exchange.turns() for exchange in self.box.chat.transcript] == before

    @invariant()
    def nothing_runs_unasked_too_early_or_twice(self):
        if self.box:
            assert set(self.box.ran) <= self.box.approved
            assert not self.box.forbidden & {*self.box.ran, *self.box.questions}  # nor is anybody asked
            assert set(self.box.ran.values()) <= {1}

    @invariant()
    def each_reply_ends_once_and_thoughts_are_no_answers(self):
        if not self.box:
            return
        assert set(self.box.ends.values()) <= {1}
        reply = self.box.reply
        if reply is not None:
            assert (reply.state in TERMINAL) == reply.done == self.box.at_rest
            assert THOUGHT not in reply.text
            assert SAID not in reply.thoughts

    @invariant()
    def every_call_that_is_over_was_answered(self):
        if not self.box:
            return
        for exchange in self.box.chat.transcript:
            for called, answered in zip(exchange.past[::2], exchange.past[1::2], strict=True):
                names = [part["functionCall"]["name"] for part in called.parts if "functionCall" in part]
                assert names == [part["functionResponse"]["name"] for part in answered.parts]

    @invariant()
    def the_next_request_is_valid(self):
        """It is sent, from outside of the chat, and the service takes it."""
        box = self.box
        if not (box and box.at_rest):
            return
        before = [turn for exchange in box.chat.transcript for turn in exchange.turns()]
        request = box.chat._provider.encode(alternating([*before, user_turn("what is 1 + 1")]), box.chat.options)

        async def sent():
            return [frame async for frame in box.client._connect().frames(request)]

        assert box.run(sent())

    def teardown(self):
        if self.box:
            self.box.run(self.box.close())
            self.box.runner.close()
            self.box.directory.cleanup()


def test_any_conversation_stays_valid(service):
    few = settings(
        max_examples=60,
        stateful_step_count=15,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),  # what fails is short enough to be read as it is
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: Conversation(service), settings=few)
