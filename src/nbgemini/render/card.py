"""A tool call as a card: its name, its arguments, what became of it and what it returned; all of it as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from nbgemini.events import ToolRun
from nbgemini.render.formulas import untypeset
from nbgemini.render.text import harmless

_LONGEST = 20_000  # characters of arguments or of a result that the page shows; the model got all of it
_WORDS = {
    "proposed": "called",
    "asking": "may it run?",
    "running": "running…",
    "done": "done",
    "failed": "failed",
    "refused": "refused",
    "stopped": "not finished: stopped",
    "timed out": "timed out",
}


def card_title(run: ToolRun) -> str:
    """Return the card's one line."""
    time = f" · {run.seconds:.1f} s" if run.over and run.seconds >= 0.05 else ""  # noqa: PLR2004 - shown with one digit
    return f"Tool {run.call.name} · {_WORDS[run.state]}{time}"


def card_html(run: ToolRun) -> str:
    """Return the card, folded unless something is to be decided or went wrong."""
    opened = " open" if run.state in ("asking", "failed", "refused", "timed out") else ""
    boxes = "".join(f"<pre>{_escaped(text)}</pre>" for text in _texts(run))
    return f'<details class="nbgemini-tool"{opened}><summary>{untypeset(_escaped(card_title(run)))}</summary>{boxes}</details>'


def card_text(run: ToolRun) -> str:
    """Return the card without markup."""
    return "\n".join([card_title(run), *_texts(run)])


def _texts(run: ToolRun) -> list[str]:
    texts = [_pretty(run.call.args)]
    if run.response is not None:
        texts.append(_result(run.response))
    return texts


def _result(response: Mapping[str, Any]) -> str:
    """Return a result as its reader knows it: the bare value where there is but one."""
    (only,) = response.values() if len(response) == 1 else (response,)
    return _bounded(only) if isinstance(only, str) else _pretty(only)


def _pretty(value: Any) -> str:
    return _bounded(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n… {len(text) - _LONGEST:,} characters more"


def _escaped(text: str) -> str:
    return escape(harmless(text))
