"""Pictures among what a tool returned: they go beside the answer, as many as fit.

pillow and matplotlib are known by their modules' names and never imported.
"""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

from nbgemini.events import Media
from nbgemini.tool_tables import package_of

MEDIA_BYTES = 4 * 1024 * 1024  # of pictures in one result; a request holds 20 MB in all
SIDE = 2_048  # pixels; the service scales larger pictures down itself
MIMES = {"image/png", "image/jpeg", "image/webp"}  # that the service takes
GALLERY = 64  # a longer list is data, not a row of pictures


class Gallery:
    """The pictures of one result, as many as fit."""

    def __init__(self) -> None:
        """Begin empty."""
        self.media: list[Media] = []
        self._room = MEDIA_BYTES

    def hang_all(self, value: Any) -> Any:
        """Return `value` with words in place of each picture, itself or one floor down."""
        if type(value) is dict and len(value) <= GALLERY:
            hung: Any = {key: self._hang(item) for key, item in value.items()}
            return hung if any(hung[key] is not value[key] for key in value) else value
        if type(value) in {list, tuple} and len(value) <= GALLERY:
            hung = [self._hang(item) for item in value]
            return hung if any(new is not old for new, old in zip(hung, value, strict=True)) else value
        return self._hang(value)

    def _hang(self, value: Any) -> Any:
        try:
            found = picture_of(value)
        except Exception:  # noqa: BLE001 - what can't be drawn is told in words
            found = None
        if found is None:
            return _unsent(value) if isinstance(value, Media) else value
        mime, data = found
        if len(data) > self._room:
            return f"a picture ({mime}, {len(data):,} bytes), too large to send"
        self._room -= len(data)
        self.media.append(Media(mime, base64.b64encode(data).decode()))
        return f"picture {len(self.media)} ({mime}), attached"


def _unsent(media: Media) -> str:
    return f"media ({media.mime}, {len(media.data) * 3 // 4:,} bytes), which can't be sent"


def picture_of(value: Any) -> tuple[str, bytes] | None:
    """Return what `value` looks like and its mime type; None if it is no picture."""
    if isinstance(value, bytes | bytearray | memoryview):
        mime = _mime(bytes(memoryview(value)[:16]))
        return (mime, bytes(value)) if mime else None
    if isinstance(value, Media):
        return (value.mime, base64.b64decode(value.data, validate=True)) if value.mime in MIMES else None
    package = package_of(value)
    if package == "PIL" and hasattr(value, "resize"):
        return "image/png", _drawn(value)
    if package == "matplotlib" and {"Figure", "Axes"} & {kind.__name__ for kind in type(value).__mro__}:
        value.figure.savefig(page := BytesIO(), format="png")
        return "image/png", page.getvalue()
    return None if isinstance(value, type) else _shown(value)


def _shown(value: Any) -> tuple[str, bytes] | None:
    for hook, mime in (("_repr_png_", "image/png"), ("_repr_jpeg_", "image/jpeg")):
        data = getattr(value, hook)() if callable(getattr(type(value), hook, None)) else None
        data = data[0] if isinstance(data, tuple) else data  # IPython lets metadata stand beside it
        if data:
            return mime, base64.b64decode(data) if isinstance(data, str) else bytes(data)
    return None


def _drawn(image: Any) -> bytes:
    scale = min(1.0, SIDE / max(image.size))
    if scale < 1:
        image = image.resize(tuple(max(1, round(side * scale)) for side in image.size))
    if image.mode not in {"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"}:
        image = image.convert("RGB")  # PNG knows no other
    image.save(page := BytesIO(), format="png")
    return page.getvalue()


def _mime(head: bytes) -> str | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/webp" if head.startswith(b"RIFF") and head[8:12] == b"WEBP" else None
