"""Everything that a model sends, seen in JupyterLab: live, at rest, in both themes, and in a file that nobody trusts."""

from __future__ import annotations

import json

import pytest

from tests.kinds import KINDS, prompt
from tests.support.jupyter import CELLS, kinds, start

SEEN = f"""() => {{
  const images = [...{CELLS}[1].querySelectorAll("img")];
  return images.length === 2 && images.every(image => image.complete && image.naturalWidth > 0);
}}"""
PLAYABLE = f"() => {CELLS}[1].querySelector('audio')?.duration > 1.1 && {CELLS}[1].querySelector('audio').duration < 1.3"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_kinds_in_one_notebook(notebook, theme):
    book = start(notebook, f"%%gemini\n{prompt(gap=0.05)}")
    book.dark(theme == "dark")
    book.page.set_viewport_size({"width": 1100, "height": 1500})
    book.run(1)
    book.wait_text(1, "Searched for")
    book.wait(f"() => {CELLS}[1].querySelector('.nbgemini-status')")
    book.wait(SEEN)
    book.wait(PLAYABLE)
    assert book.cell(1).locator("sup").all_inner_texts() == ["[1]", "[2]"]
    book.cell(1).evaluate("cell => cell.scrollIntoView()")
    book.screenshot(f"kinds-{theme}")
    assert kinds(book.save(), 1) == [*KINDS, "status"]
    book.dark(dark=False)


def test_pictures_are_seen_in_a_file_that_nobody_trusts(notebook, tmp_path):
    book = start(notebook, f"%%gemini\n{prompt()}")
    book.run(1)
    book.wait_text(1, "Searched for")
    book.wait(f"() => {CELLS}[1].querySelector('.nbgemini-status')")
    saved = book.save()
    for cell in saved["cells"]:
        cell["metadata"].pop("trusted", None)
    path = tmp_path / "strange.ipynb"
    path.write_text(json.dumps(saved).replace("Searched for", "Asked for"))  # another file than the one that was trusted
    other = notebook(path)
    other.wait_text(1, "Asked for")
    other.wait(SEEN)
    other.screenshot("kinds-untrusted")
    other.wait(PLAYABLE)
    assert "Sound from the model (1.2 s, WAV" in other.cell(1).inner_text()
