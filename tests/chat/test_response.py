"""What a reply keeps of an answer."""

from __future__ import annotations

from nbgemini.chat.response import ResponseAccumulator
from nbgemini.messages.events import (
    Unknown,
)
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import user_turn
from nbgemini.providers.gemini.codec import GeminiCodec


def test_what_is_newer_than_the_decoder_is_counted_and_harms_nothing():
    incoming = ResponseAccumulator(Exchange(user_turn("hi")), GeminiCodec(), "m")
    assert incoming.fold([Unknown("hologram")]) == [Unknown("hologram")]
    assert incoming.unknown == {"hologram": 1}
