"""The cells above as context: what was run last, as typed, with the text that came of it, from IPython's own history.

What a cell printed is among it in a terminal alone: in a kernel IPython keeps results and errors, but no streams.
Cells of %%gemini don't count: what was asked and answered is in the chat.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from nbgemini.messages.attachments import note
from nbgemini.messages.turns import NOTE, Part
from nbgemini.prompts.jsonable import cut
from nbgemini.prompts.values import fence

SOURCE, OUTPUT = 8_000, 4_000  # characters of one cell
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


def cells_above(shell: Any, count: int) -> Part | None:
    """Return the last `count` cells that ran before this one; None if there are none."""
    sources = list(enumerate(shell.history_manager.input_hist_raw))[1 : shell.execution_count]
    chosen = [(number, source) for number, source in sources if source.strip() and not _asks(source)][-count:]
    if not chosen:
        return None
    text = "\n".join(_cell(shell, number, source) for number, source in chosen)
    words = f"Context: the last {_cells(len(chosen))} of this notebook, run before the prompt below.\n\n{text}\n"
    return {"text": words, NOTE: note(f"{_cells(len(chosen))} above", "context", len(words.encode("utf-8", "replace")))}


def _cells(count: int) -> str:
    return "cell" if count == 1 else f"{count} cells"


def _asks(source: str) -> bool:
    return source.lstrip().startswith(("%%gemini", "%gemini"))


def _cell(shell: Any, number: int, source: str) -> str:
    outputs = cut(_ANSI.sub("", "\n".join(filter(None, _outputs(shell, number)))).strip(), OUTPUT)
    came = f"Output of [{number}]:\n{fence(outputs)}" if outputs else ""
    return f"Cell [{number}]:\n{fence(cut(source.strip(), SOURCE), 'python')}{came}"


def _outputs(shell: Any, number: int) -> Iterator[str]:
    """Yield the texts that came of a cell, as far as IPython keeps them: 9 and later keep more."""
    history = shell.history_manager
    seen = list((getattr(history, "outputs", None) or {}).get(number, ()))
    for output in seen:
        text = output.bundle.get("stream") or output.bundle.get("text/plain") or ""
        yield text if isinstance(text, str) else "".join(text)
    if number in history.output_hist and not any(output.output_type == "execute_result" for output in seen):
        yield _pretty(history.output_hist[number])
    if failed := (getattr(history, "exceptions", None) or {}).get(number):
        yield f"{failed.get('ename', '')}: {failed.get('evalue', '')}"


def _pretty(value: Any) -> str:
    from IPython.lib.pretty import pretty  # noqa: PLC0415 - bounds long lists, as cells do

    try:
        return pretty(value)
    except Exception as error:  # noqa: BLE001 - any object may have been shown
        return f"{type(value).__name__}, which can't be shown: {type(error).__name__}"
