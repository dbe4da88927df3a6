"""Bounds on what blocks may hold, so that work and size grow with the text only; what is beyond them is shown as text.

Each level of quotes and lists looks at every line in it, and a table's missing cells are made up: so levels and made up cells
have a limit. All is decided where it stands: nothing else of the text changes.
"""

from __future__ import annotations

from typing import Any

MOST_LEVELS = 16  # a list takes two, a quote one
_MOST_QUOTES = 6  # in each other
_QUOTES = "nbgemini quotes"  # where a parse counts them
_SPARE_CELLS = 100  # that a table may lack,
_MOST_CELLS_A_CELL = 2  # and so many of those that it has


def shallow_list(rule: Any) -> Any:
    """Return the rule for lists, which begins none too deep."""
    return lambda state, start, end, silent: state.level + 2 <= MOST_LEVELS and rule(state, start, end, silent)


def shallow_quote(rule: Any) -> Any:
    """Return the rule for quotes, which begins none too deep."""

    def limited(state: Any, start: int, end: int, silent: bool) -> bool:
        depth = state.env.get(_QUOTES, 0)
        if state.level + 1 > MOST_LEVELS or depth >= _MOST_QUOTES:
            return False
        state.env[_QUOTES] = depth + 1
        try:
            return bool(rule(state, start, end, silent))
        finally:
            state.env[_QUOTES] = depth

    return limited


def full_table(rule: Any) -> Any:
    """Return the rule for tables, which takes none that lacks most of its cells."""

    def full(state: Any, start: int, end: int, silent: bool) -> bool:
        if not rule(state, start, end, True) or not _is_full(state, start, end):  # noqa: FBT003 - the parser's own form
            return False
        return silent or bool(rule(state, start, end, False))  # noqa: FBT003

    return full


def _is_full(state: Any, start: int, end: int) -> bool:
    columns, rows, cells = state.src.count("|", state.bMarks[start + 1], state.eMarks[start + 1]), 0, 0
    for line in range(start, end):
        if state.isEmpty(line):
            break
        rows += 1
        cells += state.src.count("|", state.bMarks[line], state.eMarks[line])
    return bool(columns * rows <= _MOST_CELLS_A_CELL * cells + _SPARE_CELLS)
