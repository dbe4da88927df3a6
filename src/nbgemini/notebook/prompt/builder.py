"""Builds the user's turn: the cells above, what is attached, and the prompt with its values in place, in this order.

Invariant: a prompt that takes nothing from the notebook stays the very text it is. Files are read, and charts rendered, in a
thread; figures are drawn on the loop, because matplotlib is not made for threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct

from nbgemini.chat.reply import Reply
from nbgemini.errors import NbGeminiError, PromptError
from nbgemini.messages.attachments import hidden_text, note
from nbgemini.messages.turns import NOTE, Part, Turn, merge_text
from nbgemini.notebook.kernel.environment import user_names
from nbgemini.notebook.kernel.running_cells import LastPicture
from nbgemini.notebook.options import PromptArgs
from nbgemini.notebook.prompt.cells import cells_above
from nbgemini.notebook.prompt.lookup import NamedAttachment, named_attachments
from nbgemini.prompts import left_out
from nbgemini.prompts.placeholders import Placeholder, describe_unresolved, parse_placeholders, unresolved
from nbgemini.prompts.values import describe_left_out, is_slow, render_piece, set_apart, turn_of, value_to_parts

T = TypeVar("T")
Tell: TypeAlias = Callable[[str], None]
Tried: TypeAlias = tuple[NamedAttachment, list[Part], PromptError | None]


class PromptDraft(Struct, frozen=True):
    """A prompt before its values are read.

    Attributes:
        attached: what -a names.
        text: the user's words, with the placeholders in them.
        context: the cells above.
        about: what nbgemini itself asks before the user's words; sent as it is.
        warning: what the user should know of the braces in the text; empty if there is nothing.
        purpose: `prompt`, or what nbgemini asks for: `fix`, `explain`.
    """

    attached: Sequence[NamedAttachment]
    text: Sequence[str | Placeholder]
    context: Part | None = None
    about: Sequence[Part] = ()
    purpose: str = "prompt"
    warning: str = ""

    @property
    def plain(self) -> bool:
        """Whether it is nothing but the text as typed."""
        return not self.about and not self.context and not self.attached and len(self.text) == 1

    @property
    def waits(self) -> bool:
        """Whether something in it must be read or waited for."""
        return any(is_slow(value) or (isinstance(value, Reply) and not value.done) for value in self._values)

    @property
    def _values(self) -> list[Any]:
        fields = [item for item in self.text if isinstance(item, Placeholder)]
        return [*(item.value for item in self.attached), *(field.value for field in fields)]

    def build_now(self, tell: Tell) -> Turn:
        """Return the user's turn; `tell` is called with a line for everything that was left out."""
        return self._turn(
            [_noting(_try, item) for item in self.attached], [_noting(render_piece, piece) for piece in self.text], tell
        )

    async def build(self, tell: Tell) -> Turn:
        """Return the user's turn once all of it is at hand; nothing is held up meanwhile."""
        for value in self._values:
            if isinstance(value, Reply):
                with suppress(NbGeminiError):
                    await value
        attached = [await _in_thread(_try, item) for item in self.attached]
        return self._turn(attached, [await _in_thread(render_piece, piece) for piece in self.text], tell)

    def _turn(self, attached: Sequence[tuple[Tried, str]], text: Sequence[tuple[list[Part], str]], tell: Tell) -> Turn:
        for line in dict.fromkeys(line for _, line in (*attached, *text) if line):
            tell(line)
        head = [self.context, hidden_text("\n", "\n")] if self.context else []
        words = set_apart(self.text, [parts for parts, _ in text])
        turn = turn_of([*head, *_sendable([tried for tried, _ in attached], tell), *words])
        return Turn("user", merge_text((*self.about, *turn.parts))) if self.about else turn


def draft_prompt(shell: Any, pictures: LastPicture, args: PromptArgs, text: str) -> PromptDraft:
    """Return the draft of a prompt: the text with its placeholders, what is attached, and the cells above."""
    plot = pictures.png if "plot" in args.attach else None
    context = cells_above(shell, args.context) if args.context else None
    found = [item for word in args.attach for item in named_attachments(word, shell.user_ns, plot)]
    names = user_names(shell)
    fields = list(parse_placeholders(text, names)) if "{" in text else [text]
    warning = describe_unresolved(unresolved(fields, names), names)
    return PromptDraft(found, fields, context, warning=f"⚠ {warning}" if warning else "")


async def _in_thread(function: Callable[[Any], T], item: Any) -> tuple[T, str]:
    slow = not isinstance(item, str) and is_slow(item.value)
    return await asyncio.to_thread(_noting, function, item) if slow else _noting(function, item)


def _noting(function: Callable[[Any], T], item: Any) -> tuple[T, str]:
    """Return what comes of an item, and a line on what was left out of its value, if anything."""
    with left_out() as notes:
        rendered = function(item)
    return rendered, describe_left_out(item.name, item.value, notes) if notes else ""


def _try(item: NamedAttachment) -> Tried:
    """Return the parts of an attachment, or why it can't be sent if it is one of several."""
    try:
        return item, _labelled(item), None
    except PromptError as error:
        if not item.among:
            raise
        return item, [], error


def _sendable(tried: Sequence[Tried], tell: Tell) -> list[Part]:
    """Return all parts; of the files that one pattern named, those that can't be sent are left out with a note."""
    good = {item.among for item, _, error in tried if error is None}
    for item, _, error in tried:
        if error is not None and item.among not in good:
            raise error
    return [part for item, parts, error in tried for part in (parts if error is None else [_left_out(item, error, tell)])]


def _left_out(item: NamedAttachment, error: PromptError, tell: Tell) -> Part:
    """Tell the user, and the model, what was left out."""
    why = str(error).removesuffix("; nothing was sent")
    tell(f"left out: {why}")
    return hidden_text(f"({item.name} was left out: {why})\n\n", f"[📎 left out: {why}]\n")


def _labelled(item: NamedAttachment) -> list[Part]:
    """Return the parts of an attachment under its name, so that the prompt can refer to it."""
    if isinstance(item.value, Path) and not item.value.is_file():
        raise PromptError(f"there is no file {str(item.value)!r}; nothing was sent")
    parts = value_to_parts(item.value, item.name)
    if parts is None:
        raise PromptError(f"-a: {item.name} is a {type(item.value).__name__}, which can't be sent")
    if "text" in parts[0] and NOTE not in parts[0]:
        words = f"{item.name}:\n{parts[0]['text']}\n"
        parts[0] = {"text": words, NOTE: note(item.name, type(item.value).__name__, len(words.encode("utf-8", "replace")))}
    label = [] if "text" in parts[0] else [hidden_text(f"{item.name}:\n")]
    return [*label, *parts, hidden_text("\n", "\n")]


def named_text(words: str, name: str, kind: str) -> Part:
    """Return text for the model of which the user sees only the name when the chat is shown again."""
    return {"text": words, NOTE: note(name, kind, len(words.encode("utf-8", "replace")))}
