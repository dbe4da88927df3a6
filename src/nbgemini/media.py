"""What kind of file some bytes are, as far as Gemini takes it: told by how they begin, else by the name.

Source: ai.google.dev, the pages on image, document, audio and video understanding.
"""

from __future__ import annotations

from pathlib import PurePath

HEAD = 64  # bytes that tell
TEXT = "text/plain"

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mp3"),
    (b"\xff\xfb", "audio/mp3"),
    (b"\xff\xf3", "audio/mp3"),
    (b"\xff\xf2", "audio/mp3"),
    (b"\xff\xf1", "audio/aac"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"FLV\x01", "video/x-flv"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
)
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
    begun = next((mime for begin, mime in _BEGINNINGS if head.startswith(begin)), "")
    if begun and not (begun == "image/bmp" and _is_text(head)):
        return begun
    return TEXT if _is_text(head) else _NAMES.get(PurePath(name).suffix.lower(), "")


_WAYS_OUT = {
    ".gif": "PIL.Image.open({0!r}) in a cell, and attach the image",
    ".bmp": "PIL.Image.open({0!r}) in a cell, and attach the image",
    ".tif": "PIL.Image.open({0!r}) in a cell, and attach the image",
    ".tiff": "PIL.Image.open({0!r}) in a cell, and attach the image",
    ".docx": "save it as PDF, and attach that",
    ".pptx": "save it as PDF, and attach that",
    ".doc": "save it as PDF, and attach that",
    ".zip": "unpack it, and attach its files",
    ".gz": "unpack it, and attach what is in it",
    ".h5": "df = pandas.read_hdf({0!r}) in a cell, and attach df",
    ".nc": "ds = xarray.open_dataset({0!r}) in a cell, and attach ds",
    ".npy": "a = numpy.load({0!r}) in a cell, and attach a",
    ".sqlite": "df = pandas.read_sql(…) in a cell, and attach df",
    ".db": "df = pandas.read_sql(…) in a cell, and attach df",
}


def way_out(name: str) -> str:
    """Return what its user can do with a file that the service does not take."""
    way = _WAYS_OUT.get(PurePath(name).suffix.lower(), "")
    return f" → {way.format(name)}" if way else ""


def is_taken(mime: str) -> bool:
    """Whether the service takes files of this kind."""
    return bool(mime) and mime not in _REFUSED


def kind_of(mime: str) -> str:
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
