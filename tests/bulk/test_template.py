"""A template names any column; what looks like one and is none stops the map before it costs; what is missing is said."""

from __future__ import annotations

import pandas as pd
import pytest

from nbgemini import Client
from nbgemini.bulk.template import MissingError, Template
from nbgemini.errors import PromptError
from tests.fakes.counting_server import CountingServer
from tests.fakes.mapper import settings

ROW = {
    "Review Text": "good", "a.b": 2, "größe": 1.5, "日本": "x", "Price (USD)": 3, "class": "c", "x: y": 4, "n": 7, 7: "seven",
    "t": pd.Timestamp("2024-01-15 00:12:34.123456789"),
}  # fmt: skip


async def said(template, row=ROW, doubled=()):
    turn = await Template(template, doubled).turn(row)
    return "".join(part["text"] for part in turn.parts)


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("{Review Text}: {a.b}", "good: 2"),
        ("{größe} {日本} {Price (USD)} {class} {7}", "1.5 x 3 c seven"),
        ("{x: y}", "4"),
        ("{größe:.2f} {Review Text!r} {n:03d} {t:%Y-%m}", "1.50 'good' 007 2024-01"),
        ("{t}", "2024-01-15 00:12:34.123456789"),
        ("{n.real}", "7"),
        ('{n} {"json": 1} {} { x } {3} {n: string} {kind:string} {n, 5} {x + 1}', None),
        ("{{Review Text}} {n}", "{{Review Text}} 7"),
        (r"\frac{a}{b} {n}", r"\frac{a}{b} 7"),
    ],
)
async def test_any_column_can_be_named(template, prompt):
    assert await said(template) == (prompt or template.replace("{n}", "7"))


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{Reveiw Text}", r"no column 'Reveiw Text' \(did you mean Review Text\?\)"),
        ("{review text}", r"did you mean Review Text\?"),
        ("{Review_Text}", r"did you mean Review Text\?"),
        ("{a.c}", r"no column 'a.c' \(did you mean a.b\?\)"),
        ("{Price (EUR)}", r"did you mean Price \(USD\)\?"),
        ("{n} {Customer Name}", r"no column 'Customer Name' \({{Customer Name}} stays as typed\)"),
        ("{n} {grösse}", r"did you mean größe\?"),
        ("{n} {Grösse:.2f}", r"did you mean größe\?"),
        ("{n} {price:.2f}", "no column 'price'"),
        ("{n.imagg}", "no column 'n.imagg'"),
        ("{Review Text:.2f}", r"{Review Text:.2f} can't be written: 'good' is of type str"),
        ("Say it", "names no column"),
    ],
)
async def test_what_looks_like_a_column_and_is_none_stops_the_map_before_it_costs(tmp_path, template, why):
    async with CountingServer() as server, Client(settings(server.url)) as client:
        with pytest.raises(PromptError, match=why) as raised:
            await client.map(template, [ROW, ROW], store=tmp_path / "maps.sqlite3", progress=False)
    assert server.asked == []
    assert "\n" not in str(raised.value)


async def test_a_name_of_several_columns_is_refused():
    with pytest.raises(PromptError, match="several columns are named 'n', so {n} is ambiguous; rename them"):
        await said("{n}", doubled={"n"})
    assert await said("{class}", doubled={"n"}) == "c"


@pytest.mark.parametrize("gap", [None, float("nan"), pd.NA, pd.NaT])
async def test_a_value_that_is_missing_is_said_and_a_row_of_nothing_else_is_not_asked(gap):
    row = {"a": gap, "b": "there"}
    assert await said("{a} and {b}", row) == "(missing) and there"
    assert await said("{a:.2f} {a!r} {a.real} {b}", row) == "(missing) (missing) (missing) there"
    with pytest.raises(MissingError, match=r"nothing stands in {a} of this row; it was not asked"):
        await said("{a}", row)
    with pytest.raises(MissingError, match="this row is empty"):
        await said("Say", gap)


async def test_a_map_goes_on_past_rows_without_a_value_however_many(tmp_path):
    frame = pd.DataFrame({"text": [None] * 30 + ["a"], "id": [float("nan")] * 30 + [5.0]})
    async with CountingServer() as server, Client(settings(server.url)) as client:
        table = await client.map("{text} {id}", frame, store=tmp_path / "maps.sqlite3", progress=False)
    assert server.asked == ["a 5"]
    assert len(table.errors) == 30
    assert set(table.errors.values()) == {"nothing stands in {id}, {text} of this row; it was not asked"}
    assert "id: whole numbers with gaps, asked about without .0" in table._repr_mimebundle_()["text/plain"]


async def test_many_columns_and_rows_cost_no_more_than_they_are():
    row = {f"column {n}": n for n in range(2_000)}
    form = Template(" ".join(f"{{column {n}}}" for n in range(0, 2_000, 100)))
    for _ in range(200):
        turn = await form.turn(row)
    assert turn.parts[0]["text"].startswith("0 100 200")
