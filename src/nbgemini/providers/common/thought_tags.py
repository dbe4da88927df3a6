"""Thoughts that a server leaves in the text of an answer, between tags: `<think>…</think>` and what other models write for it.

They belong at the beginning of a text and nowhere else: a tag opens a thought only while nothing but blanks and other thoughts
came. So an answer that names such tags, in prose or in code, stays as it is. Without a tag that closes it all is thought.
Invariant (property-tested): however the text is cut, thoughts and answer are the same; the work is linear in the text.
Sources: the chat templates of Qwen3, DeepSeek R1, Magistral, Seed-OSS, Kimi-VL, Nova, Reka Flash, Command A, OpenThinker and
gpt-oss; Google's endpoint in OpenAI's dialect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

_TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<reasoning>": "</reasoning>",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel|>analysis<|message|>": "<|end|><|start|>assistant<|channel|>final<|message|>",
}
_ANY = (*_TAGS, *_TAGS.values())  # one that closes, at the beginning: what was thought came elsewhere
_LONGEST = max(map(len, _ANY))
_WORD = re.compile(r"\S")

Said: TypeAlias = tuple[bool, str]  # whether it is a thought, and its text


class TaggedText:
    """One text that comes in pieces.

    Attributes:
        plain: the answer has begun: whatever comes now is answer, and need not be looked at.
    """

    def __init__(self) -> None:
        """Begin before the text."""
        self.plain = False
        self._first = True  # no tag came yet
        self._closed_by = ""  # the tag that ends the open thought
        self._held = ""  # what may be the beginning of a tag
        self._blank: list[str] = []  # what is said once something comes behind it
        self._said = False  # anything of the open thought

    def take(self, text: str) -> Iterator[Said]:
        """Yield what is known now of a text with this next piece."""
        text, at, self._held = self._held + text, 0, ""
        while at < len(text) and not self.plain:
            if self._closed_by:
                piece, at = self._inside(text, at)
                if piece:
                    yield True, piece
            else:
                at = self._before(text, at)
        if self.plain and (rest := "".join((*self._blank, text[at:]))):
            self._blank = []
            yield False, rest

    def end(self) -> Iterator[Said]:
        """Yield what was held back: the text is whole."""
        rest, self._held = self._held, ""
        if self._closed_by:
            if piece := self._spoken(rest):
                yield True, piece
        elif rest := "".join((*self._blank, rest)):
            yield False, rest
        self._blank = []

    def _before(self, text: str, at: int) -> int:
        """Look for a tag where one may stand, and return where to go on; if there is none, the answer has begun."""
        word = _WORD.search(text, at)
        start = word.start() if word else len(text)
        if self._first:
            self._blank.append(text[at:start])
        for tag in _ANY:
            if text.startswith(tag, start):
                self._blank, self._first = [], False
                self._closed_by, self._said = _TAGS.get(tag, ""), False
                return start + len(tag)
        rest = text[start : start + _LONGEST]
        if any(tag.startswith(rest) for tag in _ANY):
            self._held = rest
            return len(text)
        self.plain = True
        return start

    def _inside(self, text: str, at: int) -> tuple[str, int]:
        """Return a piece of the open thought, and where to go on."""
        tag = self._closed_by
        end = text.find(tag, at)
        if end >= 0:
            piece = self._spoken(text[at:end])
            self._closed_by, self._blank = "", []
            return piece, end + len(tag)
        longest = min(len(tag) - 1, len(text) - at)
        begun = next((size for size in range(longest, 0, -1) if text.endswith(tag[:size])), 0)
        self._held = text[len(text) - begun :]
        return self._spoken(text[at : len(text) - begun]), len(text)

    def _spoken(self, text: str) -> str:
        """Return a piece of a thought without the blanks around the whole of it."""
        bare = text.rstrip()
        if not bare:
            self._blank.append(text)
            return ""
        piece = "".join((*self._blank, bare)) if self._said else bare.lstrip()
        self._blank, self._said = [text[len(bare) :]], True
        return piece
