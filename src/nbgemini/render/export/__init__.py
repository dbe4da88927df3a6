"""A chat as a file that its reader can open without us: Markdown, a notebook, or JSON that can be loaded again; pure.

Invariant: what a model said is hostile in every one of them.
"""

from nbgemini.render.export.json import loaded, to_json
from nbgemini.render.export.markdown import to_markdown
from nbgemini.render.export.model import Entry, ExportedChat
from nbgemini.render.export.notebook import to_notebook

__all__ = ["Entry", "ExportedChat", "loaded", "to_json", "to_markdown", "to_notebook"]
