"""Two users of one notebook, by jupyter-collaboration: an answer is whole in the shared model, the file and both pages.

Mid-stream the other user sees static HTML, since JupyterLab trusts no cell that somebody else has run.
"""

from __future__ import annotations

import json

import pytest

from tests.support.jupyter import CELLS, start
from tests.support.stories import MOMENTS, TOOL, assert_whole, at_rest, story, wait_for

FIRST_WORDS = f"n => {CELLS}[n].querySelector('.nbg-live')?.textContent.includes('The')"


def begun(notebook):
    """Two users, each of whom has started five of ten stories; the slowest has shown its first words."""
    one = start(notebook, TOOL, *map(story, range(MOMENTS)), front_end="collaboration")
    two = one.second_user()
    assert all(user.page.evaluate("() => jupyterapp.shell.currentWidget.context.model.collaborative") for user in (one, two))
    one.page.bring_to_front()
    one.run(1)
    one.wait("() => jupyterapp.shell.currentWidget.content.model.cells.get(1).executionCount")
    for user, numbers in ((one, range(0, MOMENTS, 2)), (two, range(1, MOMENTS, 2))):
        user.page.bring_to_front()
        for number in numbers:
            user.run(2 + number)
        user.wait(FIRST_WORDS, 2 + numbers[-1])
    return one, two


def assert_same_everywhere(*users):
    """All pages, and at last the file, hold the whole answers."""
    for user in users:
        user.page.bring_to_front()
        assert_whole(at_rest(user))
    file = users[0].path
    wait_for(lambda: "nbgemini-live" not in file.read_text())
    wait_for(lambda: file.read_text().count("Answer two ends.") >= MOMENTS)
    assert_whole(json.loads(file.read_text()))
    for user in users:
        answers = user.page.locator(".nbgemini-answer").all_inner_texts()
        assert sum("Answer two ends." in answer for answer in answers) == MOMENTS


def test_two_users_hold_the_same(notebook):
    one, two = begun(notebook)
    two.screenshot("collaboration-two")
    assert_same_everywhere(one, two)
    one.screenshot("collaboration-one-rest")
    two.screenshot("collaboration-two-rest")


@pytest.mark.parametrize("who", ["one", "two"])
def test_a_user_who_loads_the_page_again_holds_the_same(notebook, who):
    one, two = begun(notebook)
    {"one": one, "two": two}[who].open()
    assert_same_everywhere(one, two)
    one.screenshot(f"collaboration-again-{who}")
