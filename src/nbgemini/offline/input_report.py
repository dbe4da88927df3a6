"""What can be said of tables, pictures and files without a model. The same for the same.

Of a file: its columns, pixels, pages, seconds. Of a table: the highest, the sum, the average, per group, a single value. Only
what was sent is looked at; a table that was cut is answered from its first rows, and the answer says so.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from statistics import fmean, median
from typing import Any, TypeAlias

from msgspec import Struct

from nbgemini.messages.media import media_kind, size_text
from nbgemini.offline.canned_answers import Run, thought_and_answer

Head: TypeAlias = Callable[[str], tuple[bytes, int]]

_SIGNED = "\n\n*From nbgemini's offline service, not from Gemini: it measures, and understands nothing.*"
_SOF = {0xC0, 0xC1, 0xC2, 0xC3}


def report(content: dict[str, Any], head: Head) -> list[Run]:
    """Return what there is to say of the tables and files in a content; nothing if there are none."""
    lines = [line for part in content["parts"] for line in _described(part, head)]
    if not lines:
        return []
    text = "".join(str(part.get("text", "")) for part in content["parts"])
    answers = filter(None, (answer_about(without_tables(text), table) for table in tables_in(text)))
    seen = f"The prompt brings {_many(len(lines), 'thing')} to look at."
    return thought_and_answer(
        "Looking", seen, "\n\n".join([*answers, "This is what reached me:\n\n" + "\n".join(lines)]) + _SIGNED
    )


def _many(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _described(part: dict[str, Any], head: Head) -> Iterator[str]:
    if isinstance(inline := part.get("inlineData"), dict):
        data = b""
        with suppress(binascii.Error, ValueError):
            data = base64.b64decode(str(inline.get("data", "")).replace("-", "+").replace("_", "/") + "===")
        yield f"- {_file(str(inline.get('mimeType', '')), data, len(data))}"
    elif isinstance(file := part.get("fileData"), dict):
        data, size = head(str(file.get("fileUri", "")))
        yield f"- {_file(str(file.get('mimeType', '')), data, size)}, uploaded"
    elif isinstance(text := part.get("text"), str):
        yield from map(describe, tables_in(text))


def _file(mime: str, data: bytes, size: int) -> str:
    facts = list(_facts(mime, data)) or [size_text(size)]  # how well a picture is packed differs from machine to machine
    return ", ".join([f"**{media_kind(mime) or 'file'}** ({mime or 'of unknown type'})", *facts])


def _facts(mime: str, data: bytes) -> Iterator[str]:
    if pixels := _pixels(data):
        yield f"{pixels[0]} by {pixels[1]} pixels"
    if mime == "application/pdf" and (pages := len(re.findall(rb"/Type\s*/Page(?![a-zA-Z])", data))):
        yield _many(pages, "page")
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE" and (rate := int.from_bytes(data[28:32], "little")):
        yield f"{int.from_bytes(data[40:44], 'little') / rate:.1f} s"


def _pixels(data: bytes) -> tuple[int, int] | None:
    if data.startswith(b"\x89PNG") and data[12:16] == b"IHDR":
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    return _jpeg_pixels(data) if data.startswith(b"\xff\xd8") else None


def _jpeg_pixels(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:  # noqa: PLR2004 - begins every marker
        if data[at + 1] in _SOF:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


_TABLE = re.compile(
    r"^\|(.+)\|[ \t]*\n\|(?: *:?-{3,}:? *\|)+[ \t]*\n((?:\|.*\|[ \t]*(?:\n|\Z))*)(?:\n\(first \d+ of ([\d,]+) rows)?",
    re.MULTILINE,
)
_CELLS = re.compile(r"(?<!\\)\|")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)
_EMPTY = ("", "NaN", "None", "nan", "NaT", "null", "<NA>")
_HIGHEST = (
    r"\b(highest|most|max|maximum|largest|biggest|best|top|greatest|longest|oldest|strongest|leading|warmest|hottest|tallest"
    r"|heaviest|fastest|richest|latest|newest)\b"
)
_LOWEST = (
    r"\b(lowest|least|fewest|min|minimum|smallest|worst|cheapest|shortest|youngest|weakest|coldest|coolest|lightest|slowest"
    r"|poorest|earliest|(?:\w+ed|came) first)\b"
)
_MEANT = {  # columns by the words for their highest and lowest values
    r"warm|hott|cold|cool": "temp", r"oldest|young": "age", r"expensive|cheap": "price", r"fast|slow": "speed",
    r"tall": "height", r"heav|light": "weight", r"populous": "pop", r"rich|poor": "income", r"long|short": "length",
}  # fmt: skip
_COMPARED = re.compile(
    r"\b(?:(above|over|more than|greater than|higher than)|below|under|less than|fewer than|lower than) "
    r"(\d{1,15}(?:,\d{3}){0,5}(?:\.\d{1,9})?) ?(thousand|million|billion|k|m|bn)?\b"
)
_UNITS = {"thousand": 1e3, "k": 1e3, "million": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9}
_FOLDS: tuple[tuple[str, str, Callable[[Sequence[float]], float]], ...] = (
    (r"\b(average|mean|typical)\b", "On average", fmean),
    (r"\b(sum|total|altogether|overall|combined)\b", "In total", math.fsum),
    (r"\bmedian\b", "In the middle (median)", median),
)
_MILLION = 1_000_000
_MOST_SHOWN = 12  # groups, or rows


class TextTable(Struct, frozen=True):
    """A Markdown table: column names, rows of texts, and how many rows the whole table has, if more."""

    names: list[str]
    rows: list[list[str]]
    total: str = ""

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        at = self.names.index(name)
        return [row[at] if at < len(row) else "" for row in self.rows]

    def numbers(self, name: str) -> list[float | None]:
        """Return the numbers of a column; None where a cell is empty."""
        return [None if cell in _EMPTY else float(cell) for cell in self.column(name)]

    def is_numeric(self, name: str) -> bool:
        """Whether all cells of a column that aren't empty are numbers."""
        cells = [cell for cell in self.column(name) if cell not in _EMPTY]
        return bool(cells) and all(_NUMBER.fullmatch(cell) for cell in cells)

    @property
    def label(self) -> str:
        """The column that names the rows: the first with texts, else the first."""
        return next((name for name in self.names if name and not self.is_numeric(name)), self.names[0])


def tables_in(text: str) -> list[TextTable]:
    """Return the tables of a text."""
    found = (match.groups() for match in _TABLE.finditer(text))
    return [
        TextTable(_row(f"|{head}|"), [_row(line) for line in body.splitlines()], total or "") for head, body, total in found
    ]


def without_tables(text: str) -> str:
    """Return a text without its tables."""
    return _TABLE.sub("", text)


def describe(table: TextTable) -> str:
    """Return what a table has: columns, rows, and the range of each column of numbers."""
    rows = f"{len(table.rows)} rows shown of {table.total}" if table.total else _many(len(table.rows), "row")
    measured = ((name, _present(table, name)) for name in _numeric(table))
    ranges = [
        f"  - `{name}`: {_text(min(numbers))} to {_text(max(numbers))}, {_text(fmean(numbers))} on average"
        for name, numbers in measured
        if numbers
    ]
    head = f"- a **table** of {_many(len(table.names), 'column')} ({', '.join(table.names)}) and {rows}"
    return "\n".join([head, *ranges])


def _text(number: float) -> str:
    """Return a number with six digits, or all of them before the point."""
    return f"{number:,.0f}" if abs(number) >= _MILLION else f"{number:.6g}"


def answer_about(question: str, table: TextTable) -> str:
    """Return the answer to a question about a table, as Markdown; nothing if it can't be told by its rows."""
    asked = " ".join(question.lower().split())
    rules = (_missing, _counts, _filtered, _groups, _ranks, _folds, _looked_up) if table.rows else ()
    found = next((answer for rule in rules if (answer := rule(asked, table))), "")
    part = f"\n\nThis is from the first {len(table.rows)} of {table.total} rows, which is what was sent."
    return found + part if found and table.total else found


def _named(asked: str, table: TextTable) -> list[str]:
    """Return the columns that a question names, in the order of the question."""
    places = {name: _place(asked, name) for name in dict.fromkeys(table.names) if name}
    return sorted((name for name, place in places.items() if place >= 0), key=lambda name: places[name])


def _place(asked: str, name: str) -> int:
    stem = re.escape(re.sub(r"[_\s]+", " ", name.lower()).strip().removesuffix("s"))
    found = re.search(rf"\b{stem}(?:s|es)?\b", asked.replace("_", " ")) if stem else None
    return found.start() if found else -1


def _counts(asked: str, table: TextTable) -> str:
    named = _named(asked, table)
    if named and re.search(r"\b(unique|distinct|different)\b", asked):
        values = dict.fromkeys(table.column(named[0]))
        return f"`{named[0]}` has **{len(values)}** different values: {', '.join(list(values)[:_MOST_SHOWN])}."
    if re.search(r"\bhow many (rows|entries|records|lines)\b|\bnumber of rows\b", asked):
        return f"The table has **{table.total or len(table.rows)}** rows."
    if re.search(r"\b(which|what|how many) (are the )?columns\b", asked):
        return f"The table has **{len(table.names)}** columns: {', '.join(f'`{name}`' for name in table.names)}."
    return ""


def _missing(asked: str, table: TextTable) -> str:
    if not re.search(r"\b(missing|null|nulls|nan|empty)\b", asked):
        return ""
    counts = {name: sum(cell in _EMPTY for cell in table.column(name)) for name in dict.fromkeys(table.names)}
    found = [f"`{name}` {count}" for name, count in counts.items() if count]
    return f"Cells without a value: {', '.join(found)}." if found else "No cell is without a value."


def _filtered(asked: str, table: TextTable) -> str:
    """Return the rows whose number is above or below a limit."""
    found, columns = _COMPARED.search(asked), _named_numeric(asked, table) or _numeric(table)[:1]
    if found is None or not columns:
        return ""
    limit, is_above = float(found[2].replace(",", "")) * _UNITS.get(found[3] or "", 1), bool(found[1])
    labelled = zip(table.numbers(columns[0]), table.column(table.label), strict=True)
    labels = [label for number, label in labelled if number is not None and (number > limit if is_above else number < limit)]
    shown = f": {', '.join(labels[:_MOST_SHOWN])}{', …' if len(labels) > _MOST_SHOWN else ''}" if labels else ""
    words = f"{'above' if is_above else 'below'} {_text(limit)}"
    return f"**{len(labels)}** of {_many(len(table.rows), 'row')} have a `{columns[0]}` {words}{shown}."


def _groups(asked: str, table: TextTable) -> str:
    """Return totals or averages of a column of numbers for each value of another column."""
    by = re.search(r"\b(?:by|per|for each|in each|of each)\s+(.+)", asked)
    group = next((name for name in _named(by[1], table) if not table.is_numeric(name)), "") if by else ""
    targets = _named_numeric(asked, table) or _numeric(table)
    if not group or not targets or (len(targets) > 1 and not _named(asked, table)):
        return ""
    word, fold = ("average", fmean) if re.search(_FOLDS[0][0], asked) else ("sum", math.fsum)
    groups: dict[str, list[float]] = {}
    for key, number in zip(table.column(group), table.numbers(targets[0]), strict=True):
        if number is not None:
            groups.setdefault(key, []).append(number)
    lines = [f"| {key} | {_text(fold(numbers))} |" for key, numbers in list(groups.items())[:_MOST_SHOWN]]
    more = f"\n\n… and {len(groups) - _MOST_SHOWN} more." if len(groups) > _MOST_SHOWN else ""
    return f"| {group} | {targets[0]} ({word}) |\n| --- | ---: |\n" + "\n".join(lines) + more


def _ranks(asked: str, table: TextTable) -> str:
    """Return the rows with the highest or lowest number, or ratio of two numbers."""
    high, low = re.search(_HIGHEST, asked), re.search(_LOWEST, asked)
    if not high and not low:
        return ""
    ratio = re.search(r"\b(?:per|for (?:its|their|each|every))\s+(.+)", asked)
    meant = [stem for words, stem in _MEANT.items() if re.search(words, asked)]
    named = _named_numeric(asked, table) or [name for name in _numeric(table) if name.lower().startswith(tuple(meant))]
    below = next(iter(_named_numeric(ratio[1], table)), "") if ratio else ""
    targets = [name for name in named if name != below] or [name for name in _numeric(table) if name != below]
    if below and targets:
        measured = {f"{targets[-1]} per {below}": _ratios(table, targets[-1], below)}
    else:
        measured = {name: table.numbers(name) for name in (named[:1] or targets)}
    many = re.search(r"\b(?:top|best|worst|highest|lowest|largest|smallest)\s+(\d{1,2})\b", asked)
    lines = [_ranked(table, name, numbers, int(many[1]) if many else 1, high=bool(high)) for name, numbers in measured.items()]
    return "\n\n".join(filter(None, lines))


def _ranked(table: TextTable, name: str, numbers: list[float | None], many: int, *, high: bool) -> str:
    known = [(number, label) for number, label in zip(numbers, table.column(table.label), strict=True) if number is not None]
    found = sorted(known, key=lambda pair: -pair[0] if high else pair[0])[:many]
    word = "highest" if high else "lowest"
    if len(found) == 1:
        return f"**{found[0][1]}** has the {word} `{name}`: {_text(found[0][0])}."
    lines = (f"{n}. **{label}**: {_text(number)}" for n, (number, label) in enumerate(found, 1))
    return f"The {word} by `{name}`:\n\n" + "\n".join(lines)


def _ratios(table: TextTable, above: str, below: str) -> list[float | None]:
    pairs = zip(table.numbers(above), table.numbers(below), strict=True)
    return [upper / lower if upper is not None and lower else None for upper, lower in pairs]


def _folds(asked: str, table: TextTable) -> str:
    for pattern, words, fold in _FOLDS:
        if re.search(pattern, asked):
            targets = _named_numeric(asked, table) or _numeric(table)
            found = [f"`{name}` **{_text(fold(numbers))}**" for name in targets if (numbers := _present(table, name))]
            return f"{words}: {', '.join(found)}." if found else ""
    return ""


def _looked_up(asked: str, table: TextTable) -> str:
    """Return the rows of which the question names a text."""
    lines, label = [], table.names.index(table.label)
    texts = [at for at, name in enumerate(table.names) if at == label or not table.is_numeric(name)]
    facts = [at for at, name in enumerate(table.names) if name in _named(asked, table) and at != label]
    for row in table.rows:
        cells = [row[at].lower() for at in texts if at < len(row)]
        if any(len(cell) > 1 and re.search(rf"(?<!\w){re.escape(cell)}(?!\w)", asked) for cell in cells):
            shown = facts or [at for at in range(len(table.names)) if at != label]
            known = ", ".join(f"`{table.names[at]}` {row[at]}" for at in shown if at < len(row))
            lines.append(f"**{row[label] if label < len(row) else ''}**: {known}.")
    return "\n\n".join(lines[:_MOST_SHOWN])


def _numeric(table: TextTable) -> list[str]:
    return [name for name in dict.fromkeys(table.names) if name and table.is_numeric(name)]


def _named_numeric(asked: str, table: TextTable) -> list[str]:
    return [name for name in _named(asked, table) if table.is_numeric(name)]


def _present(table: TextTable, name: str) -> list[float]:
    return [number for number in table.numbers(name) if number is not None and not math.isnan(number)]


def _row(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELLS.split(line.strip())[1:-1]]
