"""`%gemini journal`: the last requests, and how each ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbgemini.errors import ConfigurationError
from nbgemini.formatting import money_text
from nbgemini.notebook.commands._args import split_words, usage_error
from nbgemini.notebook.commands._output import show_line, show_table
from nbgemini.notebook.commands.usage import NO_JOURNAL

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session

_STATES = {"interrupted": "stopped"}  # as the line below the answer says it
_HEADERS = (
    *("when", "chat", "purpose", "model", "outcome", "retries"),
    *("tokens in / thought / out", "cost", "first token", "total time"),
)


def journal(session: Session, rest: str) -> None:
    """List the last N requests (10): when, chat, model, outcome, retries, tokens, cost and times."""
    words = split_words(rest)
    if len(words) > 1 or (words and not (words[0].isdecimal() and int(words[0][:9]) > 0)):
        raise usage_error("journal", f"{rest.strip()!r} is not a number")
    if session.journal is None:
        raise ConfigurationError(NO_JOURNAL)
    rows = session.journal.requests(int(words[0][:9]) if words else 10)
    if rows:
        show_table(_HEADERS, [_row(row) for row in rows])
    else:
        show_line(f"no requests yet; each prompt will be listed here, from {session.journal.path}")
    if session.journal.trouble:
        show_line(session.journal.trouble)


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
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
