"""Pictures and sound that came: their bytes, named by what they are and not by what they are said to be.

Raw sound, as speech models send it, gets the head that makes it a WAV file. Source: ai.google.dev, the page on speech: 16 bits,
little-endian, one channel, 24,000 samples a second unless the mime type says otherwise.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from pathlib import Path
from typing import Any

from msgspec import Struct

from nbgemini.disk import write
from nbgemini.errors import ConfigurationError
from nbgemini.events import Media
from nbgemini.media import HEAD, mime_of, size_text

_RAW = re.compile(r"audio/(?:l16|pcm)\b", re.IGNORECASE)
_RATE, _CHANNELS = re.compile(r"rate=(\d{4,6})"), re.compile(r"channels=([12])\b")
_SAMPLE = 2  # bytes
_SHOWN = {
    **{f"image/{name}": f"image/{name}" for name in ("png", "jpeg", "gif", "webp")},
    **{f"audio/{name}": f"audio/{name}" for name in ("wav", "ogg", "flac")},
    "audio/mp3": "audio/mpeg",
}


class Received(Struct, frozen=True):
    """A picture, a sound or another file from the model.

    Attributes:
        mime: what its bytes are; what the service calls it where they don't tell.
        data: the bytes.
        thought: whether it is a draft and not part of the answer.
        known: whether it is of a kind that pages show: PNG, JPEG, GIF, WebP; WAV, MP3, Ogg, FLAC.
    """

    mime: str
    data: bytes
    thought: bool = False
    known: bool = True

    def save(self, path: str | Path) -> Path:
        """Write the bytes to a file, which is yours alone, and return its path."""
        path = Path(path)
        write(path, self.data)
        return path

    def to_pil(self) -> Any:
        """Return the picture as pillow's Image.

        Raises:
            ConfigurationError: pillow is not installed.
        """
        try:
            from PIL import Image  # noqa: PLC0415 - optional
        except ImportError:
            raise ConfigurationError(
                "to_pil() needs pillow: pip install pillow; .data holds the bytes, .save(path) writes them"
            ) from None
        from io import BytesIO  # noqa: PLC0415

        return Image.open(BytesIO(self.data))

    @property
    def seconds(self) -> float | None:
        """How long a WAV file of ours plays; None for all else."""
        if self.mime != "audio/wav" or self.data[36:40] != b"data":
            return None
        a_second: int = struct.unpack_from("<I", self.data, 28)[0]
        return (len(self.data) - 44) / a_second if a_second else None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        shown = {self.mime: base64.b64encode(self.data).decode()} if self.known and self.mime.startswith("image/") else {}
        return {**shown, "text/plain": repr(self)}

    def __repr__(self) -> str:
        """Show kind and size, not the bytes."""
        return f"<Received {self.mime}, {size_text(len(self.data))}>"


def received(media: Media) -> Received:
    """Return what a piece of inline data is; what is no base64 is empty."""
    data = _bytes(media.data)
    found = _SHOWN.get(mime_of(data[:HEAD]), "")
    if not found and data and _RAW.match(media.mime):
        return Received("audio/wav", _wav(data, media.mime), media.thought)
    return Received(found or media.mime, data, media.thought, bool(found))


def joined(first: Media, *others: Media) -> Media:
    """Return raw sound that came in pieces as one piece."""
    data = b"".join(_bytes(piece.data) for piece in (first, *others))
    return Media(first.mime, base64.b64encode(data).decode(), first.thought)


def continues(before: Media, after: Media) -> bool:
    """Say whether a piece of raw sound goes on from another: such pieces have no heads of their own."""
    return bool(_RAW.match(before.mime)) and (before.mime, before.thought) == (after.mime, after.thought)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _wav(samples: bytes, mime: str) -> bytes:
    rate, channels = _RATE.search(mime), _CHANNELS.search(mime)
    width = _SAMPLE * (int(channels[1]) if channels else 1)
    a_second = width * (int(rate[1]) if rate else 24_000)
    samples = samples[: len(samples) // width * width]
    form = struct.pack("<IHHIIHH", 16, 1, width // _SAMPLE, a_second // width, a_second, width, 8 * _SAMPLE)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(samples))
        + b"WAVEfmt "
        + form
        + b"data"
        + struct.pack("<I", len(samples))
        + samples
    )
