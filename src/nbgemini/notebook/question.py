"""A prompt that nbgemini writes for its user: what it is about, then the user's own words.

Invariant: what stands in `about` is sent as it is; braces in the user's words are values, as in every prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from nbgemini.holding import note
from nbgemini.notebook.composing import Prompt
from nbgemini.turns import NOTE, Part, Turn, merge_text


class Question(Struct, frozen=True):
    """A prompt about something; `purpose` is why, in a word."""

    purpose: str
    about: Sequence[Part]
    words: Prompt

    @property
    def waits(self) -> bool:
        """Whether something in it must be read or waited for."""
        return self.words.waits

    def turn(self) -> Turn:
        """Return the user's turn.

        Raises:
            PromptError: something can't be sent.
        """
        return self._with(self.words.turn())

    async def awaited_turn(self) -> Turn:
        """Return the user's turn once all of it is at hand.

        Raises:
            PromptError: something can't be sent.
        """
        return self._with(await self.words.awaited_turn())

    def _with(self, said: Turn) -> Turn:
        return Turn("user", merge_text((*self.about, *said.parts)))


def told_part(words: str, name: str, kind: str) -> Part:
    """Return text for the model that its reader sees by name only, when the chat is shown again."""
    return {"text": words, NOTE: note(name, kind, len(words.encode("utf-8", "replace")))}
