"""A chat as a file that its reader can open without us: Markdown, a notebook, or JSON that can be loaded again; pure.

Invariant: what a model said is hostile in every one of them.
"""

from nbgemini.export.data import loaded, to_json
from nbgemini.export.markdown import to_markdown
from nbgemini.export.notebook import to_notebook
from nbgemini.export.said import Entry, Said

__all__ = ["Entry", "Said", "loaded", "to_json", "to_markdown", "to_notebook"]
