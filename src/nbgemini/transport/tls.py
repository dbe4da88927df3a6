"""Whom a TLS connection trusts: the system, or what SSL_CERT_FILE or SSL_CERT_DIR name; the same as httpx2 does.

Reading a store of certificates takes 10 to 30 ms, so it is done in the import thread, once.
"""

from __future__ import annotations

import os
import ssl
import sys
from functools import lru_cache
from pathlib import Path

from nbgemini.errors import ConfigurationError

_ELSEWHERE = (  # where systems keep them that OpenSSL was not built for
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


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
