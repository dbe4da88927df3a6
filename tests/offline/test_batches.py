"""Batches: google-genai submits, looks, lists, cancels, downloads and deletes against the offline service, unchanged."""

from __future__ import annotations

import io
import json

import pytest

genai = pytest.importorskip("google.genai")
MODEL = "gemini-3.8-flash"


@pytest.fixture
async def sdk(service):
    async with genai.Client(api_key="k", http_options=genai.types.HttpOptions(base_url=service.url)).aio as ours:
        yield ours


def row(text, **more):
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def directed(**told):
    return f"offline: {json.dumps(told)}"


async def over(sdk, name):
    while not (batch := await sdk.batches.get(name=name)).done:
        pass
    return batch


async def test_the_official_client_submits_rows_and_reads_their_answers(sdk):
    rows = [
        row(directed(parts=[["answer", "Paris"]])),
        row(directed(parts=[["answer", "Rome"]]), config={"system_instruction": "One word.", "temperature": 0.1}),
        row("Why is the sky blue?", metadata={"my_key": "sky"}),
    ]
    batch = await sdk.batches.create(model=MODEL, src=rows, config={"display_name": "capitals"})
    assert (batch.state.name, batch.display_name, batch.model) == ("JOB_STATE_PENDING", "capitals", f"models/{MODEL}")
    assert (await sdk.batches.get(name=batch.name)).state.name == "JOB_STATE_PENDING"
    assert (await sdk.batches.get(name=batch.name)).state.name == "JOB_STATE_RUNNING"
    batch = await over(sdk, batch.name)
    assert batch.state.name == "JOB_STATE_SUCCEEDED"
    answers = batch.dest.inlined_responses
    assert [answer.response.text for answer in answers[:2]] == ["Paris", "Rome"]
    assert answers[2].metadata == {"my_key": "sky"}
    assert answers[2].response.usage_metadata.total_token_count > 0


async def test_the_trouble_of_a_row_is_its_own(sdk):
    rows = [
        row(directed(status=503)),
        row(directed(parts=[["answer", "fine"]])),
        {"contents": [{"parts": [{"text": ""}], "role": "no"}]},
    ]
    batch = await over(sdk, (await sdk.batches.create(model=MODEL, src=rows)).name)
    answers = batch.dest.inlined_responses
    assert (answers[0].error.code, answers[1].response.text, answers[2].error.code) == (14, "fine", 3)


async def test_rows_of_a_file_are_answered_in_a_file(sdk):
    lines = [json.dumps({"key": f"row {n}", "request": row(directed(parts=[["answer", f"{n}"]]))}) for n in range(3)]
    file = await sdk.files.upload(file=io.BytesIO("\n".join(lines).encode()), config={"mime_type": "application/jsonl"})
    batch = await over(sdk, (await sdk.batches.create(model=MODEL, src=file.name)).name)
    answers = [json.loads(line) for line in (await sdk.files.download(file=batch.dest.file_name)).splitlines()]
    assert [answer["key"] for answer in answers] == ["row 0", "row 1", "row 2"]
    assert [answer["response"]["candidates"][0]["content"]["parts"][0]["text"] for answer in answers] == ["0", "1", "2"]


async def test_batches_are_listed_page_by_page_cancelled_and_deleted(sdk):
    names = [(await sdk.batches.create(model=MODEL, src=[row("hi")])).name for _ in range(3)]
    assert [batch.name async for batch in await sdk.batches.list(config={"page_size": 2})] == names[::-1]
    await sdk.batches.cancel(name=names[0])
    assert (await sdk.batches.get(name=names[0])).state.name == "JOB_STATE_CANCELLED"
    await sdk.batches.delete(name=names[0])
    with pytest.raises(genai.errors.ClientError, match="not found"):
        await sdk.batches.get(name=names[0])
    done = await over(sdk, names[1])
    await sdk.batches.cancel(name=done.name)  # too late
    assert (await sdk.batches.get(name=done.name)).state.name == "JOB_STATE_SUCCEEDED"


@pytest.mark.parametrize(
    ("model", "src", "said"),
    [("gemini-9", [row("hi")], "not found"), (MODEL, [], "requests is not"), (MODEL, "files/none", "not there")],
)
async def test_what_is_no_batch_is_refused(sdk, model, src, said):
    with pytest.raises(genai.errors.ClientError, match=said):
        await sdk.batches.create(model=model, src=src)


async def test_a_list_of_no_batches_is_empty(sdk):
    assert [batch async for batch in await sdk.batches.list()] == []
