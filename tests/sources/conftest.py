"""Both ways over the network, for tests that hold for either."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["our own", "through httpx2"])
def way(request, monkeypatch):
    """Ask over our own connections, or over httpx2's: a proxy is set, which is not for loopback in words that httpx2 alone reads."""
    if request.param == "through httpx2":
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    return request.param
