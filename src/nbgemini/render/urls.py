"""Where a link leads: the host or the mailbox as a browser will read it, in letters that cannot pose as others.

Invariant: a link whose host cannot be told is no link.
"""

from __future__ import annotations

import re
from unicodedata import normalize
from urllib.parse import unquote

UNREADABLE = "unreadable host"
_WEB = re.compile(r"(https?:)[/\\]{2}([^/\\?#]*)(.*)", re.IGNORECASE | re.DOTALL)  # a browser reads a backslash as a slash
_PORT = re.compile(r":\d*\Z")
_DOT = re.compile("[.\u3002\uff0e\uff61]")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?|\[[0-9a-f:.]{2,45}\]")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9_.-]{1,253}")
_LONGEST = 1_000  # characters; translating takes quadratic time
_LOOSE = re.compile("[\u00ad\u034f\u061c\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]")  # some browsers drop these, some do not


def host_of(url: str) -> str:
    """Return the host of an http(s) URL in ASCII, or nothing."""
    found = _WEB.match(url)
    return _ascii(_PORT.sub("", found[2].rpartition("@")[2])) if found else ""


def mailboxes_of(url: str) -> str:
    """Return all that a `mailto:` URL would write to, or nothing."""
    if url[:7].lower() != "mailto:":
        return ""
    path, _, query = url[7:].partition("?")
    fields = (field.partition("=") for field in query.split("&"))
    more = [value for name, _, value in fields if unquote(name).lower() in ("to", "cc", "bcc")]
    return ", ".join(_mailbox(box.strip(" ")) for text in (path, *more) for box in unquote(text).split(",") if box)


def leads_somewhere(url: str) -> bool:
    """Say whether a browser would go where `host_of` or `address_of` says."""
    return UNREADABLE not in (host_of(url), *mailboxes_of(url).split(", "))


def speaks_for_itself(url: str, text: str) -> bool:
    """Say whether a link's text is its URL and a reader can tell the host from it."""
    found, written, host = _WEB.match(url), unquote(url), host_of(url)
    names = {url, mailboxes_of(url) or url, written if host_of(written) == host and host in written else url}
    return text.strip() in names and not (found and "@" in found[2])


def plain_url(url: str) -> str:
    """Return an http(s) URL with its host in ASCII and nothing before it, or nothing."""
    found, host = _WEB.match(url), host_of(url)
    if not found or host == UNREADABLE:
        return ""
    port = _PORT.search(found[2])
    return f"{found[1].lower()}//{host}{port.group() if port else ''}{found[3]}"


def _mailbox(text: str) -> str:
    name, _, host = text.rpartition("@")
    shown = f"{name}@{_ascii(host)}"
    return shown if _MAILBOX.fullmatch(shown) else UNREADABLE


def _ascii(host: str) -> str:
    if len(host) > _LONGEST:
        return UNREADABLE
    name = normalize("NFKC", unquote(host)).lower()
    if _LOOSE.search(name):
        return UNREADABLE
    labels = (label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in _DOT.split(name))
    name = ".".join(labels)
    return name if _NAME.fullmatch(name) else UNREADABLE
