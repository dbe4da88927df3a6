"""What came of a map: its rows in their order, growing while it runs, and the handle to wait for it or stop it.

Invariants: a row is where its input was; what one row's trouble is, no other row has; model text is shown escaped and bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any, Literal, Self, TypeAlias, overload

from msgspec import Struct, structs

from nbgemini._async.deferred import Deferred
from nbgemini._async.handle import Lifecycle, StreamHandle, complete
from nbgemini.bulk.progress import Progress
from nbgemini.errors import NbGeminiError
from nbgemini.messages.turns import Usage
from nbgemini.prompts.jsonable import record_of

RowState: TypeAlias = Literal["waiting", "running", "complete", "truncated", "blocked", "failed", "interrupted"]

SHOWN, SHOWN_TROUBLE = 10, 5  # rows on the page: the first, and of the others those with trouble
_CELL = 160  # characters
_COLUMNS = 6  # of the input
_ANSWERED = ("complete", "truncated")


class MapRow(Struct, eq=False):
    """One row of a map.

    Attributes:
        index: its number, from 0.
        input: the row that was given.
        state: `waiting` or `running`, then one of `complete`, `truncated`, `blocked`, `failed`, `interrupted`.
        text: the answer.
        parsed: the object, with a schema.
        error: why there is no answer, or only part of one, in one line; else empty.
        usage: token counts.
        cost: in US dollars; None if no price is known.
        seconds: duration.
        stored: whether the answer is from an earlier run.
        badge: label of an answer that is not live: `offline service`, `replay` …
    """

    index: int
    input: Any
    state: RowState = "waiting"
    text: str = ""
    parsed: Any = None
    error: str = ""
    usage: Usage = Usage()
    cost: float | None = None
    seconds: float = 0.0
    stored: bool = False
    badge: str = ""

    @property
    def answered(self) -> bool:
        """Whether there is an answer, even if it was cut off at a limit."""
        return self.state in _ANSWERED

    def __repr__(self) -> str:
        said = f"{self.text[:60]!r}{'…' if len(self.text) > 60 else ''}" if self.answered else self.error  # noqa: PLR2004
        return f"<MapRow {self.index} {self.state}: {said}>"


def count_row(progress: Progress, row: MapRow) -> Progress:
    """Return how far a map is with one row more that is over; what an earlier run had paid for costs nothing."""
    interrupted, cost = row.state == "interrupted", progress.cost
    if not row.stored and row.cost is not None:
        cost = (cost or 0.0) + row.cost
    return structs.replace(
        progress,
        done=progress.done + row.answered,
        failed=progress.failed + (not row.answered and not interrupted),
        stored=progress.stored + row.stored,
        interrupted=progress.interrupted + interrupted,
        usage=progress.usage if row.stored else progress.usage + row.usage,
        cost=cost,
    )


class Rows(list[MapRow]):
    """The rows of a map as they stand; once the map is over they are its own."""

    def __init__(self, labels: Any = None, remark: str = "") -> None:
        super().__init__()
        self._error: NbGeminiError | None = None
        self.labels = labels  # the index of the rows in their table, if there is one
        self.remark = remark  # what was done to make rows of the table

    def add(self, given: Any) -> MapRow:
        """Put one row more at the end."""
        self.append(MapRow(len(self), given))
        return self[-1]

    @property
    def error(self) -> NbGeminiError | None:
        """The error that ended the map early, such as a wrong key; None otherwise."""
        return self._error

    @error.setter
    def error(self, error: NbGeminiError | None) -> None:
        self._error = error

    @property
    def texts(self) -> list[str | None]:
        """The texts of the answers, in order; None for rows without an answer."""
        return [row.text if row.answered else None for row in self]

    @property
    def answers(self) -> list[Any]:
        """The objects in order, with a schema; else the texts."""
        return [row.parsed for row in self] if any(row.parsed is not None for row in self) else self.texts

    @property
    def errors(self) -> dict[int, str]:
        """The error messages of rows that failed, by row number."""
        return {row.index: row.error for row in self if row.error}

    @property
    def usage(self) -> Usage:
        """Token counts of all rows, including those of earlier runs."""
        return sum((row.usage for row in self), Usage())

    @property
    def cost(self) -> float | None:
        """Cost of all rows in US dollars, including those of earlier runs; None if no price is known."""
        known = [row.cost for row in self if row.cost is not None]
        return sum(known) if known else None

    @property
    def badge(self) -> str:
        """Labels of answers that are not live."""
        return ", ".join(dict.fromkeys(row.badge for row in self if row.badge))

    def to_frame(self) -> Any:
        """Return a DataFrame: the columns of the input, the answer (and its fields), error, tokens and cost."""
        import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415 - only who has tables has it

        index = None if self.labels is None else self.labels[: len(self)]
        return pd.DataFrame([_record(row) for row in self], index=index)

    @property
    def left_out(self) -> str:
        """Say what was done to its rows, and which the table does not show."""
        more = len(self) - len(self._shown_rows())
        rest = f"{more:,} more rows in to_frame()" if more else ""
        return "".join(f" · {said}" for said in (self.remark, rest) if said)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return headers and cells of a bounded table: the first rows, and of the others those with trouble."""
        shown = self._shown_rows()
        columns = list(dict.fromkeys(name for row in shown for name in _input_columns(row)))[:_COLUMNS]
        headers = ["", *columns, "answer", *(["trouble"] if any(row.error for row in shown) else [])]
        return headers, [_cells(row, columns)[: len(headers)] for row in shown]

    def _shown_rows(self) -> list[MapRow]:
        with_trouble = [row for row in self[SHOWN:] if row.error][:SHOWN_TROUBLE]
        return [*self[:SHOWN], *with_trouble]

    def __repr__(self) -> str:
        return f"<Rows {sum(row.answered for row in self):,} of {len(self):,} answered>"


async def _nothing_open() -> None:
    """Close nothing."""


class MapResult(StreamHandle, Sequence[MapRow]):
    """The rows of a map: await it to ask them. Reading a row before the end waits for the end.

    Attributes:
        progress: the progress so far.
        so_far: the rows as far as they are done; reading them never waits.
    """

    def __init__(
        self,
        run: Callable[[MapResult], Awaitable[None]],
        total: int | None = None,
        labels: Any = None,
        remark: str = "",
        aclose: Callable[[], Awaitable[None]] = _nothing_open,
    ) -> None:
        """Begin with no row; `run` asks them all, and `aclose` closes the connections of a loop that ends with it."""
        self.lifecycle = Lifecycle()
        super().__init__(self.lifecycle)
        self.progress = Progress(total=total)
        self.so_far = Rows(labels, remark)
        self._run = run
        self._aclose = aclose
        self._task: asyncio.Task[None] | None = None

    @overload
    def __getitem__(self, index: int) -> MapRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[MapRow]: ...
    def __getitem__(self, index: int | slice) -> MapRow | list[MapRow]:
        self.wait_here()
        return self.so_far[index]

    def __len__(self) -> int:
        self.wait_here()
        return len(self.so_far)

    @property
    def state(self) -> Literal["running", "complete", "interrupted"]:
        """`running`, then `complete`, or `interrupted` if some rows were not finished."""
        if not self.done:
            return "running"
        return "interrupted" if any(row.state == "interrupted" for row in self.so_far) else "complete"

    texts = complete(Rows.texts)
    answers = complete(Rows.answers)
    errors = complete(Rows.errors)
    error = complete(Rows.error)
    usage = complete(Rows.usage)
    cost = complete(Rows.cost)
    badge = complete(Rows.badge)

    def to_frame(self) -> Any:
        """Return a DataFrame: the columns of the input, the answer (and its fields), error, tokens and cost."""
        self.wait_here()
        return self.so_far.to_frame()

    def start(self) -> asyncio.Task[None]:
        """Ask the rows on the running loop; once begun, it is the same task."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._to_the_end(), name="nbgemini map")
            self.lifecycle.start()
        return self._task

    async def _to_the_end(self) -> None:
        try:
            await self._run(self)
        finally:
            self.lifecycle.finish()

    async def _outcome(self) -> Self:
        task = self.start()
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait([task])
            raise
        return self._checked()

    def _checked(self) -> Self:
        if self.so_far.error and not any(row.answered for row in self.so_far):
            raise self.so_far.error
        return self

    def result(self, timeout: float | None = None) -> Self:
        """Ask all rows, in code that is not async, and return them; the event loop keeps running.

        Raises:
            TimeoutError: it took longer than `timeout` seconds; finished rows are kept.
            ConfigurationError: the event loop is uvloop, which can't be entered again.
            NbGeminiError: an error concerned all rows, and none has an answer.
        """
        if self._task is None and not self.done:
            return Deferred(self._outcome(), self._aclose).result(timeout)
        self.wait(timeout)
        return self._checked()

    def __await__(self) -> Generator[Any, None, Self]:
        """Ask all rows and return them; cancelled, what is done stays done, here and on disk.

        Raises:
            NbGeminiError: a fault concerned all rows, and none has an answer.
        """
        return self._outcome().__await__()

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy has, and a file: all but what asked the rows."""
        return {**super().__getstate__(), "_run": None, "_aclose": None, "_task": None}

    def __repr__(self) -> str:
        return f"<MapResult {self.progress.line()}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Show the line and a bounded table, escaped."""
        from nbgemini.render.mimebundle import map_bundle, status_bundle, table_bundle  # noqa: PLC0415 - where there is a page

        line = status_bundle(self.progress.line() + self.so_far.left_out, self.so_far.badge)
        return map_bundle(line, *([table_bundle(*self.so_far.table())] if self.so_far else []))

    def _repr_html_(self) -> str:
        """Return the same as HTML."""
        return str(self._repr_mimebundle_()["text/html"])

    def _mime_(self) -> tuple[str, str]:
        """Return what marimo shows."""
        return "text/html", self._repr_html_()


def _record(row: MapRow) -> dict[str, Any]:
    """Return a row for a DataFrame; names of ours give way to those of the input."""
    record = dict(_input_columns(row))
    facts = {"answer": row.text if row.answered else None, **_fields(row.parsed)}
    facts |= {"error": row.error or None, "tokens": row.usage.total, "cost": row.cost}
    for name, value in facts.items():
        record[name if name not in record else f"{name}_"] = value
    return record


def _fields(parsed: Any) -> dict[str, Any]:
    """Return the fields of an object; a value without any is one."""
    if parsed is None:
        return {}
    if isinstance(parsed, Mapping):
        return {str(name): value for name, value in parsed.items()}
    if isinstance(fields := getattr(type(parsed), "model_fields", None), Mapping):  # pydantic's
        return {name: getattr(parsed, name) for name in fields}
    if (record := record_of(parsed)) is not None:
        return record
    return {"parsed": parsed}


def _input_columns(row: MapRow) -> Mapping[str, Any]:
    return {str(name): value for name, value in row.input.items()} if isinstance(row.input, Mapping) else {"row": row.input}


def _answer_text(row: MapRow) -> str:
    fields = _fields(row.parsed)
    return ", ".join(f"{name}: {value}" for name, value in fields.items()) if fields.keys() - {"parsed"} else row.text


def _cells(row: MapRow, columns: Sequence[str]) -> list[str]:
    given = (_input_columns(row).get(name, "") for name in columns)
    return [str(row.index), *map(_cell, given), _cell(_answer_text(row)), _cell(row.error)]


def _cell(value: Any) -> str:
    try:
        words = " ".join(str(value).split())
    except Exception:  # noqa: BLE001 - any object may come
        words = f"a {type(value).__name__}"
    return words if len(words) <= _CELL else f"{words[: _CELL - 1]}…"
