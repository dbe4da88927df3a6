"""Tables are what can be read as tables, whichever package they come from; only what is shown of them is read."""

from __future__ import annotations

import datetime as dt
import decimal

import pandas as pd
import pytest

from nbgemini.bulk.rows import RowSource
from nbgemini.prompts.jsonable import converted
from nbgemini.prompts.object_text import markdown_table
from nbgemini.prompts.tables import is_missing, may_be_table, narrow_float, table_of
from nbgemini.prompts.values import value_to_parts


class Rowwise:
    """As polars has it: rows are iterated, and as many are taken as are wanted."""

    def __init__(self, columns, rows):
        self.columns, self._rows = columns, rows

    def __len__(self):
        return len(self._rows)

    def head(self, count):
        return Rowwise(self.columns, self._rows[:count])

    def select(self, names):
        return Rowwise(names, [row[: len(names)] for row in self._rows])

    def iter_rows(self):
        yield from self._rows


class Lazy:
    """As queries have it: nothing is computed before it is asked for, and then what is asked for."""

    computed: list[int]

    def __init__(self, rows, most=None, computed=None):
        self._rows, self._most = rows, most
        self.computed = [] if computed is None else computed

    @property
    def columns(self):
        return ["n"]

    def limit(self, count):
        return Lazy(self._rows, count, self.computed)

    def collect(self):
        some = self._rows[: self._most]
        self.computed.append(len(some))
        return Rowwise(["n"], some)


class Mappings:
    """As datasets have it: a row is a dict."""

    column_names = ("a", "b")
    num_rows = 2

    def __iter__(self):
        return iter([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])


class Own(pd.DataFrame):
    @property
    def _constructor(self):
        return Own


def shown(value):
    return markdown_table(value).splitlines()[2:]


def output(value):
    return converted(value)[0]["output"]


async def rows_of(value):
    source, rows = RowSource(value), []
    while some := await source.some():
        rows += some
    return rows


@pytest.mark.parametrize(
    "table",
    [
        Rowwise(["a", "b"], [(1, "x"), (2, "y")]),
        Mappings(),
        pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        Own({"a": [1, 2], "b": ["x", "y"]}),
    ],
    ids=lambda table: type(table).__name__,
)
async def test_a_table_is_the_same_in_a_prompt_for_a_tool_and_for_a_map(table):
    assert may_be_table(table)
    assert shown(table) == ["| 1 | x |", "| 2 | y |"]
    assert output(table) == {"columns": ["a", "b"], "rows": [[1, "x"], [2, "y"]]}
    assert await rows_of(table) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


@pytest.mark.parametrize("package", ["polars", "pyarrow", "xarray", "numpy"])
async def test_those_of_the_world_are_rows_in_maps_too(package):
    there = pytest.importorskip(package)
    made = {
        "polars": lambda: [there.DataFrame({"a": [1, 2]}), there.LazyFrame({"a": [1, 2]}), there.Series("a", [1, 2])],
        "pyarrow": lambda: [there.table({"a": [1, 2]}), there.table({"a": [1, 2]}).to_batches()[0]],
        "xarray": lambda: [there.Dataset({"b": ("a", [5.0, 6.0])}, {"a": [1, 2]})],
        "numpy": lambda: [there.array([(1,), (2,)], dtype=[("a", "i8")])],
    }[package]()
    for table in made:
        assert [line.split(" | ")[0].strip(" |") for line in shown(table)] == ["1", "2"]
        assert [row["a"] for row in await rows_of(table)] == [1, 2]


def test_a_lazy_table_is_computed_as_far_as_it_is_shown():
    table = Lazy([(n,) for n in range(1000)])
    assert shown(table)[0] == "| 0 |"
    assert "first 50 rows; how many there are was not counted" in markdown_table(table)
    assert max(table.computed) == 50
    response, _ = converted(table)
    assert "how many there are was not counted" in response["note"]
    assert max(table.computed) == 200


def test_only_the_rows_that_are_shown_are_read():
    class Counted(Rowwise):
        read = 0

        def head(self, count):
            Counted.read = max(Counted.read, count)
            return Rowwise(self.columns, self._rows[:count])

        def iter_rows(self):
            raise AssertionError("all rows were read")

    assert "(first 50 of 10,000,000 rows)" in markdown_table(Counted(["n"], _Many()))
    assert Counted.read == 50


class _Many:
    """Ten million rows that nobody should hold."""

    def __len__(self):
        return 10_000_000

    def __getitem__(self, some):
        return [(n,) for n in range(*some.indices(len(self)))]


def test_a_stream_of_arrow_is_a_table_whoever_speaks_it():
    pyarrow = pytest.importorskip("pyarrow")

    class Speaks:
        def __arrow_c_stream__(self, requested_schema=None):
            return pyarrow.table({"a": range(1000)}).__arrow_c_stream__(requested_schema)

    assert shown(Speaks())[:2] == ["| 0 |", "| 1 |"]
    assert table_of(Speaks()).names == ["a"]


def test_values_are_as_exact_as_in_their_table():
    moment = "2024-01-15 00:12:34.123456789"
    frame = pd.DataFrame(
        {
            "id": [20240115001234.0],
            "sum": [0.1 + 0.2],
            "narrow": pd.array([0.1], "float32"),
            "moment": pd.to_datetime([moment]).tz_localize("Europe/Berlin"),
            "price": [decimal.Decimal("1.10")],
            "day": [dt.date(2024, 1, 15)],
        }
    )
    assert shown(frame) == [f"| 20240115001234.0 | 0.30000000000000004 | 0.1 | {moment}+01:00 | 1.10 | 2024-01-15 |"]
    told = [20240115001234.0, 0.1 + 0.2, 0.1, "2024-01-15T00:12:34.123456789+01:00", "1.10", "2024-01-15"]
    assert output(frame)["rows"] == [told]


@pytest.mark.parametrize("package", ["polars", "pyarrow"])
def test_nanoseconds_survive_columns_that_python_has_no_type_for(package):
    there = pytest.importorskip(package)
    text = ["2024-01-15 00:12:34.123456789"]
    if package == "polars":
        table = there.DataFrame(
            {"t": there.Series(text).str.to_datetime(time_unit="ns"), "f": there.Series([0.1], dtype=there.Float32)}
        )
    else:
        table = there.table({"t": there.array(text).cast(there.timestamp("ns")), "f": there.array([0.1], there.float32())})
    assert shown(table)[0].replace("T", " ") == "| 2024-01-15 00:12:34.123456789 | 0.1 |"


def test_an_index_stands_with_its_rows_unless_it_only_counts_them():
    frame = pd.DataFrame({"n": range(5)})
    assert shown(frame)[0] == "| 0 |"
    assert shown(frame[2:])[0] == "| 2 | 2 |"
    assert output(frame[2:])["index"] == [2, 3, 4]
    series = pd.Series([1.5], index=pd.Index(["a"], name="key"))
    assert markdown_table(series).splitlines()[0] == "| key | value |"
    assert output(series) == {"index": ["a"], "values": [1.5]}


def test_what_a_table_knows_of_itself_is_said():
    xarray = pytest.importorskip("xarray")
    grid = xarray.DataArray([[1.0, 2.0]], dims=("x", "y"), name="t", attrs={"units": "K"})
    assert markdown_table(grid).endswith("(units: K)")
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["source"] = "a survey"
    assert markdown_table(frame).endswith("(source: a survey)")
    assert converted(frame)[0]["note"] == "source: a survey"


def test_a_large_grid_is_read_at_its_corner():
    xarray, numpy = pytest.importorskip("xarray"), pytest.importorskip("numpy")

    class Grid(xarray.DataArray):
        __slots__ = ()

        def to_dataframe(self, *args, **kwargs):
            assert self.size <= 3_000, "more was read than is shown"
            return super().to_dataframe(*args, **kwargs)

    grid = Grid(numpy.arange(1_000 * 3_000.0).reshape(1_000, 3_000), dims=("x", "y"))
    assert shown(grid)[:2] == ["| 0 | 0 | 0.0 |", "| 0 | 1 | 1.0 |"]
    assert "(first 50 of 3,000,000 rows)" in markdown_table(grid)


@pytest.mark.parametrize("value", [None, 5, "text", [1], {"a": 1}, {1}, object(), pd.DataFrame, len, b"x", pd, 1.5])
def test_anything_else_is_no_table(value):
    assert table_of(value) is None
    assert not may_be_table(value)


def test_narrow_floats_have_their_own_digits():
    numpy = pytest.importorskip("numpy")
    for text in ("0.1", "3.4028235e+38", "1e-45", "16777216.0", "0.33333334"):
        assert narrow_float(float(numpy.float32(text))) == float(text)
    assert [narrow_float(float(numpy.float16(value)), "e") for value in (0.1, 65504, 0.333)] == [0.1, 65504.0, 0.333]
    assert narrow_float(float(numpy.float32(123456792))) == 123456792.0  # an id keeps its digits
    assert [narrow_float(value) for value in (float("inf"), 5, None, 1e300)] == [float("inf"), 5, None, 1e300]


def test_what_is_missing_is_known_whoever_says_it():
    assert all(map(is_missing, (None, float("nan"), pd.NaT, pd.NA)))
    assert not any(map(is_missing, (0, "", False, [], dt.date(2024, 1, 1), 0.0)))


def test_narrow_columns_are_told_alike_whoever_holds_them():
    numpy, polars, pyarrow = map(pytest.importorskip, ("numpy", "polars", "pyarrow"))
    values = numpy.array([0.1, 65504], "float16")
    tables = [pd.DataFrame({"a": values}), pyarrow.table({"a": values})]
    tables.append(polars.DataFrame({"a": polars.Series([0.1, 65504.0], dtype=polars.Float32)}))
    assert {markdown_table(table) for table in tables} == {"| a |\n| --- |\n| 0.1 |\n| 65504.0 |"}
    assert converted(values)[0]["output"] == [0.1, 65504.0]
    assert "[0.1 65504.0]" in value_to_parts(values, "it")[0]["text"]


def test_nanoseconds_are_exact_at_any_depth():
    polars, pyarrow = map(pytest.importorskip, ("polars", "pyarrow"))
    when = 1_704_067_200_123_456_789
    inner = polars.Struct({"t": polars.Datetime("ns")})
    frame = polars.DataFrame({"s": polars.Series([[{"t": when}], None, []], dtype=polars.List(inner))})
    assert [row for (row,) in table_of(frame).read(None, None)] == [[{"t": "2024-01-01T00:00:00.123456789"}], None, []]
    frame = polars.DataFrame({"s": polars.Series([{"t": when}, None], dtype=inner)})
    assert [row for (row,) in table_of(frame).read(None, None)] == [{"t": "2024-01-01T00:00:00.123456789"}, None]
    times = pyarrow.array([[{"t": when}], None, [None]], pyarrow.list_(pyarrow.struct([("t", pyarrow.timestamp("ns"))])))
    table = pyarrow.table({"s": times, "d": pyarrow.array([5, None, 7], pyarrow.duration("ns"))})
    rows = list(table_of(table).read(None, None))
    assert rows == [([{"t": "2024-01-01 00:00:00.123456789"}], "5 ns"), (None, None), ([None], "7 ns")]
    keyed = pyarrow.table({"m": pyarrow.array([[("a", when)]], pyarrow.map_(pyarrow.string(), pyarrow.timestamp("ns")))})
    assert "123456789" in markdown_table(keyed)


def test_a_data_set_of_arrow_is_read_as_far_as_it_is_shown():
    pyarrow = pytest.importorskip("pyarrow")
    dataset = pytest.importorskip("pyarrow.dataset").dataset(pyarrow.table({"a": list(range(100))}))
    assert markdown_table(dataset).endswith("(first 50 rows; how many there are was not counted)")
    assert len(list(table_of(dataset).read(None, None))) == 100


def test_the_arrays_of_pandas_keep_what_they_hold():
    array = pd.array([2**62 + 1, None], dtype="Int64")
    assert value_to_parts(array, "it") == [{"text": '["4611686018427387905", null]'}]
    assert value_to_parts(pd.Categorical(["a", "b"]), "it") == [{"text": '["a", "b"]'}]


def test_a_cell_that_says_nothing_says_its_type():
    assert markdown_table(pd.DataFrame({"a": [object()]})).endswith("| (object) |")
