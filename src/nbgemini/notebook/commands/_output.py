"""What a command shows: a table or a line, never model text unsanitised."""

from __future__ import annotations

import sys
from typing import Any


def show_table(headers: tuple[str, ...], rows: list[Any]) -> None:
    """Show rows of text."""
    from nbgemini.render.mimebundle import table_bundle  # noqa: PLC0415

    _publish(table_bundle(headers, rows))


def show_line(line: str) -> None:
    """Show one line."""
    from nbgemini.render.mimebundle import status_bundle  # noqa: PLC0415

    _publish(status_bundle(line))


def _publish(data: dict[str, Any]) -> None:
    from IPython.display import display  # noqa: PLC0415

    display(data, raw=True)
    sys.stdout.flush()
