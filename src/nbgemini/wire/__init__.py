"""Bytes in, frames out: no I/O, cut anywhere, linear time."""

from nbgemini.wire.framer import Framer
from nbgemini.wire.sse import DONE

__all__ = ["DONE", "Framer"]
