"""Thoughts that a server leaves in the text of an answer, between tags: `<think>…</think>` and what other models write for it.

They belong at the beginning of a text and nowhere else: a tag, in small letters or capitals, opens a thought only while nothing
but blanks and other thoughts came. So an answer that names such tags, in prose or in code, stays as it is. Without a tag that
closes it all is thought.

Some templates write the opening tag themselves, so that the answer of a model that always thinks begins inside of a thought,
and only `</think>` comes. What such a model says is told as a thought until then; if the answer is whole without that tag,
its server has cut the thought out, and all of it is told again as the answer.

Invariant (property-tested): however the text is cut, thoughts and answer are the same; the work is linear in the text.
Sources: the chat templates of Qwen3, DeepSeek R1, Magistral, Seed-OSS, Kimi-VL, Nova, Reka Flash, Command A, OpenThinker and
gpt-oss; Google's endpoint in OpenAI's dialect. Templates that open the thought: DeepSeek R1 and its distillates, QwQ, Qwen3's
Thinking models, GLM-Z1, MiniMax M2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

_TAGS = {  # in small letters
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<seed:think>": "</seed:think>",
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<reasoning>": "</reasoning>",
    "<|start_thinking|>": "<|end_thinking|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel|>analysis<|message|>": "<|end|><|start|>assistant<|channel|>final<|message|>",
}
_ANY = (*_TAGS, *_TAGS.values())  # one that closes, at the beginning: what was thought came elsewhere
_LONGEST = max(map(len, _ANY))
_LONGEST_NAME = 500  # characters of a model's name that are looked at
_WORD = re.compile(r"\S")
_OPENED_BY_TEMPLATE = r"deepseek-?r1|\bqwq\b|\bqwen3\b.*\bthinking\b|\bglm-z1\b|\bminimax-m2\b"

Said: TypeAlias = tuple[bool, str]  # whether it is a thought, and its text


def begins_in_thought(model: str) -> bool:
    """Whether the template of this model opens a thought, so that its answer may hold the closing tag alone."""
    return re.search(_OPENED_BY_TEMPLATE, model[:_LONGEST_NAME], re.IGNORECASE) is not None


class TaggedText:
    """One text that comes in pieces.

    Attributes:
        plain: the answer has begun: whatever comes now is answer, and need not be looked at.
    """

    def __init__(self) -> None:
        self.plain = False
        self._first = True  # no tag came yet
        self._closed_by = ""  # the tag that ends the open thought
        self._held = ""  # what may be the beginning of a tag
        self._blank: list[str] = []  # what is said once something comes behind it
        self._said = False  # anything of the open thought
        self._presumed: list[str] | None = None  # all that came of a text that is only presumed to be a thought

    def presume_thought(self) -> None:
        """Take the text, of which nothing came yet, to begin in a thought, unless a tag says that it doesn't."""
        if self._first and not (self.plain or self._held or self._blank):
            self._presumed = []

    def take(self, text: str) -> Iterator[Said]:
        """Yield what is known now of a text with this next piece."""
        if self._presumed is not None:
            self._presumed.append(text)
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

    def end(self, *, whole: bool = True) -> Iterator[Said]:
        """Yield what was held back, as nothing more comes: the answer is `whole`, or was cut."""
        rest, self._held = self._held, ""
        presumed, self._presumed = self._presumed, None
        if self._closed_by and presumed is not None and whole:
            self._closed_by, self.plain, rest = "", True, "".join(presumed)
            self._blank = []
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
        here = text[start : start + _LONGEST].lower()
        for tag in _ANY:
            if here.startswith(tag):
                self._presumed = None
                self._open(_TAGS.get(tag, ""))
                return start + len(tag)
        if any(tag.startswith(here) for tag in _ANY):
            self._held = text[start : start + _LONGEST]
            return len(text)
        if self._presumed is not None:
            self._open(_TAGS["<think>"])
        else:
            self.plain = True
        return start

    def _open(self, closed_by: str) -> None:
        self._blank, self._first = [], False
        self._closed_by, self._said = closed_by, False

    def _inside(self, text: str, at: int) -> tuple[str, int]:
        """Return a piece of the open thought, and where to go on."""
        tag = self._closed_by
        if found := re.compile(re.escape(tag), re.IGNORECASE).search(text, at):
            piece = self._spoken(text[at : found.start()])
            self._closed_by, self._blank, self._presumed = "", [], None
            return piece, found.end()
        longest = min(len(tag) - 1, len(text) - at)
        ending = text[len(text) - longest :].lower()
        begun = next((size for size in range(longest, 0, -1) if ending.endswith(tag[:size])), 0)
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
