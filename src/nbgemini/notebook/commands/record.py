"""%gemini journal: what ran, when, and with what outcome."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from nbgemini.errors import ConfigurationError, PromptError
from nbgemini.notebook.commands.showing import show_line, show_table
from nbgemini.notebook.commands.words import words_of

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session


def journal(session: Session, rest: str) -> None:
    """List the last N requests (10): when, model, outcome, tokens, cost, time to the first text and in all."""
    from nbgemini.notebook.status import money_text  # noqa: PLC0415

    words = words_of(rest)
    if len(words) > 1 or (words and not words[0].isdigit()):
        raise PromptError(f"%gemini journal takes a number, not {rest.strip()!r}")
    if session.journal is None:
        raise ConfigurationError('there is no journal; %config Gemini.journal = "auto" begins one')
    rows = [
        (
            datetime.fromtimestamp(row["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            row["chat"] or "(once)",
            row["model"] + (" (offline)" if row["offline"] else ""),
            " ".join(filter(None, (row["state"], row["error"]))),
            f"{row['input']:,} / {row['thought']:,} / {row['output']:,}",
            money_text(row["cost"]),
            "" if row["first"] is None else f"{row['first']:.2f} s",
            f"{row['seconds']:.1f} s",
        )
        for row in session.journal.requests(int(words[0]) if words else 10)
    ]
    show_table(("when", "chat", "model", "outcome", "tokens in / thought / out", "cost", "first text", "in all"), rows)
    if session.journal.trouble:
        show_line(session.journal.trouble)
