"""A chat goes on in a later kernel where it stood, also when the former one was killed in the middle of a call."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import pytest

from nbgemini import Client, Settings
from nbgemini.journal import Journal
from nbgemini.offline.thought_signatures import sign
from nbgemini.offline.validation import validate
from nbgemini.replay.fingerprint import normalized
from nbgemini.secrets import Secret
from nbgemini.tools.toolbox import Toolbox, allow_all
from tests.fakes.raw import END, RawServer, event, head, text_frame

MODELS = ("gemini-3.8-flash", "gemini-2.5-flash")
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


@pytest.mark.parametrize("model", MODELS)
async def test_a_loaded_chat_goes_on_with_its_calls_results_and_signatures(service, tmp_path, model):
    path = tmp_path / "journal"
    first = Journal(path, "a.ipynb")
    async with client_of(service, first, model) as client:
        prompt = told(
            ["thought", THOUGHT], ["answer", SAID], ["call", "add", {"a": 1, "b": 2}], ["call", "add", {"a": 3, "b": 4}]
        )
        reply = await client.chat().ask(prompt, toolbox=Toolbox([add], allow_all))
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
from nbgemini.secrets import Secret
from nbgemini.tools.toolbox import Toolbox, allow_all
url, path, model, prompt = sys.argv[1:]
def hang(n: int) -> None:
    print("runs", n, flush=True)
    if n:
        import threading
        threading.Event().wait()
async def main():
    client = Client(Settings(key=Secret("k"), base_url=url, model=model), log=Journal(Path(path), "a.ipynb"))
    await client.chat().ask(prompt, toolbox=Toolbox([hang], allow_all))
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
        assert "not known" in run.response["error"]
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
    validate(normalized(body), model)
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


async def test_an_earlier_cell_that_still_answers_is_written_on_after_the_last_turn_was_dropped(service, tmp_path):
    journal = Journal(tmp_path / "journal", "a.ipynb")
    async with client_of(service, journal) as client:
        chat = client.chat()
        for cell in "ab":
            await chat.drive(chat.begin("hello", cell=cell))
        reply = chat.begin('offline: {"frames": 20, "gap": 0.01}', cell="a")
        driving = asyncio.create_task(chat.drive(reply))
        while not reply.so_far.text:
            await asyncio.sleep(0.001)
        chat.transcript.exchanges.pop()
        journal.replace("main", chat.transcript.exchanges)
        await driving
    journal.close()
    (restored,) = later(tmp_path / "journal").exchanges("main")
    assert (restored.state, restored.parts) == ("complete", reply.exchange.parts)
