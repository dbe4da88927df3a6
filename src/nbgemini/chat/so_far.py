"""What has come of a reply by now."""

from __future__ import annotations

from typing import Any

from nbgemini.chat.response import Incoming
from nbgemini.chat.structured_output import value_so_far
from nbgemini.errors import NbGeminiError
from nbgemini.messages.code_blocks import code_of
from nbgemini.messages.events import Citations, Media, ToolCall, ToolRun
from nbgemini.messages.media import Received, received
from nbgemini.messages.segments import Segment, Segmenter, last_text
from nbgemini.messages.turns import Options, Usage
from nbgemini.prices import shipped

OFFLINE_ID = "offline-"  # how response ids of the offline service begin


class SoFar:
    """The values of a reply as they stand; reading them never waits. Once the reply is over they are the reply's own.

    Attributes:
        parsed: the object, where JSON was asked for, by a schema or without; None if the answer is none, and before its end.
        misfit: one line that says where the answer does not fit what was asked for, and what to do; empty if it fits.
        error: why it failed, was blocked or cut off; None otherwise, and before its end.
        played: where it came from, in a word, if from no service just now: `replay` (a cassette), `cache`; else empty.
        prices: what its cost is reckoned by.
    """

    def __init__(self, incoming: Incoming, options: Options) -> None:
        """Begin with nothing; what is `incoming` is folded by its owner."""
        self.segmenter = Segmenter()
        self.prices = shipped()
        self.parsed: Any = None
        self.misfit = ""
        self.error: NbGeminiError | None = None
        self.played = ""
        self._incoming = incoming
        self._options = options

    @property
    def segments(self) -> list[Segment]:
        """All segments in the order of the wire."""
        return self.segmenter.segments

    @property
    def text(self) -> str:
        """The answer: all answer segments joined, never a thought."""
        return "".join(segment.text for segment in self.segments if segment.kind == "answer")

    @property
    def thoughts(self) -> str:
        """All thought segments joined."""
        return "".join(segment.text for segment in self.segments if segment.kind == "thought")

    @property
    def code(self) -> str:
        """The code in the answer: what its fences hold, a blank line between blocks."""
        return code_of(self.text, bare=self._options.format == "code")

    @property
    def partial(self) -> Any:
        """The JSON value as far as it has come, open texts and lists closed; None before it begins. Nothing is validated."""
        return value_so_far(last_text(self.segments))

    @property
    def media(self) -> list[Received]:
        """All pictures, sounds and other files that came, in order, drafts too; those of tools are in their results."""
        return [received(segment.content) for segment in self.segments if isinstance(segment.content, Media)]

    @property
    def images(self) -> list[Received]:
        """The pictures of the answer; a draft of the model's is none of them."""
        return [one for one in self.media if one.mime.startswith("image/") and not one.thought]

    @property
    def audio(self) -> list[Received]:
        """The sounds of the answer, raw ones as WAV."""
        return [one for one in self.media if one.mime.startswith("audio/") and not one.thought]

    @property
    def citations(self) -> Citations:
        """What the answer rests on: sources, places in the text, queries, pages that were read."""
        return self._incoming.citations

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls the model asked for, in order."""
        return [segment.content.call for segment in self.segmenter.runs if isinstance(segment.content, ToolRun)]

    @property
    def usage(self) -> Usage:
        """Tokens, over all rounds."""
        return self._incoming.usage

    @property
    def cost(self) -> float | None:
        """What it cost in USD; None where no price is known."""
        return self.prices.cost(self._incoming.model, self.usage) if self.usage.total else None

    @property
    def finish_reason(self) -> str | None:
        """The last reason the service gave for ending."""
        return self._incoming.finish.reason if self._incoming.finish else None

    @property
    def badge(self) -> str:
        """What marks an answer that is no service's own, now; else empty."""
        return self.played or ("offline service" if self.offline else "")

    @property
    def offline(self) -> bool:
        """Whether no live service answered, so that nothing was spent: the offline one did, or a cassette, or a cache."""
        return bool(self.played) or self._incoming.response_id.startswith(OFFLINE_ID)
