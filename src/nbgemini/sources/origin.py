"""Where requests go: scheme, host and port of a base URL, and whether anything stands between it and us."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_AS_IT_IS = "/:@!$&'()*+,;=~%?"  # in a path: what stands escaped is escaped
_BY_VARIABLES_ALONE = sys.platform not in ("win32", "darwin")  # how proxies are set


class Origin(Struct, frozen=True):
    """A place that can be connected to."""

    host: str
    port: int
    secure: bool

    @property
    def header(self) -> str:
        """Return what the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def origin_of(base: str) -> Origin | None:
    """Return where a base URL leads directly; None if it takes more than a host and a port to say it, or to get there."""
    parts = urlsplit(base)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    host = parts.hostname or ""
    if not _HOST.fullmatch(host) or "@" in parts.netloc or parts.query or parts.fragment or _proxied(parts.scheme, host):
        return None
    return Origin(host, port, parts.scheme == "https")


def target_of(base: str, path: str, query: Mapping[str, str]) -> str:
    """Return path and query for the wire; a path that begins with a slash stands below the host, not below the base."""
    whole = path if path.startswith("/") else f"{urlsplit(base).path}/{path}"
    asked = urlencode(query, quote_via=quote)
    return quote(whole, safe=_AS_IT_IS) + (f"{'&' if '?' in whole else '?'}{asked}" if asked else "")


def _proxied(scheme: str, host: str) -> bool:
    """Whether the environment wants a proxy for this; in doubt it does."""
    if _BY_VARIABLES_ALONE and not any(name.lower().endswith("_proxy") for name in os.environ):
        return False
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - 20 ms that next to nobody needs

    proxies = getproxies()
    return bool(proxies.get(scheme) or proxies.get("all")) and not proxy_bypass(host)
