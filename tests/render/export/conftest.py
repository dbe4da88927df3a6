"""A chat of which everything can be told: thoughts, code, a call with a picture, sources, a failure."""

from __future__ import annotations

import base64

import pytest

from nbgemini.client import Client
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Turn
from nbgemini.render.export import Entry, ExportedChat
from nbgemini.tools.toolbox import Toolbox, allow_all
from tests.fakes.functions import PNG
from tests.support.tool_calls import calls

PICTURE = base64.b64encode(PNG).decode()


def plot(colour: str) -> list:
    """Draw."""
    return [f"in {colour}", PNG]


def said_in(chat, **told):
    entries = [Entry(exchange, chat.segments(exchange)) for exchange in chat.transcript]
    return ExportedChat(chat.name, chat.options.model, told.get("system"), "2026-11-21 12:00", entries)


def said_by(answer, *, chat="main", prompt="why?"):
    """A chat of one exchange, whose answer is this text."""
    client = Client()
    exchange = Exchange(Turn("user", ({"text": prompt},)))
    exchange.parts, exchange.state = [{"text": answer, "thought": True}, {"text": answer}], "complete"
    return ExportedChat(chat, "m", None, "now", [Entry(exchange, client.chat().segments(exchange))])


@pytest.fixture
async def chat(client):
    """A chat that has called a tool, failed, and answered about a picture."""
    chat = client.chat()
    await chat.ask("Why is the sky blue?")
    asked = Turn("user", ({"text": "See"}, {"inlineData": {"mimeType": "image/png", "data": PICTURE}}))
    await chat.ask(asked)
    await chat.ask(calls(("plot", {"colour": "red"})), toolbox=Toolbox([plot], allow_all))
    return chat
