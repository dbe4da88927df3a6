"""Prompts that make the offline service call tools, and what goes back to it."""

from __future__ import annotations

import json

from nbgemini.tools.toolbox import Toolbox, allow_all


def told(*entries, **more):
    """A prompt that makes the offline service say these entries."""
    return f"offline: {json.dumps({'parts': entries, 'gap': 0, **more})}"


def calls(*asked, **more):
    return told(["frame", *(["call", name, args] for name, args in asked)], **more)


async def ask(client, prompt, *tools, approve=allow_all, **changes):
    """Ask the chat and wait for the end, whatever it is."""
    chat = client.chat("main")
    reply = chat.begin(prompt, toolbox=Toolbox(tools, approve), **changes)
    await chat.drive(reply)
    return reply


def responses(body):
    """What the last turn of a request answers."""
    parts = body["contents"][-1]["parts"]
    return [part["functionResponse"] for part in parts if "functionResponse" in part]


def outputs(service, number=-1):
    return [answer["response"] for answer in responses(service.requests[number].body)]


async def goes_on(client):
    """The next prompt is taken by the service, which checks the whole history."""
    assert (await client.chat("main").ask("what is 1 + 1")).state == "complete"
