"""A page that is loaded again while answers stream: what begins later is shown, Stop works, and all is whole at rest."""

from __future__ import annotations

import json
import re

from tests.support.jupyter import CELLS, kinds, start
from tests.support.stories import wait_for

TOOL = '''
import asyncio

let_go = asyncio.Event()

async def wait_here(name: str) -> str:
    """Wait until somebody lets go."""
    if name == "the first":
        await let_go.wait()
    else:
        await asyncio.Event().wait()
    return f"{name} waited"
'''


def waiting(name):
    parts = [["thought", "A *thought*."], ["answer", "An **answer**."], ["call", "wait_here", {"name": name}]]
    return f"%%gemini --once -t wait_here --approve auto\noffline: {json.dumps({'parts': parts})}"


def test_segments_that_begin_after_a_reload_are_shown_and_stop_works(notebook):
    book = start(notebook, TOOL, waiting("the first"), waiting("the second"))
    for number in (1, 2, 3):
        book.run(number)
    for number in (2, 3):
        book.wait(f"n => {CELLS}[n].querySelector('.nbg-card')?.textContent.includes('running')", number)
    book.save()
    book.open()
    for number in (2, 3):
        book.wait(f"n => {CELLS}[n].querySelector('.nbg-card')?.textContent.includes('running')", number)
    assert book.cell(2).locator(".jupyter-widget-Collapse-open").count() == 0
    book.screenshot("reloaded-midway")
    book.execute("let_go.set()")
    book.wait_text(2, "The tools have answered")
    book.cell(3).get_by_role("button", name="Stop this answer").click()
    book.wait_text(3, "stopped")
    for number in (2, 3):
        book.wait(f"n => {CELLS}[n].querySelector('.nbgemini-status') && !{CELLS}[n].querySelector('.nbg-live')", number)
    saved = book.save()
    assert kinds(saved, 2) == ["thought", "answer", "tool_call", "answer", "status"]
    assert kinds(saved, 3) == ["thought", "answer", "tool_call", "status"]


LISTED = "sum(one.target_name == 'jupyter.widget' for one in comm.get_comm_manager().comms.values())"
AT_REST = f"() => {CELLS}[2].querySelector('.nbgemini-status') && !{CELLS}[2].querySelector('.nbg-live, .nbgemini-live')"
DEAF = "import ipywidgets\nget_ipython().kernel.comm_manager.targets['jupyter.widget.control'] = lambda *_: None"


def test_a_tab_that_asks_each_widget_by_itself_shows_the_answer_also_where_they_are_gone_by_then(notebook):
    """As on a busy machine: the page does not hear of all widgets in time, and what it asks instead comes after the end."""
    book = start(notebook, f"{TOOL}\n{DEAF}", waiting("the first"))
    book.run(1)
    book.run(2)
    book.wait(f"() => {CELLS}[2].querySelector('.nbg-card')?.textContent.includes('running')")
    book.save()
    held = []

    def hold(route):
        server = route.connect_to_server()

        def pass_on(told):
            if b'"request_state"' in (told if isinstance(told, bytes) else told.encode()):
                held.append(lambda: server.send(told))
            else:
                server.send(told)

        route.on_message(pass_on)

    other = book.second_tab(lambda page: page.route_web_socket(re.compile("/channels"), hold))
    wait_for(lambda: other.page.wait_for_timeout(100) or len(held) > 3)
    assert "Loading widget" in other.cell(2).inner_text()
    book.page.bring_to_front()
    book.execute("let_go.set()")
    book.wait(AT_REST)
    wait_for(lambda: int(book.execute("import comm", LISTED)) <= 3)  # the layout, the module, and the line that stays
    for let_go in held:
        let_go()
    other.page.bring_to_front()
    other.wait(AT_REST)
    other.wait_text(2, "The tools have answered")
    other.screenshot("second-tab-asked-each")
