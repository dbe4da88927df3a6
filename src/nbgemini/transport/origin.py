"""Where requests go: a base URL, read once; encryption and trust follow from what it says.

Invariants: what is asked is what was checked, for the address is written anew from what was read; plain http with a key never
leaves the machine.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

from nbgemini.errors import ConfigurationError
from nbgemini.secrets import without_password

_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]*|[0-9]+")  # a last label like this makes a host an address, in old spellings
_NEVER = re.compile(r"[\x00-\x20\x7f\\]")  # readers of URLs don't agree on what these mean
_AS_IT_IS = "/:@!$&'()*+,;=~%?"  # in a path: what stands escaped is escaped
_PORTS = {"https": 443, "http": 80}


class Origin(Struct, frozen=True):
    """A base URL as it was understood; `path` is what all paths stand behind."""

    host: str
    port: int
    secure: bool
    path: str = ""

    @property
    def header(self) -> str:
        """Return what the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def root(self) -> str:
        """Return the address without its path."""
        return f"{'https' if self.secure else 'http'}://{self.header}"

    @property
    def url(self) -> str:
        """Return the address in the one spelling that all its readers understand alike."""
        return f"{self.root}{self.path}"

    def target(self, path: str, query: Mapping[str, str]) -> str:
        """Return path and query for the wire; a path that begins with a slash stands below the host, not below the base."""
        return _target(path if path.startswith("/") else f"{self.path}/{path}", tuple(query.items()))


def origin_of(base: str, *, secret: bool = False) -> Origin:
    """Return what a base URL says; with a `secret`, only if nobody on the way can read that.

    Raises:
        ConfigurationError: it says nothing that can be asked, or is plain http to another machine; what may be a password in it
            is not repeated.
    """
    origin = _parse_origin(base.strip())
    if origin is None:
        raise ConfigurationError(f"the base URL must begin with https:// and name a host: {without_password(base)}")
    if secret and not origin.secure and not is_loopback(origin.host):
        raise ConfigurationError(f"plain http would show your key on the way to {origin.host}; use https")
    return origin


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and can be no other."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        address = getattr(address, "ipv4_mapped", None) or address
        return address.is_loopback or address.is_unspecified
    return False


@lru_cache(maxsize=256)
def _target(path: str, query: tuple[tuple[str, str], ...]) -> str:
    asked = urlencode(query, quote_via=quote)
    return quote(path, safe=_AS_IT_IS) + (f"{'&' if '?' in path else '?'}{asked}" if asked else "")


def _parse_origin(base: str) -> Origin | None:
    try:
        parts = urlsplit(base)
        port, host = parts.port, _host(parts.hostname or "")
    except ValueError:
        return None
    plain = not (_NEVER.search(base) or "@" in parts.netloc or parts.query or parts.fragment)
    if not plain or not host or parts.scheme not in _PORTS or port == 0:
        return None
    return Origin(host, port or _PORTS[parts.scheme], parts.scheme == "https", quote(parts.path.rstrip("/"), safe=_AS_IT_IS))


def _host(name: str) -> str:
    """Return a host in its one spelling, or nothing if it is none, or one that its readers don't agree on."""
    with suppress(ValueError):
        return str(ipaddress.ip_address(name)) if "%" not in name else ""
    known = name if name.isascii() else name.encode("idna").decode("ascii").lower()
    known = known.removesuffix(".") if known == "localhost." else known
    last = known.removesuffix(".").rpartition(".")[2]
    return known if _NAME.fullmatch(known) and not _NUMBER.fullmatch(last) else ""
