"""The journal's file: a database with the journal's tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbgemini import database
from nbgemini.database import MOUNTS, Database
from nbgemini.journal.tables import SCHEMA, VERSION


class JournalFile(Database):
    """One journal, open in one thread."""

    def __init__(self, path: Path, mounts: Path = MOUNTS) -> None:
        """Open nothing yet; `mounts` tells what lies on the network."""
        super().__init__(path, SCHEMA, VERSION, mounts=mounts)


def read(path: Path, query: str, values: Sequence[Any]) -> list[Any]:
    """Return the rows of a query; none if there is no journal of this version.

    Raises:
        sqlite3.Error: it can't be read.
    """
    return database.read(path, VERSION, query, values)
