"""The browser tests' fixtures: one server and one Chromium for all of them, a fresh page for each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser.rig import CHROMIUM, CHROMIUM_FLAGS, Lab, Notebook


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in Path(item.path).parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="package")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists() and not os.environ.get("CI"):
        pytest.skip("no Chromium here: make setup-browser")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def notebook(lab, chromium, request):
    """A function that opens a notebook with these cells (or a copy of a file)."""
    opened = []

    def open_one(cells):
        opened.append(Notebook(lab, chromium, f"{request.node.name.replace('[', '-').replace(']', '')}-{len(opened)}", cells))
        return opened[-1]

    yield open_one
    for one in opened:
        one.screenshot(f"end-{one.name}")
        one.close()
