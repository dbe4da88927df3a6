"""One prompt for each of many rows, thousands at once; a finished row is never paid twice."""

from __future__ import annotations

from nbgemini.bulk.rows import Manner
from nbgemini.bulk.start import How, planned

__all__ = ["How", "Manner", "planned"]
