"""What a kernel does to a stream without meaning it: storms of garbage collection, and a page that refuses every widget."""

from __future__ import annotations

import json

import pytest

from tests.kernel.conftest import at_rest, complaints, is_final_status, kinds, outputs, parent, said

SLOW = json.dumps({"parts": [["thought", "hm " * 40], ["answer", "word " * 60]], "pieces": 60, "gap": 0.02})
STORM = """
import gc, threading
calm = threading.Event()
def storm():
    while not calm.wait(0.05):
        gc.collect()
gc.set_threshold(10, 2, 2)
thread = threading.Thread(target=storm); thread.start()
"""


@pytest.fixture
def storm(kernel):
    kernel.run(STORM)
    yield
    kernel.run("calm.set(); thread.join(); gc.set_threshold(700, 10, 10)")


@pytest.mark.usefixtures("storm")
def test_only_the_library_holds_a_stream_and_no_collection_takes_it(kernel):
    """No name leads to the reply any more: a loop holds its tasks weakly."""
    mine = kernel.send(f"%%gemini --once\noffline: {SLOW}")
    messages = kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "thought")
    messages += kernel.run("del _gemini\nprint(gc.collect() >= 0)")
    messages = at_rest(kernel, mine, messages)
    shown = outputs(messages, mine)
    assert kinds(shown) == ["thought", "answer", "status"]
    assert [output["data"]["text/plain"].count(word) for output, word in zip(shown, ("hm", "word"), strict=False)] == [40, 60]
    assert complaints(messages) == []


def test_a_page_that_refuses_every_widget_gets_the_answer(kernel):
    """A front end without the widgets' extension closes each comm as it opens it; so do some that only look like Jupyter."""
    mine = kernel.send(f"%%gemini --once\noffline: {SLOW}")
    messages, refused = [], 0
    while not (messages and is_final_status(messages[-1])):
        messages += kernel.until(lambda message: message["msg_type"] == "comm_open" or is_final_status(message))
        if messages[-1]["msg_type"] == "comm_open":
            close = {"comm_id": messages[-1]["content"]["comm_id"], "data": {}}
            kernel.client.shell_channel.send(kernel.client.session.msg("comm_close", close))
            refused += 1
    assert refused > 1
    shown = outputs(messages, mine)
    assert kinds(shown) == ["thought", "answer", "status"]
    assert shown[0]["data"]["text/plain"].count("hm") == 40
    assert shown[1]["data"]["text/html"].count("word") == 60
    assert complaints(messages) == []
    assert kernel.text("print(_gemini.state, _gemini.text.count('word'))").strip() == "complete 60"
