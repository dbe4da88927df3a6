"""A file on its way to the service: a bar in the theme while it goes, and nothing of it at rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.jupyter import CELLS

SETUP = f"""import os, pathlib, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from nbgemini.offline import OfflineService
from tests.fakes.narrow import NarrowLine
service = OfflineService(pace=0).__enter__()
line = await NarrowLine(service.url, 3_000_000, "stall").__aenter__()
os.environ |= {{"GOOGLE_GEMINI_BASE_URL": line.url, "GEMINI_API_KEY": "any"}}
%load_ext nbgemini
talk = pathlib.Path("talk.pdf")
talk.write_bytes(b"%PDF-1.7 ".ljust(7 << 20)) and None
print("ready")"""
BAR = f"{CELLS}[1].querySelector('progress')"
COLOUR = "() => getComputedStyle(document.querySelector('.nbg-status')).getPropertyValue('--jp-brand-color1').trim()"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_file_that_is_uploaded_has_a_bar(notebook, theme):
    book = notebook([SETUP, "%%gemini\nSum this up: {talk}"])
    book.dark(theme == "dark")
    book.run(0)
    book.wait_text(0, "ready")
    book.run(1)
    book.wait(f"() => {BAR}?.checkVisibility() && {BAR}.value > 0.1 && {BAR}.value < 0.5")
    book.wait_text(1, "uploading talk.pdf")
    book.cell(1).evaluate("cell => cell.scrollIntoView()")
    book.screenshot(f"upload-{theme}")
    book.cell(1).get_by_role("button", name="Stop this answer").click()
    book.wait(f"() => {CELLS}[1].querySelector('.nbgemini-status:not(.nbgemini-live)')")
    assert book.cell(1).locator("progress").count() == 0
    assert "stopped" in book.texts(1)[-1]
