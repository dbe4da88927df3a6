"""Rows of the journal, added up: requests, tokens, money, trouble and waiting times, by what they have in common; pure.

Invariant: answers of the offline service, of cassettes and of caches cost nothing and never stand in one sum with the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import PurePath
from statistics import median
from typing import Any, TypeAlias

from msgspec import Struct

from nbgemini.messages.turns import Usage

Row: TypeAlias = Mapping[str, Any]
_KINDS = ("", "offline", "replay", "cache")  # what the column `offline` means


class Summary(Struct, frozen=True):
    """What the requests of one line took; times are medians in seconds, None where nothing came."""

    name: str
    kind: str
    requests: int
    failures: int
    retries: int
    usage: Usage
    cost: float
    unpriced: int
    first: float | None
    seconds: float | None


BY: dict[str, Callable[[Row], str]] = {
    "model": lambda row: str(row["model"]),
    "chat": lambda row: str(row["chat"] or "(once)"),
    "day": lambda row: datetime.fromtimestamp(row["at"]).astimezone().strftime("%Y-%m-%d"),
    "provider": lambda row: str(row["provider"]),
    "notebook": lambda row: PurePath(str(row["notebook"])).name or "(no name)",
}


def answer_origin(row: Row) -> str:
    """Return who answered where it was no service just then: `offline`, `replay` or `cache`."""
    return _KINDS[int(row["offline"] or 0) % len(_KINDS)]


def summarize_by(rows: Iterable[Row], by: str) -> list[Summary]:
    """Return one summary for each value of `by` (see `BY`), those that cost something first, the dearest on top."""
    found = _summaries(rows, BY[by])
    if by == "day":
        return sorted(found, key=lambda one: (one.kind, one.name))
    return sorted(found, key=lambda one: (one.kind, -one.cost, -one.usage.total, one.name))


def totals(rows: Iterable[Row]) -> list[Summary]:
    """Return the sum of what services answered, then of each other kind, as far as there is any."""
    return sorted(_summaries(rows, lambda _: "total"), key=lambda one: _KINDS.index(one.kind))


def _summaries(rows: Iterable[Row], name_of: Callable[[Row], str]) -> list[Summary]:
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[name_of(row), answer_origin(row)].append(row)
    return [_summary(name, kind, group) for (name, kind), group in groups.items()]


def _summary(name: str, kind: str, rows: list[Row]) -> Summary:
    """Return what these rows are together."""
    usage = Usage(*(sum(row[part] or 0 for row in rows) for part in ("input", "thought", "output", "cached")))
    tokens = usage.input + usage.thought + usage.output
    return Summary(
        name,
        kind,
        requests=len(rows),
        failures=sum(row["state"] in ("failed", "blocked") for row in rows),
        retries=sum(row["retries"] or 0 for row in rows),
        usage=Usage(usage.input, usage.thought, usage.output, usage.cached, total=tokens),
        cost=sum(row["cost"] or 0.0 for row in rows),
        unpriced=sum(row["cost"] is None and bool(row["input"]) for row in rows),
        first=_median(rows, "first"),
        seconds=_median(rows, "seconds"),
    )


def _median(rows: Iterable[Row], column: str) -> float | None:
    known = [row[column] for row in rows if row[column] is not None]
    return median(known) if known else None
