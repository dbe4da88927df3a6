"""Batches end to end, against the offline service: submitted once, waited for, read row by row, found again another day."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import msgspec
import pytest

from nbgemini import Client
from nbgemini.bulk.batch import Batch, BatchContext
from nbgemini.errors import ApiError, NbGeminiError, PromptError, RateLimitError, ServerError, TransportError
from nbgemini.messages.turns import Options
from nbgemini.prices import bundled_prices
from nbgemini.providers.gemini.batch import Answered, Status, answers_in
from nbgemini.transport.http import HttpSource
from tests.canary import CANARY


def directed(**told):
    return f"offline: {json.dumps(told)}"


def said(text):
    return directed(parts=[["answer", text]])


def paths(service, method="POST"):
    return [request.path for request in service.requests if request.method == method]


def submitted(service):
    """What the last batch was made of."""
    [config] = [request.body["batch"]["inputConfig"] for request in service.requests if "batchGenerate" in request.path][-1:]
    return config


async def test_rows_come_back_in_their_order_with_their_input(client, service):
    rows = [{"city": "Paris", "say": said("France")}, {"city": "Rome", "say": said("Italy")}]
    batch = await client.batch("{city}?\n{say}", rows, title="countries")
    assert (batch.state, batch.status.title, batch.status.total) == ("waiting", "countries", 2)
    table = await batch.results()
    assert batch.state == "complete"
    assert table.texts == ["France", "Italy"]
    assert [row.input for row in table] == rows
    assert (table.progress.done, table.progress.total, table.progress.over) == (2, 2, True)
    assert table.usage.total > 0
    assert [one["metadata"] for one in submitted(service)["requests"]["requests"]] == [{"key": "0"}, {"key": "1"}]


async def test_prompts_can_be_rows_themselves(client):
    table = await (await client.batch([said("one"), said("two")])).results()
    assert table.texts == ["one", "two"]


async def test_the_trouble_of_a_row_is_its_own(client):
    prompts = [directed(status=429), said("well"), directed(parts=[["answer", "begun"]], finish="MAX_TOKENS")]
    table = await (await client.batch(prompts)).results()
    assert [row.state for row in table] == ["failed", "complete", "truncated"]
    assert "429" not in table[1].error
    assert "RESOURCE_EXHAUSTED" in table[0].error
    assert (table[2].text, "token limit" in table[2].error) == ("begun", True)
    assert (table.progress.done, table.progress.failed) == (2, 1)


async def test_an_answer_has_the_form_that_was_asked_for(client):
    @dataclass
    class City:
        name: str
        people: int

    answer = '{"name": "Rome", "people": 2800000}'
    batch = await client.batch([said(answer)], schema=City, system="Be brief.", temperature=0.5)
    assert (await batch.results())[0].parsed == City("Rome", 2_800_000)
    again = await client.batch_named(batch.name, [said(answer)], schema=City)
    assert (await again.results())[0].parsed == City("Rome", 2_800_000)


async def test_another_client_finds_it_on_another_day(client, settings):
    batch = await client.batch([said("kept")])
    await batch.wait()
    async with Client(settings) as other:
        [listed] = await other.batches()
        assert (listed.name, listed.state) == (batch.name, "complete")
        for name in (batch.name, batch.name.removeprefix("batches/")):
            table = await (await other.batch_named(name)).results()
            assert (table.texts, table[0].input) == (["kept"], None)


async def test_waiting_looks_at_growing_intervals_or_at_those_that_are_wanted(settings):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    async with Client(settings, sleep=sleep) as ours:
        await (await ours.batch([said("hi")])).wait()
        assert slept == [2.0, 3.0]
        await (await ours.batch([said("hi")])).wait(every=7)
        assert slept[2:] == [7, 7]


async def test_who_stops_waiting_stops_nothing_else(settings):
    reached = asyncio.Event()

    async def forever(_seconds):
        reached.set()
        await asyncio.Event().wait()

    async with Client(settings, sleep=forever) as ours:
        batch = await ours.batch([said("goes on")])
        waiting = asyncio.create_task(batch.results())
        await reached.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with Client(settings, sleep=lambda _: asyncio.sleep(0)) as other:
        assert (await (await other.batch_named(batch.name)).results()).texts == ["goes on"]


async def test_a_cancelled_batch_says_so(client):
    batch = await client.batch([said("never")])
    await batch.cancel()
    assert batch.state == "cancelled"
    assert repr(batch) == f"<Batch {batch.name} cancelled, 0 of 1 rows>"
    with pytest.raises(NbGeminiError, match="was cancelled before any row had its answer"):
        await batch.results()


async def test_many_rows_go_as_a_file_and_come_back_as_one(client, service, monkeypatch):
    monkeypatch.setattr("nbgemini.bulk.batch.REQUEST_BYTES", 1000)
    prompts = [said(f"answer {number}") for number in range(40)]
    prompts[7] = directed(status=503)
    batch = await client.batch(prompts, title="large")
    assert submitted(service)["fileName"].startswith("files/")
    table = await batch.results()
    assert table[7].state == "failed"
    assert [row.text for row in table if row.index != 7] == [f"answer {n}" for n in range(40) if n != 7]
    assert any(path.endswith(":download") for path in paths(service, "GET"))


async def test_a_batch_is_submitted_once_whatever_the_network_does(client, monkeypatch):
    sent = []

    async def broken(_self, request):
        sent.append(request.path)
        raise TransportError("the connection broke", passing=True)
        yield

    monkeypatch.setattr(HttpSource, "frames", broken)
    with pytest.raises(TransportError, match="it is not known whether the batch was submitted"):
        await client.batch(["hi"])
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ([], {}, "there are no rows"),
        (["hi", f"my key is {CANARY}"], {}, "row 1: .*key"),
        (["hi"], {"model": "anthropic:claude-opus-4"}, "batches work only with Gemini"),
        (["hi"], {"think": "sideways"}, "think"),
        (["hi", ""], {}, "row 1: its prompt is empty"),
    ],
)
async def test_what_makes_no_batch_is_told_before_anything_is_sent(client, service, given, options, message):
    with pytest.raises(PromptError, match=message):
        await client.batch(given, **options)
    assert not paths(service)


async def test_a_name_that_is_none_is_told(client, service):
    with pytest.raises(PromptError, match=r"client\.batches"):
        await client.batch_named("files/../models")
    assert not service.requests
    with pytest.raises(ApiError, match="not found"):
        await client.batch_named("batches/nothing")


async def test_a_row_costs_half(client, monkeypatch):
    monkeypatch.setattr("nbgemini.chat.state.OFFLINE_ID", "never")
    batch = await client.batch([said("a few words of an answer")])
    [row] = await batch.results()
    whole = await client.generate(said("a few words of an answer"))
    assert row.cost == pytest.approx(whole.cost / 2)


async def test_an_answer_that_names_no_model_is_that_of_the_batch(client):
    usage = {"promptTokenCount": 1_000_000, "totalTokenCount": 1_000_000}
    candidate = {"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}
    frame = json.dumps({"candidates": [candidate], "usageMetadata": usage}).encode()
    manner = BatchContext(
        client.services.endpoint("gemini:"), "v1beta", Options(model=""), bundled_prices(), lambda _turn, _system: None
    )
    done = Status("batches/a", "complete", model="gemini-3.8-flash", answers=(Answered("0", frame),))
    [row] = await Batch(manner, done).results()
    assert row.cost == bundled_prices().cost("gemini-3.8-flash", row.usage) / 2


def test_errors_have_their_class():
    kinds = {8: RateLimitError, 14: ServerError, 13: ServerError, 3: ApiError}
    for code, kind in kinds.items():
        [answer] = answers_in(json.dumps({"key": "0", "error": {"code": code, "message": "no"}}).encode())
        assert type(answer.error) is kind


async def test_batches_are_found_whatever_model_is_asked_by_default(client, settings):
    batch = await client.batch([said("there")])
    async with Client(
        msgspec.structs.replace(settings, model="anthropic:claude-opus-4"), sleep=lambda _: asyncio.sleep(0)
    ) as ours:
        assert [one.name for one in await ours.batches()] == [batch.name]
        assert (await (await ours.batch_named(batch.name)).results()).texts == ["there"]
