"""Both ways over the network, for tests that hold for either."""

from __future__ import annotations

import httpx2
import pytest

from nbgemini.transport import client
from nbgemini.transport.routes import tls_context


@pytest.fixture
def ask_by_httpx2(monkeypatch):
    """What makes requests go out by httpx2's own transport, as they do by a user's client or a proxy."""

    def ask():
        monkeypatch.setattr(client, "_new_transport", lambda: httpx2.AsyncHTTPTransport(verify=tls_context()))

    return ask


@pytest.fixture(params=["our transport", "httpx2's transport"])
def way(request):
    """Ask over our own connections, or over httpx2's."""
    if request.param == "httpx2's transport":
        request.getfixturevalue("ask_by_httpx2")()
    return request.param
