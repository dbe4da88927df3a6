"""Both ways over the network, for tests that hold for either."""

from __future__ import annotations

import pytest

from nbgemini.transport.origin import Origin


@pytest.fixture(params=["our own", "through httpx2"])
def way(request, monkeypatch):
    """Ask over our own connections, or over httpx2's, as if a proxy stood between."""
    if request.param == "through httpx2":
        monkeypatch.setattr(Origin, "proxied", True)
    return request.param
