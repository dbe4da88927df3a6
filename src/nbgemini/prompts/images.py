"""What a value looks like, where it is a picture, a plot or a chart, by what it can do and not by its package's name.

Invariants: nothing is imported to look at a value that is no chart; what can't be drawn here is refused with the way out.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from io import BytesIO
from itertools import islice
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.events import InlineMedia
from nbgemini.messages.media import HEAD, mime_of
from nbgemini.prompts.tables import has, package_of

SIDE = 2_048  # pixels; the service scales larger pictures down itself
MIMES = {"image/png", "image/jpeg", "image/webp"}  # that the service takes
_AXES = 1_000  # that one figure may have
_FIGURE = ("figure", "fig", "figure_", "ax", "_fig")  # what the packages call the figure of a plot, or where it is found
_HOLDERS = ("list", "tuple", "dict", "ndarray")  # that hold the axes, or the marks, of one figure


def picture_of(value: Any) -> tuple[str, bytes] | None:
    """Return what `value` looks like and its mime type; None if it is no picture.

    Raises:
        PromptError: it is a chart, and nothing here can draw it.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        mime = mime_of(bytes(memoryview(value)[:HEAD]))
        return (mime, bytes(value)) if mime in MIMES else None
    if isinstance(value, InlineMedia):
        return (value.mime, base64.b64decode(value.data, validate=True)) if value.mime in MIMES else None
    if isinstance(value, type | str):
        return None
    if has(value, "resize", "convert", "getbands", "save"):
        return "image/png", _from_pillow(value)
    if (figure := figure_of(value)) is not None:
        figure.savefig(page := BytesIO(), format="png")
        return "image/png", page.getvalue()
    return _shown_image(value) or _chart_image(value)


def figure_of(value: Any, depth: int = 2) -> Any:
    """Return the one figure that a value is, belongs to, or whose parts it holds; None if there is none."""
    figure = _figure_of_one(value)
    if figure is not None or not depth or not (type(value).__name__ in _HOLDERS or package_of(value) == "matplotlib"):
        return figure
    is_part = False
    for part in islice(_parts(value), _AXES):
        found = figure_of(part, depth - 1)
        if found is None and type(part).__name__ in _HOLDERS and len(part) == 0:
            continue  # a plot without marks of one kind
        if found is None or (figure is not None and found is not figure):
            return None
        figure, is_part = found, is_part or found is not part
    return figure if is_part else None


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if package_of(value) == "matplotlib":  # the bars, wedges or error bars of one plot
        return value.get_children() if has(value, "get_children") else getattr(value, "wedges", ())
    return value if isinstance(value, Sequence) else value.flat if str(value.dtype) == "object" else ()


def _figure_of_one(value: Any) -> Any:
    for _ in range(3):  # axes may lie in a part of a figure
        if value is None or isinstance(value, type) or has(value, "savefig"):
            return None if isinstance(value, type) else value
        value = next((getattr(value, name, None) for name in _FIGURE if has(value, name)), None)
    return value if has(value, "savefig") else None


def takes_time(value: Any) -> bool:
    """Whether a value is a chart that a browser or another program draws, which needs no thread of matplotlib's."""
    return has(value, "to_image") or package_of(value) == "bokeh" or _is_vega(value)


def _is_vega(chart: Any) -> bool:
    """Whether a chart is one of Vega-Lite's, as altair makes them."""
    return has(chart, "to_dict", "save", "_repr_mimebundle_", "transform_filter")


def _shown_image(value: Any) -> tuple[str, bytes] | None:
    for hook, mime in (("_repr_png_", "image/png"), ("_repr_jpeg_", "image/jpeg")):
        if data := hook_result(value, hook):
            return mime, _decoded(data)
    return None


def hook_result(value: Any, hook: str, **options: Any) -> Any:
    """Return what one of IPython's hooks of a value says, without the metadata that may stand beside it."""
    found = getattr(value, hook)(**options) if callable(getattr(type(value), hook, None)) else None
    return found[0] if isinstance(found, tuple) else found


def bundle_of(value: Any) -> Mapping[str, Any]:
    """Return what a value would show in a notebook, by mime type; empty if it leaves that to its other methods."""
    bundle = hook_result(value, "_repr_mimebundle_", include=None, exclude=None)
    return bundle if isinstance(bundle, Mapping) else {}


def _chart_image(value: Any) -> tuple[str, bytes] | None:
    """Return a chart of those that are drawn in a browser, by the program that draws it without one."""
    if has(value, "to_image"):
        options = {"format": "png"} if has(value, "write_image") else {}
        remedy = "pip install kaleido, and Chrome (plotly_get_chrome)"
        return "image/png", _drawn(value, lambda: value.to_image(**options), remedy)
    if package_of(value) == "bokeh" and has(value, "document", "select"):
        remedy = "pip install selenium, and a browser with its driver"
        return "image/png", _drawn(value, lambda: import_module("bokeh.io.export").get_screenshot_as_png(value), remedy)
    bundle = bundle_of(value)
    for mime in ("image/png", "image/jpeg"):
        if data := bundle.get(mime):
            return mime, _decoded(data)
    if not _is_vega(value):
        return None
    spec, remedy = value.to_dict(), "pip install vl-convert-python"
    return "image/png", _drawn(value, lambda: import_module("vl_convert").vegalite_to_png(spec), remedy)


def _decoded(data: Any) -> bytes:
    return base64.b64decode(data) if isinstance(data, str) else bytes(data)


def _drawn(chart: Any, draw: Callable[[], Any], remedy: str) -> bytes:
    try:
        image = draw()
        return _from_pillow(image) if has(image, "resize", "convert") else bytes(image)
    except Exception as error:  # noqa: BLE001 - another package's code
        why = " ".join(str(error).split())[:120] or type(error).__name__
        kind = f"a {type(chart).__name__} of {package_of(chart)}"
        raise PromptError(f"{kind} can't be drawn here ({why}) → {remedy}, or attach a picture of it") from None


def _from_pillow(image: Any) -> bytes:
    """Return a picture in one of the modes that PNG knows and everyone reads alike: of 8 bits, in red, green and blue."""
    if image.mode.startswith(("I", "F")):
        image = _as_shades(image.convert("F"))
    elif image.mode == "LAB":
        image = image.getchannel("L")  # its colours need a profile
    elif image.mode not in {"1", "L", "LA", "P", "RGB", "RGBA"}:
        image = image.convert({"La": "LA", "PA": "RGBA", "RGBa": "RGBA"}.get(image.mode, "RGB"))
    scale = min(1.0, SIDE / max(image.size))
    if scale < 1:
        image = image.resize(tuple(max(1, round(side * scale)) for side in image.size))
    image.save(page := BytesIO(), format="png")
    return page.getvalue()


def _as_shades(image: Any) -> Any:
    """Return measured values as shades: from the least to the greatest, unless they are shades already."""
    low, high = image.getextrema()
    if not (math.isfinite(low) and math.isfinite(high)) or low == high or (low >= 0 and 1 < high <= 255):  # noqa: PLR2004 - 8 bits
        return image.convert("L")
    return image.point(lambda value: value * (255 / (high - low)) + -low * 255 / (high - low)).convert("L")


MEDIA_BYTES = 4 * 1024 * 1024  # of pictures in one result; a request holds 20 MB in all
GALLERY = 64  # a longer list is data, not a row of pictures


class ImageCollector:
    """The pictures of one result, as many as fit."""

    def __init__(self) -> None:
        self.media: list[InlineMedia] = []
        self._room = MEDIA_BYTES

    def collect_all(self, value: Any) -> Any:
        """Return `value` with words in place of each picture, itself or one floor down."""
        kind = type(value)
        if kind not in (dict, list, tuple) or len(value) > GALLERY or figure_of(value) is not None:
            return self._collect(value)  # the axes of one figure are one picture
        items = list(value.values() if kind is dict else value)
        collected = list(map(self._collect, items))
        if all(new is old for new, old in zip(collected, items, strict=True)):
            return value
        return dict(zip(value, collected, strict=True)) if kind is dict else collected

    def _collect(self, value: Any) -> Any:
        try:
            found = picture_of(value)
        except PromptError as error:
            return str(error)
        except Exception:  # noqa: BLE001 - what can't be drawn is told in words
            found = None
        if found is None:
            is_media = isinstance(value, InlineMedia)
            return f"media ({value.mime}, {len(value.data) * 3 // 4:,} bytes), which can't be sent" if is_media else value
        mime, data = found
        if len(data) > self._room:
            return f"a picture ({mime}, {len(data):,} bytes), too large to send"
        self._room -= len(data)
        self.media.append(InlineMedia(mime, base64.b64encode(data).decode()))
        return f"picture {len(self.media)} ({mime}), attached"
