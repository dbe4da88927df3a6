"""An array of numbers as text: its shape, its type and its exact values, or those at its corners; NumPy is not imported."""

from __future__ import annotations

import sys
from typing import Any

from nbgemini.markdown_table import number_text
from nbgemini.tables import package_of, single

_WHOLE = 1_000  # values; of a larger array the corners are shown


def array_text(value: Any) -> str | None:
    """Return an array of NumPy, or of another package that can be made one, as text; None for anything else."""
    numpy = sys.modules.get("numpy")
    able = hasattr(type(value), "__array__") and not hasattr(type(value), "to_frame")
    if numpy is None or isinstance(value, type) or not able or not getattr(value, "shape", None):
        return None
    own = package_of(value) == "numpy"
    array = value if own or isinstance(value, numpy.ndarray) else numpy.asarray(value)
    kind = f"{package_of(value)} " if not own else ""
    left_out = f"; only the corners are shown of its {array.size:,} values" if array.size > _WHOLE else ""
    narrow = array.dtype.itemsize <= 4  # noqa: PLR2004 - bytes

    def told(number: Any) -> str:
        return str(number) if number is numpy.ma.masked else number_text(single(float(number)) if narrow else number)

    body = numpy.array2string(array, threshold=_WHOLE, formatter={"float_kind": told} if array.dtype.kind == "f" else None)
    return f"{kind}array of shape {tuple(array.shape)}, {array.dtype}{left_out}\n{body}"
