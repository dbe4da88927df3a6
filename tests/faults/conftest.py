"""Faults are many: none may use up what the others have for retries."""

from __future__ import annotations

import pytest

from nbgemini.transport.retry import RetryBudget


@pytest.fixture(autouse=True)
def _own_budget(monkeypatch):
    monkeypatch.setattr("nbgemini.transport.retry.BUDGET", RetryBudget())
