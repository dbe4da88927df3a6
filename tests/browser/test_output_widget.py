"""Answers inside an ipywidgets Output, and answers to a button: they stand where whoever asked expects them."""

from __future__ import annotations

import json
import re

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
CALLBACK = f"""
import ipywidgets
out, button = ipywidgets.Output(), ipywidgets.Button(description="Ask")
@button.on_click
def ask(_):
    with out:
        print("before")
        get_ipython().run_cell_magic("gemini", "--once", {TOLD!r})
ipywidgets.VBox([button, out])
"""
NESTED = f"""
import ipywidgets
outer, inner, boxed, tabbed, captured = (ipywidgets.Output() for _ in range(5))
display(ipywidgets.VBox([boxed]), ipywidgets.Tab(children=[tabbed], titles=["tab"]), outer, captured)
with outer:
    display(inner)
ask = lambda: get_ipython().run_cell_magic("gemini", "--once --no-wait", {TOLD!r})
for around in (inner, boxed, boxed, tabbed):
    with around:
        ask()
outer.capture()(captured.capture()(ask))()
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


def test_outputs_inside_of_each_other_hold_their_own_answers(notebook):
    """An Output in an Output, in a box (for two prompts), in a tab, and two that capture one function: the innermost takes it in."""
    book = start(notebook, NESTED)
    book.run(1)
    book.wait(f"() => {CELLS}[1].querySelectorAll('.nbgemini-answer').length === 10 && !{CELLS}[1].querySelector('.nbg-live')")
    for place, prompts in {
        ".widget-output .widget-output": 1,
        ".widget-vbox > .widget-output": 2,
        ".widget-tab .widget-output": 1,
    }.items():
        found = re.findall(r"The first answer\.|The end\.|offline service", book.cell(1).locator(place).first.inner_text())
        assert found == ["The first answer.", "The end.", "offline service"] * prompts, place
    assert book.cell(1).locator(".widget-output .widget-output .nbgemini-answer").count() == 2
    book.screenshot("output-widgets-nested")


def test_an_answer_to_a_button_stands_below_the_cell_that_ran_last_and_says_so(notebook):
    book = start(notebook, BUTTON)
    book.run(1)
    book.cell(1).get_by_role("button", name="Ask").click()
    book.wait(f"() => {CELLS}[1].querySelectorAll('.nbgemini-answer').length === 2 && !{CELLS}[1].querySelector('.nbg-live')")
    assert "below the cell that ran last" in book.cell(1).inner_text()
    book.screenshot("answer-to-a-button")


def test_an_answer_to_a_button_stands_in_the_output_around_it(notebook):
    """Also where a cell has run since then; and a second click adds its own."""
    book = start(notebook, CALLBACK, "1 + 1")
    book.run(1)
    book.run(2)
    for clicks in (1, 2):
        book.cell(1).get_by_role("button", name="Ask").click()
        book.wait(f"n => {CELLS}[1].querySelectorAll('.widget-output .nbgemini-answer').length === 2 * n", clicks)
        book.wait(f"() => !{CELLS}[1].querySelector('.nbg-live')")
    text = book.page.evaluate(HELD, 1)
    assert text.count("The end.") == text.count("before") == 2
    assert "below the cell" not in text
    assert book.outputs(2).count() == 1
    book.screenshot("output-widget-callback")
