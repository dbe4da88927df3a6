"""What stays below a cell is the same in every page, whatever the page has been through while the answer came."""

from __future__ import annotations

import json

import pytest

from tests.kernel.conftest import PATIENCE, Kernel, kinds, parent, said
from tests.support.front_ends import PLAYED, VSCode, changed_metadata, differences
from tests.support.outputs import is_live
from tests.support.pages import Page

PARTS = [
    ["thought", "The first *thought*."],
    ["answer", "The first **answer**."],
    ["call", "look", {"what": "the sky"}],
    ["thought", "The second thought."],
    ["answer", "The second answer."],
]
KINDS = ["thought", "answer", "tool_call", "thought", "answer", "status"]
TOOL = 'def look(what: str) -> str:\n    """Look."""\n    return f"looked at {what}"'
MOMENTS = range(0, 30, 3)


def cell(**told):
    return f"%%gemini --once --no-wait -t look --approve auto\noffline: {json.dumps({'parts': PARTS, 'pieces': 3, 'gap': 0.03, **told})}"


def play(kernel, *pages, at=None, happens=None):
    """Run the cell before these pages; after `at` messages with our outputs or of our widgets, something happens to the first."""
    mine, seen = kernel.send(cell()), 0

    def is_over(message):
        nonlocal seen
        for page in pages:
            page.receive(message)
        seen += parent(message) == mine and message["msg_type"] in (
            "display_data",
            "update_display_data",
            "comm_msg",
            "comm_open",
        )
        if happens is not None and seen == at:
            seen += 1
            happens(pages[0])
        return all(page.cells.get(mine) and is_whole(page.cells[mine]) for page in pages)

    kernel.until(is_over)
    return mine


def is_whole(shown):
    return kinds(shown) == KINDS and not any(is_live(output["data"]) for output in shown)


@pytest.fixture(scope="module")
def ready(kernel):
    kernel.run(TOOL)
    return kernel


@pytest.mark.parametrize("at", MOMENTS)
@pytest.mark.parametrize("happens", [Page.reload, Page.move])
def test_a_page_that_comes_back_or_moves_its_cell_holds_the_whole_answer(ready, happens, at):
    page = Page(ready)
    mine = play(ready, page, at=at, happens=happens if at else None)
    assert kinds(page.cells[mine]) == KINDS


def test_two_pages_hold_the_same_also_where_one_is_loaded_again(ready):
    pages = Page(ready), Page(ready)
    mine = play(ready, *pages, at=9, happens=Page.reload)
    assert pages[0].rest(mine) == pages[1].rest(mine)


def test_the_models_notice_metadata_that_changes():
    """As it once did: a display's `state` became `final`, and VS Code lost all other outputs of the cell."""

    def message(kind, display, state, html):
        content = {
            "data": {"text/html": html},
            "metadata": {"nbgemini": {"state": state}},
            "transient": {"display_id": display},
        }
        return {"msg_type": kind, "parent_header": {"msg_id": "cell"}, "content": content}

    thought, answer = '<details class="nbgemini-thought"></details>', '<div class="nbgemini-answer">x</div>'
    log = [
        message("display_data", "1", "live", thought),
        message("display_data", "2", "live", answer),
        message("update_display_data", "1", "final", thought),
        message("update_display_data", "2", "final", answer),
    ]
    assert len(changed_metadata(log)) == 2
    assert [name for name, *_ in differences({"cell": True}, log)] == [VSCode.__name__]
    for one in log:
        one["content"]["metadata"] = {"nbgemini": {"chat": "main", "turn": 0}}
    assert changed_metadata(log) == differences({"cell": True}, log) == []
    assert said(log[-1])["kind"] == "answer"


CHANGING = """
from nbgemini.notebook.display import stream_view
show = stream_view.Display.show
def show_with_its_state(display, data, state, widget=None):
    display._metadata = {"nbgemini": {**display._metadata["nbgemini"], "state": state}}
    show(display, data, state, widget)
stream_view.Display.show = show_with_its_state
"""


def test_a_kernel_whose_metadata_changes_is_found_out_when_it_is_closed(python):
    """The rule is undone in a kernel: its log is refused, and it is VS Code that would show other outputs."""
    undone = Kernel(python)
    undone.run("%load_ext nbgemini\n%gemini demo fast")
    undone.run(TOOL)
    undone.run(CHANGING)
    undone.run(cell().replace("--no-wait", "--wait"))
    assert {name for name, *_ in differences(undone.requests, undone.log)} == {VSCode.__name__}
    with pytest.raises(AssertionError, match="'state': 'final'"):
        undone.close()
    PLAYED["logs"] += 1


def listed(kernel):
    """The comms that a page is told of which asks for widgets."""
    session = kernel.client.session
    asked = session.msg("comm_info_request", {"target_name": "jupyter.widget"})
    kernel.client.shell_channel.send(asked)
    while parent(reply := kernel.client.get_shell_msg(timeout=PATIENCE)) != asked["header"]["msg_id"]:
        pass
    return set(reply["content"]["comms"])


def test_a_widget_that_a_page_was_told_of_answers_also_once_its_answer_is_at_rest(ready):
    """A page that opens under load asks each widget by itself, and shows none until all have answered."""
    page, before = Page(ready), listed(ready)
    mine = ready.send(cell(gap=0.1))

    def is_shown(message):
        page.receive(message)
        return kinds(page.cells[mine])[:2] == KINDS[:2]

    ready.until(is_shown)
    told = listed(ready) - before
    assert len(told) >= 3
    ready.until(lambda message: page.receive(message) or (bool(page.cells[mine]) and is_whole(page.cells[mine])))
    page.say(next(widget for widget, role in page.widgets.items() if role == "status"), "gone")
    ready.run("import asyncio; await asyncio.sleep(0.1)")
    assert len(told & listed(ready)) < len(told), "the status line stays for a page that comes back, and no text"
    session, asked = ready.client.session, {}
    for widget in told:
        message = session.msg("comm_msg", {"comm_id": widget, "data": {"method": "request_state"}})
        ready.client.shell_channel.send(message)
        asked[message["header"]["msg_id"]] = widget

    def is_last(message):
        if message["msg_type"] == "comm_msg" and message["content"]["data"].get("method") == "update":
            asked.pop(parent(message), None)
        return not asked

    ready.until(is_last)
