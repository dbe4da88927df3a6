"""Pictures and sound that came: their bytes, named by what they are and not by what they are said to be.

Raw sound, as speech models send it, gets the head that makes it a WAV file. Source: ai.google.dev, the page on speech: 16 bits,
little-endian, one channel, 24,000 samples a second unless the mime type says otherwise.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from pathlib import Path, PurePath
from typing import Any

from msgspec import Struct

from nbgemini._storage import write_atomically
from nbgemini.errors import ConfigurationError
from nbgemini.messages.events import InlineMedia

HEAD = 64  # bytes that tell
TEXT = "text/plain"

_BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "application/pdf": (b"%PDF-",),
    "audio/mp3": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    "audio/aac": (b"\xff\xf1",),
    "audio/ogg": (b"OggS",),
    "audio/flac": (b"fLaC",),
    "video/webm": (b"\x1aE\xdf\xa3",),
    "video/x-flv": (b"FLV\x01",),
    "video/mpeg": (b"\x00\x00\x01\xba",),
    "image/gif": (b"GIF8",),
    "image/bmp": (b"BM",),
    "image/tiff": (b"II*\x00", b"MM\x00*"),
    "application/zip": (b"PK\x03\x04",),
    "application/gzip": (b"\x1f\x8b",),
}
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/avi"}
_BRANDS = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/m4a",
}
_NAMES = {
    ".aiff": "audio/aiff", ".aif": "audio/aiff", ".wmv": "video/wmv", ".3gp": "video/3gpp", ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg", ".mp3": "audio/mp3",
}  # fmt: skip
_REFUSED = {"image/gif", "image/bmp", "image/tiff", "application/zip", "application/gzip"}
TAKEN = "Gemini takes text, PDF, PNG, JPEG, WebP, HEIC, and the usual audio and video"


def mime_of(head: bytes, name: str = "") -> str:
    """Return the mime type of what begins with `head`; empty if it is neither text nor anything known."""
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    begun = next((mime for mime, beginnings in _BEGINNINGS.items() if head.startswith(beginnings)), "")
    if begun and not (begun == "image/bmp" and _is_text(head)):
        return begun
    return TEXT if _is_text(head) else _NAMES.get(PurePath(name).suffix.lower(), "")


_WAYS_OUT = {
    **dict.fromkeys((".gif", ".bmp", ".tif", ".tiff"), "PIL.Image.open({0!r}) in a cell, and attach the image"),
    **dict.fromkeys((".docx", ".pptx", ".doc"), "save it as PDF, and attach that"),
    ".zip": "unpack it, and attach its files",
    ".gz": "unpack it, and attach what is in it",
    ".h5": "df = pandas.read_hdf({0!r}) in a cell, and attach df",
    ".nc": "ds = xarray.open_dataset({0!r}) in a cell, and attach ds",
    ".npy": "a = numpy.load({0!r}) in a cell, and attach a",
    ".sqlite": "df = pandas.read_sql(…) in a cell, and attach df",
    ".db": "df = pandas.read_sql(…) in a cell, and attach df",
}


def suggest_conversion(name: str) -> str:
    """Return what its user can do with a file that the service does not take."""
    way = _WAYS_OUT.get(PurePath(name).suffix.lower(), "")
    return f" → {way.format(name)}" if way else ""


def is_supported(mime: str) -> bool:
    """Whether the service takes files of this kind."""
    return bool(mime) and mime not in _REFUSED


def media_kind(mime: str) -> str:
    """Return a mime type in a word: image, PDF, audio, video, text."""
    return "PDF" if mime == "application/pdf" else mime.partition("/")[0]


def size_text(size: int) -> str:
    """Return a number of bytes as its reader likes it."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - SI
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"  # noqa: PLR2004 - three digits
        size /= 1000  # type: ignore[assignment]
    return f"{size:.1f} GB"


def _is_text(head: bytes) -> bool:
    """Whether these bytes may begin a text: UTF-8, the last letter perhaps cut, and no control characters but blanks."""
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return False
        text = head[: error.start].decode("utf-8", "replace")
    return not any(character < " " and character not in "\t\n\r\f\x1b" for character in text)


_RAW = re.compile(r"audio/(?:l16|pcm)\b", re.IGNORECASE)
_RATE, _CHANNELS = re.compile(r"rate=(\d{4,6})"), re.compile(r"channels=([12])\b")
_SAMPLE = 2  # bytes
_SHOWN = {
    **{f"image/{name}": f"image/{name}" for name in ("png", "jpeg", "gif", "webp")},
    **{f"audio/{name}": f"audio/{name}" for name in ("wav", "ogg", "flac")},
    "audio/mp3": "audio/mpeg",
}


class MediaFile(Struct, frozen=True):
    """An image, a sound or another file from the model.

    Attributes:
        mime: the MIME type.
        data: the bytes.
        thought: whether it is a draft, not part of the answer.
        known: whether browsers can show it: PNG, JPEG, GIF, WebP; WAV, MP3, Ogg, FLAC.
    """

    mime: str
    data: bytes
    thought: bool = False
    known: bool = True

    def save(self, path: str | Path) -> Path:
        """Write the bytes to a file, readable by you alone, and return its path."""
        path = Path(path)
        write_atomically(path, self.data)
        return path

    def to_pil(self) -> Any:
        """Return the image as a Pillow `Image`.

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
        return f"<Received {self.mime}, {size_text(len(self.data))}>"


def media_file(media: InlineMedia) -> MediaFile:
    """Return what a piece of inline data is; what is no base64 is empty."""
    data = decode_media(media.data)
    found = _SHOWN.get(mime_of(data[:HEAD]), "")
    if not found and data and _RAW.match(media.mime):
        return MediaFile("audio/wav", _wav(data, media.mime), media.thought)
    return MediaFile(found or media.mime, data, media.thought, bool(found))


def join_sound(first: InlineMedia, *others: InlineMedia) -> InlineMedia:
    """Return raw sound that came in pieces as one piece."""
    data = b"".join(decode_media(piece.data) for piece in (first, *others))
    return InlineMedia(first.mime, base64.b64encode(data).decode(), first.thought)


def continues(before: InlineMedia, after: InlineMedia) -> bool:
    """Say whether a piece of raw sound goes on from another: such pieces have no heads of their own."""
    return bool(_RAW.match(before.mime)) and (before.mime, before.thought) == (after.mime, after.thought)


def decode_media(text: str) -> bytes:
    """Return what base64 of either alphabet holds; nothing if that is not base64."""
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
    return b"".join(
        (b"RIFF", struct.pack("<I", 36 + len(samples)), b"WAVEfmt ", form, b"data", struct.pack("<I", len(samples)), samples)
    )
