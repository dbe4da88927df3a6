"""A wheel in a clean environment loads the extension and answers: the first thing a new user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.terminal import run_ipython

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.wheel, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package as it is published."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    (made,) = folder.glob("nbgemini-*.whl")
    return made


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, timeout=600, stdout=subprocess.PIPE, text=True).stdout


def assert_answers(python, tmp_path, monkeypatch):
    """A new user's first three lines, in a terminal."""
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.chdir(tmp_path)
    printed = run_ipython(tmp_path, "%load_ext nbgemini\n%gemini demo fast\n%gemini ask what is 2 + 3\n")
    assert "2 + 3 = **5**" in printed


def test_the_wheel_installs_and_answers(wheel, tmp_path, monkeypatch):
    run(sys.executable, "-m", "venv", tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel)
    assert_answers(python, tmp_path, monkeypatch)
    assert "site-packages" in run(python, "-c", "import nbgemini; print(nbgemini.__file__)")


def test_beside_what_colab_has_it_changes_nothing_and_answers(wheel, tmp_path, monkeypatch):
    """Also with the extras that need no package which Colab has in another version."""
    run(os.environ.get("COLAB_PYTHON") or sys.executable, "-m", "venv", tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", ROOT / "tests" / "kernel" / "colab.txt")
    before = installed(python)
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[anthropic,mcp,openai,redis]")
    after = installed(python)
    assert {name: after.get(name) for name in before} == before
    assert {"nbgemini", "msgspec", "nest-asyncio2", "mcp"} <= set(after) - set(before)
    assert_answers(python, tmp_path, monkeypatch)


def installed(python):
    """What an environment has, by name."""
    listed = json.loads(run(python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"))
    return {package["name"].lower(): package["version"] for package in listed}
