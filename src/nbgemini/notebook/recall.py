"""A chat shown again from its transcript, as it would stand at rest."""

from __future__ import annotations

from collections.abc import Iterable

from IPython.display import display

from nbgemini.chat import Chat
from nbgemini.holding import told
from nbgemini.notebook.formats import Form
from nbgemini.notebook.status import badge_text, misfit_text, status_text
from nbgemini.render.bundle import bundle, error_bundle, metadata_of, prompt_bundle, status_bundle
from nbgemini.reply import Reply
from nbgemini.transcript import Exchange


def recall(chat: Chat, exchanges: Iterable[Exchange]) -> None:
    """Display every prompt and every segment of these exchanges of a chat, in order."""
    for number, exchange in enumerate(exchanges):
        shown = [prompt_bundle(told(exchange.asked)), *map(bundle, chat.segments(exchange))]
        if exchange.state != "complete":
            shown.append(status_bundle(" · ".join(filter(None, (exchange.state, exchange.note)))))
        for data in shown:
            display(data, raw=True, metadata=metadata_of(chat.name, number))


def reply_html(reply: Reply) -> str:
    """Return a reply as it stands at rest, for a cell that ends with its name."""
    shown = [Form(segment, reply.options).at_rest(None, None, opened=False) for segment in reply.segments]
    last = [error_bundle("", misfit_text(reply))] if misfit_text(reply) else []
    return "".join(str(data["text/html"]) for data in [*shown, *last, status_bundle(status_text(reply), badge_text(reply))])
