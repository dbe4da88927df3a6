"""The delta widget in a page, driven by hand: what a reader does while text flows, and what the widget asks of the kernel."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.jupyter import PATIENCE, Notebook

STORY = '''
from IPython.display import display
from nbgemini.notebook.display.text_view import Deltas, update_of
from nbgemini.notebook.display.output_area import view_of
from nbgemini.notebook.display.widget import Live, accordion
from nbgemini.render.html_tree import Patch, as_it_is
from nbgemini.render.streaming_markdown import RenderedBlock, Blocks

class Story:
    """Kernel side of one widget: what was sent, so that a page can ask for all of it."""

    def __init__(self, role):
        self.blocks, self.deltas, self.status, self.stops = Blocks(), Deltas(), {}, 0
        self.widget = Live(role, snapshot=self.snapshot, on_stop=self.stop)

    def snapshot(self):
        return {**self.deltas.snapshot(), **({"status": self.status} if self.status else {})}

    def stop(self):
        self.stops += 1

    def write(self, text):
        self.blocks.append(text)
        self.widget.tell(lambda: self.deltas.next(update_of(self.blocks.advance(), self.blocks.patch())))

    def block(self, html):
        """End what is open, and show HTML below it."""
        found = [*self.blocks.close(), RenderedBlock(html, "")]
        self.widget.tell(lambda: self.deltas.next(update_of(found, Patch([]))))

    def tell(self, **fields):
        self.status = {"badge": "", "busy": True, "since": 0, **fields}
        self.widget.tell(lambda: [["s", self.status]])

def show(widget, name):
    display({**view_of(widget), "text/html": "…", "text/plain": "…"}, raw=True, display_id=name)

def rest(name, html):
    display({"text/html": html, "text/plain": "at rest"}, raw=True, display_id=name, update=True)

thought, answer, status = Story("thought"), Story("answer"), Story("status")
fold = accordion("Thinking…", thought.widget)
show(fold, "thought"); show(answer.widget, "answer"); show(status.widget, "status")
'''
CELL = "document.querySelector('.jp-Notebook .jp-Cell')"
THOUGHT = f"{CELL}.querySelector('.jupyter-widget-Collapse .nbg-live')"
ANSWER = f"{CELL}.querySelectorAll('.jp-OutputArea-child')[1]?.querySelector('.nbg-live')"
STATUS = f"{CELL}.querySelector('.nbg-status')"
COPY_LABEL = f"getComputedStyle({ANSWER}.querySelector('button'), '::before').content"
TABLE = "<table><thead><tr><th>n</th><th>prime</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr><tr><td>2</td><td>3</td></tr></tbody></table>"
CODE = '<div class="highlight"><pre><code class="language-python"><span class="k">def</span> <span class="nf">primes</span>():\n    yield 2\n</code></pre></div>'


@pytest.fixture(scope="module")
def page(lab, chromium):
    one = Notebook(lab, chromium, "live", [STORY, "answer.widget"])
    yield one
    one.close()


@pytest.fixture
def book(page):
    """A page with a thought in a closed accordion, an answer and a status line, all empty."""
    page.clear()
    page.execute("import ipywidgets; ipywidgets.Widget.close_all()")
    page.errors.clear()
    page.run(0)
    page.wait(f"() => {THOUGHT} && {ANSWER} && {STATUS}")
    yield page
    assert page.errors == []
    assert page.strangers == []


def until(book, expression, value):
    """Wait until an expression has this repr in the kernel, where a click needs a moment to arrive."""
    deadline = time.monotonic() + PATIENCE / 1000
    while (got := book.execute("", expression)) != value:
        assert time.monotonic() < deadline, got


def wait_answer(book, text):
    """Wait until the answer reads exactly so."""
    book.wait(f"text => {ANSWER}.innerText.trim() === text", text)


def test_accordion_opened_while_text_flows_stays_open_and_blocks_appear_once(book):
    book.execute("thought.write('First some words')")
    assert book.page.evaluate(f"() => {CELL}.querySelector('.jupyter-widget-Collapse-open')") is None
    book.cell(0).locator(".jupyter-widget-Collapse-header").click()
    book.wait(f"() => {THOUGHT}.innerText === 'First some words'")
    book.execute("thought.write(' and a formula.\\n\\nThen')")
    book.wait(f"() => {THOUGHT}.querySelector('p')?.textContent === 'First some words and a formula.'")
    book.page.evaluate(f"() => {{ window.kept = {THOUGHT}.querySelector('p') }}")
    book.execute("fold.titles = ('Thinking… 2 s',); thought.write(' more')")
    book.wait(f"() => {THOUGHT}.innerText.endsWith('Then more')")
    assert book.cell(0).locator(".jupyter-widget-Collapse-open").count() == 1
    assert book.cell(0).locator(".jupyter-widget-Collapse-header").inner_text().strip() == "Thinking… 2 s"
    assert book.page.evaluate(f"() => kept === {THOUGHT}.querySelector('p')")


def test_blocks_and_tail_are_what_was_sent_and_text_is_never_markup(book):
    hostile = "<img src=x onerror=alert(1)> & é "
    book.execute(f"answer.write({hostile!r} + 'one\\n\\n'); answer.write({hostile!r} + '😀 two')")
    wait_answer(book, f"{hostile}one\n\n{hostile}😀 two")
    book.execute(f"answer.block({TABLE!r}); answer.write('end')")
    book.wait(f"() => {ANSWER}.querySelector('table') && {ANSWER}.innerText.endsWith('end')")
    assert book.page.evaluate(f"() => [...{ANSWER}.firstChild.children].map((node) => node.tagName)") == [
        "P",
        "P",
        "TABLE",
        "P",
    ]
    assert book.page.evaluate(f"() => {ANSWER}.querySelectorAll('img').length") == 0


def test_code_being_written_shows_without_its_fences(book):
    book.execute("answer.write('```python\\nx = 1\\n')")
    wait_answer(book, "x = 1")
    assert "mono" in book.page.evaluate(
        f"() => getComputedStyle({ANSWER}.querySelector('.nbg-text').lastChild.querySelector('pre') || {ANSWER}).fontFamily"
    )
    book.execute("answer.write('y = 2\\n```\\n')")
    wait_answer(book, "x = 1\ny = 2")
    book.execute("answer.block('<p>done</p>'); answer.write('```inline``` is text')")
    book.wait(f"() => {ANSWER}.innerText.trim().endsWith('done\\n\\ninline is text')")
    assert "mono" not in book.page.evaluate(
        f"() => getComputedStyle({ANSWER}.querySelector('.nbg-text').lastChild.querySelector('pre') || {ANSWER}).fontFamily"
    )


def test_selection_and_scroll_position_are_the_readers(book):
    words = "Some words that stand still. "
    book.execute(f"for n in range(60):\n    answer.write(f'{{n}} ' + {words!r} + '\\n\\n')")
    book.wait(f"() => {ANSWER}.querySelectorAll('p').length === 60")
    book.page.evaluate(f"() => {ANSWER}.querySelectorAll('p')[20].scrollIntoView({{block: 'center'}})")
    book.cell(0).locator("p", has_text="20 Some words").dblclick(position={"x": 40, "y": 8})
    before = book.page.evaluate(f"() => [getSelection().toString(), {ANSWER}.getBoundingClientRect().top]")
    assert before[0].strip() in words
    book.execute(f"answer.write({words!r} * 50 + '\\n\\nand'); answer.write('The end')")
    book.wait(f"() => {ANSWER}.innerText.endsWith('The end')")
    assert book.page.evaluate(f"() => [getSelection().toString(), {ANSWER}.getBoundingClientRect().top]") == before


def test_stop_by_mouse_reaches_the_kernel_and_says_so_at_once_in_every_view(book):
    book.execute("status.tell(text='gemini-3.8-flash · 12 in', badge='offline', since=7)")
    book.wait(f"() => /offline.*12 in.*· [789] s/s.test({STATUS}.innerText)")
    book.wait(f"() => {STATUS}.innerText.includes('· 9 s')")  # the browser's own clock
    button = book.cell(0).get_by_role("button", name="Stop this answer")
    button.click()
    assert "stopping…" in book.page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(document.querySelector('.nbg-status').innerText))))"
    )
    assert button.is_disabled()
    until(book, "status.stops", "1")
    book.execute("show(status.widget, 'status-below')")
    book.execute("status.tell(text='gemini-3.8-flash', busy=False)")
    book.wait(f"() => {STATUS}.innerText.trim() === 'gemini-3.8-flash'")
    assert book.cell(0).locator("button:visible", has_text="stop").count() == 0


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_stop_by_keyboard(book, key):
    book.execute("status.tell(text='gemini-3.8-flash')")
    button = book.cell(0).get_by_role("button", name="Stop this answer")
    button.focus()
    book.page.keyboard.press(key)
    book.wait(f"() => {STATUS}.innerText.includes('stopping…')")
    until(book, "status.stops", "1")


@pytest.mark.parametrize("allowed", [True, False], ids=["clipboard", "no leave to write"])
def test_copy_takes_the_answer_as_shown_and_not_its_own_label(book, allowed):
    book.may_use_clipboard(write=allowed)
    book.execute("answer.write('One.\\n\\n'); answer.write('Two')")
    wait_answer(book, "One.\n\nTwo")
    button = book.cell(0).get_by_role("button", name="Copy this answer")
    look = f"() => (style => [style.opacity, style.position])(getComputedStyle({ANSWER}.querySelector('button')))"
    book.page.mouse.move(0, 0)
    assert book.page.evaluate(look) == ["0", "absolute"]
    book.cell(0).locator("p", has_text="One.").hover()
    assert book.page.evaluate(look) == ["1", "absolute"]
    button.click()
    book.wait(f"() => {COPY_LABEL} === '\"Copied\"'")
    assert book.clipboard().split() == ["One.", "Two"]
    assert book.page.evaluate("() => getSelection().isCollapsed") == allowed  # without leave it is copied as a selection
    book.wait(f"() => {COPY_LABEL} === '\"Copy\"'")
    assert book.cell(0).get_by_role("button", name="Copy").count() == 1  # a thought has none


def test_accordion_is_opened_and_closed_by_keyboard(book):
    book.execute("thought.write('Hm')")
    header = book.cell(0).get_by_role("button", name="Thinking…", expanded=False)
    header.focus()
    for key, opened in (("Enter", True), ("Space", False), ("Space", True), ("Enter", False)):
        book.page.keyboard.press(key)
        book.cell(0).get_by_role("button", name="Thinking…", expanded=opened).wait_for()
        assert book.cell(0).locator(".jupyter-widget-Collapse-open").count() == opened
        assert book.page.evaluate(f"() => {THOUGHT}.offsetParent !== null") == opened
        assert book.page.evaluate("() => document.activeElement.innerText.trim()") == "Thinking…"


def test_tab_goes_from_thought_to_copy_to_stop_and_stays_while_text_arrives(book):
    book.execute("thought.write('Hm'); answer.write('One'); status.tell(text='model')")
    wait_answer(book, "One")
    book.wait(f"() => {STATUS}.innerText.includes('model')")
    name = "() => document.activeElement.ariaLabel || document.activeElement.innerText.trim()"
    book.cell(0).get_by_role("button", name="Thinking…").focus()
    names = []
    for n in range(3):
        names.append(book.page.evaluate(name))
        book.execute(
            f"answer.write('.\\n\\n'); answer.write('more'); thought.write('m'); status.tell(text='{n} in'); fold.titles = ('Thinking… {n} s',)"
        )
        book.wait(f"n => {STATUS}.innerText.includes(n + ' in')", n)
        assert book.page.evaluate(name).split("…")[0] == names[-1].split("…")[0]  # an arriving delta takes no focus
        book.page.keyboard.press("Tab")
    assert names == ["Thinking…", "Copy this answer", "Stop this answer"]


def test_screen_reader_is_told_the_status_but_not_every_tick(book):
    book.execute("status.tell(text='gemini-3.8-flash · 12 in')")
    line = book.cell(0).get_by_role("status")
    book.wait(f"() => {STATUS}.innerText.includes('12 in')")
    assert line.inner_text() == "gemini-3.8-flash · 12 in"  # the clock stands apart
    assert line.get_attribute("aria-busy") == "true"
    book.execute("status.tell(text='done', busy=False)")
    book.wait(f"() => {STATUS}.innerText.trim() === 'done'")
    assert line.get_attribute("aria-busy") == "false"
    assert book.page.evaluate(f"() => {ANSWER}.closest('[aria-live]')") is None


def test_page_loaded_again_midway_is_complete_and_goes_on(book):
    book.execute("answer.write('One.\\n\\n'); answer.write('Tw'); status.tell(text='model')")
    wait_answer(book, "One.\n\nTw")
    book.save()
    book.open()
    book.wait(f"() => {ANSWER}?.innerText === 'One.\\n\\nTw' && {STATUS}?.innerText.includes('model')")
    assert book.execute("", "(answer.widget.rebuilt, thought.widget.rebuilt)") == "(True, True)"
    book.execute("answer.write('o.\\n\\n'); answer.write('Three')")
    wait_answer(book, "One.\n\nTwo.\n\nThree")


def test_lost_deltas_are_noticed_and_made_good_and_a_whole_page_is_left_alone(book):
    book.execute("answer.write('One.\\n\\n')")
    wait_answer(book, "One.")
    book.execute("answer.blocks.append('lost '); answer.widget._n += 1; answer.write('and found')")
    wait_answer(book, "One.\n\nlost and found")
    book.page.evaluate(f"() => {{ window.kept = {ANSWER}.querySelector('p') }}")
    book.execute("answer.widget._heard(None, {'type': 'hello'}, [])\nanswer.write('!')")  # as another page would
    wait_answer(book, "One.\n\nlost and found!")
    assert book.page.evaluate(f"() => kept === {ANSWER}.querySelector('p')")


def test_two_views_of_one_widget_show_the_same(book):
    book.execute("answer.write('One.\\n\\n'); answer.write('Two')")
    wait_answer(book, "One.\n\nTwo")
    twin = "document.querySelectorAll('.jp-Notebook .jp-Cell')[1].querySelector('.nbg-live')"
    book.run(1)
    book.wait(f"() => {twin}?.innerText === 'One.\\n\\nTwo'")
    book.execute("answer.write(' and more')")
    book.wait(f"() => {twin}.innerText === 'One.\\n\\nTwo and more' && {ANSWER}.innerText === {twin}.innerText")


def test_static_bundle_takes_the_widgets_place_and_is_what_is_saved(book):
    book.execute("thought.write('Hm.'); answer.write('Yes.'); status.tell(text='model')")
    wait_answer(book, "Yes.")
    book.execute(
        "rest('thought', '<details><summary>Thought</summary>Hm.</details>'); rest('answer', '<p>Yes.</p>'); rest('status', '<small>model</small>')"
    )
    book.execute("[w.close() for w in (fold, thought.widget, answer.widget, status.widget)]")
    book.wait(f"() => !{CELL}.querySelector('.nbg-live, .jupyter-widget-Collapse') && {CELL}.querySelector('details')")
    assert [text.strip() for text in book.texts(0)] == ["Thought", "Yes.", "model"]
    saved = book.save()
    assert [sorted(output["data"]) for output in saved["cells"][0]["outputs"]] == [["text/html", "text/plain"]] * 3
    assert "nbg-live" not in json.dumps(saved["cells"][0]["outputs"])


def test_traffic_is_that_of_the_text(book):
    book.execute("answer.write('x')")
    wait_answer(book, "x")
    before = book.bytes_received
    book.execute("for n in range(200):\n    answer.write('y' * 500)")
    book.wait(f"() => {ANSWER}.textContent.length === 100_001")
    spent = book.bytes_received - before
    print(f"{spent} bytes for 100,000 characters in 200 deltas")
    assert spent <= 100_000 + 200 * 800 + 5_000


def test_caret_only_where_motion_is_welcome(book):
    book.execute("answer.write('Some')")
    wait_answer(book, "Some")
    caret = f"() => getComputedStyle({ANSWER}.querySelector('.nbg-caret'), '::after').content"
    assert book.page.evaluate(caret) == '""'
    book.page.emulate_media(reduced_motion="reduce")
    assert book.page.evaluate(caret) == "none"
    book.page.emulate_media(reduced_motion="no-preference")


def test_blocks_stand_where_they_will_at_rest(book):
    book.execute(f"answer.block('<p>Words</p>' + {TABLE!r} + {CODE!r}); answer.write('```python\\ndef primes')")
    book.wait(f"() => {ANSWER}.innerText.endsWith('def primes')")
    look = (
        "tags => tags.map(tag => [...document.querySelectorAll(`.jp-OutputArea-child:nth-child(2) ${tag}`)].pop())"
        ".map(node => [node.tagName, node.getBoundingClientRect().left, getComputedStyle(node).font])"
    )
    live = book.page.evaluate(look, ["p", "table", "code"])
    book.execute(f"rest('answer', '<div><p>Words</p>' + {TABLE!r} + {CODE!r} + '</div>')")
    book.wait(f"() => !{ANSWER}")
    assert live == book.page.evaluate(look, ["p", "table", "code"])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_picture(book, theme):
    """Kept to be looked at."""
    book.dark(theme == "dark")
    book.cell(0).locator(".jupyter-widget-Collapse-header").click()
    book.execute("thought.write('Primes have two divisors.\\n\\n'); thought.write('So 1 is none')")
    book.execute(f"answer.write('The first primes, in a table and as code:\\n\\n'); answer.block({TABLE!r})")
    book.execute(f"answer.block({CODE!r}); answer.write('```python\\nfor prime in primes():\\n    print(prime)\\n')")
    book.execute("status.tell(text='gemini-3.8-flash · 12 in / 34 thought / 56 out', badge='offline service', since=3)")
    book.wait(f"() => {ANSWER}.innerText.includes('print(prime)') && {STATUS}.innerText.includes('56 out')")
    book.cell(0).locator(".jupyter-widget-Collapse-header").scroll_into_view_if_needed()
    book.page.evaluate(f"() => {STATUS}.scrollIntoView({{block: 'end'}})")
    book.screenshot(f"widget-{theme}")
    book.dark(dark=False)
