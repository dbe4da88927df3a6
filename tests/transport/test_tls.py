"""A certificate is trusted if the environment says so, and what is not trusted is told in one line."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from contextlib import aclosing

import httpx2
import pytest

from nbgemini.errors import ConfigurationError, TransportError
from nbgemini.secrets import Secret
from nbgemini.transport.http import HttpSource
from nbgemini.transport.request import Request
from nbgemini.transport.routes import tls_context

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="makes its certificate with openssl")


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch):
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of loopback's that nobody vouches for, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


async def answered(certificate, host, count=1):
    """What a server with this certificate answers, and how many connections it took."""
    connections = []

    async def talk(reader, writer):
        connections.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n" + b'{"a": 1}')
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    source = HttpSource(f"https://{host}:{server.sockets[0].getsockname()[1]}", Secret("k" * 20))
    try:
        came = []
        for _ in range(count):
            async with aclosing(source.frames(Request("v1/models", method="GET"))) as frames:
                came += [frame async for frame in frames]
        return came, connections
    finally:
        await source.aclose()
        server.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("named", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_what_the_environment_trusts_is_trusted(certificate, monkeypatch, tmp_path, host, named):
    (tmp_path / "any.pem").write_bytes(certificate[0].read_bytes())
    await asyncio.to_thread(subprocess.run, ["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    monkeypatch.setenv(named, str(certificate[0] if named == "SSL_CERT_FILE" else tmp_path))
    assert await answered(certificate, host, count=2) == ([b'{"a": 1}'] * 2, ["http/1.1"])


async def test_what_nobody_vouches_for_is_told_in_one_line(certificate):
    with pytest.raises(TransportError, match="certificate verify failed: self-signed certificate") as caught:
        await answered(certificate, "127.0.0.1")
    assert "\n" not in str(caught.value)
    assert not caught.value.passing


async def test_a_certificate_of_another_host_is_told(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, port, *__, **___: [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))])
    with pytest.raises(TransportError, match="Hostname mismatch") as caught:
        await answered(certificate, "another.example")
    assert not caught.value.passing


async def test_a_server_without_tls_is_told():
    server = await asyncio.start_server(
        lambda _, writer: writer.write(b"HTTP/1.1 400 Plain\r\n\r\n") or writer.close(), "127.0.0.1", 0
    )
    source = HttpSource(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", Secret("k" * 20))
    with pytest.raises(TransportError, match="can't reach 127.0.0.1") as caught:
        [frame async for frame in source.frames(Request("v1/models", method="GET"))]
    await source.aclose()
    server.close()
    assert not caught.value.passing


async def test_certificates_that_are_not_there_are_told(monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    source = HttpSource("https://127.0.0.1:9", Secret("k" * 20))
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        [frame async for frame in source.frames(Request("v1/models", method="GET"))]
    await source.aclose()


def facts(context):
    return sorted(str(found) for found in context.get_ca_certs()), context.verify_mode, context.check_hostname


def test_it_trusts_whom_httpx2_trusts():
    assert facts(tls_context()) == facts(httpx2.create_ssl_context())
    assert tls_context() is tls_context()
