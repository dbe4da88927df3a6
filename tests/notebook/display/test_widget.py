"""The delta widget's kernel side: what travels, how much of it, and in what order."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
import zlib
from uuid import uuid4

import pytest


class Wire:
    """A comm that keeps what it would send, and lets a test speak for the page."""

    def __init__(self, opened, data=None, buffers=(), **_):
        self.comm_id = uuid4().hex  # all widgets of a process stand in one table
        self.sent, self.buffers = [], []
        self.state = {
            **data["state"],
            **{path[-1]: bytes(buffer) for path, buffer in zip(data["buffer_paths"], buffers, strict=True)},
        }
        opened.append(self)

    def send(self, data=None, buffers=(), **_):
        self.sent.append(data)
        self.buffers.append(buffers)

    def on_msg(self, callback):
        self._heard = callback

    def on_close(self, callback):
        pass

    def close(self, *_, **__):
        pass

    def say(self, content):
        """What the page sends."""
        self._heard({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})

    @property
    def custom(self):
        """The custom messages so far."""
        return [data["content"] for data in self.sent if data["method"] == "custom"]


@pytest.fixture
def opened(monkeypatch):
    """The comms that were opened, in order."""
    import comm

    from nbgemini.notebook.display import widget as live

    for shared in (live._new_layout, live._new_module):
        shared.cache_clear()
    comms = []
    monkeypatch.setattr(comm, "create_comm", lambda **how: Wire(comms, **how))
    yield comms
    for shared in (live._new_layout, live._new_module):
        shared.cache_clear()


def widget(**how):
    from nbgemini.notebook.display.widget import Live

    return Live("answer", **{"snapshot": dict, **how})


def test_source_travels_without_comments_and_indentation(opened):
    from nbgemini.notebook.display import widget as live

    widget()
    module = next(comm.state for comm in opened if "code" in comm.state)
    print(f"{len(module['code'])} bytes of JavaScript and CSS, once a page; {len(live._start())} with each widget")
    assert len(module["code"]) <= 8_700
    source = gzip.decompress(module["code"])
    assert not any(line.startswith((b"//", b"/*", b" ")) for line in source.splitlines())
    assert b".nbg-live" in source.splitlines()[-1]
    assert len(live._start().encode()) <= 700
    assert opened[-1].state["_esm"] == live._start()


def test_every_widget_starts_from_the_one_module_of_its_page(opened):
    widget()
    widget()
    (module,) = [comm for comm in opened if "code" in comm.state]
    assert [comm.state["module"] for comm in opened if "role" in comm.state] == [module.comm_id] * 2


def test_first_widget_opens_a_layout_and_the_module_and_the_next_only_itself(opened):
    from nbgemini.notebook.display.widget import accordion

    accordion("Thinking…", widget())
    accordion("Thinking…", widget())
    names = [comm.state["_model_name"] for comm in opened]
    assert names == ["LayoutModel", "AnyModel", "AnyModel", "AccordionModel", "AnyModel", "AccordionModel"]


def test_an_accordion_is_closed_and_names_its_child(opened):
    from nbgemini.notebook.display.widget import accordion

    inner = widget()
    state = accordion("Thinking…", inner) and opened[-1].state
    assert (state["selected_index"], tuple(state["titles"])) == (None, ("Thinking…",))
    assert state["children"] == [f"IPY_MODEL_{inner.model_id}"]


@pytest.mark.usefixtures("opened")
def test_closing_all_widgets_does_not_break_the_next_one():
    first = widget()
    type(first).close_all()
    second = widget()
    assert second.layout.comm is not None
    assert second.layout is not first.layout
    assert second.module != first.module


def test_deltas_are_numbered_and_hold_only_what_is_new(opened):
    one = widget()
    for text in ("Some ", "words"):
        assert one.tell(lambda text=text: [["t", text]]) == len("t" + text)
    assert opened[-1].custom == [{"n": 1, "ops": [["t", "Some "]]}, {"n": 2, "ops": [["t", "words"]]}]


def test_long_deltas_are_packed_and_small_ones_are_not(opened):
    one = widget()
    ops = [["t", [1], 0, "Some words, half of \ud83d and 😀. " * 40]]
    one.tell(lambda: ops)
    one.tell(lambda: [["e"]])
    (packed,) = opened[-1].buffers[0]
    assert opened[-1].custom == [{"n": 1}, {"n": 2, "ops": [["e"]]}]
    assert len(packed) < 300
    assert json.loads(zlib.decompress(packed, wbits=-zlib.MAX_WBITS)) == [["t", [1], 0, "Some words, half of ? and 😀. " * 40]]


def test_a_widget_opens_without_what_it_has_not(opened):
    """A layout has forty traits without a value."""
    widget()
    layout, module, live = (comm.state for comm in opened)
    assert len(layout) <= 6
    assert None not in [*layout.values(), *module.values(), *live.values()]


def test_a_page_that_missed_deltas_gets_all_of_it_with_the_number_to_go_on_from(opened):
    one = widget(snapshot=lambda: {"html": "<p>Some</p>", "tail": "words"})
    one.tell(lambda: [["t", "Some\n\nwords"]])
    opened[-1].say({"type": "hello"})
    one.tell(lambda: [["t", "!"]])
    assert opened[-1].custom[1:] == [
        {"n": 1, "snapshot": {"html": "<p>Some</p>", "tail": "words"}},
        {"n": 2, "ops": [["t", "!"]]},
    ]


def test_a_page_that_was_loaded_again_is_noticed(opened):
    one = widget()
    assert not one.rebuilt
    opened[-1].say({"type": "hello"})
    opened[-1].say({"type": "lost"})
    assert not one.rebuilt
    assert len(opened[-1].custom) == 2
    opened[-1].say({"type": "hello"})
    assert one.rebuilt


def test_a_page_that_comes_back_or_asks_is_told_the_outputs_that_it_should_hold(opened):
    held = {"cell": "c", "ids": [], "outputs": []}
    one = widget(document=lambda: held)
    opened[-1].say({"type": "hello"})
    one.tell(lambda: [["o", []]])
    opened[-1].say({"type": "outputs"})
    opened[-1].say({"type": "hello"})
    assert opened[-1].custom == [
        {"n": 0, "snapshot": {}},
        {"n": 1, "ops": [["o", []]]},
        {"n": 1, "document": held, "page": None},
        {"n": 1, "snapshot": {}, "document": held, "page": None},
    ]


def test_widgets_are_let_go_once_every_page_has_let_go(opened):
    gone = []
    one = widget()
    for _ in range(2):
        opened[-1].say({"type": "hello"})
    opened[-1].say({"type": "gone"})  # of a view that another place took: nobody waits for it yet
    one.when_gone(lambda: gone.append(True))
    opened[-1].say({"type": "gone"})
    assert gone == []
    opened[-1].say({"type": "gone"})
    assert gone == [True]


@pytest.mark.usefixtures("opened")
def test_some_widgets_are_kept_for_pages_that_come_back():
    from nbgemini.notebook.display import widget as live

    kept = [widget() for _ in range(live._MOST_KEPT + 2)]
    for one in kept:
        live.keep(one)
    assert [one.comm is None for one in kept[:3]] == [True, True, False]
    for one in kept:
        one.close()
    live._kept.clear()


def test_stop_reaches_who_asked_for_it_and_nobody_else(opened):
    stopped = []
    widget(on_stop=lambda: stopped.append(True))
    opened[-1].say({"type": "stop"})
    assert stopped == [True]
    widget()
    opened[-1].say({"type": "stop"})
    opened[-1].say({"type": "something new"})
    opened[-1].say({})
    assert stopped == [True]


def test_a_hello_on_another_thread_never_tears_a_number_from_its_content(opened):
    """On ipykernel 7.0 to 7.3 messages arrive on a thread, while the loop goes on sending."""
    one = widget(snapshot=lambda: {"tail": one._n})
    page, over = opened[-1], threading.Event()

    def greet():
        while not over.is_set():
            page.say({"type": "hello"})

    thread = threading.Thread(target=greet)
    thread.start()
    for _ in range(500):
        one.tell(lambda: [["t", ""]])
    over.set()
    thread.join()
    deltas = [message["n"] for message in page.custom if "ops" in message]
    assert deltas == list(range(1, 501))
    newest = 0
    for message in page.custom:
        if "snapshot" in message:
            assert message["n"] == newest == message["snapshot"]["tail"]
        newest = message["n"]


def test_import_opens_no_comm_and_may_happen_in_a_thread():
    code = (
        "import sys, threading, comm\n"
        "import nbgemini\n"
        "assert not {'anywidget', 'ipywidgets'} & set(sys.modules)\n"
        "def refuse(**_): raise AssertionError('a comm was opened')\n"
        "comm.create_comm = refuse\n"
        "thread = threading.Thread(target=__import__, args=('nbgemini.notebook.display.widget',))\n"
        "thread.start(); thread.join()\n"
        "print('anywidget' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("True", "")
