"""The browser tests' fixtures: one server and one Chromium for all of them, a fresh page for each."""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.jupyter import CHROMIUM, CHROMIUM_FLAGS, Lab, Notebook

COLLABORATION = Path(__file__).parents[2] / ".collaboration" / "bin" / "python"


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in Path(item.path).parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def servers(tmp_path_factory):
    """A function that returns a front end's server; they share none, for it would mix up their static files."""
    running = {}
    with ExitStack() as stack:

        def server_of(front_end):
            if front_end not in running:
                python = COLLABORATION if front_end == "collaboration" else sys.executable
                _need(Path(python).exists(), f"no environment of its own for {front_end} here: make {front_end}")
                running[front_end] = stack.enter_context(Lab(tmp_path_factory.mktemp(front_end), python))
            return running[front_end]

        yield server_of


@pytest.fixture(scope="package")
def lab(servers):
    return servers("lab")


@pytest.fixture(scope="package")
def chromium():
    _need(importlib.util.find_spec("playwright"), "no playwright here: make setup")
    _need(Path(CHROMIUM).exists(), "no Chromium here: make setup-browser")
    from playwright import sync_api as playwright

    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


def _need(there, otherwise):
    """Skip where a browser cannot run; only a build server must have one."""
    if not there:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(otherwise)


@pytest.fixture
def notebook(servers, chromium, request):
    """A function that opens a notebook with these cells (or a copy of a file); no page may complain or ask other hosts."""
    opened = []

    def open_one(cells, front_end="lab"):
        name = f"{request.node.name.replace('[', '-').replace(']', '')}-{len(opened)}"
        opened.append(Notebook(servers(front_end), chromium, name, cells, front_end))
        return opened[-1]

    yield open_one
    for one in opened:
        one.screenshot(f"end-{one.name}")
        one.close()
        assert (one.errors, one.strangers) == ([], [])


@pytest.fixture
def go(tmp_path):
    """The file for which answers wait."""
    return tmp_path / "go"
