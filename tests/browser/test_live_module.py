"""The page's module alone, on a blank page: what it makes of messages, of a typesetter, of a document."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

import nbgemini.notebook

MODULE = Path(nbgemini.notebook.__file__).parent / "display" / "live.js"
BOX = '<p>a <span style="display:inline-block;width:max-content;overflow:clip">$x$</span> b</p>'
HARNESS = """async (code) => {
  const { default: make } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const typeset = async (box) => {
    if (box.textContent) box.innerHTML = `<mjx-container>${box.textContent.replaceAll("$", "")}</mjx-container>`;
  };
  window.manager = { rendermime: { latexTypesetter: { typeset } } };
  window.start = (role) => {
    const el = document.body.appendChild(document.createElement("div"));
    const sent = [], listeners = {};
    const model = {
      widget_manager: manager,
      get: (name) => ({ role, key: role })[name],
      on: (name, call) => (listeners[name] = call),
      send: (said) => sent.push(said),
    };
    const part = make();
    part.initialize({ model });
    part.render({ model, el });
    const hear = (content, bytes) => listeners["msg:custom"](content, bytes ? [new DataView(Uint8Array.from(bytes).buffer)] : []);
    window.widget = { el, sent, hear, end: () => listeners["comm_live_update"]() };
  };
}"""


class Widget:
    """One widget on a page of its own, and its kernel's side."""

    def __init__(self, page, role):
        self.page = page
        page.evaluate("role => start(role)", role)

    def hear(self, packed=None, **content):
        """What the kernel sends."""
        bytes_ = [*zlib.compress(json.dumps(packed).encode(), wbits=-zlib.MAX_WBITS)] if packed else None
        self.page.evaluate("([content, bytes]) => widget.hear(content, bytes)", [content, bytes_])

    def shows(self, text):
        """Wait until it reads so."""
        self.page.wait_for_function("text => widget.el.innerText.trim() === text", arg=text)

    @property
    def sent(self):
        """The words that it sent."""
        return [said["type"] for said in self.page.evaluate("() => widget.sent")]


@pytest.fixture
def started(chromium):
    page = chromium.new_page()
    page.set_content("<!doctype html><body></body>")
    page.evaluate(HARNESS, MODULE.read_text(encoding="utf-8"))
    yield lambda role: Widget(page, role)
    page.close()


def test_what_was_lost_is_asked_for_once_and_then_all_goes_on(started):
    widget = started("answer")
    widget.hear(n=1, snapshot={"html": "<p>One</p>", "open": ""})
    widget.hear(n=3, ops=[["t", [1], 0, " three"]])
    widget.hear(n=4, ops=[["t", [1], 0, " four"]])
    widget.page.wait_for_function("() => widget.sent.length === 2")
    assert widget.sent == ["hello", "lost"]
    widget.hear(n=4, snapshot={"html": "<p>One two three four</p>", "open": ""})
    widget.hear(n=5, ops=[["t", [1], 0, " five"]])
    widget.shows("One two three four five")
    assert widget.sent == ["hello", "lost"]


def test_packed_words_come_before_those_that_were_sent_behind_them(started):
    widget = started("answer")
    widget.hear(n=0, snapshot={"html": "<p>One</p>", "open": ""})
    widget.hear(packed=[["t", [1], 0, " two é 😀"]], n=1)
    widget.hear(n=2, ops=[["t", [1], 0, " three"], ["e"]])
    widget.shows("One two é 😀 three")
    widget.page.wait_for_function("() => !widget.el.querySelector('.nbg-caret')")
    assert widget.sent == ["hello"]


def test_a_formula_is_typeset_and_what_changes_in_it_is_typeset_anew(started):
    """As where a formula turns out not to have ended."""
    widget = started("answer")
    widget.hear(n=0, snapshot={"html": "", "open": ""})
    widget.hear(n=1, ops=[["h", [], 0, BOX]])
    widget.shows("a x b")
    widget.hear(n=2, ops=[["t", [1, 2], 1, " + y$"]])
    widget.shows("a x + y b")
    widget.hear(n=3, ops=[["h", [1], 1, " c"]])
    widget.shows("a x + y c")
    assert widget.page.evaluate("() => widget.el.querySelectorAll('mjx-container').length") == 1


def test_a_status_line_hears_only_what_has_changed(started):
    widget = started("status")
    widget.hear(n=0, snapshot={"status": {"text": "model", "badge": "", "busy": True, "since": 3, "doing": ""}})
    widget.hear(n=1, ops=[["s", {"text": "model · 5 out"}]])
    widget.page.wait_for_function("() => widget.el.innerText.includes('5 out') && widget.el.innerText.includes('3 s')")
    assert widget.page.get_by_role("button", name="Stop this answer").is_visible()
    widget.page.evaluate("() => widget.end()")
    widget.page.wait_for_function("() => widget.el.innerText.includes('cut off: the kernel ended')")
    assert not widget.page.get_by_role("button").is_visible()


def test_html_is_only_what_the_kernel_said_is_html(started):
    hostile = "<img src=x onerror=alert(1)>"
    widget = started("answer")
    widget.hear(n=0, snapshot={"html": "<p>a</p>", "open": ""})
    widget.hear(packed=[["t", [1], 0, hostile * 20]], n=1)
    widget.shows("a" + hostile * 20)
    other = started("card")
    other.hear(
        n=0, snapshot={"html": "", "tail": "", "status": {"ask": [["once", hostile, hostile]], "busy": False, "since": 0}}
    )
    other.hear(n=1, ops=[["a", hostile]])
    other.page.wait_for_function("text => widget.el.innerText.includes(text)", arg=hostile)
    assert other.page.evaluate("() => document.querySelectorAll('img').length") == 0


DOCUMENT = """outputs => {
  const hearers = new Set(), changed = { connect: (call) => hearers.add(call), disconnect: (call) => hearers.delete(call) };
  let held = outputs;
  const hold = (now) => { held = now; for (const call of hearers) call(); };
  const area = { changed, get length() { return held.length; }, get: (n) => held[n] };
  const sharedModel = {
    getOutputs: () => held, setOutputs: hold, updateOutputs: (start, end) => hold(held.filter((_, n) => n < start || n >= end)),
  };
  window.cell = { id: "c", outputs: area, sharedModel };
  window.hold = hold;
  manager.context = { model: { cells: [cell] } };
}"""
FULL = [{"data": {"text/html": f'<div class="nbgemini-answer">{word}</div>'}} for word in ("one", "two", "two")]
OTHERS = {"output_type": "stream", "text": "mine"}


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_what_several_pages_put_into_one_document_stands_there_once(started, copies):
    """Now, and where it becomes known later; what is no copy stays, and so does what the user has cleared."""
    page = started("status").page
    page.evaluate(DOCUMENT, FULL * copies + [OTHERS])
    document = {"cell": "c", "filled": True, "ids": ["w"], "outputs": FULL}
    page.evaluate("content => widget.hear(content)", {"n": 0, "document": document, "page": "another"})
    held = "wanted => JSON.stringify(cell.sharedModel.getOutputs()) === JSON.stringify(wanted)"
    page.wait_for_function(held, arg=[*FULL, OTHERS])
    page.evaluate("outputs => hold(outputs)", [FULL[1], *FULL, *FULL])
    page.wait_for_function(held, arg=[FULL[1], FULL[0], FULL[2]])
    page.evaluate("() => hold([])")
    page.evaluate("() => new Promise((done) => setTimeout(done))")  # behind what is looked at now
    assert page.evaluate("() => cell.sharedModel.getOutputs()") == []
