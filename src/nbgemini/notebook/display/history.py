"""A chat shown again from its transcript, as it would stand at rest."""

from __future__ import annotations

from collections.abc import Iterable

from IPython.display import display

from nbgemini.chat.chat import Chat
from nbgemini.messages.attachments import told
from nbgemini.messages.transcript import Exchange
from nbgemini.render.mimebundle import bundle, metadata_of, prompt_bundle, status_bundle


def recall(chat: Chat, exchanges: Iterable[Exchange]) -> None:
    """Display every prompt and every segment of these exchanges of a chat, in order."""
    for number, exchange in enumerate(exchanges):
        shown = [prompt_bundle(told(exchange.asked)), *map(bundle, chat.segments(exchange))]
        if exchange.state != "complete":
            shown.append(status_bundle(" · ".join(filter(None, (exchange.state, exchange.note)))))
        for data in shown:
            display(data, raw=True, metadata=metadata_of(chat.name, number))
