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
from statistics import fmean, median
from typing import Any, TypeAlias

from msgspec import Struct

from nbgemini.messages.media import media_kind, size_text
from nbgemini.offline.canned_answers import Run

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
    thought = f"**Looking**\n\nThe prompt brings {len(lines)} thing{'' if len(lines) == 1 else 's'} to look at.\n\n\n"
    answer = "\n\n".join([*answers, "This is what reached me:\n\n" + "\n".join(lines)])
    return [("thought", thought), ("answer", answer + _SIGNED)]


def _described(part: dict[str, Any], head: Head) -> Iterator[str]:
    if isinstance(inline := part.get("inlineData"), dict):
        data = _decoded(str(inline.get("data", "")))
        yield f"- {_file(str(inline.get('mimeType', '')), data, len(data))}"
    elif isinstance(file := part.get("fileData"), dict):
        data, size = head(str(file.get("fileUri", "")))
        yield f"- {_file(str(file.get('mimeType', '')), data, size)}, uploaded"
    elif isinstance(text := part.get("text"), str):
        yield from map(describe, tables_in(text))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/") + "===")
    except (binascii.Error, ValueError):
        return b""


def _file(mime: str, data: bytes, size: int) -> str:
    facts = list(_facts(mime, data)) or [size_text(size)]  # how well a picture is packed differs from machine to machine
    return ", ".join([f"**{media_kind(mime) or 'file'}** ({mime or 'of unknown type'})", *facts])


def _facts(mime: str, data: bytes) -> Iterator[str]:
    if pixels := _pixels(data):
        yield f"{pixels[0]} by {pixels[1]} pixels"
    if mime == "application/pdf" and (pages := len(re.findall(rb"/Type\s*/Page(?![a-zA-Z])", data))):
        yield f"{pages} page{'' if pages == 1 else 's'}"
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
_HIGHEST = r"\b(highest|most|max|maximum|largest|biggest|best|top|greatest|longest|oldest|strongest|leading)\b"
_LOWEST = r"\b(lowest|least|fewest|min|minimum|smallest|worst|cheapest|shortest|youngest|weakest)\b"
_FOLDS: tuple[tuple[str, str, Callable[[Sequence[float]], float]], ...] = (
    (r"\b(average|mean|typical)\b", "On average", fmean),
    (r"\b(sum|total|altogether|overall|combined)\b", "In total", math.fsum),
    (r"\bmedian\b", "In the middle (median)", median),
)
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
    many, wide = len(table.rows), len(table.names)
    count = f"{many} rows shown of {table.total}" if table.total else f"{many} row{'' if many == 1 else 's'}"
    measured = ((name, _present(table, name)) for name in _numeric(table))
    ranges = [f"  - `{name}`: {min(n):g} to {max(n):g}, {fmean(n):.6g} on average" for name, n in measured if n]
    head = f"- a **table** of {wide} column{'' if wide == 1 else 's'} ({', '.join(table.names)}) and {count}"
    return "\n".join([head, *ranges])


def answer_about(question: str, table: TextTable) -> str:
    """Return the answer to a question about a table, as Markdown; nothing if it can't be told by its rows."""
    asked = " ".join(question.lower().split())
    if not table.rows:
        return ""
    answers = (rule(asked, table) for rule in (_counts, _missing, _groups, _ranks, _folds, _looked_up))
    found = next((answer for answer in answers if answer), "")
    return (
        f"{found}\n\nThis is from the first {len(table.rows)} of {table.total} rows, which is what was sent."
        if found and table.total
        else found
    )


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


def _groups(asked: str, table: TextTable) -> str:
    """Return totals or averages of a column of numbers for each value of another column."""
    by = re.search(r"\b(?:by|per|for each|in each|of each)\s+(.+)", asked)
    group = next((name for name in _named(by[1], table) if not table.is_numeric(name)), "") if by else ""
    targets = [name for name in _named(asked, table) if table.is_numeric(name)] or _numeric(table)
    if not group or not targets or (len(targets) > 1 and not _named(asked, table)):
        return ""
    word, fold = ("average", fmean) if re.search(_FOLDS[0][0], asked) else ("sum", math.fsum)
    groups: dict[str, list[float]] = {}
    for key, number in zip(table.column(group), table.numbers(targets[0]), strict=True):
        if number is not None:
            groups.setdefault(key, []).append(number)
    lines = [f"| {key} | {fold(numbers):.6g} |" for key, numbers in list(groups.items())[:_MOST_SHOWN]]
    more = f"\n\n… and {len(groups) - _MOST_SHOWN} more." if len(groups) > _MOST_SHOWN else ""
    return f"| {group} | {targets[0]} ({word}) |\n| --- | ---: |\n" + "\n".join(lines) + more


def _ranks(asked: str, table: TextTable) -> str:
    """Return the rows with the highest or lowest number, or ratio of two numbers."""
    high, low = re.search(_HIGHEST, asked), re.search(_LOWEST, asked)
    if not high and not low:
        return ""
    ratio = re.search(r"\b(?:per|for (?:its|their|each|every))\s+(.+)", asked)
    named = [name for name in _named(asked, table) if table.is_numeric(name)]
    below = next((name for name in _named(ratio[1], table) if table.is_numeric(name)), "") if ratio else ""
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
        return f"**{found[0][1]}** has the {word} `{name}`: {found[0][0]:.6g}."
    return f"The {word} by `{name}`:\n\n" + "\n".join(
        f"{n}. **{label}**: {number:.6g}" for n, (number, label) in enumerate(found, 1)
    )


def _ratios(table: TextTable, above: str, below: str) -> list[float | None]:
    pairs = zip(table.numbers(above), table.numbers(below), strict=True)
    return [upper / lower if upper is not None and lower else None for upper, lower in pairs]


def _folds(asked: str, table: TextTable) -> str:
    for pattern, words, fold in _FOLDS:
        if re.search(pattern, asked):
            targets = [name for name in _named(asked, table) if table.is_numeric(name)] or _numeric(table)
            found = [f"`{name}` **{fold(numbers):.6g}**" for name in targets if (numbers := _present(table, name))]
            return f"{words}: {', '.join(found)}." if found else ""
    return ""


def _looked_up(asked: str, table: TextTable) -> str:
    """Return the rows whose label the question names."""
    lines = []
    for row in table.rows:
        label = row[table.names.index(table.label)] if table.names.index(table.label) < len(row) else ""
        if len(label) > 1 and re.search(rf"(?<!\w){re.escape(label.lower())}(?!\w)", asked):
            named = [name for name in _named(asked, table) if name != table.label] or [
                n for n in table.names if n != table.label
            ]
            facts = [f"`{name}` {row[at]}" for name in named if (at := table.names.index(name)) < len(row)]
            lines.append(f"**{label}**: {', '.join(facts)}.")
    return "\n\n".join(lines[:_MOST_SHOWN])


def _numeric(table: TextTable) -> list[str]:
    return [name for name in dict.fromkeys(table.names) if name and table.is_numeric(name)]


def _present(table: TextTable, name: str) -> list[float]:
    return [number for number in table.numbers(name) if number is not None and not math.isnan(number)]


def _row(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELLS.split(line.strip())[1:-1]]
