"""The Batch API's dialect: what recorded answers look like, and what may be wrong with them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from nbgemini.errors import PromptError, RateLimitError, ServerError, WireError
from nbgemini.providers.gemini.batch import (
    Answered,
    answers_in,
    batches_request,
    by_row,
    file_request,
    inline_request,
    line_of,
    status_of,
    status_request,
    statuses_of,
    total_of,
)

ROW = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
RESPONSE = {"candidates": [{"content": {"parts": [{"text": "Paris"}], "role": "model"}, "finishReason": "STOP"}]}


def batch(state="BATCH_STATE_RUNNING", **more):
    about = {
        "model": "models/gemini-3.8-flash",
        "displayName": "capitals",
        "state": state,
        "createTime": "2026-11-21T10:00:00Z",
    }
    about["batchStats"] = {"requestCount": "3", "successfulRequestCount": "2", "failedRequestCount": 1}
    return {"name": "batches/abc", "metadata": about, **more}


def read(data):
    return status_of(json.dumps(data).encode())


def test_rows_go_in_the_request_with_their_numbers():
    request = inline_request("v1beta", "gemini-3.8-flash", [ROW, ROW], "two")
    assert request.path == "v1beta/models/gemini-3.8-flash:batchGenerateContent"
    asked = [{"request": ROW, "metadata": {"key": "0"}}, {"request": ROW, "metadata": {"key": "1"}}]
    assert request.body == {"batch": {"displayName": "two", "inputConfig": {"requests": {"requests": asked}}}}


def test_or_in_a_file_of_lines():
    assert json.loads(line_of(7, ROW)) == {"key": "7", "request": ROW}
    assert line_of(7, ROW).count(b"\n") == 1
    request = file_request("v1", "tunedModels/mine", "files/abc", "large")
    assert request.path == "v1/tunedModels/mine:batchGenerateContent"
    assert request.body == {"batch": {"displayName": "large", "inputConfig": {"fileName": "files/abc"}}}


def test_a_batch_is_named_with_or_without_its_collection():
    assert status_request("v1beta", "abc").path == status_request("v1beta", "batches/abc").path == "v1beta/batches/abc"
    assert status_request("v1beta", "abc").method == "GET"
    assert (status_request("v1beta", "abc", "cancel").path, status_request("v1beta", "abc", "cancel").method) == (
        "v1beta/batches/abc:cancel",
        "POST",
    )


@pytest.mark.parametrize("name", ["", "batches/", "../models", "batches/a/b", "a?b", "batches/é", "a b"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(PromptError, match="is not the name of a batch"):
        status_request("v1beta", name)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("BATCH_STATE_UNSPECIFIED", "waiting"),
        ("BATCH_STATE_PENDING", "waiting"),
        ("JOB_STATE_QUEUED", "waiting"),
        ("BATCH_STATE_RUNNING", "running"),
        ("JOB_STATE_CANCELLING", "running"),
        ("BATCH_STATE_SUCCEEDED", "complete"),
        ("JOB_STATE_PARTIALLY_SUCCEEDED", "complete"),
        ("BATCH_STATE_FAILED", "failed"),
        ("JOB_STATE_CANCELLED", "cancelled"),
        ("BATCH_STATE_EXPIRED", "expired"),
        ("BATCH_STATE_OF_2030", "waiting"),
    ],
)
def test_states_of_both_spellings(word, state):
    status = read(batch(word))
    assert status.state == state
    assert status.over == (state in ("complete", "failed", "cancelled", "expired"))


def test_what_is_done_is_over_whatever_the_state_is_called():
    assert read(batch("BATCH_STATE_OF_2030", done=True)).state == "complete"
    assert read(batch("BATCH_STATE_RUNNING", done=True)).state == "complete"
    failed = read(batch("", done=True, error={"code": 13, "message": "lost"}))
    assert (failed.state, type(failed.error)) == ("failed", ServerError)


def test_a_batch_is_described():
    status = read(batch())
    assert (status.name, status.title, status.model) == ("batches/abc", "capitals", "gemini-3.8-flash")
    assert (status.total, status.done, status.failed, status.created) == (3, 2, 1, "2026-11-21T10:00:00Z")


@pytest.mark.parametrize("place", ["response", "output"])
@pytest.mark.parametrize("nested", [True, False])
def test_answers_stand_in_one_of_several_places(place, nested):
    rows = [
        {"response": RESPONSE, "metadata": {"key": "0"}},
        {"error": {"code": 8, "message": "full"}, "metadata": {"key": "1"}},
    ]
    output = {"inlinedResponses": {"inlinedResponses": rows} if nested else rows}
    data = batch("BATCH_STATE_SUCCEEDED", done=True)
    if place == "response":
        data["response"] = output
    else:
        data["metadata"]["output"] = output
    first, second = read(data).answers
    assert (first.key, json.loads(first.frame), first.error) == ("0", RESPONSE, None)
    assert (second.key, second.frame, type(second.error)) == ("1", b"", RateLimitError)


def test_or_in_a_file():
    status = read(batch("BATCH_STATE_SUCCEEDED", done=True, response={"responsesFile": "files/batch-abc"}))
    assert (status.file, status.answers) == ("files/batch-abc", ())
    lines = [{"key": "1", "response": RESPONSE}, {"key": "0", "error": {"code": 400, "message": "bad"}}, {"key": "2"}]
    text = "\n".join(["", *map(json.dumps, lines), "no json", "[1]"])
    found = answers_in(text.encode())
    assert [answer.key for answer in found] == ["1", "0", "2"]
    assert (found[1].error.code, str(found[2].error)) == (400, "the service sent nothing for this row")


def test_text_that_is_almost_json_is_mended():
    [broken] = answers_in(b'{"key": "0", "response": {"candidates": [{"avgLogprobs": NaN}], "modelVersion": "\xff"}}')
    assert json.loads(broken.frame) == {"candidates": [{"avgLogprobs": None}], "modelVersion": "\ufffd"}
    assert (
        status_of(b'{"name": "batches/a", "metadata": {"displayName": "\xff", "state": "JOB_STATE_RUNNING"}}').state
        == "running"
    )


def test_answers_go_to_the_rows_whose_keys_they_bear():
    a, b, c = Answered("2"), Answered("0"), Answered("0", b"again")
    assert by_row([a, b, c], 3) == [b, None, a]
    assert by_row([a, Answered("")], 3) == [None, None, a]  # nobody knows whose the other is
    assert by_row([Answered("mine"), Answered("9" * 30)], 1) == [None]


def test_without_any_key_the_order_counts():
    a, b = Answered("", b"a"), Answered("", b"b")
    assert by_row([a, b], 3) == [a, b, None]
    assert by_row([a, b], 1) == [a]


def test_how_many_rows_there_were():
    assert total_of([Answered("4")], 2) == 5
    assert total_of([Answered("")] * 3, 2) == 3
    assert total_of([], 2) == 2


def test_lists_have_pages():
    assert batches_request("v1beta").query == {"pageSize": "100"}
    assert batches_request("v1beta", "next").query["pageToken"] == "next"
    batches, page = statuses_of(json.dumps({"operations": [batch(), batch()], "nextPageToken": "t"}).encode())
    assert ([one.name for one in batches], page) == (["batches/abc"] * 2, "t")
    assert statuses_of(b"{}") == ([], "")


@pytest.mark.parametrize("frame", [b"[]", b"{}", b'{"name": 1}', b"<html>", b"\xff"])
def test_what_names_no_batch_is_no_answer(frame):
    with pytest.raises(WireError):
        status_of(frame)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["metadata", "response", "error", "done"])
deeper = st.dictionaries(
    st.sampled_from(["output", "state", "batchStats", "inlinedResponses", "responsesFile", "code", "model", "requestCount"]),
    json_values | st.dictionaries(st.sampled_from(["inlinedResponses", "requestCount"]), json_values, max_size=2),
    max_size=4,
)


@given(st.dictionaries(names, json_values | deeper, max_size=4))
def test_whatever_comes_is_a_batch_or_one_error(data):
    status = read({"name": "batches/x", **data})
    assert status.name == "batches/x"
    by_row(status.answers, 3)


@given(
    st.lists(
        json_values | st.fixed_dictionaries({"key": json_values, "response": json_values, "error": json_values}), max_size=4
    )
)
def test_whatever_stands_in_a_file_is_read(lines):
    found = answers_in(b"\n".join(json.dumps(line).encode() for line in lines))
    assert len(found) <= len(lines)
    by_row(found, total_of(found, 0))
