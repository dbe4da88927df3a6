"""What is particular to families of models: data of `models.json`, found by the longest beginning of a model's name.

A model that is not in the list has no family, and passes through: its service has the last word.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_FILE = Path(__file__).parents[1] / "models.json"


def family_of(model: str, provider: str, kind: type[T]) -> T | None:
    """Return the family of a model as a `kind`: that of the longest beginning of its name; None if it is in none."""
    known = _families(provider)
    matching = [start for start in known if model.startswith(start)]
    return msgspec.convert(known[max(matching, key=len)], kind) if matching else None


@cache
def _families(provider: str) -> Mapping[str, Any]:
    return dict(msgspec.json.decode(_FILE.read_bytes())[provider])
