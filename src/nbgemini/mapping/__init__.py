"""One prompt for each of many rows, thousands at once; a finished row is never paid twice."""

from __future__ import annotations

from nbgemini.mapping.asking import Manner
from nbgemini.mapping.start import How, planned

__all__ = ["How", "Manner", "planned"]
