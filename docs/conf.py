"""Sphinx's configuration: the pages of this folder in MyST Markdown, the example notebooks with the outputs they were saved with."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbgemini

HERE = Path(__file__).parent

# The example notebooks live beside `src`; Sphinx reads only what is below this folder.
EXAMPLES = HERE / "examples"
for notebook in (HERE.parent / "notebooks").glob("*.ipynb"):
    shutil.copy(notebook, EXAMPLES / notebook.name)

project = "nbgemini"
author = "The nbgemini authors"
release = nbgemini.__version__ if hasattr(nbgemini, "__version__") else "0.1.0"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
nitpicky = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_mime_priority_overrides = [("html", "text/latex", None)]  # answers hold HTML; their LaTeX is for nbconvert

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "nbgemini"
html_static_path: list[str] = []
copybutton_exclude = ".linenos, .gp"
