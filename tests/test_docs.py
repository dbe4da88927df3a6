"""The pages say what the program does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_of_options_is_the_parsers():
    spec = importlib.util.spec_from_file_location("make_magics", ROOT / "docs" / "make_magics.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page()


def test_every_link_of_the_pages_leads_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_every_test_that_a_page_names_exists():
    page = (ROOT / "docs" / "where-it-works.md").read_text(encoding="utf-8")
    named = re.findall(r"`(?:(\w+)/)?(test_\w+\.py)::(test_\w+)`", page)
    assert len(named) == page.count("::") > 30
    for folder, file, test in named:
        source = (ROOT / "tests" / (folder or "kernel") / file).read_text(encoding="utf-8")
        assert re.search(rf"^(?:async )?def {test}\(", source, re.MULTILINE), (file, test)
