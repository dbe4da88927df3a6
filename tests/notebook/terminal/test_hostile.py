"""Whatever a model says and wherever it is cut, a terminal gets no control character but those that we send."""

from __future__ import annotations

import asyncio
import io
import sys
from functools import cache

import pytest

from nbgemini.messages.events import (
    AnswerDelta,
    Citation,
    Citations,
    CodeResult,
    ExecutedCode,
    InlineMedia,
    ResponseInfo,
    ThoughtDelta,
    ToolCall,
)
from nbgemini.notebook.terminal.markdown import RichRenderer
from nbgemini.notebook.terminal.view import TerminalView
from nbgemini.render.escape import harmless
from tests.corpus import PAYLOADS
from tests.corpus.controls import INVISIBLE, TERMINAL
from tests.render.checker import controls
from tests.support.terminal import OURS, new_reply, show

STEERING = [*TERMINAL, *INVISIBLE]
every_payload = pytest.mark.parametrize("payload", STEERING, ids=lambda payload: ascii(payload)[1:50])


def steered(text):
    """What is left of control characters once ours are taken out."""
    return controls(OURS.sub("", text).replace("\r\n", "\n").replace("\r", ""))


def printed_plainly(monkeypatch, events):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.StringIO())
        reply = new_reply()
        view = TerminalView(reply)
        view.open()
        for event in events:
            view.apply(reply.feed([event]))
        view.apply(reply.end())
        asyncio.run(view.finish())
        return sys.stdout.getvalue()


@cache
def renderer():
    return RichRenderer()


@every_payload
@pytest.mark.parametrize("kind", [AnswerDelta, ThoughtDelta])
def test_plain_text_cut_anywhere(monkeypatch, payload, kind):
    for cut in range(len(payload) + 1):
        assert controls(printed_plainly(monkeypatch, [kind(payload[:cut]), kind(payload[cut:])])) == []
    assert controls(printed_plainly(monkeypatch, map(kind, payload))) == []


@every_payload
def test_rendered_text_cut_anywhere(payload):
    """Each prefix as the block that still grows, and as one that is finished."""
    for cut in range(len(payload) + 1):
        text = harmless(payload[:cut])
        assert steered("\n".join(renderer().rows(text, 40, 5))) == []
        assert steered(renderer().block(text, 40)) == []


@every_payload
def test_on_a_real_terminal(monkeypatch, payload):
    """Whole, in two halves, and in the middle of the first sequence; then stopped."""
    pieces = [
        [AnswerDelta(payload)],
        [ThoughtDelta(payload[: len(payload) // 2])],
        [ThoughtDelta(payload[len(payload) // 2 :])],
    ]
    for end in (True, False):
        assert steered(show(monkeypatch, [*pieces, [AnswerDelta(payload[:1])], [AnswerDelta(payload[1:])]], end=end).sent) == []


def test_what_is_no_text(monkeypatch):
    """Names and arguments of tools, code, sources, media types and the model's own name."""
    for payload in STEERING:
        others = [
            ResponseInfo(payload, payload),
            ToolCall(payload, {payload: payload}),
            ExecutedCode(payload, payload),
            CodeResult(payload, ok=False),
            Citations((Citation(payload, payload),)),
            InlineMedia(payload, payload),
        ]
        assert controls(printed_plainly(monkeypatch, others)) == []
        assert steered(show(monkeypatch, [[event] for event in others]).sent) == []


def test_all_of_the_corpus_in_one_answer(monkeypatch):
    events = [[AnswerDelta(f"{payload}\n\n")] for payload in PAYLOADS]
    assert steered(show(monkeypatch, events).sent) == []
