"""Values of a notebook as parts of a prompt: bounded, and what is left out is told to the model and to the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_left_out: ContextVar[list[str] | None] = ContextVar("nbgemini_left_out", default=None)


@contextmanager
def left_out() -> Iterator[list[str]]:
    """Collect what values that are rendered inside had to be cut down to, such as `first 50 of 500 rows sent`."""
    notes: list[str] = []
    token = _left_out.set(notes)
    try:
        yield notes
    finally:
        _left_out.reset(token)


def leave_out(sent: str) -> None:
    """Note what is sent of a value that is too large."""
    notes = _left_out.get()
    if notes is not None and sent not in notes:
        notes.append(sent)
