"""%gemini usage: tokens, money, trouble and waiting times, from the journal of all notebooks."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbgemini.errors import ConfigurationError, PromptError
from nbgemini.formatting import money_text
from nbgemini.notebook.commands._args import words_of
from nbgemini.notebook.commands._output import show_line, show_table
from nbgemini.notebook.magics.parsing import nearest

if TYPE_CHECKING:
    from nbgemini.journal.report import Summary
    from nbgemini.notebook.session import Session

_SPANS = ("today", "week", "all")
_WEEK = 7 * 24 * 3600.0
_USAGE = "%gemini usage [today|week|all] [--by model|chat|day|provider|notebook]"
_NUMBERS = ("exchanges", "failed", "sent again", "in", "cached", "thought", "out", "USD", "first text", "in all")


def usage(session: Session, rest: str) -> None:
    """Add up what was asked: today, this week or in all, --by model, chat, day, provider or notebook; times are medians."""
    from nbgemini.journal.report import summaries, totals  # noqa: PLC0415 - with the journal

    span, by = _said(words_of(rest))
    if session.journal is None:
        raise ConfigurationError('there is no journal; %config Gemini.journal = "auto" begins one')
    rows = session.journal.requests_since(_start(span))
    if not rows:
        show_line(f"nothing asked {'yet' if span == 'all' else span}; each prompt's tokens, cost and times will stand here")
        return
    shown = [*summaries(rows, by), *totals(rows)]
    show_table((by, *_NUMBERS), [_row(one) for one in shown])
    show_line(_scope(span, rows, session.journal.notebook))
    missing = sum(one.unpriced for one in shown if one.name == "total" and not one.kind)
    if missing:
        show_line(f"{missing} of these exchanges have no known price; %gemini models shows whose is known")


def _said(words: list[str]) -> tuple[str, str]:
    """Return the span and what to add up by.

    Raises:
        PromptError: something else was said.
    """
    from nbgemini.journal.report import BY  # noqa: PLC0415

    span, by, rest = "all", "model", [part for word in words for part in word.split("=", 1)]
    while rest:
        word = rest.pop(0)
        if word == "--by" and rest and rest[0] in BY:
            by = rest.pop(0)
        elif word in _SPANS:
            span = word
        else:
            wrong = rest[0] if word == "--by" and rest else word
            raise PromptError(f"{wrong!r} is not understood{nearest(wrong, [*_SPANS, *BY])}; {_USAGE}")
    return span, by


def _start(span: str) -> float:
    if span == "today":
        return datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    return time.time() - _WEEK if span == "week" else 0.0


def _scope(span: str, rows: list[dict[str, Any]], here: str) -> str:
    """Return which days and notebooks the figures are of."""
    from nbgemini.journal.report import BY  # noqa: PLC0415

    days, notebooks = sorted(map(BY["day"], rows)), sorted({row["notebook"] for row in rows})
    period = {"today": "today", "week": "the last 7 days"}.get(span, "all that the journal holds")
    names = sorted(set(map(BY["notebook"], rows)))
    where = f"notebook {names[0]}" if len(notebooks) == 1 else f"{len(notebooks)} notebooks; --by notebook tells them apart"
    mine = ", this one" if notebooks == [here] else ""
    return f"{period}: {days[0]}{f' to {days[-1]}' if days[0] != days[-1] else ''} · {where}{mine}"


def _row(one: Summary) -> tuple[str, ...]:
    tokens = (one.usage.input, one.usage.cached, one.usage.thought, one.usage.output)
    money = "" if one.kind else money_text(one.cost) or ("?" if one.unpriced else "$0")
    name = f"{one.name} ({one.kind})" if one.kind else one.name
    trouble = (f"{one.failures or ''}", f"{one.retries or ''}")
    counts = (f"{count:,}" if count else "" for count in tokens)
    return name, f"{one.requests:,}", *trouble, *counts, money, _seconds(one.first, 2), _seconds(one.seconds, 1)


def _seconds(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f} s"
