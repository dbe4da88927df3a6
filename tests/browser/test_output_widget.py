"""Answers inside an ipywidgets Output, and answers to a button: they stand where whoever asked expects them."""

from __future__ import annotations

import json

import pytest

from tests.support.jupyter import CELLS, start

PARTS = [["thought", "A *thought*."], ["answer", "The **first** answer."], ["thought", "Another."], ["answer", "The end."]]
TOLD = f"offline: {json.dumps({'parts': PARTS, 'pieces': 4, 'gap': 0.1})}"
INSIDE = f"""
import ipywidgets
out = ipywidgets.Output()
display(out)
with out:
    print("before")
    get_ipython().run_cell_magic("gemini", "--once {{wait}}", {TOLD!r})
"""
HELD = """n => jupyterapp.shell.currentWidget.content.widgets[n].node.querySelector('.widget-output')?.innerText"""
BUTTON = f"""
import ipywidgets
button = ipywidgets.Button(description="Ask")
button.on_click(lambda _: get_ipython().run_cell_magic("gemini", "--once", {TOLD!r}))
button
"""


@pytest.mark.parametrize("wait", ["--no-wait", "--wait"])
def test_the_whole_answer_is_inside_the_output(notebook, wait):
    book = start(notebook, INSIDE.replace("{wait}", wait))
    book.run(1)
    book.wait(f"() => {CELLS}[1].querySelectorAll('.widget-output .nbgemini-answer').length === 2")
    text = book.page.evaluate(HELD, 1)
    order = [text.index(words) for words in ("before", "Thought for", "The first answer.", "The end.", "offline service")]
    assert order == sorted(order)
    book.wait(f"() => !{CELLS}[1].querySelector('.nbg-live')")
    assert book.cell(1).locator(".nbgemini-answer").count() == 2
    book.screenshot(f"output-widget{wait}")


def test_an_answer_to_a_button_stands_below_the_cell_that_ran_last_and_says_so(notebook):
    book = start(notebook, BUTTON)
    book.run(1)
    book.cell(1).get_by_role("button", name="Ask").click()
    book.wait(f"() => {CELLS}[1].querySelectorAll('.nbgemini-answer').length === 2 && !{CELLS}[1].querySelector('.nbg-live')")
    assert "below the cell that ran last" in book.cell(1).inner_text()
    book.screenshot("answer-to-a-button")
