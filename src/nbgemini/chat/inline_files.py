"""Files on their way to a service whose store of files we don't use: they go along in the request.

Source: the largest request is 32 MB at Anthropic and about 50 MB at OpenAI (their API references); base64 is a third more.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Sequence

from nbgemini.errors import NbGeminiError, PromptError
from nbgemini.messages.attachments import Held, digest_in, held_for
from nbgemini.messages.events import Retrying, Uploading
from nbgemini.messages.turns import NOTE, Part, Turn

LARGEST = 24_000_000  # bytes of one file


class Carrying:
    """How files go out with the prompt."""

    def shipment(self, turns: Sequence[Turn]) -> Carried:
        """Return these turns with what must be read before they can be sent."""
        return Carried(turns)

    def doubt(self, error: NbGeminiError) -> None:
        """Nothing is kept that could be doubted."""


class Carried:
    """Turns on their way: `turns` can be sent once `progress` has ended."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        """Begin with the turns as they stand in the transcript."""
        self.turns: Sequence[Turn] = turns

    async def progress(self) -> AsyncGenerator[Uploading | Retrying, None]:
        """Read the files; nothing is said of it, as it is quick.

        Raises:
            NbGeminiError: one can't be read, or is too large.
        """
        self.turns = [Turn(turn.role, tuple([await _placed(part) for part in turn.parts])) for turn in self.turns]
        return
        yield  # a generator


async def _placed(part: Part) -> Part:
    """Return a part as it goes out; of a file that is no longer at hand, words."""
    if digest_in(part):
        held = await asyncio.to_thread(held_for, part)
        if held is None:
            return {"text": f"\n[a file of type {part['fileData']['mimeType']} was attached here; it is no longer at hand]\n"}
        return await asyncio.to_thread(_inline, held)
    return {name: value for name, value in part.items() if name != NOTE} if NOTE in part else part


def _inline(held: Held) -> Part:
    if held.size > LARGEST:
        raise PromptError(f"{held.name} is {held.size:,} bytes, more than this service takes ({LARGEST:,}); nothing was asked")
    return {"inlineData": {"mimeType": held.mime, "data": base64.b64encode(held.read(0, held.size)).decode()}}
