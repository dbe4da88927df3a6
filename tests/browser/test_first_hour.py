"""What a new user meets in the first hour, in JupyterLab: warnings, errors, cards that ask again, a chat shown once more."""

from __future__ import annotations

import pytest

from tests.support.jupyter import CELLS, start
from tests.support.live_page import press

NAMES = """\
import pandas as pd
from pydantic import BaseModel

sales = pd.DataFrame({"city": ["Paris", "Rome"] * 100, "sold": range(200)})
few = sales.head(3)

class City(BaseModel):
    name: str
    sold: int

def stock(place: str) -> str:
    \"\"\"How much is in stock.\"\"\"
    print("asked about", place)
    return "12 boxes"
"""
CALL = 'offline: {"parts": [["call", "stock", {"place": "Oslo"}]], "gap": 0.01}'


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_first_hour(notebook, theme):
    book = start(
        notebook,
        NAMES,
        "%%gemini\nIn a sentence about {sales}: which city sold most, and what of {salse}?",
        "%%gemini -m gemini-9-ultra\nHello",
        "%gemini modles",
        "%%gemini --schema list[City]\nList the cities of {few}",
        "%gemini show",
        f"%%gemini --once -t stock\n{CALL}",
        "%gemini approvals",
        "%gemini approvals revoke stock",
        f"%%gemini --once -t stock\n{CALL}",
        "%gemini",
    )
    book.dark(theme == "dark")
    book.page.set_viewport_size({"width": 1100, "height": 1600})
    book.run(1)
    book.run(2)
    book.wait_text(2, "From nbgemini's offline service")
    assert "⚠ {salse} names nothing here and stays as typed → did you mean {sales}?" in book.cell(2).inner_text()
    assert "sales: first 50 of 200 rows sent" in book.cell(2).inner_text()
    book.run(3)
    book.wait_text(3, "failed")
    book.run(4)
    book.wait_text(4, "did you mean models?")
    book.cell(2).evaluate("cell => cell.scrollIntoView()")
    book.screenshot(f"first-hour-{theme}-1")
    book.run(5)
    book.wait(f"() => !{CELLS}[5].querySelector('.nbg-live') && {CELLS}[5].querySelector('.nbgemini-status')")
    shape = "cell => [...cell.querySelectorAll('.nbgemini-answer *')].map(node => node.tagName).join(' ')"
    book.run(6)
    book.wait_text(6, "name 1")
    assert book.cell(6).locator(".nbgemini-answer").last.evaluate(
        "answer => [...answer.querySelectorAll('*')].map(node => node.tagName).join(' ')"
    ) == book.cell(5).evaluate(shape)
    book.cell(5).evaluate("cell => cell.scrollIntoView()")
    assert book.cell(6).locator("blockquote table").count() == 2  # of both prompts
    book.screenshot(f"first-hour-{theme}-2")
    book.run(7)
    press(book, 7, "Always allow")
    book.wait(f"() => {CELLS}[7].querySelector('.nbgemini-status')")
    card = book.cell(7).locator("details.nbgemini-tool").last
    assert "asked about Oslo" in card.text_content()
    assert "asked about" not in book.cell(7).inner_text()  # it is folded
    card.evaluate("card => { card.open = true }")
    book.run(8)
    book.wait_text(8, "%gemini approvals revoke stock")
    book.run(9)
    book.wait_text(9, "stock asks again before each call")
    book.run(10)
    press(book, 10, "Allow once")
    book.wait(f"() => {CELLS}[10].querySelector('.nbgemini-status')")
    book.run(11)
    book.wait_text(11, "%gemini help")
    book.cell(7).evaluate("cell => cell.scrollIntoView()")
    book.screenshot(f"first-hour-{theme}-3")
    book.dark(dark=False)
