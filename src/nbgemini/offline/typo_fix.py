"""The one kind of error that the offline service can mend: a name or a key that is another one misspelled."""

from __future__ import annotations

import difflib
import re

_FAILED = re.compile(r"^Code in my notebook failed with (?:NameError|KeyError|AttributeError): (.*)$", re.MULTILINE)
_CELL = re.compile(r"^Cell \[\d+\], which failed:\n```python\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_VALUES = re.compile(r"^Values when it failed:\n```\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r"[^\W\d]\w*")
_LONGEST = 20_000  # characters of a prompt that are looked at


def mended(prompt: str) -> list[tuple[str, str]] | None:
    """Return thought and answer that correct a misspelled word, if that is what the prompt is about."""
    told = prompt[:_LONGEST]
    failed, cell, values = _FAILED.search(told), _CELL.search(told), _VALUES.search(told)
    quoted = re.findall(r"'([^']+)'", failed[1]) if failed else []
    if not quoted or not cell:
        return None
    wrong = quoted[-1]
    known = {*_WORD.findall(values[1] if values else ""), *_WORD.findall(cell[1])} - {wrong}
    near = difflib.get_close_matches(wrong, sorted(known), n=1)
    return _correction(wrong, near[0], cell[1]) if near else None


def _correction(wrong: str, right: str, cell: str) -> list[tuple[str, str]]:
    corrected = re.sub(rf"\b{re.escape(wrong)}\b", lambda _: right, cell)
    answer = (
        f"There is no `{wrong}`, but there is `{right}`: a misspelling.\n\n```python\n{corrected}\n```\n\n"
        "*From nbgemini's offline service, not from Gemini.*"
    )
    return [("thought", f"**Looking for a neighbour**\n\n`{wrong}` is not there; what is nearest?\n\n\n"), ("answer", answer)]
