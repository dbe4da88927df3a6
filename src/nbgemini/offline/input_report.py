"""What can be said of tables, pictures and files without a model. The same for the same.

Of a file: its columns, pixels, pages, seconds. Of a table: the highest, the sum, the average, per group, a single value. Only
what was sent is looked at; a table that was cut is answered from its first rows, and the answer says so.
"""

from __future__ import annotations

import base64
import binascii
import math
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from statistics import StatisticsError, correlation, fmean, median, stdev
from typing import Any, TypeAlias

from msgspec import structs

from nbgemini.formatting import plural
from nbgemini.messages.media import media_kind, size_text
from nbgemini.offline.canned_answers import Run, thought_and_answer
from nbgemini.offline.text_tables import EMPTY, TextTable, tables_in, without_tables

Head: TypeAlias = Callable[[str], tuple[bytes, int]]

_SIGNED = "\n\n*From nbgemini's offline service, not from Gemini: it measures, and understands nothing.*"
_CAN = (
    "What you ask I can't tell from the rows. In English I count, filter, group, rank, sum up and average, by the names of the "
    "columns; in other languages I know only these names."
)
_DESCRIBES = re.compile(r"\s*(explain|describe|summar)", re.IGNORECASE)
_SOF = {0xC0, 0xC1, 0xC2, 0xC3}


def report(content: dict[str, Any], head: Head) -> list[Run]:
    """Return what there is to say of the tables and files in a content; nothing if there are none."""
    lines = [line for part in content["parts"] for line in _described(part, head)]
    if not lines:
        return []
    text = "".join(str(part.get("text", "")) for part in content["parts"])
    tables, question = tables_in(text), without_tables(text)
    answers = [answer for table in tables if (answer := answer_about(question, table))]
    if tables and not answers and re.search(r"[^\W\d]", question) and not _DESCRIBES.match(question):
        answers = [_CAN]
    seen = f"The prompt brings {plural(len(lines), 'thing')} to look at."
    return thought_and_answer(
        "Looking", seen, "\n\n".join([*answers, "This is what reached me:\n\n" + "\n".join(lines)]) + _SIGNED
    )


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
        yield plural(pages, "page")
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
    r"\b(?:(?P<least>at least|(?:not|no) less than|(?:not|no) fewer than)|(?P<most>at most|(?:not|no) more than|up to)"
    r"|(?P<above>above|over|more than|greater than|higher than)|below|under|less than|fewer than|lower than) "
    r"(?P<limit>\d{1,15}(?:,\d{3}){0,5}(?:\.\d{1,9})?) ?(?P<unit>thousand|million|billion|k|m|bn)?\b"
)
_UNITS = {"thousand": 1e3, "k": 1e3, "million": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9}
_FOLDS: tuple[tuple[str, str, str, Callable[[Sequence[float]], float]], ...] = (
    (r"\b(average|mean|typical)\b", "On average", "average", fmean),
    (r"\b(sum|total|altogether|overall|combined)\b", "In total", "sum", math.fsum),
    (r"\bmedian\b", "In the middle (median)", "median", median),
    (
        r"\b(standard deviation|std)\b",
        "Standard deviation",
        "standard deviation",
        lambda held: stdev(held) if held[1:] else 0.0,
    ),
)
_COUNTED, _MISSING = r"\b(how many|number of|count)\b", r"\b(missing|null|nulls|nan|empty)\b"
_BY = r"\b(?:by|per|for each|in each|of each)\s+(.+)"
_COMMON = r"\bmost (common|frequent|often)\b"
_DATED = r"\b(earliest|latest|newest|oldest|most recent)\b"
_SORTED = r"\b(?:rank|sort)(?:ed|ing)?\b.*\bby\b|\border(?:ed)? by\b|\b(?:a|de)sc(?:ending)?\b"
_UNDERSTOOD = (_COMMON, _DATED, _SORTED, _HIGHEST, _LOWEST, _COUNTED, _MISSING)
_ORDER = ("", "", "second", "third", "fourth", "fifth", "two", "three", "four", "five")  # with and without a place among others
_PLAIN = re.compile(
    "a|all|an|and|any|are|as|at|be|been|by|calculate|can|cell|cells|column|columns|data|dataframe|did|different|distinct|do|does|each|entries|for"
    "|from|get|give|gave|got|group|grouped|had|has|have|how|i|in|is|it|its|list|made|many|me|much|my|number|of|on|one|only|order|our|per"
    "|please|records|return|row|rows|sell|sold|show|table|tell|than|that|the|their|them|there|these|this|those|to|unique|value|values|was|we"
    "|were|what|what's|when|where|which|who|whose|with|you|us|correlation|correlated|between|range|cost|costs|item|items|about|dataset|sells|find|could|would|will|or|so|up"
)
_MILLION = 1_000_000
_MOST_SHOWN = 12  # groups, or rows
_MOST_NAMED = 4  # words
_SHORT = 3  # letters of words that name no column by themselves
_LONGEST = 2_000  # characters of a question
_LETTER = r"[^\W_\u0e00-\u0eff\u3040-\u9fff\uac00-\ud7af]"  # of the scripts that put spaces between words


def describe(table: TextTable) -> str:
    """Return what a table has: columns, rows, and the range of each column of numbers."""
    rows = f"{len(table.rows)} rows shown of {table.total}" if table.total else plural(len(table.rows), "row")
    ranges = [
        f"  - `{name}`: {_text(min(numbers))} to {_text(max(numbers))}, {_text(fmean(numbers))} on average"
        for name in _numeric(table)
        if (numbers := _present(table, name))
    ]
    head = f"- a **table** of {plural(len(table.names), 'column')} ({', '.join(table.names)}) and {rows}"
    return "\n".join([head, *ranges])


def _text(number: float) -> str:
    """Return a number with six digits, or all of them before the point."""
    return f"{number:,.0f}" if abs(number) >= _MILLION else f"{number:.6g}"


def answer_about(question: str, table: TextTable) -> str:
    """Return the answer to a question about a table, as Markdown; nothing if it can't be told by its rows."""
    if not table.rows:
        return ""
    asked = " ".join(question[:_LONGEST].lower().replace("_", " ").split())
    kept, told = _kept(asked, table)
    rest = _COMPARED.sub("", asked)
    rules = (_missing, _correlation, _counts, _groups, _ranks, _range, _folds) if kept.rows else ()
    found = next((answer for rule in rules if (answer := rule(rest, kept))), "")
    found = "\n\n".join(filter(None, (told, found))) or _looked_up(asked, table) or _named_columns(asked, table)
    questions = [part for part in re.split(r"(?<=[.!?:])\s+", rest) if part.endswith("?")]
    rest = " ".join(questions) or rest  # the other sentences tell of the table
    strange = _strange(re.sub(r"\b(not|out of)\b", "", rest) if "` False" in told else rest, table)
    if found and strange:
        words = ", ".join(f"“{word}”" for word in strange[:_MOST_NAMED])
        found = f"I don't understand {words}, so this may not be what you ask for:\n\n{found}"
    part = f"\n\nThis is from the first {len(table.rows)} of {table.total} rows, which is what was sent."
    return found + part if found and table.total else found


def _strange(asked: str, table: TextTable) -> list[str]:
    """Return the words of a question that say something which no rule looks at."""
    texts = {cell.lower() for name in table.names if not table.is_numeric(name) for cell in table.column(name) if len(cell) > 1}
    for text in sorted((text for text in texts if text in asked), key=len, reverse=True):
        asked = re.sub(_whole(f"{re.escape(text)}s?"), " ", asked)
    for pattern in (*_UNDERSTOOD, *_MEANT, *(pattern for pattern, *_ in _FOLDS)):
        asked = re.sub(pattern, " ", asked)
    held = {_stem(word) for name in table.names for word in re.split(r"[_\W]+", name.lower())}
    words = [word for word in re.findall(r"[^\W\d][\w']*", asked) if not _PLAIN.fullmatch(word) and _stem(word) not in held]
    return list(dict.fromkeys(word for word in words if word not in _ORDER and word not in _UNITS and len(word) > 1))


def _stem(word: str) -> str:
    return re.sub(r"(es|s|'s)$", "", re.sub("ies$", "y", word))


def _kept(asked: str, table: TextTable) -> tuple[TextTable, str]:
    """Return the table with the rows that a question is about, and the words that say which; the table if it is about all."""
    rows, told, numeric = table.rows, [], _named_numeric(asked, table) or _numeric(table)[:1]
    for found in _COMPARED.finditer(asked) if numeric else ():
        limit = float(found["limit"].replace(",", "")) * _UNITS.get(found["unit"] or "", 1)
        word = next((word for word in ("least", "most", "above") if found[word]), "below")
        is_kept = {"least": operator.ge, "most": operator.le, "above": operator.gt, "below": operator.lt}[word]
        at = table.names.index(numeric[0])
        rows = [row for row in rows if at < len(row) and row[at] not in EMPTY and is_kept(float(row[at]), limit)]
        told.append(f"a `{numeric[0]}` {f'of at {word}' if word in ('least', 'most') else word} {_text(limit)}")
    for at, name in enumerate(table.names):
        if table.is_numeric(name) or name == table.label:
            continue
        texts = dict.fromkeys(row[at] for row in table.rows if at < len(row))
        said = [text for text in texts if len(texts) < len(table.rows) and _mentions(asked, text)]
        place = _place(asked, name) if not said and texts.keys() <= {"True", "False"} and not re.search(_BY, asked) else -1
        if place >= 0:
            said = [str(not re.search(r"\b(not|n't|never|out of|without)(?: \w+)?$", asked[:place].strip()))]
        if said:
            rows = [row for row in rows if at < len(row) and row[at] in said]
            told.append(f"`{name}` {' or '.join(said)}")
    if not told or any(_mentions(asked, cell) for cell in table.column(table.label)):
        return table, ""
    labels = [row[table.names.index(table.label)] for row in rows]
    shown = f": {', '.join(labels[:_MOST_SHOWN])}{', …' if len(labels) > _MOST_SHOWN else ''}" if labels else ""
    kept = structs.replace(table, rows=rows)
    return kept, f"**{len(rows)}** of {plural(len(table.rows), 'row')} have {' and '.join(told)}{shown}."


def _mentions(asked: str, cell: str) -> bool:
    text = cell.lower()
    return len(text) > 1 and text in asked and bool(re.search(_whole(f"{re.escape(text)}s?"), asked))


def _whole(pattern: str) -> str:
    """Return the pattern for whole words; in a script without spaces between them, for any."""
    return rf"(?<!{_LETTER}){pattern}(?!{_LETTER})"


def _named(asked: str, table: TextTable) -> list[str]:
    """Return the columns that a question names, in the order of the question."""
    names = [name for name in dict.fromkeys(table.names) if name]
    places = {name: _place(asked, name) for name in names}
    if not any(place >= 0 and table.is_numeric(name) for name, place in places.items()):
        places = {name: _place(asked, name, whole=False) if place < 0 else place for name, place in places.items()}
    return sorted((name for name, place in places.items() if place >= 0), key=lambda name: places[name])


def _place(asked: str, name: str, *, whole: bool = True) -> int:
    """Return where a question names a column, whole or by a longer word of its name; -1 if it doesn't."""
    words = [word for word in re.split(r"[_\W]+", name.lower()) if word and (whole or len(word) > _SHORT)]
    patterns = [re.sub("y$", "(?:y|ie)", re.escape(_stem(word))) + "(?:s|es)?" for word in words]
    wanted = [" ".join(patterns)] if whole else patterns
    found = next((found for text in wanted if text and (found := re.search(_whole(text), asked))), None)
    return found.start() if found else -1


def _counts(asked: str, table: TextTable) -> str:
    named = _named(asked, table)
    if named and re.search(r"\b(unique|distinct|different)\b", asked):
        return _values(named[0], table)
    if named and re.search(_COMMON, asked):
        (value, count), *_ = Counter(table.column(named[0])).most_common(1)
        return f"The most common `{named[0]}` is **{value}**: {plural(count, 'row')}."
    said = []
    if re.search(r"\bhow many (rows|entries|records|lines)\b|\bnumber of rows\b", asked):
        said.append(f"The table has **{table.total or len(table.rows)}** rows.")
    if re.search(r"\b(which|what|how many) (are the |rows and )?columns\b", asked):
        said.append(f"The table has **{len(table.names)}** columns: {', '.join(f'`{name}`' for name in table.names)}.")
    return " ".join(said)


def _values(name: str, table: TextTable) -> str:
    values = dict.fromkeys(table.column(name))
    return f"`{name}` has **{len(values)}** different values: {', '.join(list(values)[:_MOST_SHOWN])}."


def _missing(asked: str, table: TextTable) -> str:
    if not re.search(_MISSING, asked):
        return ""
    counts = {name: sum(cell in EMPTY for cell in table.column(name)) for name in dict.fromkeys(table.names)}
    found = [f"`{name}` {count}" for name, count in counts.items() if count]
    return f"Cells without a value: {', '.join(found)}." if found else "No cell is without a value."


def _correlation(asked: str, table: TextTable) -> str:
    one, other, *_ = (*_named_numeric(asked, table), "", "")
    if not other or not re.search(r"\bcorrelat", asked):
        return ""
    pairs = [pair for pair in zip(table.numbers(one), table.numbers(other), strict=True) if None not in pair]
    with suppress(StatisticsError):
        return f"`{one}` and `{other}` correlate with **{correlation(*zip(*pairs, strict=True)):.3f}** (Pearson)."
    return ""


def _groups(asked: str, table: TextTable) -> str:
    """Return totals, averages or counts for each value of a column, or which of these is the highest."""
    by, fold = re.search(_BY, asked), next((fold for fold in _FOLDS if re.search(fold[0], asked)), None)
    high, low = re.search(_HIGHEST, asked), re.search(_LOWEST, asked)
    subject = re.search(r"\b(?:which|what)\s+(.+)", asked) if fold and (high or low) and not by else None
    texts = [name for name in _named((by or subject)[1], table) if table.repeats(name)] if by or subject else []  # type: ignore[index]
    group, targets = next(iter(texts), ""), _named_numeric(asked, table) or _numeric(table)
    counts = by and not fold and re.search(_COUNTED, asked)
    if not group or (not counts and (not targets or (len(targets) > 1 and not _named(asked, table)))):
        return ""
    word, made = ("sum", math.fsum) if fold is None else fold[2:]
    if by and not fold and (high or low):
        word, made = ("highest", max) if high else ("lowest", min)
    groups: dict[str, list[float]] = {}
    for key, number in zip(table.column(group), [0.0] * len(table.rows) if counts else table.numbers(targets[0]), strict=True):
        if number is not None:
            groups.setdefault(key, []).append(number)
    measured = {key: float(len(numbers)) if counts else made(numbers) for key, numbers in groups.items()}
    if subject and measured:
        best = (max if high else min)(measured, key=measured.__getitem__)
        return f"**{best}** has the {'highest' if high else 'lowest'} {word} of `{targets[0]}`: {_text(measured[best])}."
    lines = [f"| {key} | {_text(number)} |" for key, number in list(measured.items())[:_MOST_SHOWN]]
    more = f"\n\n… and {len(groups) - _MOST_SHOWN} more." if len(groups) > _MOST_SHOWN else ""
    head = "rows" if counts else f"{targets[0]} ({word})"
    return f"| {group} | {head} |\n| --- | ---: |\n" + "\n".join(lines) + more


def _ranks(asked: str, table: TextTable) -> str:
    """Return the rows with the highest or lowest number, or ratio of two numbers, or the first or last date."""
    high, low, dated = re.search(_HIGHEST, asked), re.search(_LOWEST, asked), re.search(_DATED, asked)
    dates = [name for name in table.names if all(re.match(r"\d{4}-\d\d-\d\d", cell) for cell in table.column(name))]
    if dated and dates and not _named_numeric(asked, table):
        days = sorted(zip(table.column(dates[0]), table.column(table.label), strict=True))
        day, label = days[0 if dated[1] in ("earliest", "oldest") else -1]
        return f"**{label}** is the {dated[1]} by `{dates[0]}`: {day.removesuffix(' 00:00:00')}."
    in_order = re.search(_SORTED, asked) and _named_numeric(asked, table)
    if not high and not low and not in_order:
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
    number = re.search(
        r"\b(?:top|best|worst|highest|lowest|largest|smallest)\s+(\d{1,2})\b|\b(\d{1,2}) (?:most|least|\w+est)\b", asked
    )
    place = next((n for n, word in enumerate(_ORDER) if word and re.search(rf"\b{word}\b", asked)), 0)
    many = int(number[1] or number[2]) if number else (place - 4 if place > 5 else place or 1)  # noqa: PLR2004 - see the order
    many = _MOST_SHOWN if in_order and not number else many
    highest_first = bool(high) or not (low or re.search(r"\basc(ending)?\b", asked))
    lines = [_ranked(table, name, held, many, high=highest_first) for name, held in measured.items()]
    return "\n\n".join(filter(None, lines))


def _ranked(table: TextTable, name: str, numbers: list[float | None], many: int, *, high: bool) -> str:
    known = [(number, label) for number, label in zip(numbers, table.column(table.label), strict=True) if number is not None]
    found = sorted(known, key=lambda pair: -pair[0] if high else pair[0])[:many]
    word = "highest" if high else "lowest"
    if len(found) == 1:
        return f"**{found[0][1]}** has the {word} `{name}`: {_text(found[0][0])}."
    lines = (f"{n}. **{label}**: {_text(number)}" for n, (number, label) in enumerate(found, 1))
    return f"The {word} by `{name}`:\n\n" + "\n".join(lines)


def _named_columns(asked: str, table: TextTable) -> str:
    """Return what there is to say of the columns of numbers that a question names, else of others, whatever it asks."""
    lines = [] if _named_numeric(asked, table) else [_values(name, table) for name in _named(asked, table)]
    for name in _named_numeric(asked, table):
        ends = [_ranked(table, name, table.numbers(name), 1, high=high) for high in (True, False)]
        numbers = _present(table, name)
        lines.append(f"{' '.join(ends)} The sum is {_text(math.fsum(numbers))}, the average {_text(fmean(numbers))}.")
    return "\n\n".join(lines)


def _range(asked: str, table: TextTable) -> str:
    held = {name: _present(table, name) for name in _named_numeric(asked, table)} if re.search(r"\brange\b", asked) else {}
    found = [f"`{name}` goes from **{_text(min(all_))}** to **{_text(max(all_))}**" for name, all_ in held.items() if all_]
    return f"{', '.join(found)}." if found else ""


def _ratios(table: TextTable, above: str, below: str) -> list[float | None]:
    pairs = zip(table.numbers(above), table.numbers(below), strict=True)
    return [upper / lower if upper is not None and lower else None for upper, lower in pairs]


def _folds(asked: str, table: TextTable) -> str:
    for pattern, words, _, fold in _FOLDS:
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
        if any(_mentions(asked, row[at]) for at in texts if at < len(row)):
            shown = facts or [at for at in range(len(table.names)) if at != label]
            known = ", ".join(f"`{table.names[at]}` {row[at]}" for at in shown if at < len(row))
            lines.append(f"**{row[label] if label < len(row) else ''}**: {known}.")
    return "\n\n".join(lines[:_MOST_SHOWN])


def _numeric(table: TextTable) -> list[str]:
    return [name for name in dict.fromkeys(table.names) if name and table.is_numeric(name)]


def _named_numeric(asked: str, table: TextTable) -> list[str]:
    return [name for name in _named(asked, table) if table.is_numeric(name)]


def _present(table: TextTable, name: str) -> list[float]:
    return [number for number in table.numbers(name) if number is not None]
