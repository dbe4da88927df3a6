"""Calls run after the model's turn is whole, with leave, side by side, once; each is answered, and the next prompt works."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import suppress

import pytest

from nbgemini import Client, Settings
from nbgemini.errors import PromptError, ServerError, ToolError, TransportError
from nbgemini.messages.events import AnswerDelta, ThoughtDelta, ToolCall, ToolProgress
from nbgemini.messages.segments import SegmentEnd, SegmentStart, SegmentUpdate
from nbgemini.messages.turns import Usage
from nbgemini.offline.thought_signatures import sign
from nbgemini.offline.validation import validate
from nbgemini.replay.fingerprint import normalized
from nbgemini.secrets import Secret
from nbgemini.tools.toolbox import MOST_ROUNDS, Toolbox, allow_all, refuse_all
from tests.fakes.raw import CLOSE, END, RESET, STALL, RawServer, event, head, text_frame
from tests.support.tool_calls import ask, calls, goes_on, outputs, responses, told

MODELS = ("gemini-3.8-flash", "gemini-2.5-flash")


class Counter:
    """Tools that remember what they were called with."""

    def __init__(self):
        self.ran = []

    def add(self, a: int, b: int) -> int:
        """Add."""
        self.ran.append((a, b))
        return a + b

    def note(self, text: str = "") -> str:
        """Take a note."""
        self.ran.append(text)
        return f"noted {text}"


@pytest.fixture
def counter():
    return Counter()


def adding(a=1, b=2):
    return ["call", "add", {"a": a, "b": b}]


def runs(reply):
    return [(s.content.call.name, s.content.state) for s in reply.segments if s.kind == "tool_call"]


# --- over scripted sockets


def call_part(name, args, id_=None, *, signed=False):
    part = {"functionCall": {**({"id": id_} if id_ else {}), "name": name, "args": args}}
    return sign(part) if signed else part


def parts_frame(*parts, finish=None, **more):
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    return {"candidates": [{**candidate, **({"finishReason": finish} if finish else {}), **more}], "modelVersion": "m"}


def script(*frames, end=END):
    return [head(), *map(event, frames), end]


def refused(code):
    body = json.dumps({"error": {"code": code, "message": "overloaded", "status": "UNAVAILABLE"}}).encode()
    return [f"HTTP/1.1 {code} No\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body]


DONE = script(text_frame("Done.", finish="STOP"))


class Scripted:
    """A raw server and a client that asks it; at the end every request must have been one that Google would take."""

    def __init__(self, *scripts, model=MODELS[0]):
        self.server = RawServer(*scripts)
        self.model = model

    async def __aenter__(self):
        await self.server.__aenter__()
        self.client = Client(Settings(key=Secret("k"), base_url=self.server.url, model=self.model, retries=0))
        return self

    async def __aexit__(self, kind, error, trace):
        await self.client.aclose()
        await self.server.__aexit__()
        if kind is None:
            for body in self.bodies:
                validate(normalized(body), self.model)

    @property
    def bodies(self):
        return [json.loads(body) for _, body in self.server.requests]


# --- the round


@pytest.mark.parametrize("model", MODELS)
async def test_a_call_runs_and_its_result_goes_back(client, service, counter, model):
    reply = await ask(client, told(["thought", "Hm."], ["answer", "Wait: "], adding()), counter.add, model=model)
    assert (reply.state, counter.ran, outputs(service)) == ("complete", [(1, 2)], [{"output": 3}])
    assert [segment.kind for segment in reply.segments] == ["thought", "answer", "tool_call", "answer"]
    assert "Hm." not in reply.text
    assert [call.args for call in reply.tool_calls] == [{"a": 1, "b": 2}]
    (answered,) = responses(service.requests[-1].body)
    assert answered.get("id") == reply.tool_calls[0].id
    await goes_on(client)


@pytest.mark.parametrize("model", MODELS)
async def test_a_call_in_pieces_is_one_call_to_reader_and_service(client, service, counter, model):
    reply = await ask(client, told(["streamed_call", "note", {"text": "a long text"}], pieces=5), counter.note, model=model)
    assert (reply.state, counter.ran, runs(reply)) == ("complete", ["a long text"], [("note", "done")])
    assert outputs(service) == [{"output": "noted a long text"}]
    await goes_on(client)


async def test_a_call_that_is_not_approved_does_not_run(client, service, counter):
    reply = await ask(client, calls(("add", {"a": 1, "b": 2})), counter.add, approve=refuse_all)
    assert (counter.ran, runs(reply), reply.state) == ([], [("add", "refused")], "complete")
    assert outputs(service) == [{"error": "nobody was there to allow this call"}]
    await goes_on(client)


async def test_leave_is_asked_once_a_call_and_tells_them_apart(client, counter):
    asked = []

    async def approve(tool, call, number):
        asked.append((tool.name, call.args["a"], number))
        return number != 1

    await ask(client, calls(*(("add", {"a": n, "b": 0}) for n in range(3))), counter.add, approve=approve)
    assert sorted(asked) == [("add", 0, 0), ("add", 1, 1), ("add", 2, 2)]
    assert sorted(counter.ran) == [(0, 0), (2, 0)]


@pytest.mark.parametrize("said", [ValueError("no"), KeyboardInterrupt(), SystemExit(), asyncio.CancelledError(), "yes", None])
async def test_whatever_an_approval_does_but_yes_is_no(client, counter, said):
    async def approve(*_):
        if isinstance(said, BaseException):
            raise said
        return said

    reply = await ask(client, calls(("add", {"a": 1, "b": 2})), counter.add, approve=approve)
    assert (counter.ran, reply.state) == ([], "complete")
    assert runs(reply)[0][1] in ("refused", "stopped")
    await goes_on(client)


async def test_an_approval_need_not_be_async(client, counter):
    await ask(
        client,
        calls(*(("add", {"a": n, "b": 0}) for n in range(3))),
        counter.add,
        approve=lambda _, call, __: call.args["a"] != 1,
    )
    assert sorted(counter.ran) == [(0, 0), (2, 0)]


async def test_the_reply_waits_while_any_call_waits_for_leave(client):
    """A call that runs beside it does not hide the question."""
    begun, leave = asyncio.Event(), asyncio.Event()

    async def runs_at_once() -> None:
        begun.set()

    async def must_ask() -> None:
        """Ask."""

    async def approve(tool, *_):
        return tool.name == "runs_at_once" or await leave.wait()

    states = []
    chat = client.chat("main")
    reply = chat.begin(calls(("must_ask", {}), ("runs_at_once", {})), toolbox=Toolbox([runs_at_once, must_ask], approve))

    def apply(changes):
        over = [c for c in changes if isinstance(c, SegmentUpdate) and c.content.state == "done"]
        states.extend(reply.state for _ in over)
        if over:
            leave.set()

    await chat.drive(reply, apply)
    assert begun.is_set()
    assert states == ["waiting", "running"]


async def test_an_unknown_tool_and_bad_arguments_are_told_to_the_model(client, service, counter):
    asked = [("nothing", {}), ("add", {"a": "x", "b": 2}), ("add", {"a": 1}), ("add", {"a": 1, "b": 2, "c": "y" * 1_000_000})]
    reply = await ask(client, calls(*asked), counter.add)
    assert (counter.ran, reply.state, {state for _, state in runs(reply)}) == ([], "complete", {"failed"})
    unknown, wrong, missing, extra = [answer["error"] for answer in outputs(service)]
    assert "no tool named 'nothing'" in unknown
    assert [word in text for word, text in (("a:", wrong), ("b:", missing), ("c:", extra))] == [True] * 3
    await goes_on(client)


async def test_nobody_is_asked_about_a_call_that_cannot_run(client, service, counter):
    """A reader has enough to decide; the model is told what is wrong, and the call beside it is asked about."""
    asked = []

    async def approve(_tool, call, _number):
        asked.append(call.args)
        return True

    wrong = [("nothing", {}), ("add", {"a": "x", "b": 2}), ("add", {"b": 2}), ("add", ONE)]
    reply = await ask(client, calls(*wrong), counter.add, approve=approve)
    assert (asked, counter.ran) == ([ONE], [(1, 2)])
    assert [state for _, state in runs(reply)] == ["failed", "failed", "failed", "done"]
    assert ["bad arguments" in answer.get("error", "") for answer in outputs(service)] == [False, True, True, False]


@pytest.mark.parametrize(
    "kind", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError, StopIteration, RecursionError]
)
@pytest.mark.parametrize("in_loop", [True, False])
async def test_a_tool_that_raises_is_answered_and_the_other_one_too(client, service, counter, kind, in_loop):
    def fail() -> None:
        raise kind

    async def fail_in_loop() -> None:
        raise kind

    tool = fail_in_loop if in_loop else fail
    reply = await ask(client, calls((tool.__name__, {}), ("add", {"a": 1, "b": 2})), tool, counter.add)
    assert (reply.state, counter.ran) == ("complete", [(1, 2)])
    assert outputs(service)[1] == {"output": 3}
    assert outputs(service)[0].keys() == {"error"}
    assert runs(reply)[0][1] == ("stopped" if kind in (KeyboardInterrupt, asyncio.CancelledError) else "failed")
    await goes_on(client)


async def test_two_tools_of_one_name_cannot_be_offered(counter):
    with pytest.raises(PromptError, match="two tools"):
        Toolbox([counter.add, counter.add])


# --- side by side


async def test_calls_run_side_by_side(client, service):
    """Each waits in its thread until the other has come."""
    meeting = threading.Barrier(2, timeout=20)

    def meet(who: str) -> str:
        meeting.wait()
        return who

    reply = await ask(client, calls(("meet", {"who": "a"}), ("meet", {"who": "b"})), meet)
    assert (reply.state, outputs(service)) == ("complete", [{"output": "a"}, {"output": "b"}])


async def test_results_go_back_in_the_order_of_the_calls(client, service):
    second_is_done = asyncio.Event()

    async def first() -> int:
        await second_is_done.wait()
        return 1

    async def second() -> int:
        return 2

    chat, seen = client.chat("main"), []
    reply = chat.begin(calls(("first", {}), ("second", {})), toolbox=Toolbox([first, second], allow_all))

    def apply(changes):
        over = [c.content.call.name for c in changes if isinstance(c, SegmentUpdate) and c.content.over]
        seen.extend(over)
        if "second" in over:
            second_is_done.set()

    await chat.drive(reply, apply)
    assert (seen, outputs(service)) == (["second", "first"], [{"output": 1}, {"output": 2}])


async def test_many_calls_at_once_in_one_toolbox_and_two_loops(service, counter):
    """More than run side by side, in a chat that another loop goes on with."""
    client = Client(Settings(key=Secret("k"), base_url=service.url))
    box = Toolbox([counter.add], allow_all)

    async def once(name):
        try:
            asked = calls(*(("add", {"a": n, "b": 0}) for n in range(20)))
            return (await client.chat(name).ask(asked, toolbox=box)).state
        finally:
            await client.aclose()

    assert [await asyncio.to_thread(asyncio.run, once(name)) for name in "ab"] == ["complete"] * 2
    assert len(counter.ran) == 40


async def test_a_tool_may_need_another_task_of_the_loop(client, service):
    door = asyncio.Event()

    async def come_in() -> str:
        await door.wait()
        return "in"

    async def porter():
        while not service.requests:
            await asyncio.sleep(0)
        door.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(porter())
        reply = await ask(client, calls(("come_in", {})), come_in)
    assert (reply.state, outputs(service)) == ("complete", [{"output": "in"}])


async def test_a_tool_that_blocks_holds_nothing_up(client, service):
    """It ends only because the loop, on which somebody counts, goes on."""
    begun, counted = threading.Event(), threading.Event()

    def block() -> bool:
        begun.set()
        return counted.wait(20)

    async def count():
        while not begun.is_set():
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert (await client.generate("what is 2 + 2")).state == "complete"
        counted.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(count())
        reply = await ask(client, calls(("block", {})), block)
    assert runs(reply) == [("block", "done")]
    assert outputs(service) == [{"output": True}]


async def test_a_tool_may_ask_another_chat_whose_tool_asks_a_third(client, service):
    async def ask_other(name: str) -> str:
        return (await client.chat(name).ask("what is 1 + 1")).text

    async def ask_deeper() -> str:
        inner = await client.chat("other").ask(calls(("ask_other", {"name": "third"})), toolbox=Toolbox([ask_other], allow_all))
        return f"{inner.state} {(await client.generate('what is 1 + 1')).state}"

    reply = await ask(client, calls(("ask_deeper", {})), ask_deeper)
    assert (reply.state, outputs(service)) == ("complete", [{"output": "complete complete"}])


async def asks(client, *_):
    return await client.chat("main").ask("what is 1 + 1")


async def streams(client, *_):
    return [event_ async for event_ in client.chat("main").stream("what is 1 + 1")]


async def asks_through_another_chat(client, *_):
    async def own() -> None:
        await asks(client)

    inner = await client.chat("other").ask(calls(("own", {})), toolbox=Toolbox([own], allow_all))
    raise ToolError(inner.segments[0].content.response["error"])


async def asks_from_outside(client, *_):
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asks(client), asyncio.get_running_loop()))


async def waits(_, reply, __):
    return await reply


async def waits_in_a_thread(_, reply, __):
    return await asyncio.to_thread(reply.result)


async def waits_for_the_next_in_line(_, __, queued):
    return await queued


@pytest.mark.parametrize(
    "way",
    [asks, streams, asks_through_another_chat, asks_from_outside, waits, waits_in_a_thread, waits_for_the_next_in_line],
)
async def test_a_tool_that_would_wait_for_its_own_chat_is_told_so_at_once(client, way):
    """It would wait for ever, and the chat with it. Nothing is stored of what it asked, and the chat goes on."""

    async def tool() -> None:
        await way(client, reply, queued)

    chat = client.chat("main")
    reply = chat.begin(calls(("tool", {})), toolbox=Toolbox([tool], allow_all))
    queued = chat.begin("what is 2 + 2") if way is waits_for_the_next_in_line else None
    await chat.drive(reply)
    assert reply.state == "complete"
    assert "a tool can't wait for its own chat" in reply.segments[0].content.response["error"]
    assert len(chat.transcript) == (2 if queued else 1)
    await goes_on(client)


async def test_what_a_tool_started_may_ask_its_chat_once_the_answer_is_there(client):
    """A task that lives on is no tool any more."""
    over, later = asyncio.Event(), []

    async def ask_later():
        await over.wait()
        return (await client.chat("main").ask("what is 1 + 1")).state

    async def start() -> None:
        later.append(asyncio.create_task(ask_later()))

    await ask(client, calls(("start", {})), start)
    over.set()
    assert await later[0] == "complete"


async def test_nothing_is_left_behind(client, counter):
    before = asyncio.all_tasks()
    await ask(client, calls(*(("add", {"a": n, "b": 0}) for n in range(9))), counter.add)
    assert asyncio.all_tasks() == before


# --- only after a whole turn


@pytest.mark.parametrize("end", [END, CLOSE, RESET])
@pytest.mark.parametrize("text", ["", "Let me see. "])
async def test_a_stream_that_dies_after_a_call_runs_nothing(counter, end, text):
    frames = [*([text_frame(text)] if text else []), parts_frame(call_part("add", {"a": 1, "b": 2}, "c", signed=True))]
    async with Scripted(script(*frames, end=end), DONE) as scripted:
        reply = await ask(scripted.client, "go", counter.add)
        assert (reply.state, counter.ran, runs(reply)) == ("truncated", [], [("add", "stopped")])
        assert isinstance(reply.error, TransportError)
        assert (await ask(scripted.client, "again")).state == "complete"
    assert [content["role"] for content in scripted.bodies[1]["contents"]] == (["user", "model", "user"] if text else ["user"])


async def test_a_whole_turn_without_the_end_of_the_stream_runs_nothing(counter):
    """Further calls might have come; text alone counts as complete."""
    frame = parts_frame({"text": "So:"}, call_part("add", {"a": 1, "b": 2}, "c", signed=True), finish="STOP")
    async with Scripted(script(frame, end=CLOSE), DONE) as scripted:
        reply = await ask(scripted.client, "go", counter.add)
        assert (reply.state, counter.ran, runs(reply)) == ("truncated", [], [("add", "stopped")])
        assert (await ask(scripted.client, "again")).state == "complete"


@pytest.mark.parametrize(
    ("finish", "state"),
    [
        ("MALFORMED_FUNCTION_CALL", "truncated"),
        ("MAX_TOKENS", "truncated"),
        ("UNEXPECTED_TOOL_CALL", "truncated"),
        ("SAFETY", "blocked"),
    ],
)
async def test_a_turn_that_did_not_end_well_runs_nothing(client, counter, finish, state):
    reply = await ask(client, told(["answer", "So: "], adding(), finish=finish), counter.add)
    assert (reply.state, counter.ran, runs(reply)) == (state, [], [("add", "stopped")])
    await goes_on(client)


async def test_a_fault_after_a_call_runs_nothing(client, counter):
    reply = await ask(client, told(adding(), ["answer", "x"], ["answer", "y"], fault=1), counter.add)
    assert (reply.state, counter.ran, type(reply.error)) == ("failed", [], ServerError)
    await goes_on(client)


GROWS = {"functionCall": {"name": "note", "willContinue": True}}
PIECE = {
    "functionCall": {"partialArgs": [{"jsonPath": "$.text", "stringValue": "x", "willContinue": True}], "willContinue": True}
}
NEXT = {"functionCall": {"name": "add", "willContinue": True}}


@pytest.mark.parametrize(
    "parts", [[GROWS], [GROWS, PIECE], [GROWS, PIECE, {"functionCall": {}}], [GROWS, NEXT, {"functionCall": {}}]]
)
async def test_a_round_with_half_a_call_runs_nothing_and_says_so(counter, parts):
    whole = call_part("add", {"a": 1, "b": 2}, "c", signed=True)
    async with Scripted(script(parts_frame(whole), parts_frame(*parts, finish="STOP")), DONE) as scripted:
        reply = await ask(scripted.client, "go", counter.add, counter.note)
        assert (reply.state, counter.ran) == ("truncated", [])
        assert "'note'" in str(reply.error)
        assert (await ask(scripted.client, "again")).state == "complete"


async def test_half_a_call_and_a_lost_terminator_are_no_whole_answer(counter):
    """A text would be one: its last word came."""
    async with Scripted(script(parts_frame(GROWS, finish="STOP"), end=RESET), DONE) as scripted:
        reply = await ask(scripted.client, "go", counter.note)
        assert (reply.state, counter.ran) == ("truncated", [])


# --- once


ONE = {"a": 1, "b": 2}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("id_", ["c1", None])
@pytest.mark.parametrize("frames", [[2], [1, 1], [107], [1, 0, 50, 56]])
async def test_copies_of_a_call_are_one_call(counter, id_, frames, model):
    """In one frame they are as many calls, unless one id names them all."""
    many = max(frames) if id_ is None else 1
    first = call_part("add", ONE, id_, signed=True)
    copies = [[first if n == m == 0 else call_part("add", ONE, id_) for m in range(count)] for n, count in enumerate(frames)]
    turn = script(*(parts_frame(*parts) for parts in copies), text_frame("", finish="STOP"))
    async with Scripted(turn, DONE, model=model) as scripted:
        reply = await ask(scripted.client, "go", counter.add)
        assert (reply.state, counter.ran, runs(reply)) == ("complete", [(1, 2)] * many, [("add", "done")] * many)
    assert scripted.bodies[1]["contents"][1]["parts"] == [first, *[call_part("add", ONE, id_)] * (many - 1)]
    assert len(responses(scripted.bodies[1])) == many


async def test_a_copy_that_comes_in_pieces_is_shown_as_what_it_is(counter):
    """It spoils nothing, and only the first one runs."""
    whole = call_part("note", {}, signed=True)
    pieces = [{"functionCall": {"name": "note", "willContinue": True}}, {"functionCall": {}}]
    async with Scripted(script(parts_frame(whole), parts_frame(*pieces, finish="STOP")), DONE) as scripted:
        reply = await ask(scripted.client, "go", counter.note)
        assert (reply.state, counter.ran) == ("complete", [""])
        assert [segment.content.state for segment in reply.segments[:2]] == ["done", "again"]
        assert len(reply.tool_calls) == 1


@pytest.mark.parametrize("model", MODELS)
async def test_equal_calls_with_ids_of_their_own_are_as_many_calls(counter, model):
    """Somebody rolls three dice: that is no model that goes round in circles."""
    dice = [call_part("add", ONE, f"c{n}", signed=not n) for n in range(3)]
    async with Scripted(script(parts_frame(*dice, finish="STOP")), DONE, model=model) as scripted:
        reply = await ask(scripted.client, "go", counter.add)
        assert (reply.state, len(counter.ran)) == ("complete", 3)
    assert [answer["id"] for answer in responses(scripted.bodies[1])] == ["c0", "c1", "c2"]


async def test_the_same_call_in_later_prompts_runs_again(client, counter):
    """The limit is one reply's."""
    client.chat("main").toolbox = Toolbox([counter.add], allow_all)
    for _ in range(5):
        assert (await client.chat("main").ask(calls(("add", ONE)))).state == "complete"
    assert len(counter.ran) == 5


async def test_a_call_that_comes_again_after_a_continuation_is_one_call(counter):
    part = call_part("add", ONE, "c", signed=True)
    cut = parts_frame(part, finish="CONTINUATION", continuationToken="dG9r")
    async with Scripted(script(cut), script(parts_frame(part, finish="STOP")), DONE) as scripted:
        reply = await ask(scripted.client, "go", counter.add)
        assert (reply.state, counter.ran) == ("complete", [(1, 2)])
    assert scripted.bodies[2]["contents"][1]["parts"] == [part]


async def test_a_call_in_pieces_goes_on_after_a_continuation(counter):
    cut = parts_frame(sign(GROWS), PIECE, finish="CONTINUATION", continuationToken="dG9r")
    piece = {"functionCall": {"partialArgs": [{"jsonPath": "$.text", "stringValue": "y"}]}}
    async with Scripted(script(cut), script(parts_frame(piece, finish="STOP")), DONE, model=MODELS[1]) as scripted:
        reply = await ask(scripted.client, "go", counter.note)
        assert (reply.state, counter.ran) == ("complete", ["xy"])
        scripted.server.requests.clear()  # this signature is not Google's: it was made of half a call


async def test_calls_before_a_continuation_run_when_all_has_come(counter):
    cut = parts_frame(call_part("add", ONE, "c", signed=True), finish="CONTINUATION", continuationToken="dG9r")
    rest = parts_frame(call_part("add", {"a": 3, "b": 4}, "d"), {"text": "!"}, finish="STOP")
    async with Scripted(script(cut), script(rest), DONE) as scripted:
        reply = await ask(scripted.client, "go", counter.add)
        assert (reply.state, counter.ran, reply.text) == ("complete", [(1, 2), (3, 4)], "!Done.")
    assert [answer["id"] for answer in responses(scripted.bodies[2])] == ["c", "d"]
    assert "continuationToken" not in scripted.bodies[2]


# --- what fails later


async def test_a_503_after_the_tool_keeps_the_round_and_asking_on_does_not_run_it_again(counter):
    turn = script(parts_frame(call_part("add", ONE, "c", signed=True), finish="STOP"))
    async with Scripted(turn, refused(503), DONE) as scripted:
        reply = await ask(scripted.client, "go", counter.add)
        assert (reply.state, type(reply.error), runs(reply)) == ("failed", ServerError, [("add", "done")])
        assert (await ask(scripted.client, "go on", counter.add)).text == "Done."
        assert counter.ran == [(1, 2)]
    asked, called, answered = scripted.bodies[2]["contents"]
    assert (asked["role"], called["role"], answered["role"]) == ("user", "model", "user")
    assert answered["parts"][0]["functionResponse"]["response"] == {"output": 3}
    assert answered["parts"][1] == {"text": "go on"}


@pytest.mark.parametrize("end", [END, CLOSE, RESET])
async def test_a_stream_that_dies_after_the_tool_keeps_the_round(counter, end):
    turn = script(parts_frame(call_part("add", ONE, "c", signed=True), finish="STOP"))
    async with Scripted(turn, script(text_frame("It is"), end=end), DONE) as scripted:
        reply = await ask(scripted.client, "go", counter.add)
        assert (reply.state, reply.text) == ("truncated", "It is")
        await ask(scripted.client, "go on")
    assert [content["role"] for content in scripted.bodies[2]["contents"]] == ["user", "model", "user", "model", "user"]


async def test_a_model_that_repeats_itself_is_stopped_and_can_go_on(counter):
    turn = script(parts_frame(call_part("add", ONE, "c", signed=True), finish="STOP"))
    async with Scripted(turn, turn, turn, DONE) as scripted:
        reply = await ask(scripted.client, "go", counter.add)
        assert (reply.state, type(reply.error), len(counter.ran)) == ("truncated", ToolError, 2)
        assert [state for _, state in runs(reply)] == ["done", "done", "refused"]
        assert "three times" in reply.segments[-1].content.response["error"]
        assert (await ask(scripted.client, "go on", counter.add)).state == "complete"
    assert "limit reached" in responses(scripted.bodies[3])[0]["response"]["error"]


async def test_a_model_that_calls_for_ever_is_stopped_after_ten_rounds(counter):
    turns = [script(parts_frame(call_part("add", {"a": n, "b": 0}, f"c{n}", signed=True), finish="STOP")) for n in range(12)]
    async with Scripted(*turns[: MOST_ROUNDS + 1], DONE) as scripted:
        reply = await ask(scripted.client, "go", counter.add)
        assert (reply.state, type(reply.error), len(counter.ran)) == ("truncated", ToolError, MOST_ROUNDS)
        assert f"{MOST_ROUNDS} rounds" in str(reply.error)
        assert (await ask(scripted.client, "go on", counter.add)).state == "complete"
    assert len(scripted.bodies) == MOST_ROUNDS + 2


async def test_usage_is_the_sum_of_the_rounds(counter):
    first = {**parts_frame(call_part("add", ONE, "c", signed=True), finish="STOP"), "usageMetadata": {"totalTokenCount": 5}}
    second = {**text_frame("Done.", finish="STOP"), "usageMetadata": {"totalTokenCount": 7, "candidatesTokenCount": 2}}
    async with Scripted(script(first), script(second)) as scripted:
        reply = await ask(scripted.client, "go", counter.add)
    assert reply.usage == Usage(output=2, total=12)


async def test_a_reply_goes_on_with_the_service_it_began_with(service, counter):
    """The second round would be refused elsewhere: its signature is another service's."""
    turn = script(parts_frame(call_part("add", ONE, "c", signed=True), finish="STOP"))
    async with Scripted(turn, DONE) as scripted:
        client = scripted.client

        async def approve(*_):
            client.use(Settings(key=Secret("k"), base_url=service.url))
            return True

        reply = await ask(client, "go", counter.add, approve=approve)
        assert (reply.state, reply.text, len(scripted.bodies), len(service.requests)) == ("complete", "Done.", 2, 0)


# --- stopping


def stoppable(client, prompt, *tools, approve=allow_all):
    chat = client.chat("main")
    reply = chat.begin(prompt, toolbox=Toolbox(tools, approve))
    return reply, asyncio.create_task(chat.drive(reply))


@pytest.mark.parametrize("model", MODELS)
async def test_a_stop_while_tools_run_keeps_what_is_done(client, service, model):
    """One is done, one runs, one was never begun: each is told as it is."""
    client.chat("main", model=model)
    quick_is_done = asyncio.Event()

    async def quick() -> int:
        return 1

    async def slow() -> None:
        await asyncio.Event().wait()

    async def approve(tool, *_):
        return tool.name != "never" or await asyncio.Event().wait()

    async def never() -> None:
        """Wait for a leave that does not come."""

    chat = client.chat("main")
    asked = calls(("slow", {}), ("quick", {}), ("never", {}))
    reply = chat.begin(asked, toolbox=Toolbox([quick, slow, never], approve))

    def apply(changes):
        if any(isinstance(c, SegmentUpdate) and c.content.over for c in changes):
            quick_is_done.set()

    driving = asyncio.create_task(chat.drive(reply, apply))
    await quick_is_done.wait()
    reply.stop()
    await driving
    assert (reply.state, reply.error) == ("interrupted", None)
    assert runs(reply) == [("slow", "stopped"), ("quick", "done"), ("never", "stopped")]
    await goes_on(client)
    slow_, quick_, never_ = [
        part["functionResponse"]["response"] for part in service.requests[-1].body["contents"][2]["parts"][:3]
    ]
    assert "not known" in slow_["error"]
    assert quick_ == {"output": 1}
    assert "nothing was done" in never_["error"]


async def test_the_reader_is_shown_what_was_done_when_the_stop_came(client):
    """What the loop had no time to show any more comes with the last changes."""

    async def quick() -> int:
        reply.stop()
        return 1

    chat, seen = client.chat("main"), []
    reply = chat.begin(calls(("quick", {})), toolbox=Toolbox([quick], allow_all))
    await chat.drive(reply, seen.extend)
    shown = [change.content.state for change in seen if isinstance(change, SegmentUpdate)]
    assert (reply.state, shown.count(shown[-1])) == ("interrupted", 1)
    (answered, *_) = reply.exchange.past[-1].parts
    assert runs(reply) == [("quick", "done" if "output" in answered["functionResponse"]["response"] else "stopped")]
    assert reply.segments[0].content.response == answered["functionResponse"]["response"]


async def test_a_stop_does_not_wait_for_a_thread(client):
    begun, over = threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        over.wait(20)

    reply, driving = stoppable(client, calls(("block", {})), block)
    assert await asyncio.to_thread(begun.wait, 20)
    reply.stop()
    await driving
    assert not over.is_set()
    over.set()
    assert (reply.state, runs(reply)) == ("interrupted", [("block", "stopped")])
    await goes_on(client)


async def test_one_call_is_stopped_and_all_else_goes_on(client, service):
    """The model is told who stopped it; a sibling that waits for the stopped one comes to its end."""
    cleaned_up = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned_up.set()

    async def sibling() -> str:
        reply.stop_call(0)
        reply.stop_call(0)
        await cleaned_up.wait()
        return "done"

    chat = client.chat("main")
    reply = chat.begin(calls(("slow", {}), ("sibling", {})), toolbox=Toolbox([slow, sibling], allow_all))
    await chat.drive(reply)
    assert (reply.state, runs(reply)) == ("complete", [("slow", "stopped"), ("sibling", "done")])
    error, output = outputs(service)
    assert error == {"error": "stopped by the user; what it had done by then is not known"}
    assert output == {"output": "done"}
    reply.stop_call(1)
    await goes_on(client)


async def test_a_thread_is_left_behind_and_the_model_is_told_so(client, service):
    begun, over = threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        over.wait(20)

    reply, driving = stoppable(client, calls(("block", {})), block)
    assert await asyncio.to_thread(begun.wait, 20)
    await asyncio.to_thread(reply.stop_call, 0)  # as a click comes on some kernels
    await driving
    assert not over.is_set()
    over.set()
    assert (reply.state, runs(reply)) == ("complete", [("block", "stopped")])
    assert outputs(service) == [{"error": "stopped by the user; its thread can't be ended and may still work"}]
    await goes_on(client)


async def test_a_call_that_asks_or_queues_is_stopped_before_it_began(client, service, counter):
    """Nothing was done, and nothing was refused."""

    async def approve(_tool, _call, number):
        reply.stop_call(number)
        return await asyncio.Event().wait()

    chat = client.chat("main")
    reply = chat.begin(calls(("add", ONE)), toolbox=Toolbox([counter.add], approve))
    await chat.drive(reply)
    assert (reply.state, counter.ran) == ("complete", [])
    assert outputs(service) == [{"error": "stopped by the user before it began; nothing was done"}]


async def test_a_number_that_is_no_call_of_this_round_stops_nothing(counter):
    """Also those of an earlier round, which are over."""

    async def second() -> int:
        for number in (-1, 0, 2, 99):
            reply.stop_call(number)
        await asyncio.sleep(0)
        return 2

    turns = [
        script(parts_frame(call_part(name, args, f"c{name}", signed=True), finish="STOP"))
        for name, args in (("add", ONE), ("second", {}))
    ]
    async with Scripted(*turns, DONE) as scripted:
        chat = scripted.client.chat("main")
        reply = chat.begin("go", toolbox=Toolbox([counter.add, second], allow_all))
        reply.stop_call(0)
        await chat.drive(reply)
        assert (reply.state, runs(reply)) == ("complete", [("add", "done"), ("second", "done")])


async def test_a_stop_while_leave_is_asked_runs_nothing(client, counter):
    asked = asyncio.Event()

    async def approve(*_):
        asked.set()
        await asyncio.Event().wait()

    reply, driving = stoppable(client, calls(("add", ONE), ("add", {"a": 3, "b": 4})), counter.add, approve=approve)
    await asked.wait()
    reply.stop()
    await driving
    assert (reply.state, counter.ran, {state for _, state in runs(reply)}) == ("interrupted", [], {"stopped"})
    await goes_on(client)


async def test_a_stop_between_rounds_keeps_the_round(counter):
    turn = script(parts_frame(call_part("add", ONE, "c", signed=True), finish="STOP"))
    async with Scripted(turn, [head(), STALL], DONE) as scripted:
        reply, driving = stoppable(scripted.client, "go", counter.add)
        while len(scripted.server.requests) < 2:
            await asyncio.sleep(0)
        reply.stop()
        await driving
        assert (reply.state, runs(reply)) == ("interrupted", [("add", "done")])
        assert (await ask(scripted.client, "go on", counter.add)).state == "complete"
        assert counter.ran == [(1, 2)]


async def test_a_stop_before_it_is_driven_asks_nothing(client, service, counter):
    chat = client.chat("main")
    reply = chat.begin(calls(("add", ONE)), toolbox=Toolbox([counter.add], allow_all))
    reply.stop()
    await chat.drive(reply)
    assert (reply.state, counter.ran, len(service.requests)) == ("interrupted", [], 0)


async def test_a_time_limit_stops_tools_too(client):
    async def slow() -> None:
        await asyncio.Event().wait()

    reply = await ask(client, calls(("slow", {})), slow, timeout=0.3)
    assert (reply.state, runs(reply)) == ("truncated", [("slow", "stopped")])
    assert "--timeout" in str(reply.error)
    await goes_on(client)


async def test_a_view_that_fails_is_left_out_and_the_reply_goes_on(client, counter, caplog):
    chat = client.chat("main")
    reply = chat.begin(calls(("add", ONE)), toolbox=Toolbox([counter.add], allow_all))

    def apply(changes):
        if any(isinstance(change, SegmentUpdate) for change in changes):
            raise ZeroDivisionError

    await chat.drive(reply, apply)
    assert (reply.state, counter.ran, len(caplog.records)) == ("complete", [tuple(ONE.values())], 1)
    assert "goes on without it" in caplog.text
    await goes_on(client)


# --- who looks on


async def test_the_stream_yields_calls_and_their_progress_in_order(client, counter):
    box = Toolbox([counter.add], allow_all)
    prompt = told(["thought", "Hm."], adding())
    events = [event_ async for event_ in client.chat("main").stream(prompt, toolbox=box)]
    kept = [e for e in events if isinstance(e, ThoughtDelta | ToolCall | ToolProgress)]
    assert [type(e).__name__ for e in kept] == ["ThoughtDelta", "ToolCall", *["ToolProgress"] * 3]
    assert [e.run.state for e in kept[2:]] == ["asking", "running", "done"]
    assert isinstance(events[-1], object)
    assert events.index(kept[-1]) < next(n for n, e in enumerate(events) if isinstance(e, AnswerDelta))


async def test_the_stream_yields_each_call_once_and_whole(counter):
    part = call_part("add", ONE, "c", signed=True)
    grown = [{"functionCall": {"name": "note", "id": "d", "willContinue": True}}, {"functionCall": {}}]
    async with Scripted(script(parts_frame(part, part, part, *grown, finish="STOP")), DONE) as scripted:
        box = Toolbox([counter.add, counter.note], allow_all)
        events = [e async for e in scripted.client.chat("main").stream("go", toolbox=box)]
    assert [e for e in events if isinstance(e, ToolCall)] == [ToolCall("add", ONE, "c"), ToolCall("note", {}, "d")]


async def test_leaving_the_stream_while_a_tool_runs_stops_it(client):
    cancelled = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    stream = client.chat("main").stream(calls(("slow", {})), toolbox=Toolbox([slow], allow_all))
    async for event_ in stream:
        if isinstance(event_, ToolProgress) and event_.run.state == "running":
            await asyncio.sleep(0)  # it has begun by then
            break
    await stream.aclose()
    exchange = client.chat("main").transcript.exchanges[0]
    assert (exchange.state, len(exchange.past)) == ("interrupted", 2)
    await goes_on(client)


async def test_every_call_is_shown_from_its_proposal_to_its_end(client, counter):
    chat, changes = client.chat("main"), []
    reply = chat.begin(calls(("add", ONE)), toolbox=Toolbox([counter.add], allow_all))
    await chat.drive(reply, changes.extend)
    about = [change for change in changes if change.index == 0]
    assert [type(change) for change in about] == [SegmentStart, SegmentEnd, *[SegmentUpdate] * 3]
    assert about[-1].content == reply.segments[0].content
    assert (reply.segments[0].content.response, reply.segments[0].content.seconds > 0) == ({"output": 3}, True)


@pytest.mark.parametrize("model", MODELS)
async def test_a_chat_recalls_thoughts_calls_and_results_of_every_round(client, counter, model):
    prompt = told(["thought", "Hm."], ["answer", "So: "], adding(), adding(3, 4))
    reply = await ask(client, prompt, counter.add, model=model)
    recalled = client.chat("main").segments(reply.exchange)
    assert [(s.kind, s.text) for s in recalled] == [(s.kind, s.text) for s in reply.segments]
    for now, then in zip(recalled, reply.segments, strict=True):
        if now.kind == "tool_call":
            assert (now.content.call, now.content.state, now.content.response) == (
                then.content.call,
                "done",
                then.content.response,
            )


async def test_unsigned_thoughts_of_a_round_do_not_go_back(client, service, counter):
    await ask(client, told(["thought", "Hm."], adding()), counter.add)
    await goes_on(client)
    for request in list(service.requests)[1:]:
        assert not any(part.get("thought") for content in request.body["contents"] for part in content["parts"])


# --- those that won't


async def test_a_tool_that_ignores_its_end_holds_no_stop_up_for_long(client):
    begun, free = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    reply, driving = stoppable(client, calls(("stubborn", {})), stubborn)
    await begun.wait()
    reply.stop()
    await driving
    assert (reply.state, runs(reply), free.is_set()) == ("interrupted", [("stubborn", "stopped")], False)
    await goes_on(client)
    free.set()


async def test_a_second_cancel_while_tools_are_stopped_answers_all_calls_too(client):
    """The kernel ends while a stop is under way."""
    begun, stopped, free = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        try:
            await free.wait()
        except asyncio.CancelledError:
            stopped.set()
            await free.wait()

    reply, driving = stoppable(client, calls(("stubborn", {}), ("stubborn", {})), stubborn)
    await begun.wait()
    reply.stop()
    await stopped.wait()
    driving.cancel()
    with suppress(asyncio.CancelledError):
        await driving
    assert (reply.state, {state for _, state in runs(reply)}) == ("interrupted", {"stopped"})
    free.set()
    await goes_on(client)


async def test_who_cancels_every_task_but_his_own_stops_no_reply(client, service):
    """A tool that tidies up the loop: what it cancels is answered, and the round ends."""
    begun = asyncio.Event()

    async def tidy() -> int:
        await begun.wait()
        mine = asyncio.current_task()
        for task in asyncio.all_tasks() - {mine, driving, test}:
            task.cancel()
        return 1

    async def slow() -> None:
        begun.set()
        await asyncio.Event().wait()

    test = asyncio.current_task()
    reply, driving = stoppable(client, calls(("tidy", {}), ("slow", {})), tidy, slow)
    await driving
    assert (reply.state, [state for _, state in runs(reply)]) == ("complete", ["stopped", "stopped"])
    assert [answer.keys() for answer in outputs(service)] == [{"error"}, {"error"}]
    await goes_on(client)
