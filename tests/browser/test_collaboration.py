"""Two users of one notebook, by jupyter-collaboration: an answer is whole in the shared model, the file and both pages.

Mid-stream the other user sees static HTML, since JupyterLab trusts no cell that somebody else has run.
"""

from __future__ import annotations

import json

import pytest

from tests.support.jupyter import CELLS, start
from tests.support.stories import KINDS, MOMENTS, TOOL, assert_whole, at_rest, stories, wait_for

PLACES = range(2, 2 + MOMENTS)
FIRST_WORDS = f"n => {CELLS}[n].querySelector('.nbg-live')?.textContent.includes('The')"
# Once `late` is set, what users change in the document takes so many milliseconds to and from this page; the kernel's words don't.
LATE_DOCUMENT = """
  window.late = 0;
  const Prompt = WebSocket;
  window.WebSocket = class extends Prompt {
    get wait() {
      return this.url.includes("/collaboration/room/") ? window.late : 0;
    }
    send(data) {
      setTimeout(() => super.send(data), this.wait);
    }
    set onmessage(call) {
      super.onmessage = (event) => setTimeout(call, this.wait, event);
    }
  };
"""


def begun(notebook, go, late=0):
    """Two users, each of whom has started five of ten stories; the slowest has shown its first words."""
    one = start(notebook, TOOL, *stories(go), front_end="collaboration")
    two = one.second_user(lambda page: page.add_init_script(LATE_DOCUMENT))
    assert all(user.page.evaluate("() => jupyterapp.shell.currentWidget.context.model.collaborative") for user in (one, two))
    two.page.evaluate("late => { window.late = late }", late)
    one.page.bring_to_front()
    one.run(1)
    one.wait("() => jupyterapp.shell.currentWidget.content.model.cells.get(1).executionCount")
    for user, numbers in ((one, range(0, MOMENTS, 2)), (two, range(1, MOMENTS, 2))):
        user.page.bring_to_front()
        for number in numbers:
            user.run(2 + number)
        user.wait(FIRST_WORDS, 2 + numbers[-1])
    return one, two


def lengths(user, number):
    """How many outputs the shared document holds below a cell, and how many the page shows."""
    return user.page.evaluate(
        "n => { const cell = jupyterapp.shell.currentWidget.content.model.cells.get(n);"
        " return [cell.sharedModel.outputs.length, cell.outputs.length]; }",
        number,
    )


def assert_same_everywhere(*users):
    """All pages, and at last the file, hold the whole answers."""
    for user in users:
        user.page.bring_to_front()
        at_rest(user)
        wait_for(lambda user=user: user.page.wait_for_timeout(100) or all(lengths(user, n) == [len(KINDS)] * 2 for n in PLACES))
        assert_whole(user.held())
    file = users[0].path
    wait_for(lambda: "nbgemini-live" not in file.read_text())
    wait_for(lambda: file.read_text().count("Answer two ends.") >= MOMENTS)
    assert_whole(json.loads(file.read_text()))
    for user in users:
        answers = user.page.locator(".nbgemini-answer").all_inner_texts()
        assert sum("Answer two ends." in answer for answer in answers) == MOMENTS


def test_two_users_hold_the_same(notebook, go):
    one, two = begun(notebook, go)
    two.screenshot("collaboration-two")
    go.touch()
    assert_same_everywhere(one, two)
    one.screenshot("collaboration-one-rest")
    two.screenshot("collaboration-two-rest")


def test_users_whose_changes_reach_each_other_late_hold_the_same(notebook, go):
    """Then each page misses what the other has already put in."""
    one, two = begun(notebook, go, late=3000)
    go.touch()
    assert_same_everywhere(one, two)
    two.screenshot("collaboration-late")


@pytest.mark.parametrize("who", ["one", "two"])
def test_a_user_who_loads_the_page_again_holds_the_same(notebook, go, who):
    one, two = begun(notebook, go)
    {"one": one, "two": two}[who].open()
    go.touch()
    assert_same_everywhere(one, two)
    one.screenshot(f"collaboration-again-{who}")
