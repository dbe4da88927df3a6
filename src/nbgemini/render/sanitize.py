"""The one sanitiser: an allow-list, applied last; what leaves it is never edited again.

Policy: no id, name or data-*; no style but the two boxes that cut formulas off; classes only from fixed lists; links only with
an explicit scheme; images only inline.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from nbgemini.render.math import DISPLAY_BOX, INLINE_BOX

_TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code"),
    *("em", "strong", "b", "i", "s", "del", "sub", "sup", "kbd"),
    *("table", "thead", "tbody", "tr", "th", "td", "a", "span", "div", "img"),
}
_ATTRIBUTES = {
    "a": {"href", "title", "target"},
    "code": {"class", "dir"},
    "div": {"class", "align", "dir", "style"},
    "span": {"class", "style"},
    "ol": {"start", "dir"},
    **{tag: {"dir"} for tag in ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "blockquote", "table", "pre")},
    "img": {"src", "alt", "title"},
}
_LINK = re.compile(r"(?:https?://[^\s/\\?#]|mailto:\S)", re.IGNORECASE)
_INLINE_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*\Z")
_LANGUAGE = re.compile(r"language-[A-Za-z0-9_+#.-]{1,40}\Z")
_OWN_CLASSES = {"highlight", "nbgemini-host"}


def sanitize(html: str) -> str:
    """Return `html` with nothing in it but what the policy allows."""
    return str(_cleaner().clean(html))


def is_inline_image(url: str) -> bool:
    """Say whether this is a picture that stands in the text itself, of a kind that holds no program."""
    return _INLINE_IMAGE.match(url) is not None


@cache
def _cleaner() -> Any:
    import nh3  # noqa: PLC0415 - at first use

    return nh3.Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_filter,
        url_schemes={"http", "https", "mailto", "data"},  # nh3 knows schemes only for all tags; the filter is per tag
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )


def _is_ours(name: str) -> bool:
    return name in _OWN_CLASSES or name in _colours() or _LANGUAGE.match(name) is not None


@cache
def _colours() -> frozenset[str]:
    """Return the class names of coloured code."""
    from pygments.token import STANDARD_TYPES  # noqa: PLC0415 - at first use

    return frozenset(STANDARD_TYPES.values())


def _filter(tag: str, attribute: str, value: str) -> str | None:  # noqa: PLR0911 - a table
    match attribute if attribute in _ATTRIBUTES.get(tag, ()) else "":  # nh3 itself allows lang and title everywhere
        case "":
            return value if (tag, attribute) == ("a", "rel") else None  # nh3 has set it by now
        case "href":
            return value if _LINK.match(value) else None
        case "src":
            return value if is_inline_image(value) else None
        case "class":
            return value if all(_is_ours(name) for name in value.split()) else None
        case "align":
            return value if value in ("left", "right", "center") else None
        case "dir":
            return value if value in ("auto", "ltr") else None
        case "style":
            return value if value == {"div": DISPLAY_BOX, "span": INLINE_BOX}[tag] else None
        case "target":
            return "_blank"
        case "start":
            return value if value.isascii() and value.isdigit() else None
        case _:
            return value
