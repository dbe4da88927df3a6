"""A wheel in a clean environment loads the extension and answers: the first thing a new user does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebook.test_terminal import run_ipython

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.wheel, pytest.mark.timeout(900)]


def test_the_wheel_installs_and_answers(tmp_path, monkeypatch):
    def run(*command):
        subprocess.run([str(word) for word in command], check=True, cwd=tmp_path, timeout=600)

    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("nbgemini-*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.chdir(tmp_path)
    printed = run_ipython(tmp_path, "%load_ext nbgemini\n%gemini demo fast\n%gemini ask what is 2 + 3\n")
    assert "2 + 3 = **5**" in printed
    found = subprocess.run(
        [python, "-c", "from nbgemini.cli import _quickstart; print(_quickstart())"], check=True, capture_output=True, text=True
    )
    assert "site-packages" in found.stdout
