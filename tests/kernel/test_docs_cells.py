"""Every cell of README and docs, run from top to bottom in a kernel, page by page: offline, without a key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kernel.conftest import Kernel, complaints
from tests.support.documents import PAGES, ROOT, blocks

CELLS = {page: [block.code for block in blocks(page) if block.language == "ipython"] for page in PAGES}
GENERATED = ROOT / "docs" / "reference" / "magics.md"  # tests/notebook/magics/test_help.py runs its examples
FAIL = {  # by the page, what fails on purpose: the beginning of the cell, and of what is said then
    "docs/tutorial/first-notebook.md": [('total = sum(sales["revenu"])', "'revenu'")],
    "docs/how-to/code.md": [("words = ", "list index out of range")],
    "docs/how-to/tools.md": [("%%gemini -t add,inbox", "approve auto is refused")],
}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if CELLS[page] and page != GENERATED], ids=lambda page: str(page.relative_to(ROOT))
)
def test_cells_run_from_top_to_bottom(page, python, tmp_path):
    path = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"  # where a page says "python", it is the kernel's
    kernel = Kernel(python, JUPYTER_DATA_DIR=str(tmp_path / "data"), PATH=path)
    try:
        kernel.run(f"import os\nos.chdir({str(tmp_path)!r})\n%load_ext nbgemini\n%gemini demo fast")
        failed = []
        for cell in CELLS[page]:
            said = complaints(kernel.run(cell.replace("%gemini demo\n", "%gemini demo fast\n"), sits=False))
            failed += [(cell, "\n".join(said))] if said else []
        expected = FAIL.get(str(page.relative_to(ROOT)), [])
        assert len(failed) == len(expected), failed
        for (cell, said), (begins, words) in zip(failed, expected, strict=True):
            assert cell.startswith(begins)
            assert words in said
    finally:
        kernel.close()
