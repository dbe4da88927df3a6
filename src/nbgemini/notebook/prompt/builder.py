"""A cell's prompt becomes a turn: the cells above, what is attached, and the prompt with its values in place, in this order.

Invariant: a prompt that takes nothing from the notebook stays the very text it is. Files are read, and charts rendered, in a
thread; figures are drawn on the loop, because matplotlib is not made for threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct

from nbgemini.chat.reply import Reply
from nbgemini.errors import NbGeminiError, PromptError
from nbgemini.messages.attachments import aside, note
from nbgemini.messages.turns import NOTE, Part, Turn, merge_text
from nbgemini.notebook.kernel.environment import visible
from nbgemini.notebook.magics.parsing import Ask
from nbgemini.notebook.prompt.attachments import Attached, attached
from nbgemini.notebook.prompt.cell_context import cells_above
from nbgemini.notebook.session import Session
from nbgemini.prompts.placeholders import Field, fields_of
from nbgemini.prompts.values import parts_of, placed, turn_of, waits

T = TypeVar("T")
Tried: TypeAlias = tuple[Attached, list[Part], PromptError | None]


class Prompt(Struct, frozen=True):
    """What a prompt is made of, in order; `context` comes first."""

    context: Part | None
    attached: Sequence[Attached]
    text: Sequence[str | Field]

    @property
    def plain(self) -> bool:
        """Whether it is nothing but the text as typed."""
        return not self.context and not self.attached and len(self.text) == 1

    @property
    def waits(self) -> bool:
        """Whether something in it must be read or waited for."""
        return any(_takes_time(value) for value in self._values)

    @property
    def _values(self) -> list[Any]:
        fields = [item for item in self.text if isinstance(item, Field)]
        return [*(item.value for item in self.attached), *(field.value for field in fields)]

    def turn(self) -> Turn:
        """Return the user's turn.

        Raises:
            PromptError: something can't be sent.
        """
        head = [self.context, aside("\n", "\n")] if self.context else []
        values = _sent([_tried(item) for item in self.attached])
        return turn_of([*head, *values, *(part for item in self.text for part in placed(item))])

    async def awaited_turn(self) -> Turn:
        """Return the user's turn once all of it is at hand, holding nothing up.

        Raises:
            PromptError: something can't be sent.
        """
        for value in self._values:
            if isinstance(value, Reply):
                with suppress(NbGeminiError):
                    await value
        parts: list[Part] = [self.context, aside("\n", "\n")] if self.context else []
        parts += _sent([await _threaded(_tried, item) for item in self.attached])
        for piece in self.text:
            parts += await _threaded(placed, piece) if isinstance(piece, Field) else placed(piece)
        return turn_of(parts)


def prompt_of(session: Session, ask: Ask, text: str) -> Prompt:
    """Return what the prompt of a cell is made of.

    Raises:
        PromptError: -a names nothing, or a value can't be read.
    """
    shell, pictures = session.shell, session.pictures
    plot = pictures.png if pictures and "plot" in ask.attach else None
    context = cells_above(shell, ask.context) if ask.context else None
    found = [item for word in ask.attach for item in attached(word, shell.user_ns, plot)]
    fields = list(fields_of(text, visible(shell))) if "{" in text else [text]
    return Prompt(context, found, fields)


async def _threaded(function: Callable[[Any], T], item: Any) -> T:
    return await asyncio.to_thread(function, item) if waits(item.value) else function(item)


def _takes_time(value: Any) -> bool:
    return waits(value) or (isinstance(value, Reply) and not value.done)


def _tried(item: Attached) -> Tried:
    """Return what is attached, or why not, if it is one of several."""
    try:
        return item, _labelled(item), None
    except PromptError as error:
        if not item.among:
            raise
        return item, [], error


def _sent(tried: Sequence[Tried]) -> list[Part]:
    """Return all parts; of several files that were meant at once, those that can't be sent are said and left out.

    Raises:
        PromptError: none of them can be sent.
    """
    good = {item.among for item, _, error in tried if error is None}
    for item, _, error in tried:
        if error is not None and item.among not in good:
            raise error
    return [part for item, parts, error in tried for part in (parts if error is None else [_left_out(item, error)])]


def _left_out(item: Attached, error: PromptError) -> Part:
    """Say in the cell, in the prompt and to whoever reads the chat again what does not go along."""
    from nbgemini.notebook.commands._output import show_line  # noqa: PLC0415 - the commands know prompts

    why = str(error).removesuffix("; nothing was sent")
    show_line(f"left out: {why}")
    return aside(f"({item.name} was left out: {why})\n\n", f"[📎 left out: {why}]\n")


def _labelled(item: Attached) -> list[Part]:
    """Return what is attached under its name, so that the prompt can speak of it."""
    parts = parts_of(item.value, item.name)
    if parts is None:
        raise PromptError(f"-a: {item.name} is of type {type(item.value).__name__}, of which there is nothing to send")
    if "text" in parts[0] and NOTE not in parts[0]:
        words = f"{item.name}:\n{parts[0]['text']}\n"
        parts[0] = {"text": words, NOTE: note(item.name, type(item.value).__name__, len(words.encode("utf-8", "replace")))}
    label = [] if "text" in parts[0] else [aside(f"{item.name}:\n")]
    return [*label, *parts, aside("\n", "\n")]


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
