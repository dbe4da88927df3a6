"""`%gemini usage` and `journal`: what the journal of all notebooks adds up to, and its last requests."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbgemini.errors import ConfigurationError, nearest
from nbgemini.formatting import money_text
from nbgemini.notebook.commands.common import show_line, show_table, split_words, usage_error

if TYPE_CHECKING:
    from nbgemini.journal.report import Summary
    from nbgemini.notebook.session import Session

_NO_JOURNAL = 'there is no journal; %config Gemini.journal = "auto" starts one'
_PERIODS = {"today": "today", "week": "the last 7 days", "all": "all that the journal holds"}
_WEEK = 7 * 24 * 3600.0
_STATES = {"interrupted": "stopped"}  # as the line below the answer says it
_JOURNAL_COLUMNS = (
    *("when", "chat", "purpose", "model", "outcome", "retries"),
    *("tokens in / thought / out", "cost", "first token", "total time"),
)
_USAGE_COLUMNS = ("exchanges", "failed", "retries", "in", "cached", "thought", "out", "USD", "first token", "total time")


def usage(session: Session, rest: str) -> None:
    """Add up the exchanges of a period by model, chat, day, provider or notebook; waiting times are medians."""
    from nbgemini.journal.report import summarize_by, totals  # noqa: PLC0415 - with the journal

    period, by = _parse(split_words(rest))
    if session.journal is None:
        raise ConfigurationError(_NO_JOURNAL)
    rows = session.journal.requests_since(_start(period))
    if not rows:
        when = {"today": "today", "week": "in the last 7 days"}.get(period, "yet")
        show_line(f"no requests {when}; the tokens, cost and times of each prompt will be added up here")
        return
    shown = [*summarize_by(rows, by), *totals(rows)]
    show_table((by, *_USAGE_COLUMNS), [_usage_row(summary) for summary in shown])
    show_line(_scope(period, rows, session.journal.notebook))
    unpriced = sum(summary.unpriced for summary in shown if summary.name == "total" and not summary.kind)
    if unpriced:
        show_line(f"{unpriced} of these exchanges have no known price; %gemini models shows the known ones")


def _scope(period: str, rows: list[dict[str, Any]], here: str) -> str:
    """Return which days and notebooks the figures are of."""
    from nbgemini.journal.report import BY  # noqa: PLC0415

    days, notebooks = sorted(map(BY["day"], rows)), sorted({row["notebook"] for row in rows})
    names = sorted(set(map(BY["notebook"], rows)))
    where = f"notebook {names[0]}" if len(notebooks) == 1 else f"{len(notebooks)} notebooks; --by notebook tells them apart"
    this = ", this one" if notebooks == [here] else ""
    return f"{_PERIODS[period]}: {days[0]}{f' to {days[-1]}' if days[0] != days[-1] else ''} · {where}{this}"


def _parse(words: list[str]) -> tuple[str, str]:
    """Return the period and what to add up by."""
    from nbgemini.journal.report import BY  # noqa: PLC0415

    period, by = "all", "model"
    for word in (given := [word.removeprefix("--by=") for word in words]):
        if word in BY:
            by = word
        elif word in _PERIODS:
            period = word
        elif word != "--by":
            raise usage_error("usage", f"{word!r} is not understood{nearest(word, ['--by', *_PERIODS, *BY])}")
    if given[-1:] == ["--by"]:
        raise usage_error("usage", "--by: a value is missing")
    return period, by


def _start(period: str) -> float:
    if period == "today":
        return datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    return time.time() - _WEEK if period == "week" else 0.0


def _usage_row(summary: Summary) -> tuple[str, ...]:
    tokens = (summary.usage.input, summary.usage.cached, summary.usage.thought, summary.usage.output)
    money = "" if summary.kind else money_text(summary.cost) or ("?" if summary.unpriced else "$0")
    name = f"{summary.name} ({summary.kind})" if summary.kind else summary.name
    trouble = (f"{summary.failures or ''}", f"{summary.retries or ''}")
    counts = (f"{count:,}" if count else "" for count in tokens)
    times = (_seconds(summary.first, 2), _seconds(summary.seconds, 1))
    return name, f"{summary.requests:,}", *trouble, *counts, money, *times


def _seconds(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f} s"


def journal(session: Session, rest: str) -> None:
    """List the last N requests (10): when, chat, model, outcome, retries, tokens, cost and times."""
    words = split_words(rest)
    if len(words) > 1 or (words and not (words[0].isdecimal() and int(words[0][:9]) > 0)):
        raise usage_error("journal", f"{rest.strip()!r} is not a positive whole number")
    if session.journal is None:
        raise ConfigurationError(_NO_JOURNAL)
    rows = session.journal.requests(int(words[0][:9]) if words else 10)
    if rows:
        show_table(_JOURNAL_COLUMNS, [_request_row(row) for row in rows])
    else:
        show_line(f"no requests yet; each prompt will be listed here, from {session.journal.path}")
    if session.journal.trouble:
        show_line(session.journal.trouble)


def _request_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    from nbgemini.journal.report import answer_origin  # noqa: PLC0415 - with the journal

    kind = answer_origin(row)
    outcome = (_STATES.get(row["state"], row["state"]), row["error"], row["error"] and row["code"])
    return (
        datetime.fromtimestamp(row["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        row["chat"] or "(once)",
        row["purpose"],
        row["model"] + (f" ({kind})" if kind else ""),
        " ".join(str(word) for word in outcome if word),
        str(row["retries"] or ""),
        f"{row['input']:,} / {row['thought']:,} / {row['output']:,}",
        money_text(row["cost"]),
        "" if row["first"] is None else f"{row['first']:.2f} s",
        f"{row['seconds']:.1f} s",
    )
