"""The journal's rows add up by model, chat, day and provider; what cost nothing stands apart."""

from __future__ import annotations

import pytest

from nbgemini import NbGeminiError
from nbgemini.journal.report import BY, summarize_by, totals
from tests.journal.conftest import later

ROW = {
    "at": 0.0, "notebook": "/home/ada/a.ipynb", "chat": "main", "provider": "gemini", "model": "m", "state": "complete", "retries": 0, "offline": 0,
    "input": 10, "thought": 3, "output": 5, "cached": 2, "cost": 0.5, "first": 1.0, "seconds": 2.0,
}  # fmt: skip
ROWS = [
    ROW,
    {**ROW, "first": 3.0, "seconds": 6.0, "retries": 2},
    {
        **ROW,
        "first": None,
        "seconds": 100.0,
        "state": "failed",
        "cost": None,
        "input": 0,
        "output": 0,
        "thought": 0,
        "cached": 0,
    },
    {**ROW, "model": "dear", "chat": None, "cost": 9.0, "at": 86_400.0 * 3},
    {**ROW, "model": "dear", "offline": 1, "cost": None},
    {**ROW, "model": "dear", "offline": 2, "cost": None, "provider": "other"},
    {**ROW, "model": "new", "cost": None},
]


def test_the_dearest_model_is_first_and_what_cost_nothing_stands_apart():
    found = summarize_by(ROWS, "model")
    assert [(one.name, one.kind, one.requests) for one in found] == [
        ("dear", "", 1), ("m", "", 3), ("new", "", 1), ("dear", "offline", 1), ("dear", "replay", 1),
    ]  # fmt: skip
    m = found[1]
    assert (m.failures, m.retries, m.cost, m.unpriced) == (1, 2, 1.0, 0)
    assert (m.usage.input, m.usage.thought, m.usage.output, m.usage.cached, m.usage.total) == (20, 6, 10, 4, 36)
    assert (m.first, m.seconds) == (2.0, 6.0)  # medians; what never came has no first text
    assert found[2].unpriced == 1


@pytest.mark.parametrize("by", BY)
def test_however_it_is_cut_the_sums_are_the_totals(by):
    for total in totals(ROWS):
        parts = [one for one in summarize_by(ROWS, by) if one.kind == total.kind]
        for name in ("requests", "failures", "retries", "cost", "unpriced"):
            assert sum(getattr(one, name) for one in parts) == getattr(total, name)
        assert sum(one.usage.total for one in parts) == total.usage.total


def test_days_come_in_their_order_and_one_shots_have_a_name():
    days = [one.name for one in summarize_by(ROWS, "day") if not one.kind]
    assert days == sorted(days)
    assert len(days) == 2
    assert {one.name for one in summarize_by(ROWS, "chat")} == {"main", "(once)"}
    assert totals([]) == summarize_by([], "model") == []


async def test_rows_are_told_by_when_they_began_and_who_answered(asking, journal, path, tmp_path):
    await asking.chat().ask("hello")
    await asking.record(tmp_path / "tape.gemini.jsonl")
    await asking.chat("taped").ask("hello again")
    await asking.record(None)
    await asking.replay(tmp_path / "tape.gemini.jsonl")
    await asking.chat("played").ask("hello again")
    with pytest.raises(NbGeminiError):
        await asking.chat("missed").ask("never recorded")
    journal.flush()
    rows = later(path).requests_since(0)
    assert [(row["chat"], row["offline"]) for row in rows] == [("main", 1), ("taped", 1), ("played", 2), ("missed", 2)]
    assert [row["cost"] for row in rows] == [None] * 4
    assert later(path).requests_since(rows[1]["at"]) == rows[1:]
    assert later(path).requests_since(rows[-1]["at"] + 1) == []


def test_a_notebook_goes_by_the_name_of_its_file():
    assert {one.name for one in summarize_by([*ROWS, {**ROW, "notebook": ""}], "notebook")} == {"a.ipynb", "(no name)"}
