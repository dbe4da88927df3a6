"""Bytes in, frames out: no I/O, cut anywhere, linear time."""

from nbgemini.wire.framer import Framer

__all__ = ["Framer"]
