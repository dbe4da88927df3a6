"""%gemini journal: what ran, when, and with what outcome."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbgemini.errors import ConfigurationError, PromptError
from nbgemini.formatting import money_text
from nbgemini.notebook.commands._args import words_of
from nbgemini.notebook.commands._output import show_line, show_table

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session

_HEADERS = (
    *("when", "chat", "purpose", "model", "outcome", "sent again", "tokens in / thought / out", "cost", "first text", "in all"),
)


def journal(session: Session, rest: str) -> None:
    """List the last N requests (10): when, chat, model, outcome, retries, tokens, cost, time to the first text and in all."""
    words = words_of(rest)
    if len(words) > 1 or (words and not (words[0].isdecimal() and int(words[0][:9]) > 0)):
        raise PromptError(f"%gemini journal takes a number, not {rest.strip()!r}")
    if session.journal is None:
        raise ConfigurationError('there is no journal; %config Gemini.journal = "auto" begins one')
    rows = session.journal.requests(int(words[0][:9]) if words else 10)
    if rows:
        show_table(_HEADERS, [_row(row) for row in rows])
    else:
        show_line(f"nothing asked yet; each prompt will have its line here, kept in {session.journal.path}")
    if session.journal.trouble:
        show_line(session.journal.trouble)


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    from nbgemini.journal.report import kind_of  # noqa: PLC0415 - with the journal

    kind = kind_of(row)
    return (
        datetime.fromtimestamp(row["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        row["chat"] or "(once)",
        row["purpose"],
        row["model"] + (f" ({kind})" if kind else ""),
        " ".join(str(word) for word in (row["state"], row["error"], row["code"] if row["error"] else "") if word),
        str(row["retries"] or ""),
        f"{row['input']:,} / {row['thought']:,} / {row['output']:,}",
        money_text(row["cost"]),
        "" if row["first"] is None else f"{row['first']:.2f} s",
        f"{row['seconds']:.1f} s",
    )
