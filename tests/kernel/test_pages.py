"""What stays below a cell is the same in every page, whatever the page has been through while the answer came."""

from __future__ import annotations

import json

import pytest

from tests.kernel.conftest import kinds, parent, said
from tests.support.front_ends import VSCode, changed_metadata, differences
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
