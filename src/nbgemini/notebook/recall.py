"""A chat shown again from its transcript, as it would stand at rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from IPython.display import display

from nbgemini.chat import Chat
from nbgemini.holding import told
from nbgemini.notebook.formats import Form
from nbgemini.notebook.status import badge_text, misfit_text, status_text
from nbgemini.render.bundle import bundle, error_bundle, prompt_bundle, status_bundle
from nbgemini.reply import Reply
from nbgemini.transcript import Exchange


def recall(chat: Chat, exchanges: Iterable[Exchange]) -> None:
    """Display every prompt and every segment of these exchanges of a chat, in order."""
    for number, exchange in enumerate(exchanges):
        _put(prompt_bundle(told(exchange.asked)), "prompt", chat, number, 0)
        for segment in chat.segments(exchange):
            _put(bundle(segment), segment.kind, chat, number, segment.index)
        if exchange.state != "complete":
            _put(status_bundle(" · ".join(filter(None, (exchange.state, exchange.note)))), "status", chat, number, 0)


def reply_html(reply: Reply) -> str:
    """Return a reply as it stands at rest, for a cell that ends with its name."""
    shown = [Form(segment, reply.options).at_rest(None, None, opened=False) for segment in reply.so_far.segments]
    last = [error_bundle("", misfit_text(reply))] if misfit_text(reply) else []
    return "".join(str(data["text/html"]) for data in [*shown, *last, status_bundle(status_text(reply), badge_text(reply))])


def _put(data: dict[str, Any], kind: str, chat: Chat, turn: int, segment: int) -> None:
    said = {"kind": kind, "chat": chat.name, "turn": turn, "segment": segment, "state": "final"}
    display(data, raw=True, metadata={"nbgemini": said})
