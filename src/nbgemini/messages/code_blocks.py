"""The code in an answer: what its fences hold, or all of it if it has none."""

from __future__ import annotations

import re

_FENCE = re.compile(
    r"^(?P<indent>[ ]{0,3})(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)\n(?P<code>.*?)(?:^[ ]{0,3}(?P=fence)[`~]*[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)


def code_of(text: str, *, bare: bool = False) -> str:
    """Return the code of all blocks, a blank line between them; `bare`: a text without any fence is code itself."""
    text = text.replace("\r\n", "\n")
    blocks = [_unindented(found["code"], len(found["indent"])) for found in _FENCE.finditer(text)]
    if not blocks and bare:
        return text.strip("\n")
    return "\n\n".join(block.strip("\n") for block in blocks if block.strip())


def _unindented(code: str, spaces: int) -> str:
    return re.sub(rf"^ {{1,{spaces}}}", "", code, flags=re.MULTILINE) if spaces else code
