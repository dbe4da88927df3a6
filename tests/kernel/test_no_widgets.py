"""A front end that can't load anywidget: nobody starts a widget, so static HTML streams by itself, and calls are not left waiting."""

from __future__ import annotations

import json

from tests.kernel.conftest import is_final_status, kinds, outputs, parent, said
from tests.support.outputs import VIEW

TOOL = 'def look(what: str) -> str:\n    """Look."""\n    raise AssertionError("nobody allowed it")'


def prompt(*parts, **more):
    return f"%%gemini --once --no-wait {more.pop('options', '')}\noffline: {json.dumps({'parts': parts, **more})}"


def impatient(kernel):
    kernel.run("%load_ext nbgemini\n%gemini demo\nfrom nbgemini.notebook.display import canvas\ncanvas._PATIENCE = 0.5")
    kernel.run(TOOL)


def test_html_streams_where_no_page_starts_a_widget(fresh_kernel):
    impatient(fresh_kernel)
    mine = fresh_kernel.send(prompt(["answer", "Some words of an answer. " * 40], pieces=40, gap=0.1))
    messages = fresh_kernel.until(lambda message: parent(message) == mine and is_final_status(message))
    ours = [message["content"]["data"] for message in messages if said(message).get("kind") == "answer"]
    assert VIEW in ours[0]
    assert len([data for data in ours[1:] if VIEW not in data]) > 2
    assert kinds(outputs(messages, mine)) == ["answer", "status"]
    later = fresh_kernel.send(prompt(["answer", "More words. " * 40], pieces=10, gap=0.1))
    messages = fresh_kernel.until(lambda message: parent(message) == later and is_final_status(message))
    assert not any(VIEW in message["content"].get("data", {}) for message in messages)


def test_a_call_that_nobody_can_allow_is_refused(fresh_kernel):
    impatient(fresh_kernel)
    mine = fresh_kernel.send(prompt(["call", "look", {"what": "here"}], options="-t look"))
    messages = fresh_kernel.until(lambda message: parent(message) == mine and is_final_status(message))
    shown = outputs(messages, mine)
    assert kinds(shown) == ["tool_call", "answer", "status"]
    assert "refused" in shown[0]["data"]["text/plain"].splitlines()[0]
