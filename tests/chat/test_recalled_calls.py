"""A call that is read again from the journal looks as it did live: its state, its time, its result, its pictures."""

from __future__ import annotations

import asyncio

import pytest

from nbgemini import Client
from nbgemini.journal import Journal
from nbgemini.render.mimebundle import bundle
from nbgemini.tools.decorator import declare
from nbgemini.tools.toolbox import Toolbox
from tests.fakes.functions import PNG
from tests.support.tool_calls import calls, goes_on


async def slow():
    """Never end."""
    await asyncio.Event().wait()


def fail():
    """Fail."""
    raise ValueError("no such town")


def interrupt():
    """Be interrupted."""
    raise KeyboardInterrupt


def plot() -> list:
    """Draw."""
    return ["see", PNG]


def error() -> dict:
    """Return what looks like a failure."""
    return {"error": "none"}


def private():
    """Be refused."""


OFFERED = [declare(slow, timeout=0.01), fail, interrupt, plot, error, private]
ENDS = {
    "slow": "timed out", "fail": "failed", "interrupt": "stopped", "plot": "done", "error": "done", "private": "refused", "nope": "failed",
}  # fmt: skip


async def leave(tool, _call, _number):
    return tool.name != "private"


def later(path):
    """Another kernel's journal."""
    return Journal(path, "notebook")


@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-2.5-flash"])
async def test_each_call_is_shown_again_as_it_was(settings, tmp_path, model):
    path = tmp_path / "journal.sqlite3"
    journal = later(path)
    async with Client(settings, log=journal) as client:
        chat = client.chat(model=model)
        reply = chat.begin(calls(*((name, {}) for name in ENDS)), toolbox=Toolbox(OFFERED, leave))
        await chat.drive(reply)
        await goes_on(client)
    journal.close()
    live = [segment for segment in reply.segments if segment.kind == "tool_call"]
    assert {segment.content.call.name: segment.content.state for segment in live} == ENDS
    async with Client(settings, log=later(path)) as client:
        exchanges = later(path).exchanges("main")
        client.chat(model=model).transcript.exchanges += exchanges
        again = [segment for segment in client.chat().segments(exchanges[0]) if segment.kind == "tool_call"]
        assert [bundle(segment) for segment in again] == [bundle(segment) for segment in live]
        await goes_on(client)


async def test_a_chat_of_before_there_were_notes_is_shown_by_its_words(client):
    reply = client.chat().begin(calls(("fail", {}), ("plot", {})), toolbox=Toolbox(OFFERED, leave))
    await client.chat().drive(reply)
    (answered,) = [turn for turn in reply.exchange.past if turn.role == "user"]
    for part in answered.parts:
        del part["nbgemini"]
    states = [segment.content.state for segment in client.chat().segments(reply.exchange) if segment.kind == "tool_call"]
    assert states == ["failed", "done"]
