"""Sphinx's configuration: the pages of this folder in MyST Markdown, the example notebooks with the outputs they were saved with."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pygments.lexer import RegexLexer, bygroups, using
from pygments.lexers.python import PythonLexer
from pygments.token import Keyword, Text

HERE = Path(__file__).parent

for notebook in (HERE.parent / "notebooks").glob("*.ipynb"):  # Sphinx reads only what is below its own folder
    shutil.copy(notebook, HERE / "examples" / notebook.name)

project = "nbgemini"
author = "The nbgemini authors"
release = version = version("nbgemini")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]

myst_heading_anchors = 3
nb_execution_mode = "off"
nb_mime_priority_overrides = [("html", "text/html", 0)]  # an answer rests as HTML; its LaTeX is for nbconvert
suppress_warnings = ["mystnb.unknown_mime_type"]

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

mathjax4_config = {  # formulas of answers stay LaTeX in their HTML; nothing else on a page is searched for them
    "options": {"ignoreHtmlClass": "page", "processHtmlClass": "math|nbgemini-answer|nbgemini-thought"},
    "tex": {"inlineMath": [["$", "$"], ["\\(", "\\)"]]},
}

html_theme = "furo"
html_title = "nbgemini"


class CellLexer(RegexLexer):
    """A notebook's cell: a prompt is text, everything else is Python with magics."""

    name = "Jupyter cell"
    tokens = {  # noqa: RUF012 - as Pygments wants it
        "root": [
            (r"(%%gemini[^\n]*)(\n(?:.|\n)*)?", bygroups(Keyword, Text)),
            (r"(%%?\w+)([^\n]*)(\n?)", bygroups(Keyword, Text, Text)),
            (r"[^%\n][^\n]*\n?(?:(?!%)[^\n]*\n?)*", using(PythonLexer)),
            (r"\n|.", Text),
        ],
    }


def setup(app: Any) -> None:
    """Let Sphinx know what cells look like, and let each page typeset formulas: Sphinx can't see those of outputs."""
    app.add_lexer("ipython", CellLexer)
    app.set_html_assets_policy("always")
