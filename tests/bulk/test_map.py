"""One prompt for each of many rows: exact, in order, bounded, resumable, and nothing paid twice."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import stat
import sys
from dataclasses import dataclass
from time import monotonic

import msgspec
import pandas as pd
import pytest

from nbgemini import Client
from nbgemini.bulk.store import RowStore, StoredAnswer
from nbgemini.errors import ApiError, AuthenticationError, ConfigurationError, PromptError, RateLimitError
from nbgemini.messages.turns import Usage
from nbgemini.transport import retry
from nbgemini.transport.retry import RetryBudget
from tests.fakes.counting_server import CountingServer
from tests.fakes.mapper import settings
from tests.fakes.script import frame, refusal, stream

PER_DAY = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}


@pytest.fixture
def store(tmp_path):
    return tmp_path / "maps.sqlite3"


async def mapped(server, store, rows, template="row {n}", **how):
    async with Client(settings(server.url)) as client:
        return await client.map(template, rows, store=store, progress=False, **how)


def numbers(count):
    return [{"n": n} for n in range(count)]


async def test_a_thousand_rows_each_with_its_own_answer_in_order(store):
    told, over = [], []
    async with CountingServer() as server, Client(settings(server.url)) as client:
        table = await client.map("row {n}", numbers(1000), store=store, progress=told.append, on_row=over.append)
        assert table.texts == [f"<row {n}>" for n in range(1000)]
        assert [row.index for row in table] == [*range(1000)]
        assert {row.state for row in table} == {"complete"}
        assert sorted(server.asked) == sorted(f"row {n}" for n in range(1000))
        assert server.most <= 20
    assert len(over) == 1000
    assert table.usage.total == 7000
    assert told[-1].over
    assert (told[-1].done, told[-1].failed, told[-1].left) == (1000, 0, 0)
    assert table.cost == pytest.approx(sum(row.cost for row in table))


async def test_a_row_that_fails_is_its_own_affair_and_is_asked_again_next_time(store):
    def answers(prompt, nth):
        return refusal(400, message=f"not {prompt}") if prompt.endswith("7") and nth == 1 else None

    async with CountingServer(answers=answers) as server:
        table = await mapped(server, store, numbers(20))
        assert [*table.errors] == [7, 17]
        assert "not row 7" in table.errors[7]
        assert (table[7].state, table[7].text, table.texts[7]) == ("failed", "", None)
        again = await mapped(server, store, numbers(20))
        assert again.errors == {}
        assert [row.index for row in again if not row.stored] == [7, 17]
    assert len(server.asked) == 22


async def test_a_second_run_asks_nothing_and_fresh_asks_all(store):
    async with CountingServer() as server:
        first = await mapped(server, store, numbers(50))
        second = await mapped(server, store, numbers(50))
        assert len(server.asked) == 50
        assert second.texts == first.texts
        assert all(row.stored for row in second)
        assert (second.usage, second.cost) == (first.usage, first.cost)
        assert second.progress.usage == Usage()
        await mapped(server, store, numbers(50), fresh=True)
        assert len(server.asked) == 100
        await mapped(server, store, numbers(3), system="Be brief.")
        assert len(server.asked) == 103


async def test_equal_rows_are_rows_of_their_own(store):
    async with CountingServer() as server:
        await mapped(server, store, [{"n": 1}] * 3)
        assert len(server.asked) == 3
        table = await mapped(server, store, [{"n": 1}] * 5)
        assert [row.stored for row in table] == [True, True, True, False, False]
        assert len(server.asked) == 5


async def test_another_service_is_asked_anew(store):
    async with CountingServer() as one, CountingServer() as other:
        await mapped(one, store, numbers(3))
        await mapped(other, store, numbers(3))
        assert len(other.asked) == 3


@pytest.mark.parametrize("limits", [{"at_once": 6, "seconds": 0.05}, {"per_second": 50, "seconds": 0.02}])
async def test_limits_make_no_storm_and_the_service_is_kept_busy(store, limits):
    """Every row comes in the end, with few requests more than rows; the printed figures are those of this machine."""
    rows = 200
    async with CountingServer(seconds=limits["seconds"]) as server:
        best, _ = await timed(server, store, rows, concurrency=limits.get("at_once", 1000))
    best = max(best, rows / limits.get("per_second", 1000) - 1)  # the first second's share comes at once
    async with CountingServer(**limits) as server:
        seconds, table = await timed(server, store, rows, concurrency=20)
        requests = len(server.asked)
    assert table.texts == [f"<row {n}>" for n in range(rows)]
    print(f"\n{limits}: {requests / rows:.2f} requests a row, {best / seconds:.0%} of the best speed")
    assert requests <= 1.3 * rows


async def timed(server, store, rows, **how):
    began = monotonic()
    table = await mapped(server, store, numbers(rows), fresh=True, **how)
    return monotonic() - began, table


async def test_all_rows_wait_as_long_as_the_service_asks(store):
    wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.5s"}
    times = []

    def answers(*_):
        times.append(monotonic())
        return refusal(429, wait, status="RESOURCE_EXHAUSTED") if len(times) == 1 else None

    async with CountingServer(answers=answers) as server:
        await mapped(server, store, numbers(4), concurrency=1)
    assert times[1] - times[0] >= 0.5
    assert server.asked[:2] == ["row 0", "row 0"]


async def test_the_quota_of_a_day_ends_the_map_with_what_is_done(store):
    def answers(prompt, nth):
        return refusal(429, PER_DAY, status="RESOURCE_EXHAUSTED") if prompt in ("row 5", "row 6") and nth == 1 else None

    async with CountingServer(answers=answers) as server:
        table = await mapped(server, store, numbers(40), concurrency=1)
        assert isinstance(table.error, RateLimitError)
        assert [row.state for row in table] == ["complete"] * 5 + ["failed"] + ["interrupted"] * 34
        assert len(server.asked) == 6
        assert table.progress.line().startswith("5 of 40 rows · 1 failed · 34 not finished")
        await mapped(server, store, numbers(40), concurrency=1)
        assert server.asked[6:8] == ["row 5", "row 6"]


async def test_a_wrong_key_stops_all_at_once(store):
    async with CountingServer(answers=lambda *_: refusal(401, message="who are you?")) as server:
        with pytest.raises(AuthenticationError):
            await mapped(server, store, numbers(1000), concurrency=5)
        assert len(server.asked) <= 5


async def test_an_api_that_is_switched_off_stops_all_at_once(store):
    """It is about no key, and no row will fare better."""
    off = refusal(403, status="PERMISSION_DENIED", message="X API has not been used in project 1 before or it is disabled")
    async with CountingServer(answers=lambda *_: off) as server:
        with pytest.raises(ApiError, match="switch this API on"):
            await mapped(server, store, numbers(1000), concurrency=5)
        assert len(server.asked) <= 5


async def test_no_key_and_no_such_service_are_told_before_anything(store):
    async with Client(settings("http://127.0.0.1:9")) as client:
        with pytest.raises(ConfigurationError):
            client.map("{n}", numbers(1), model="anthropic:claude", store=store)
        with pytest.raises(ConfigurationError):
            client.map("{n}", numbers(1), model="nobody:x", store=store)


async def test_trouble_in_the_same_words_for_every_row_ends_the_map(store):
    async with CountingServer(answers=lambda *_: refusal(400, message="no such field")) as server:
        with pytest.raises(Exception, match="no such field"):
            await mapped(server, store, numbers(1000), concurrency=4)
        assert 10 <= len(server.asked) <= 14


async def test_a_service_that_goes_away_ends_the_map_instead_of_failing_every_row(store):
    def answers(prompt, _):
        return refusal(500) if int(prompt.split()[1]) >= 20 else None

    impatient = msgspec.structs.replace(settings(""), retries=0)
    async with CountingServer(answers=answers) as server:
        async with Client(msgspec.structs.replace(impatient, base_url=server.url)) as client:
            table = await client.map("row {n}", numbers(500), store=store, concurrency=4, progress=False)
    assert [row.state for row in table[:20]] == ["complete"] * 20
    assert 10 <= len(table.errors) <= 44  # each of three answers that were still out may begin the count of ten anew
    assert {row.state for row in table[70:]} == {"interrupted"}
    assert table.error is not None


async def test_rows_of_one_kind_that_fail_together_end_nothing(store):
    async with CountingServer(answers=lambda p, _: refusal(400) if 20 <= int(p.split()[1]) < 60 else None) as server:
        table = await mapped(server, store, numbers(80), concurrency=4)
    assert (len(table.errors), table.error) == (40, None)


async def test_a_cancelled_run_leaves_no_row_running(store):
    async with CountingServer() as server, Client(settings(server.url)) as client:
        server.hold.clear()
        task = client.map("row {n}", numbers(100), store=store, concurrency=5, progress=False).start()
        while len(server.asked) < 5:
            await asyncio.sleep(0.01)
        before = asyncio.all_tasks() - server._talks
        task.cancel()
        await asyncio.wait([task])
        assert len(asyncio.all_tasks() - server._talks) <= len(before) - 6


async def test_trouble_that_passes_is_asked_again_as_any_prompt_is(store):
    async with CountingServer(answers=lambda p, n: refusal(500) if p == "row 3" and n == 1 else None) as server:
        table = await mapped(server, store, numbers(5))
    assert table.errors == {}
    assert server.asked.count("row 3") == 2


async def test_stop_keeps_what_is_done_and_the_next_run_goes_on(store):
    async with CountingServer() as server, Client(settings(server.url)) as client:
        table = client.map(
            "row {n}", numbers(100), store=store, concurrency=5, progress=False, on_row=lambda row: stop(row.index)
        )

        def stop(index):
            if index == 30:
                server.hold.clear()
                table.stop()

        assert await table is table
        done = [row for row in table if row.answered]
        assert len(table) == 100
        assert 25 <= len(done) <= 60
        assert {row.state for row in table} == {"complete", "interrupted"}
        server.hold.set()
        asked = len(server.asked)
        again = await client.map("row {n}", numbers(100), store=store, progress=False)
        assert len(server.asked) - asked == 100 - len(done)
        assert again.texts == [f"<row {n}>" for n in range(100)]


async def test_a_cancelled_map_leaves_nothing_running_and_its_rows_on_disk(store):
    async with CountingServer() as server, Client(settings(server.url)) as client:
        server.hold.clear()
        table = client.map("row {n}", numbers(100), store=store, concurrency=5, progress=False)
        waiting = asyncio.ensure_future(_await(table))
        while len(server.asked) < 5:
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert table.done
        assert {row.state for row in table} == {"interrupted"}
        assert len(table) == 100
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "nbgemini map"]


async def _await(table):
    return await table


async def test_killed_in_the_middle_nothing_that_was_on_disk_is_paid_again(store):
    """kill -9 in the middle of 1,000 rows: the next run pays for the unfinished ones alone."""
    rows, places = 1000, 20
    async with CountingServer(seconds=0.005) as server:
        process = await started(server.url, store, rows)
        told = []
        while len(told) < 400:
            told.append((await process.stdout.readline()).decode().split())
        process.send_signal(signal.SIGKILL)
        told += [
            line.split() for line in (await process.stdout.read()).decode().splitlines(keepends=True) if line.endswith("\n")
        ]
        await process.wait()
        first, on_disk = list(server.served), [f"row {index}" for index, *_ in told]
        server.asked.clear()
        again = await started(server.url, store, rows)
        lines = (await again.stdout.read()).decode().splitlines()
        assert await again.wait() == 0
    paid = len(first) + len(server.asked)
    print(f"\nkilled with {len(on_disk)} rows on disk; {paid} requests paid for {rows} rows, {paid - rows} twice")
    assert lines[-1] == "over"
    assert not set(on_disk) & set(server.asked)
    assert paid <= rows + places
    assert {index for index, *_ in told} <= {line.split()[0] for line in lines[:-1] if line.endswith("stored")}


async def started(url, store, rows):
    command = (sys.executable, "-m", "tests.fakes.mapper", url, str(store), str(rows))
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


async def test_an_asynchronous_iterator_is_never_read_far_ahead(store):
    taken, furthest = [], []

    async def rows():
        for n in range(300):
            taken.append(n)
            yield f"text {n}"

    async with CountingServer() as server:
        table = await mapped(
            server, store, rows(), "Say", concurrency=4, on_row=lambda row: furthest.append(len(taken) - row.index)
        )
    assert table.texts == [f"<Say\n\ntext {n}>" for n in range(300)]
    assert max(furthest) <= 20
    assert table.progress.total == 300


async def test_an_asynchronous_generator_is_closed_when_the_map_stops(store):
    closed = []

    async def rows():
        try:
            for n in range(1000):
                yield {"n": n}
        finally:
            closed.append(True)

    async with CountingServer() as server, Client(settings(server.url)) as client:
        table = client.map("row {n}", rows(), store=store, concurrency=2, progress=False, on_row=lambda _: table.stop())
        await table
    assert closed == [True]
    assert table.state == "interrupted"


async def test_with_no_budget_left_rows_go_out_one_by_one_and_none_fails(store, monkeypatch):
    monkeypatch.setattr(retry, "BUDGET", RetryBudget(tokens=5))
    async with CountingServer(at_once=2, seconds=0.005) as server:
        table = await mapped(server, store, numbers(40))
    assert table.errors == {}
    assert len(table) == 40


async def test_files_go_along_and_another_content_is_another_row(store, tmp_path):
    file = tmp_path / "notes.txt"
    async with CountingServer() as server:
        for words in ("one", "other", "other"):
            file.write_text(words)
            table = await mapped(server, store, [{"n": file}])
    assert len(server.asked) == 2
    assert "other" in server.asked[1]
    assert table[0].stored


async def test_an_iterator_that_breaks_off_keeps_what_is_done(store):
    def rows():
        yield from numbers(40)
        raise ValueError("the file ends here")

    async with CountingServer() as server:
        table = await mapped(server, store, rows())
    assert "the rows broke off, ValueError: the file ends here" in str(table.error)
    assert [row.state for row in table] == ["complete"] * 40


async def test_a_table_of_pandas_in_and_out(store):
    df = pd.DataFrame({"n": [3, 4], "answer": ["x", "y"]}, index=["a", "b"])
    async with CountingServer(answers=lambda p, _: refusal(400) if p == "row 4" else None) as server:
        table = await mapped(server, store, df)
        column = await mapped(server, store, df.n)
    out = table.to_frame()
    assert [*out.columns] == ["n", "answer", "answer_", "error", "tokens", "cost"]
    assert [*out.index] == ["a", "b"]
    assert out["answer_"].tolist()[0] == "<row 3>"
    assert out["answer_"].isna().tolist() == [False, True]
    assert out["tokens"].tolist() == [7, 0]
    assert column.texts == ["<row 3>", None]
    assert column[0].stored


@dataclass
class City:
    name: str
    size: int


async def test_objects_are_read_and_read_again_from_disk_and_misfits_are_asked_again(store):
    def answers(prompt, nth):
        text = "no JSON" if prompt.endswith("1") and nth == 1 else '{"name": "Oslo", "size": 7}'
        return stream(frame(text, finish="STOP"))

    async with CountingServer(answers=answers) as server:
        table = await mapped(server, store, numbers(2), schema=City)
        assert table[0].parsed == City("Oslo", 7)
        assert table[1].parsed is None
        assert "does not match City" in table.errors[1]
        again = await mapped(server, store, numbers(2), schema=City)
        assert again.answers == [City("Oslo", 7)] * 2
        assert [row.stored for row in again] == [True, False]
        assert again.to_frame()["size"].tolist() == [7, 7]


async def test_an_answer_cut_at_its_limit_is_paid_and_kept(store):
    async with CountingServer(answers=lambda *_: stream(frame("half", finish="MAX_TOKENS"))) as server:
        table = await mapped(server, store, numbers(1))
        again = await mapped(server, store, numbers(1))
    assert (table[0].state, again[0].state, again[0].stored) == ("truncated", "truncated", True)
    assert again.errors == table.errors != {}
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("template", "row", "prompt"),
    [
        ("Sum {a} and {b:.1f}", {"a": 1, "b": 2.0}, "Sum 1 and 2.0"),
        ("{a}", {"a": "{b}", "b": "secret"}, "{b}"),
        ('Say {"x": {a}} and {} and {{a}}', {"a": 1}, 'Say {"x": 1} and {} and {{a}}'),
        ("It: {row}", {"a": 1}, 'It: {"a": 1}'),
        ("{row}!", "hi", "hi!"),
        ("Say", "hi", "Say\n\nhi"),
        ("", "hi", "hi"),
        ("{n!r}", {"n": "x"}, "'x'"),
    ],
)
async def test_what_stands_for_a_value(store, template, row, prompt):
    async with CountingServer() as server:
        await mapped(server, store, [row], template)
    assert server.asked == [prompt]


@pytest.mark.parametrize(
    ("template", "rows", "why"),
    [
        ("Say {texd}", [{"text": "a"}], r"no column 'texd' \(did you mean text\?\); there is {text}"),
        ("Say {text}", ["a"], "the rows are plain values, which {row} stands for"),
        ("Say it", [{"text": "a"}], "names no column"),
        ("{a}", "abc", "not a str"),
        ("{a}", {"a": [1]}, "not a dict"),
        ("{a}", 5, "not a int"),
    ],
)
async def test_what_is_wrong_with_the_call_is_told_before_anything_is_asked(store, template, rows, why):
    async with CountingServer() as server:
        with pytest.raises(PromptError, match=why):
            await mapped(server, store, rows, template)
    assert server.asked == []


async def test_a_map_whose_template_does_not_fit_has_all_its_rows(store):
    async with CountingServer() as server, Client(settings(server.url)) as client:
        table = client.map("{wrong}", numbers(100), store=store, progress=False)
        with pytest.raises(PromptError, match="no column 'wrong'"):
            await table
    assert [row.input["n"] for row in table.so_far] == [*range(100)]
    assert table.progress.line().startswith("0 of 100 rows · 100 not finished")


async def test_a_row_that_lacks_a_column_is_not_asked(store):
    async with CountingServer() as server:
        table = await mapped(server, store, [{"n": 1}, {"m": 2}])
    assert (table[0].text, table[1].state) == ("<row 1>", "failed")
    assert "no column 'n'" in table.errors[1]
    assert server.asked == ["row 1"]


async def test_a_row_that_holds_a_key_stays_here(store):
    async with CountingServer() as server:
        table = await mapped(server, store, [{"n": 1}, {"n": "sk-ant-" + "a1b2C3d4E5f6G7h8" * 3}])
    assert "contains an Anthropic key" in table.errors[1]
    assert server.asked == ["row 1"]


async def test_no_rows_are_no_trouble(store):
    async with CountingServer() as server:
        table = await mapped(server, store, [])
    assert (len(table), table.texts, table.progress.over) == (0, [], True)


async def test_a_callback_that_fails_costs_the_callback(store, caplog):
    def broken(_):
        raise ValueError("mine")

    async with CountingServer() as server:
        table = await mapped(server, store, numbers(3), on_row=broken)
    assert table.errors == {}
    assert caplog.text.count("the map goes on without it") == 1


async def test_the_journal_has_a_row_for_each_and_no_transcript(store, tmp_path):
    from nbgemini.journal import Journal

    journal = Journal(tmp_path / "journal.sqlite3", "here")
    async with CountingServer(at_once=2) as server, Client(settings(server.url), log=journal) as client:
        await client.map("row {n}", numbers(5), store=store, concurrency=5, progress=False)
    rows = journal.requests(100)
    assert [row["purpose"] for row in rows] == ["map"] * 5
    assert {row["state"] for row in rows} == {"complete"}
    assert sum(row["retries"] for row in rows) == len(server.asked) - 5
    assert journal.chats() == []
    journal.close()


async def test_what_the_model_writes_is_shown_escaped_and_bounded(store):
    evil = "<img src=x onerror=alert(1)> $x$ \x1b[31m"
    async with CountingServer(
        answers=lambda p, _: refusal(400) if p == "row 99" else stream(frame(evil * 50, finish="STOP"))
    ) as server:
        table = await mapped(server, store, numbers(100))
    shown = table._repr_mimebundle_()
    assert "<img" not in shown["text/html"]
    assert "\x1b" not in shown["text/plain"] + shown["text/html"]
    assert shown["text/html"].count("<tr>") == 12
    assert "89 more rows in to_frame()" in shown["text/plain"]
    assert len(shown["text/html"]) < 20_000
    assert repr(table).startswith("<MapResult 99 of 100 rows · 1 failed · ")


class TestStore:
    KEPT = StoredAnswer("text", "complete", "", Usage(total=3), 0.5, 1.0)

    async def test_only_its_owner_reads_it(self, store):
        async with opened(store) as ours:
            await ours.keep(("k", 1), self.KEPT)
        assert stat.S_IMODE(store.stat().st_mode) == 0o600
        assert b"row 1" not in store.read_bytes()

    async def test_what_is_old_or_too_much_is_dropped_at_the_next_opening(self, store):
        async with opened(store) as ours:
            for n in range(10):
                await ours.keep(("k", n), self.KEPT)
        with sqlite3.connect(store) as connection:
            connection.execute("UPDATE answer SET at = at - 40 * 24 * 3600 WHERE n < 3")
            (size,) = connection.execute("SELECT MAX(size) FROM answer").fetchone()
        connection.close()
        async with opened(store, most_bytes=4 * size) as ours:
            found = await ours.find([("k", n) for n in range(10)])
        assert [n for _, n in found] == [6, 7, 8, 9]

    async def test_all_that_wait_are_written_together(self, store):
        async with opened(store) as ours:
            await asyncio.gather(*(ours.keep(("k", n), self.KEPT) for n in range(500)))
            assert len(await ours.find([("k", n) for n in range(500)])) == 500

    async def test_a_damaged_file_is_moved_aside(self, store):
        store.write_bytes(b"no database" * 1000)
        async with opened(store) as ours:
            await ours.keep(("k", 1), self.KEPT)
        assert len([*store.parent.glob("maps.sqlite3.corrupt-*")]) == 1

    async def test_a_place_that_can_not_be_written_to_is_told_before_anything_is_asked(self, tmp_path):
        async with CountingServer() as server, Client(settings(server.url)) as client:
            table = client.map("row {n}", numbers(3), store=tmp_path, progress=False)
            with pytest.raises(ConfigurationError, match="is a directory → store=FILE"):
                await table
        assert server.asked == []
        assert table.progress.line().startswith("0 of 3 rows · 3 not finished")


class opened:  # noqa: N801 - a context, as a function is
    def __init__(self, path, **how):
        self.store = RowStore(path, **how)

    async def __aenter__(self):
        await self.store.open()
        return self.store

    async def __aexit__(self, *_):
        await self.store.aclose()
