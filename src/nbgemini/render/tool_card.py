"""A tool call as a card: its name, its arguments, what became of it and what it returned; all of it as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any, TypeAlias

from nbgemini.formatting import duration_text
from nbgemini.messages.events import ToolCallGrowing, ToolRun
from nbgemini.render.escape import harmless, marked_blanks
from nbgemini.render.math import untypeset

Call: TypeAlias = ToolCallGrowing | ToolRun

_LONGEST = 20_000  # characters of arguments or of a result that the page shows; the model got all of it
_GROWN = 2_000  # characters of arguments that are shown while they come: nobody reads more of them
_MOST_LINES = 20  # arguments that stand line by line
_LONG = 400  # characters of arguments whose reader is told how many there are, before they may run
_CLOSERS = '"}] \t\r\n'  # the rest of the arguments comes before them
_WORDS = {
    "growing": "its arguments are coming…",
    "broken": "arguments incomplete, not run",
    "again": "called before, not run again",
    "proposed": "called",
    "asking": "waiting for approval",
    "running": "running…",
    "done": "done",
    "failed": "failed",
    "refused": "refused",
    "stopped": "not finished: stopped",
    "timed out": "timed out",
}
_OPENED = ("growing", "broken", "asking", "failed", "refused", "timed out")


def card_title(call: Call) -> str:
    """Return the card's one line."""
    seconds = call.seconds if isinstance(call, ToolRun) and call.over else 0.0
    took = duration_text(seconds) if seconds >= 0.05 else ""  # noqa: PLR2004 - shown with one digit
    return f"Tool {_name(call)} · {_WORDS[call.state]}{f' · {took}' if took else ''}{_warning(call)}"


def card_html(call: Call, about: str = "", *, head: bool = False) -> str:
    """Return the card, folded unless something is to be decided or went wrong.

    Args:
        call: what to show.
        about: what its reader should know before it may run.
        head: whether to leave the arguments out.
    """
    opened = " open" if call.state in _OPENED else ""
    known = f"<p><small>{_prose(about)}</small></p>" if about else ""
    boxes = "" if head else "".join(f"<pre>{text}</pre>" for text in _boxes(call))
    return f'<details class="nbgemini-tool"{opened}><summary>{_title(call)}</summary>{known}{boxes}</details>'


def _title(call: Call) -> str:
    """Return the line with its warning in red: by an attribute that also untrusted notebooks and their converters keep."""
    title, warning = _prose(card_title(call)), _warning(call)
    return f'{title.removesuffix(warning)}<font color="#d32f2f"><b>{warning}</b></font>' if warning else title


def _warning(call: Call) -> str:
    if not isinstance(call, ToolRun) or not call.unasked:
        return ""
    return " · ⚠ ran without asking" if call.over else " · ⚠ runs without asking"


def card_text(call: Call) -> str:
    """Return the card without markup."""
    return "\n".join([card_title(call), *_texts(call)])


def length_note(args: Mapping[str, Any]) -> str:
    """Return how long arguments are, where that is worth a word."""
    length = len(_json(args))
    return f"{length:,} characters of arguments" if length > _LONG else ""


def grown_text(call: ToolCallGrowing) -> str:
    """Return what is shown of arguments that still come: as a rule, the beginning of what is shown later."""
    text = call.text.rstrip(_CLOSERS)
    return harmless(text[:_GROWN]) + ("…" if len(text) > _GROWN else "")


def _name(call: Call) -> str:
    return call.name if isinstance(call, ToolCallGrowing) else call.call.name


def _texts(call: Call) -> list[str]:
    if isinstance(call, ToolCallGrowing):
        return [_bounded(call.text) if call.state == "again" else grown_text(call)] if call.text else []
    args = marked_blanks(harmless(_json(call.call.args)))
    texts = [args if call.state == "asking" else _bounded(args)]  # nobody can allow what can't be seen
    if call.response is not None:
        texts.append(_result(call.response))
    return texts


def _boxes(call: Call) -> list[str]:
    """Return arguments and result as HTML: plain values line by line behind their names, all else as JSON."""
    texts = [_escaped(text) for text in _texts(call)]
    if isinstance(call, ToolRun) and 0 < len(call.call.args) <= _MOST_LINES and all(map(_is_plain, call.call.args.values())):
        texts[0] = "\n".join(_line(name, value, whole=call.state == "asking") for name, value in call.call.args.items())
    return texts


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _line(name: str, value: Any, *, whole: bool) -> str:
    """Return an argument as HTML; the lines of a text are indented, so that none of them passes for another argument."""
    text = value if isinstance(value, str) and not _needs_quotes(value) else json.dumps(value, ensure_ascii=False)
    text = marked_blanks(harmless(text))
    text = text if whole else _bounded(text)
    if "\n" in text:
        text = "".join(f"\n  {line}" for line in text.split("\n"))
    name = name if name.isidentifier() else json.dumps(name, ensure_ascii=False)
    return f"<b>{_escaped(marked_blanks(harmless(name)))}:</b> {_escaped(text)}"


def _needs_quotes(text: str) -> bool:
    """Say whether a text would be taken for something else, or for less than it is."""
    if text != text.strip(" ") or not text or text[0] in '"[{':
        return True
    try:
        float(text)
    except ValueError:
        return text in ("true", "false", "null")
    return True


def _result(response: Mapping[str, Any]) -> str:
    """Return a result as its reader knows it: the bare value where there is but one."""
    (only,) = response.values() if len(response) == 1 else (response,)
    return _bounded(only if isinstance(only, str) else _json(only))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n… {len(text) - _LONGEST:,} characters more"


def _prose(text: str) -> str:
    return untypeset(_escaped(text))


def _escaped(text: str) -> str:
    return escape(harmless(text))
