"""The card of a tool call, as its reader meets it: what would run, three buttons, and what came of it."""

from __future__ import annotations

import json

import pytest

from tests.browser.test_quickstart import kinds, start

TOOL = '''
def send_mail(to: str, text: str) -> str:
    """Send a mail."""
    return f"sent to {to}"
'''
PARTS = {
    "parts": [
        ["thought", "It wants a mail."],
        ["call", "send_mail", {"to": "zoe@example.org", "text": "Hello\u202e <b>Zoe</b>"}],
    ],
    "gap": 0.05,
}
ASK = f"%%gemini --once -t send_mail\noffline: {json.dumps(PARTS)}"


@pytest.mark.parametrize(("button", "outcome"), [("Run once", "done"), ("Refuse", "refused")], ids=["run", "refuse"])
def test_the_reader_decides(notebook, button, outcome):
    """By mouse or by keyboard; the notebook is free meanwhile, and the arguments show what is hidden in them."""
    book = start(notebook, TOOL, ASK, "1 + 1")
    for number in (1, 2):
        book.run(number)
    card = book.cell(2).get_by_role("button", name=button)
    card.wait_for(timeout=30_000)
    book.run(3)
    book.wait_text(3, "2")
    shown = book.cell(2).inner_text()
    assert "zoe@example.org" in shown
    assert "‹U+202E›" in shown  # noqa: RUF001 - as it is shown
    assert "<b>Zoe</b>" in shown
    book.screenshot(f"tool-asks-{outcome}")
    book.execute("import asyncio; await asyncio.sleep(0.3)")  # buttons that have just appeared don't count a click
    card.focus()
    book.page.keyboard.press("Enter")
    book.wait_text(2, f"Tool send_mail · {outcome}")
    book.wait("() => document.querySelectorAll('.jp-Notebook .jp-Cell')[2].querySelector('.nbgemini-status')")
    book.wait_text(2, "From nbgemini's offline service")
    assert book.outputs(2).get_by_role("button").count() == 0
    book.screenshot(f"tool-{outcome}")
    saved = book.save()
    assert kinds(saved, 2) == ["thought", "tool_call", "answer", "status"]
    assert ("sent to zoe" in json.dumps(saved["cells"][2]["outputs"])) == (outcome == "done")
