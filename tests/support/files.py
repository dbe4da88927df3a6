"""Small files for prompts, and how they were uploaded."""

from __future__ import annotations

import struct
import zlib


def uploads(service):
    return [request for request in service.requests if request.headers.get("x-goog-upload-command") == "start"]


def png(width=3, height=2):
    """A real, black PNG."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + b"\0" * width) * height)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
