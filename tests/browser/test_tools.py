"""The card of a tool call, as its reader meets it: what would run, buttons, how far it is, and what came of it."""

from __future__ import annotations

import json

import pytest

from tests.support.jupyter import CELLS, kinds, start
from tests.support.live_page import press

TOOL = '''
import asyncio

let_go = asyncio.Event()

def send_mail(to: str, text: str) -> str:
    """Send a mail."""
    return f"sent to {to}"

async def wait_here(name: str) -> str:
    """Wait until somebody lets go."""
    await let_go.wait()
    return f"{name} waited"
'''
MAIL = {"to": "zoe@example.org", "text": "Hello\u202e <b>Zoe</b>"}


def asking(tools, *parts, gap=0.05, approve="ask", **more):
    return f"%%gemini --once -t {tools} --approve {approve}\noffline: {json.dumps({'parts': parts, 'gap': gap, **more})}"


ASK = asking("send_mail", ["thought", "It wants a mail."], ["call", "send_mail", MAIL])


def opened(notebook, *cells):
    book = start(notebook, TOOL, *cells)
    book.run(1)
    return book


def output(book, cell):
    """What a reader sees below a cell."""
    return "\n".join(book.texts(cell))


def picture(book, cell, name):
    """Keep what a reader sees of a cell."""
    book.cell(cell).evaluate("cell => cell.scrollIntoView()")
    book.screenshot(name)


def at_rest(book, cell, *, text="From nbgemini's offline service"):
    """Wait until the answer of a cell is at rest."""
    book.wait(f"() => document.querySelectorAll('.jp-Notebook .jp-Cell')[{cell}].querySelector('.nbgemini-status')")
    book.wait_text(cell, text)


@pytest.mark.parametrize(("button", "outcome"), [("Allow once", "done"), ("Deny", "refused")], ids=["run", "refuse"])
def test_the_reader_decides(notebook, button, outcome):
    """By keyboard; the notebook is free meanwhile, and the card shows all there is to know, hidden characters too."""
    book = opened(notebook, ASK, "1 + 1")
    book.run(2)
    book.cell(2).get_by_role("button", name=button).wait_for()
    book.run(3)
    book.wait_text(3, "2")
    shown = output(book, 2)
    for text in (
        "zoe@example.org",
        "U+202E",
        "<b>Zoe</b>",
        "defined in cell 2, line 5 · no chat · round 1 of 10",
        "waiting for approval",
    ):
        assert text in shown
    picture(book, 2, f"tool-asks-{outcome}")
    press(book, 2, button)
    book.wait_text(2, f"Tool send_mail · {outcome}")
    at_rest(book, 2)
    assert book.outputs(2).get_by_role("button").count() == 0
    picture(book, 2, f"tool-{outcome}")
    saved = book.save()
    assert kinds(saved, 2) == ["thought", "tool_call", "answer", "status"]
    assert ("sent to zoe" in json.dumps(saved["cells"][2]["outputs"])) == (outcome == "done")


def test_always_asks_no_second_time(notebook):
    book = opened(notebook, ASK, ASK)
    book.run(2)
    press(book, 2, "Always allow", "Space")
    at_rest(book, 2)
    book.run(3)
    at_rest(book, 3)
    assert "Tool send_mail · done" in output(book, 3)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_one_call_is_stopped_while_its_sibling_runs(notebook, dark):
    parts = ["frame", ["call", "wait_here", {"name": "Ann"}], ["call", "wait_here", {"name": "Ben"}]]
    book = opened(notebook, asking("wait_here", parts, approve="auto"))
    if dark:
        book.dark()
    book.run(2)
    stops = book.cell(2).get_by_role("button", name="Stop this call", exact=True)
    stops.nth(1).wait_for()
    book.wait_text(2, "1 s")
    book.execute("import asyncio; await asyncio.sleep(0.6)")
    picture(book, 2, f"tool-runs-{'dark' if dark else 'light'}")
    stops.nth(0).focus()
    book.page.keyboard.press("Enter")
    book.wait_text(2, "Tool wait_here · not finished: stopped")
    assert stops.count() == 1
    assert "Tool wait_here · running" in output(book, 2)
    picture(book, 2, f"tool-stopped-{'dark' if dark else 'light'}")
    book.execute("let_go.set()")
    at_rest(book, 2, text="stopped by the user")
    book.wait_text(2, "Ben waited")
    assert book.outputs(2).get_by_role("button").count() == 0


def test_arguments_are_seen_as_they_come(notebook, tmp_path):
    """As text, with what is hidden in them; the whole call takes the place of its pieces."""
    text = "Dear Zoe, <img src=x onerror=alert(1)> \u202e" + "this is a letter of many words. " * 20 + "Yours"
    call = ["streamed_call", "send_mail", {"to": "zoe@example.org", "text": text}]
    book = opened(notebook, asking("send_mail", call, pieces=40, gap=0.1, stall=35, until=str(tmp_path / "go")))
    book.run(2)
    book.wait_text(2, "Tool send_mail · its arguments are coming…")
    book.wait_text(2, "onerror=alert(1)")
    book.wait_text(2, "U+202E")
    assert "Yours" not in output(book, 2)
    picture(book, 2, "tool-arguments-come")
    (tmp_path / "go").touch()
    press(book, 2, "Allow once")
    at_rest(book, 2)
    assert output(book, 2).count("Tool send_mail") == 1
    saved = book.save()
    assert kinds(saved, 2) == ["tool_call", "answer", "status"]
    assert "Yours" in json.dumps(saved["cells"][2]["outputs"])


def test_long_arguments_can_be_read_to_their_end_before_they_run(notebook):
    book = opened(notebook, asking("send_mail", ["call", "send_mail", {"to": "zoe", "text": "word " * 6_000 + "END"}]))
    book.dark()
    book.run(2)
    book.cell(2).get_by_role("button", name="Allow once").wait_for()
    assert "30,0" in output(book, 2)
    box = book.cell(2).locator(".nbg-card pre").first
    assert "END" in box.inner_text()
    assert box.bounding_box()["height"] < 500
    picture(book, 2, "tool-asks-long-dark")
    press(book, 2, "Deny")
    at_rest(book, 2)


RUN = '\n\nran = []\n\ndef shell(command: str) -> str:\n    """Run a command."""\n    ran.append(command)\n    return "ran"\n'


def test_a_double_click_allows_one_call_and_not_the_next(notebook):
    """Wherever the next card's button comes to lie."""
    calls = [["call", "shell", {"command": f"echo {number}" + "\n" * (3 * number)}] for number in range(4)]
    book = opened(notebook, RUN, asking("shell", ["frame", *calls]))
    for number in (2, 3):
        book.run(number)
    first = book.cell(3).get_by_role("button", name="Allow once", exact=True).first
    first.wait_for()
    book.wait(f"() => {CELLS}[3].querySelectorAll('[value=once]:enabled').length === 4")
    book.execute("import asyncio; await asyncio.sleep(0.6)")  # the guard of buttons that have just appeared is a time
    box = first.bounding_box()
    for _ in range(4):
        book.page.mouse.click(box["x"] + 10, box["y"] + 10)
    book.wait(f"() => {CELLS}[3].querySelectorAll('[value=once]').length === 3")
    assert book.execute("import asyncio; await asyncio.sleep(0.7)", "len(ran)") == "1"
    book.screenshot("double-click")
    book.cell(3).get_by_role("button", name="Stop this answer").click()


def test_what_is_out_of_sight_cannot_be_allowed_until_it_was_scrolled_to(notebook):
    command = "echo 1; " + "x " * 3000 + "; rm -rf ~"
    book = opened(notebook, RUN, asking("shell", ["call", "shell", {"command": command}]))
    for number in (2, 3):
        book.run(number)
    allow = book.cell(3).get_by_role("button", name="Allow once", exact=True)
    allow.wait_for()
    assert allow.is_disabled()
    assert book.cell(3).get_by_role("button", name="Deny", exact=True).is_enabled()
    assert "characters of arguments" in output(book, 3)
    book.screenshot("out-of-sight")
    book.cell(3).locator(".nbg-card pre").first.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    book.wait(f"() => {CELLS}[3].querySelector('[value=once]:enabled')")
    book.cell(3).get_by_role("button", name="Stop this answer").click()


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_key_that_is_held_down_allows_one_call(notebook, key):
    """It repeats itself as long as it is held; what has the focus then is nothing that could be pressed by mistake."""
    calls = [["call", "shell", {"command": f"echo {number}"}] for number in range(3)]
    book = opened(notebook, RUN, asking("shell", ["frame", *calls]))
    for number in (2, 3):
        book.run(number)
    book.wait(f"() => {CELLS}[3].querySelectorAll('[value=once]:enabled').length === 3")
    book.execute("import asyncio; await asyncio.sleep(0.6)")
    book.cell(3).get_by_role("button", name="Allow once", exact=True).first.focus()
    for _ in range(2):
        for _ in range(8):
            book.page.keyboard.down(key)
        book.page.keyboard.up(key)
        book.wait(f"() => {CELLS}[3].querySelectorAll('[value=once]').length === 2")
    assert book.execute("import asyncio; await asyncio.sleep(0.7)", "len(ran)") == "1"
    assert book.cell(3).locator("[value=once]").count() == 2
    book.cell(3).get_by_role("button", name="Stop this answer").click()


def test_what_was_seen_on_one_page_is_unseen_on_the_next(notebook):
    """On a page that was loaded again, or made larger, nothing counts that was scrolled to before."""
    book = opened(notebook, RUN, asking("shell", ["call", "shell", {"command": "echo 1; " + "x " * 3000 + "; rm -rf ~"}]))
    for number in (2, 3):
        book.run(number)
    allow = book.cell(3).get_by_role("button", name="Allow once", exact=True)
    allow.wait_for()
    book.page.evaluate("() => { document.body.style.zoom = 3 }")
    book.page.evaluate("() => new Promise(done => setTimeout(done, 300))")
    assert allow.is_disabled()
    book.page.evaluate("() => { document.body.style.zoom = 1 }")
    box = book.cell(3).locator(".nbg-card pre").first
    box.evaluate("box => box.scrollTo(0, box.scrollHeight / 2)")
    book.page.evaluate("() => new Promise(done => setTimeout(done, 300))")
    assert allow.is_disabled()
    box.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    book.wait(f"() => {CELLS}[3].querySelector('[value=once]:enabled')")
    book.save()
    book.open()
    book.wait(f"() => {CELLS}[3]?.querySelector('[value=once]')")
    assert book.cell(3).locator("[value=once]").is_disabled()
    book.screenshot("unseen-again")
    book.cell(3).get_by_role("button", name="Deny", exact=True).wait_for()
    assert book.execute("", "len(ran)") == "0"
