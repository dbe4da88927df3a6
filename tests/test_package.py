"""The public face, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import nbgemini


def test_the_face_is_small_and_every_name_is_there():
    assert len(nbgemini.__all__) <= 15
    assert all(getattr(nbgemini, name) for name in nbgemini.__all__)


def test_importing_and_loading_pulls_in_nothing_heavy():
    code = (
        "import sys, nbgemini, nbgemini.extension\n"
        "heavy = {'httpx2', 'google.genai', 'pydantic', 'ipywidgets', 'anywidget', 'markdown_it', 'nh3', 'msgspec', 'nbgemini.chat.reply', 'nbgemini.notebook.config'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
