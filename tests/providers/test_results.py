"""What tools attach goes to the models that can see it, and the others are told."""

from __future__ import annotations

import pytest

from nbgemini.messages.events import ToolCall
from nbgemini.tools.toolbox import Toolbox, allow_all
from tests.fakes.functions import PNG
from tests.support.tool_calls import calls, goes_on, responses


def plot() -> list:
    """Draw."""
    return ["see", PNG]


@pytest.mark.parametrize(
    ("model", "sees"),
    [("gemini-3.8-flash", True), ("gemini-flash-latest", True), ("gemini-2.5-flash", False), ("models/gemini-2.5-pro", False)],
)
async def test_pictures_of_tools_go_to_models_that_take_them(client, service, model, sees):
    """Also where the model is changed later in the chat."""
    reply = client.chat(model=model).begin(calls(("plot", {})), toolbox=Toolbox([plot], allow_all))
    await client.chat().drive(reply)
    (answer,) = responses(service.requests[1].body)
    assert ("parts" in answer) == sees
    assert answer["response"].get("pictures") == (None if sees else "1 attached, but this model can't see what tools attach")
    assert reply.segments[0].content.media  # its reader sees them
    other = "gemini-2.5-flash" if sees else "gemini-3.8-flash"
    client.chat(model=other)
    await goes_on(client)
    (turn,) = [turn for turn in service.requests[-1].body["contents"] if "functionResponse" in turn["parts"][0]]
    assert ("parts" in turn["parts"][0]["functionResponse"]) != sees


def test_a_note_of_another_version_is_read_as_far_as_it_is_known():
    from nbgemini.providers.common.parts import read_result, result_part

    part = {**result_part(ToolCall("f", {}, "c"), {"output": 1}, ()), "nbgemini": {"state": "stopped", "mood": "fine"}}
    assert (read_result(part).state, read_result(part).id) == ("stopped", "c")
