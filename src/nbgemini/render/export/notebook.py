"""A chat as a notebook: its cells ask again where nbgemini is installed, and show the same outputs where it is not.

Source: the nbformat 4.5 schema.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from nbgemini.formatting import money_text, tokens_text
from nbgemini.render.export.markdown import escaped
from nbgemini.render.export.model import Entry, Said
from nbgemini.render.mimebundle import metadata_of, prompt_picture, recalled_bundle, status_bundle


def to_notebook(said: Said) -> str:
    """Return the file's text; thoughts are folded, as in the notebook that they come from."""
    cells = [_title(said), _code("load", "%load_ext nbgemini", 1, [])]
    cells += [_asked(said, number, entry) for number, entry in enumerate(said.entries)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def _title(said: Said) -> dict[str, Any]:
    facts = (said.model, f"exported {said.at}", tokens_text(said.usage), money_text(said.cost))
    text = f"# {escaped(said.chat)}\n\n{' · '.join(escaped(fact) for fact in facts if fact)}"
    return {"cell_type": "markdown", "id": "chat", "metadata": {}, "source": text}


def _asked(said: Said, number: int, entry: Entry) -> dict[str, Any]:
    system = f" -s {shlex.quote(said.system)}" if said.system and "\n" not in said.system else ""
    source = f"%%gemini -c {shlex.quote(' '.join(said.chat.split()))}{system}\n{entry.prompt}"
    shown = [prompt_picture(media) for media in entry.attached]
    form = entry.exchange.facts.format if entry.exchange.facts else None
    shown += [
        *(recalled_bundle(segment, form) for segment in entry.segments),
        *([status_bundle(entry.facts)] if entry.facts else []),
    ]
    metadata = metadata_of(said.chat, number)
    outputs = [{"output_type": "display_data", "data": data, "metadata": metadata} for data in shown]
    return _code(f"exchange-{number + 1}", source, number + 2, outputs)


def _code(name: str, source: str, count: int, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"cell_type": "code", "id": name, "metadata": {}, "execution_count": count, "source": source, "outputs": outputs}
