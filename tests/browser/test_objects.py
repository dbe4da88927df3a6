"""What a reader sees of answers that are objects, code or text: growing, at rest, in both themes, and put into a new cell."""

from __future__ import annotations

import json

import pytest

PLANET = "import pydantic\nclass Planet(pydantic.BaseModel):\n    name: str\n    mass: float\n    moons: int\n    rings: bool"
LOAD = f"%load_ext nbgemini\n%gemini demo\n{PLANET}"
NAMES = ["Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"]
ROWS = [{"name": name, "mass": 0.5 * n, "moons": n, "rings": n > 3, "of": ["<b>Sun</b>"]} for n, name in enumerate(NAMES)]
CODE = "def primes(n):\n    if n > 1:  # 'quoted' \"twice\" <b>\n        return [2]\n"
ROW_COUNT = "document.querySelectorAll('.jp-Notebook .jp-Cell')[1].querySelectorAll('.nbg-data table tr').length"


def directed(text, **how):
    return f"offline: {json.dumps({'parts': [['answer', text]], **how})}"


def loaded(notebook, *cells, front_end="lab"):
    page = notebook([LOAD, *cells], front_end)
    page.run(0)
    page.wait("() => document.querySelector('.jp-InputPrompt').innerText === '[1]:'")
    return page


def test_a_list_of_objects_grows_as_a_table_and_rests_as_one(notebook):
    text = json.dumps(ROWS)
    stalled = directed(text, pieces=60, gap=0.02, stall=35)
    page = loaded(
        notebook, f"%%gemini --schema list[Planet]\n{stalled}", f"%%gemini --once --schema list[Planet] -o r\n{directed(text)}"
    )
    page.run(1)
    page.wait(f"() => {ROW_COUNT} >= 5")
    assert page.cell(1).locator(".nbg-data table").count() == 1
    assert page.cell(1).locator(".nbg-data b").count() == 0
    page.screenshot("objects-growing")
    page.run(2)
    page.wait_text(2, "· 0")
    page.wait(
        "() => document.querySelectorAll('.jp-Notebook .jp-Cell')[2].querySelectorAll('.jp-RenderedHTML td').length === 40"
    )
    assert "<b>Sun</b>" in page.cell(2).inner_text()
    page.screenshot("objects")
    page.dark()
    page.wait("() => !document.querySelector('#jupyterlab-splash')")
    page.screenshot("objects-dark")
    assert page.execute("", "[p.moons for p in r.parsed]") == "[0, 1, 2, 3, 4, 5, 6, 7]"
    page.cell(1).get_by_role("button", name="Stop").click()
    page.wait_text(1, "stopped")


def test_what_does_not_fit_is_said_below_the_answer(notebook):
    page = loaded(notebook, f"%%gemini --schema Planet\n{directed(json.dumps({'name': 'Mars', 'mass': 'x'}))}")
    page.run(1)
    page.wait_text(1, "⚠ the answer does not fit Planet: at mass: Input should be a valid number")
    page.screenshot("objects-misfit")


@pytest.mark.parametrize("front_end", ["lab", "notebook"])
def test_code_goes_into_a_new_cell_by_its_button(notebook, front_end):
    page = loaded(notebook, f"%%gemini -f code\n{directed(f'```python{chr(10)}{CODE}```')}", "'last'", front_end=front_end)
    page.run(1)
    page.wait("() => document.querySelectorAll('.jp-Notebook .jp-Cell')[1].querySelector('button[data-commandlinker-command]')")
    page.screenshot(f"code-{front_end}")
    page.cell(1).get_by_role("button", name="Put into a new cell").click()
    page.wait("() => document.querySelectorAll('.jp-Notebook .jp-Cell').length === 4")
    page.wait("() => jupyterapp.shell.currentWidget.content.model.cells.get(2).sharedModel.getSource().includes('primes')")
    source = "jupyterapp.shell.currentWidget.content.model.cells.get(2).sharedModel.getSource()"
    assert page.page.evaluate(source) == CODE.strip()
    assert page.prompt(2).strip() == "[ ]:"


def test_code_of_a_waiting_cell_is_in_a_new_cell_when_it_ends(notebook):
    page = loaded(notebook, f"%%gemini -f code --wait\n{directed(f'```python{chr(10)}{CODE}```')}", "'last'")
    page.run(1)
    page.wait("() => document.querySelectorAll('.jp-Notebook .jp-Cell').length === 4")
    source = "jupyterapp.shell.currentWidget.content.model.cells.get(2).sharedModel.getSource()"
    assert page.page.evaluate(source) == CODE.strip()
    assert page.cell(1).locator("button[data-commandlinker-command]").count() == 0


def test_a_fix_that_did_not_wait_offers_the_corrected_cell(notebook):
    page = loaded(notebook, "1 / 0", f"%gemini fix {directed('Zero.' + chr(10) * 2 + f'```python{chr(10)}x = 1{chr(10)}```')}")
    page.run(1)
    page.wait_reply(1)
    page.run(2)
    page.cell(2).get_by_role("button", name="Put into a new cell").click()
    source = "jupyterapp.shell.currentWidget.content.model.cells.get(3).sharedModel.getSource()"
    page.wait(f"() => {source} === 'x = 1'")
    page.screenshot("fixed")


def test_text_is_shown_as_it_is(notebook):
    page = loaded(notebook, f"%%gemini -f text\n{directed('# no *heading*' + chr(10) + '<b>no</b> $x^2$')}")
    page.run(1)
    page.wait("() => document.querySelectorAll('.jp-Notebook .jp-Cell')[1].querySelector('.jp-RenderedHTML pre')")
    assert page.cell(1).locator(".jp-RenderedHTML pre").inner_text().strip() == "# no *heading*\n<b>no</b> $x^2$"
