"""A talk with any service's codec: frames cut out of a stream, decoded, and folded as a reply folds them."""

from __future__ import annotations

import json
from functools import cache

from nbgemini.chat.response import ResponseAccumulator
from nbgemini.messages.events import ToolRun
from nbgemini.messages.segments import Segmenter
from nbgemini.messages.transcript import Transcript
from nbgemini.messages.turns import Declaration, Options, user_turn
from nbgemini.transport.framing import Framer
from tests.conftest import golden_bytes
from tests.providers.contracted import CONTRACTED

NUMBER = {"type": "number"}


ADD = Declaration(
    "add", "Add two numbers.", {"type": "object", "properties": {"a": NUMBER, "b": NUMBER}, "required": ["a", "b"]}
)


def cut(body, *places):
    framer, frames, start = Framer(), [], 0
    for place in (*places, len(body)):
        frames += framer.feed(body[start:place])
        start = place
    return frames + framer.close()


@cache
def golden(name, what):
    return cut(golden_bytes(f"{name}_{what}"))


def written(frames):
    return [json.dumps(frame).encode() for frame in frames]


def decoded(name, frames):
    decode = CONTRACTED[name].make().decoder()
    return [event for frame in frames for event in decode(frame)]


class Talk:
    """A chat with one service, folded as a reply folds it."""

    def __init__(self, name):
        self.of = CONTRACTED[name]
        self.codec = self.of.make()
        self.transcript = Transcript()

    def ask(self, prompt, frames):
        _, self.exchange = self.transcript.ask(user_turn(prompt) if isinstance(prompt, str) else prompt)
        self.incoming = ResponseAccumulator(self.exchange, self.codec, self.of.model)
        self.segmenter = Segmenter()
        self.events = []
        return self.listen(frames)

    def listen(self, frames):
        decode = self.codec.decoder()
        self.incoming.begin_attempt()
        for frame in frames:
            events = self.incoming.fold(decode(frame))
            self.events += events
            self.segmenter.feed(events)
        self.continuation = self.incoming.continuation()
        return self

    def end(self):
        self.segmenter.close()
        self.exchange.state, self.error, self.exchange.note = self.incoming.outcome()
        return self

    def answer(self):
        """Answer the calls as `add` would."""
        calls = self.incoming.calls()
        self.incoming.add_results(ToolRun(call, "done", {"output": call.args["a"] + call.args["b"]}) for call in calls)
        return self

    @property
    def segments(self):
        return [(segment.kind, segment.text) for segment in self.segmenter.segments]

    @property
    def texts(self):
        return [segment for segment in self.segments if segment[1]]

    def following(self, name=""):
        """The body of the next request: the next round, or the next prompt; maybe of another service."""
        of = CONTRACTED[name] if name else self.of
        if self.exchange.state != "running":
            self.transcript.ask(user_turn("And now?"))
        turns = self.transcript.request_turns(self.transcript.exchanges[-1])
        return of.make().encode(turns, Options(model=of.model, tools=(ADD,))).body


def leaves(data):
    match data:
        case dict():
            for value in data.values():
                yield from leaves(value)
        case list() | tuple():
            for value in data:
                yield from leaves(value)
        case _:
            yield data


def marked(mark, data):
    return {leaf for leaf in leaves(data) if isinstance(leaf, str) and mark in leaf}
