"""A command's table is a table on every page: with no stylesheet at all, with VS Code's rules, in JupyterLab before any widget."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nbgemini.render.mimebundle import table_bundle

ROWS = [
    (
        "gemini-2.5-flash-preview-native-audio",
        "1,048,576",
        "a model that hears and speaks, which takes some words to say",
        "$0.30",
    ),
    ("gemini-flash-latest", "1,048,576", "short", "$2.50"),
]
TABLE = table_bundle(("model", "context", "what it is", "USD"), ROWS)["text/html"]
# the rules of VS Code for a table in an output
VS_CODE = """<style>table, thead, tr, th, td, tbody { border: none; border-color: transparent; border-spacing: 0; border-collapse: collapse; }
table, th, tr { vertical-align: middle; text-align: right; }
thead { font-weight: bold; background-color: rgba(130, 130, 130, 0.16); }
th, td { padding: 4px 8px; }
tr:nth-child(even) { background-color: rgba(130, 130, 130, 0.08); }</style>"""
LOOK = """() => {
  const [head, cell] = ["thead", "td"].map((tag) => document.querySelector(tag));
  const style = getComputedStyle(cell);
  return {
    line: getComputedStyle(head).borderBottomStyle, padding: style.paddingLeft, align: style.verticalAlign,
    side: getComputedStyle(cell.firstChild).textAlign, wide: document.body.scrollWidth <= innerWidth,
  };
}"""


PAGES = {"bare": ("", "6px", "top"), "vscode": (VS_CODE, "8px", "middle")}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("place", PAGES)
def test_a_table_without_our_stylesheet(chromium, theme, place):
    style, padding, align = PAGES[place]
    page = chromium.new_page(viewport={"width": 420, "height": 260})
    look = f"color-scheme: {theme}; font: 13px sans-serif"
    page.set_content(f"<!doctype html><html style='{look}'>{style}<body>{TABLE}</body></html>")
    folder = Path(os.environ.get("NBGEMINI_SCREENSHOTS", "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(folder / f"table-{place}-{theme}.png"))
    look = page.evaluate(LOOK)
    page.close()
    assert (look["line"], look["padding"], look["align"], look["wide"]) == ("solid", padding, align, True)
    assert look["side"].endswith("left")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_tables_of_commands_before_any_widget(notebook, theme):
    book = notebook(["%load_ext nbgemini\n%gemini demo", "%gemini models\n%gemini usage\n%gemini chats"])
    book.dark(theme == "dark")
    book.run(0)
    book.wait_text(0, "offline service")
    book.run(1)
    book.wait("() => document.querySelector('.nbgemini-table table')")
    assert not book.page.evaluate(
        "() => [...document.styleSheets].some(({ cssRules: [rule] }) => rule?.cssText.includes('nbg-live'))"
    )
    book.screenshot(f"tables-{theme}")
