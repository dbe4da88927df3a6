"""A tool call as a card: what it is, its arguments, what became of it and what it returned; nothing in it is markup."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from nbgemini.formatting import duration_text
from nbgemini.messages.events import ToolCallGrowing, ToolRun
from nbgemini.render.code import code_html
from nbgemini.render.escape import harmless, marked_blanks, plain_html
from nbgemini.render.math import prose
from nbgemini.render.sanitize import sanitize

Call: TypeAlias = ToolCallGrowing | ToolRun

_LONGEST = 20_000  # characters of arguments or of a result that the page shows; the model got all of it
_GROWN = 2_000  # characters of arguments that are shown while they come: nobody reads more of them
_MOST_LINES = 20  # arguments that stand line by line
_MOST_COLOURED = 4_000  # characters of code or JSON
_PRINTING = 1_000  # characters of what a call prints that are shown while it runs
_SHORT = 300  # characters of a result that is not folded,
_FEW_LINES = 6  # and its lines
_CODE = {  # arguments that hold code, if it has lines
    **dict.fromkeys(("code", "python", "source"), "python"),
    **dict.fromkeys(("bash", "command", "script", "shell"), "bash"),
    **{language: language for language in ("css", "html", "javascript", "sql")},
}
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
    """Return the card, with what is to be known `about` it before it runs; folded unless something is open or went wrong."""
    opened = " open" if call.state in _OPENED else ""
    name, warning = f"Tool {_name(call)}", _warning(call)
    rest = prose(card_title(call).removeprefix(name).removesuffix(warning))
    red = f'<font color="#d32f2f"><b>{warning}</b></font>' if warning else ""  # also untrusted notebooks keep this attribute
    summary = f"Tool <b>{prose(_name(call))}</b>{rest}{red}"
    words = [prose(line) for line in (call.about if isinstance(call, ToolRun) else "", about) if line]
    known = f"<p><small>{'<br>'.join(words)}</small></p>" if words else ""
    boxes = "" if head else _arguments_html(call) + _printed_html(call) + _result_html(call)
    return f'<details class="nbgemini-tool"{opened}><summary>{summary}</summary>{known}{boxes}</details>'


def _warning(call: Call) -> str:
    if not isinstance(call, ToolRun) or not call.unasked:
        return ""
    return " · ⚠ ran without asking" if call.over else " · ⚠ runs without asking"


def card_text(call: Call) -> str:
    """Return the card without markup."""
    lines = [card_title(call)]
    if arguments := _arguments_text(call):
        lines.append(arguments)
    if printed := _printed(call):
        lines.append(f"Printed: {printed}")
    if isinstance(call, ToolRun) and call.response is not None:
        lines.append(_result(call.response))
    return "\n".join(lines)


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


def _printed(call: Call) -> str:
    """Return what the call has printed; while it runs, the end of that."""
    text = call.printed.rstrip() if isinstance(call, ToolRun) else ""
    return harmless(text[-_PRINTING:] if call.state == "running" else text)


def _printed_html(call: Call) -> str:
    text = _printed(call)
    return _folded_unless_short("Printed", text, f"<pre>{plain_html(text)}</pre>") if text else ""


def _arguments_text(call: Call) -> str:
    if isinstance(call, ToolCallGrowing):
        return _bounded(call.text) if call.state == "again" else grown_text(call)
    args = marked_blanks(harmless(_json(call.call.args)))
    return args if call.state == "asking" else _bounded(args)  # nobody can allow what can't be seen


def _arguments_html(call: Call) -> str:
    """Return the arguments as HTML: plain values line by line behind their names, code in colours, all else as JSON."""
    if isinstance(call, ToolCallGrowing):
        return f"<pre>{plain_html(_arguments_text(call))}</pre>" if call.text else ""
    args = call.call.args
    if not args:
        return "<p><small>no arguments</small></p>"
    if len(args) > _MOST_LINES or not all(isinstance(value, str | int | float | None) for value in args.values()):
        return _coloured(_arguments_text(call), "json")
    whole, pieces, lines = call.state == "asking", [], []
    for name, value in args.items():
        if not (name in _CODE and isinstance(value, str) and "\n" in value.strip()):
            lines.append(_line(name, value, whole=whole))
            continue
        shown = marked_blanks(harmless(value.rstrip("\n")))
        lines.append(f"<b>{plain_html(name)}:</b>")
        pieces += ["<pre>", "\n".join(lines), "</pre>", _coloured(shown if whole else _bounded(shown), _CODE[name])]
        lines = []
    return "".join(pieces) + ("<pre>" + "\n".join(lines) + "</pre>" if lines else "")


def _result_html(call: Call) -> str:
    """Return the result as HTML, folded unless it is short."""
    if not isinstance(call, ToolRun) or call.response is None:
        return ""
    text = _result(call.response)
    title = "Result" if call.state == "done" else "What the model was told"
    box = _coloured(text, "json") if text[:1] in ("{", "[") else f"<pre>{plain_html(text)}</pre>"
    return _folded_unless_short(title, text, box)


def _folded_unless_short(title: str, text: str, box: str) -> str:
    if len(text) <= _SHORT and text.count("\n") < _FEW_LINES:
        return f"<p><small>{title}</small></p>{box}"
    return f"<details><summary><small>{title} · {len(text):,} characters</small></summary>{box}</details>"


def _coloured(text: str, language: str) -> str:
    return sanitize(code_html(harmless(text), language, coloured=len(text) <= _MOST_COLOURED))


def _line(name: str, value: Any, *, whole: bool) -> str:
    """Return an argument as HTML; the lines of a text are indented, so that none of them passes for another argument."""
    text = value if isinstance(value, str) and not _needs_quotes(value) else json.dumps(value, ensure_ascii=False)
    text = marked_blanks(harmless(text))
    text = text if whole else _bounded(text)
    if "\n" in text:
        text = "".join(f"\n  {line}" for line in text.split("\n"))
    name = name if name.isidentifier() else json.dumps(name, ensure_ascii=False)
    return f"<b>{plain_html(marked_blanks(harmless(name)))}:</b> {plain_html(text)}"


def _needs_quotes(text: str) -> bool:
    """Say whether a text would be taken for something else, or for less than it is."""
    with suppress(ValueError):
        float(text)
        return True
    return text != text.strip(" ") or not text or text[0] in '"[{' or text in ("true", "false", "null")


def _result(response: Mapping[str, Any]) -> str:
    """Return a result as its reader knows it: the bare value where there is but one."""
    (only,) = response.values() if len(response) == 1 else (response,)
    return _bounded(only if isinstance(only, str) else _json(only))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n… {len(text) - _LONGEST:,} characters more"
