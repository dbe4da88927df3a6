"""A map on the page: a bar and Stop while it runs, a line and a table at rest, in the saved file too."""

from __future__ import annotations

import json

import pytest

from tests.support.outputs import is_live, kind_of

SETUP = """%load_ext nbgemini
%gemini demo fast
import pandas as pd
import json
slow = "offline: " + json.dumps({"parts": [["answer", "a short summary with <b>marks</b>"]], "gap": 0.6})
df = pd.DataFrame({"city": ["Oslo", "Rome", "Lima"] * 40, "say": [slow] * 120})
df.loc[2, "say"] = 'offline: {"status": 400, "error": {"status": "INVALID_ARGUMENT", "message": "this row is too long"}}'
"""
BAR = "document.querySelectorAll('.jp-Notebook .jp-Cell')[1].querySelector('.nbg-status')"

CELLS = [SETUP, "%%gemini map -n 4 df\nAbout {city}:\n{say}", "1 + 1"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_bar_grows_stop_keeps_what_is_done_and_the_file_holds_it(notebook, theme):
    one = notebook(CELLS)
    one.dark(theme == "dark")
    one.run(0)
    one.wait_text(0, "offline service")
    one.run(1)
    one.wait(f"() => /\\b[1-9]\\d* of 120 rows/.test({BAR}?.innerText || '') && {BAR}.querySelector('progress').value > 0")
    one.wait(f"() => {BAR}.innerText.includes('4 at once')")
    one.screenshot(f"map-runs-{theme}")
    one.run(2)
    one.wait_text(2, "2")  # the kernel is free meanwhile
    one.page.get_by_role("button", name="Stop").first.click()
    one.wait_text(1, "not finished")
    one.wait("() => document.querySelectorAll('.jp-Notebook .jp-Cell')[1].querySelector('table')")
    one.screenshot(f"map-rests-{theme}")
    (shown,) = one.texts(1)
    assert "this row is too long" in shown
    assert "<b>marks</b>" in shown  # as written, not as markup
    file = one.save()
    (output,) = file["cells"][1]["outputs"]
    assert output["metadata"]["nbgemini"] == {"chat": None, "turn": None}
    assert (kind_of(output["data"]), is_live(output["data"])) == ("map", False)
    assert [*output["data"]] == ["text/html", "text/plain"]
    assert "widget" not in json.dumps(output)
