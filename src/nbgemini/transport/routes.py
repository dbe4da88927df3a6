"""Which way a request takes, and whom a TLS connection trusts: what the environment says of both.

Proxies: our own connections, or httpx2's through the proxy that the environment sets; to this machine never through one. Trust:
the system, or what SSL_CERT_FILE or SSL_CERT_DIR name; the same as httpx2 does.
"""

from __future__ import annotations

import os
import ssl
import sys
from functools import lru_cache, partial
from pathlib import Path

import httpx2

from nbgemini._async.threads import run_in_import_thread
from nbgemini._environment import hush
from nbgemini.errors import ConfigurationError
from nbgemini.transport.api_errors import cause
from nbgemini.transport.asyncio_transport import AsyncioTransport
from nbgemini.transport.origin import is_loopback

_ELSEWHERE = (  # where systems keep them that OpenSSL was not built for
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_BY_VARIABLES_ALONE = sys.platform not in ("win32", "darwin")  # how proxies are set


class RoutingTransport(httpx2.AsyncBaseTransport):
    """All connections of one event loop; what is slow to load (certificates, httpx2's own transport) is loaded in a thread."""

    def __init__(self) -> None:
        self._direct = AsyncioTransport(lambda: run_in_import_thread(tls_context))
        self._proxied: dict[str, httpx2.AsyncBaseTransport] = {}
        self._routes: dict[tuple[str, str], httpx2.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and wait for the head of its response.

        Raises:
            ConfigurationError: the proxy can't be used, or the environment names certificates that can't be read.
        """
        origin = request.url.scheme, request.url.host
        if origin not in self._routes:
            self._routes[origin] = (
                self._direct if is_loopback(origin[1]) else await run_in_import_thread(partial(self._route, *origin))
            )
        return await self._routes[origin].handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in (self._direct, *self._proxied.values()):
            await transport.aclose()

    def _route(self, scheme: str, host: str) -> httpx2.AsyncBaseTransport:
        proxy = proxy_for(scheme, host)
        if proxy and proxy not in self._proxied:
            self._proxied[proxy] = _through(proxy)
        return self._proxied[proxy] if proxy else self._direct


def proxy_for(scheme: str, host: str) -> str:
    """Return the address of the proxy for a host; empty if the environment wants none."""
    if _BY_VARIABLES_ALONE and not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - 20 ms that next to nobody needs

    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all") or ""
    return "" if not proxy or proxy_bypass(host) else proxy if "://" in proxy else f"http://{proxy}"


def _through(proxy: str) -> httpx2.AsyncBaseTransport:
    import anyio  # noqa: PLC0415 - and httpcore2: only behind a proxy

    hush("httpcore2")
    anyio.run(anyio.sleep, 0)  # loads anyio's backend, which the first connection would do on the loop, for 60 ms
    try:
        return httpx2.AsyncHTTPTransport(
            verify=tls_context(), proxy=proxy, limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20)
        )
    except ImportError as error:
        why = cause(error)
    except (ValueError, httpx2.InvalidURL):  # which quotes the address, and that may hold a password
        why = "its address is none that is known"
    raise ConfigurationError(f"the proxy that the environment sets can't be used: {why} → check HTTPS_PROXY, ALL_PROXY")


def tls_context() -> ssl.SSLContext:
    """Return the context for connections to services.

    Raises:
        ConfigurationError: the environment names certificates that can't be read.
    """
    return _context(os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))


@lru_cache(maxsize=4)
def _context(file: str, folder: str) -> ssl.SSLContext:
    context = _named(file, folder) if file or folder else _of_the_system()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _named(file: str, folder: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file) if file else ssl.create_default_context(capath=folder)
    except OSError as error:
        why = error.strerror or error
    raise ConfigurationError(f"{'SSL_CERT_FILE' if file else 'SSL_CERT_DIR'} names no certificates that can be read: {why}")


def _of_the_system() -> ssl.SSLContext:
    if sys.platform in ("win32", "darwin"):
        import truststore  # noqa: PLC0415 - asks the system itself

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    paths = ssl.get_default_verify_paths()
    file = paths.openssl_cafile if Path(paths.openssl_cafile).is_file() else None
    folder = paths.openssl_capath if not file and any(Path(paths.openssl_capath).glob("*.[0-9]")) else None
    if not file and not folder:
        file = next((place for place in _ELSEWHERE if Path(place).is_file()), None)
    if file or folder:
        context.load_verify_locations(file, folder)
    return context
