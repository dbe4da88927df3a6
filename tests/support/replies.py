"""A reply that a test writes itself, event by event."""

from __future__ import annotations

from nbgemini.chat.reply import Reply
from nbgemini.chat.state import ReplyState
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Options, user_turn
from nbgemini.providers.gemini.codec import GeminiCodec


class WrittenReply(Reply):
    """A reply without a request: what comes is what the test says."""

    def __init__(self, **options):
        super().__init__(ReplyState(Exchange(user_turn("x")), Options(**{"model": "m", **options}), GeminiCodec()))

    def feed(self, events):
        """Let events come; return what changed."""
        return self._state.feed(events)

    def end(self):
        """End by what came last."""
        return self._state.finish(*self._state.response.outcome())

    def interrupt(self):
        """End as a stop does."""
        return self._state.finish("interrupted")
