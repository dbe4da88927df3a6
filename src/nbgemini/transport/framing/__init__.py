"""Bytes in, frames out: no I/O, cut anywhere, linear time."""

from nbgemini.transport.framing.framer import Framer
from nbgemini.transport.framing.json_objects import load_json
from nbgemini.transport.framing.sse import DONE

__all__ = ["DONE", "Framer", "load_json"]
