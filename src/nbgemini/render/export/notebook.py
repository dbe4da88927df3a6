"""A chat as a notebook: its cells ask again where nbgemini is installed, and show the same outputs where it is not.

Source: the nbformat 4.5 schema.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from nbgemini.formatting import money_text, tokens_text
from nbgemini.render.export.markdown import escaped
from nbgemini.render.export.model import Entry, ExportedChat
from nbgemini.render.mimebundle import metadata_of, prompt_picture, recalled_bundle, status_bundle


def to_notebook(chat: ExportedChat) -> str:
    """Return the file's text; thoughts are folded, as in the notebook that they come from."""
    cells = [_title(chat), _code("load", "%load_ext nbgemini", 1, [])]
    cells += [_asked(chat, number, entry) for number, entry in enumerate(chat.entries)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def _title(chat: ExportedChat) -> dict[str, Any]:
    facts = (chat.model, f"exported {chat.at}", tokens_text(chat.usage), money_text(chat.cost))
    text = f"# {escaped(chat.name)}\n\n{' · '.join(escaped(fact) for fact in facts if fact)}"
    return {"cell_type": "markdown", "id": "chat", "metadata": {}, "source": text}


def _asked(chat: ExportedChat, number: int, entry: Entry) -> dict[str, Any]:
    system = f" -s {shlex.quote(chat.system)}" if chat.system and "\n" not in chat.system else ""
    source = f"%%gemini -c {shlex.quote(' '.join(chat.name.split()))}{system}\n{entry.prompt}"
    form = entry.exchange.facts.format if entry.exchange.facts else None
    shown = [prompt_picture(media) for media in entry.attached]
    shown += [recalled_bundle(segment, form) for segment in entry.segments]
    shown += [status_bundle(entry.facts)] if entry.facts else []
    metadata = metadata_of(chat.name, number)
    outputs = [{"output_type": "display_data", "data": data, "metadata": metadata} for data in shown]
    return _code(f"exchange-{number + 1}", source, number + 2, outputs)


def _code(name: str, source: str, count: int, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"cell_type": "code", "id": name, "metadata": {}, "execution_count": count, "source": source, "outputs": outputs}
