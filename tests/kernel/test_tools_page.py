"""docs/tools.md, run block by block in a kernel."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.kernel.conftest import complaints, outputs, parent

PAGE = Path(__file__).parents[2] / "docs" / "tools.md"


def test_each_block_of_the_page_runs_and_does_what_it_says(fresh_kernel, tmp_path):
    fresh_kernel.run(f"%load_ext nbgemini\n%gemini demo\nimport os\nos.chdir({str(tmp_path)!r})")
    fresh_kernel.run(
        "os.environ.update(GEMINI_API_KEY='a-good-key', GOOGLE_GEMINI_BASE_URL=get_ipython()._nbgemini[1].asking.session.backend._service.url)"
    )
    cards, said, printed = [], [], ""
    for language, code in re.findall(r"^```([^\n]*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        if "file=" in language:
            (tmp_path / language.partition("file=")[2]).write_text(code)
            continue
        messages = fresh_kernel.run(code.replace('"python"', repr(sys.executable)), sits=False)
        shown = outputs(messages, parent(messages[-1]))
        said += complaints(messages)
        printed += "".join(output.get("stream", "") for output in shown)
        cards += [output["data"] for output in shown if "nbgemini-tool" in str(output.get("data"))]
    titles = [re.sub(r" · [\d.]+ s", "", card["text/plain"].splitlines()[0]) for card in cards]
    assert titles == [
        "Tool weather · refused",  # nobody is there
        "Tool add · done",
        "Tool dot · done",
        "Tool forecast · done · ⚠ ran unasked",
        "Tool add · done",
    ]
    assert "data:image/png" in cards[2]["text/html"]
    (refused,) = said
    assert "approve auto is refused: together these tools read what is private (inbox)" in refused
    assert "rain in Rome" in printed
