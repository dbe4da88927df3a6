"""The delta widget's kernel side: what travels, how much of it, and in what order."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from uuid import uuid4

import pytest

from tests.kernel.conftest import Kernel, wire_size


class Wire:
    """A comm that keeps what it would send, and lets a test speak for the page."""

    def __init__(self, opened, data=None, **_):
        self.comm_id = uuid4().hex  # all widgets of a process stand in one table
        self.sent = []
        self.state = data["state"]
        opened.append(self)

    def send(self, data=None, **_):
        self.sent.append(data)

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

    from nbgemini.notebook import live

    live._new_layout.cache_clear()
    comms = []
    monkeypatch.setattr(comm, "create_comm", lambda **how: Wire(comms, **how))
    yield comms
    live._new_layout.cache_clear()


def widget(**how):
    from nbgemini.notebook.live import Live

    return Live("answer", **{"snapshot": dict, **how})


@pytest.mark.parametrize("role", ["answer", "thought", "data", "status", "card"])
def test_source_that_travels_with_every_widget_is_small(role):
    from nbgemini.notebook import live

    code, style = live._stripped("live.js", role), live._stripped("live.css", role)
    print(f"{role}: {len(code.encode())} bytes of JavaScript, {len(style.encode())} of CSS")
    assert len(code.encode()) <= 3_000
    assert len(style.encode()) <= 1_250
    assert not any(line.startswith(("//", "/*", " ")) for line in (code + style).splitlines())


@pytest.mark.parametrize(
    ("role", "holds"),
    [("answer", [True, True, False, False]), ("thought", [False, True, True, False]), ("status", [False, False, False, True])],
)
def test_a_widget_carries_only_what_its_role_needs(role, holds):
    from nbgemini.notebook import live

    code = live._stripped("live.js", role)
    assert [f"const {name} =" in code for name in ("copyButton", "textView", "useKeys", "statusView")] == holds
    assert code.endswith("};\n};")


@pytest.mark.parametrize("role", ["answer", "thought", "status"])
def test_comments_are_whole_lines_so_that_stripping_finds_them(role):
    from nbgemini.notebook import live

    assert "//" not in live._stripped("live.js", role)
    assert "/*" not in live._stripped("live.css", role)


@pytest.mark.usefixtures("opened")
def test_a_widget_sends_its_roles_source():
    from nbgemini.notebook import live

    for role in ("answer", "status"):
        assert live.Live(role, snapshot=dict).get_state()["_esm"] == live._stripped("live.js", role)


def test_first_widget_opens_a_layout_and_itself_and_the_next_only_itself(opened):
    from nbgemini.notebook.live import accordion

    accordion("Thinking…", widget())
    accordion("Thinking…", widget())
    names = [comm.state["_model_name"] for comm in opened]
    assert names == ["LayoutModel", "AnyModel", "AccordionModel", "AnyModel", "AccordionModel"]


def test_an_accordion_is_closed_and_names_its_child(opened):
    from nbgemini.notebook.live import accordion

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


def test_deltas_are_numbered_and_hold_only_what_is_new(opened):
    one = widget()
    for text in ("Some ", "words"):
        assert one.tell(lambda text=text: [["t", text]]) == len("t" + text)
    assert opened[-1].custom == [{"n": 1, "ops": [["t", "Some "]]}, {"n": 2, "ops": [["t", "words"]]}]


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
        "thread = threading.Thread(target=__import__, args=('nbgemini.notebook.live',))\n"
        "thread.start(); thread.join()\n"
        "print('anywidget' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("True", "")


@pytest.mark.kernel
def test_bytes_of_a_widget_in_a_real_kernel():
    kernel = Kernel(sys.executable)
    try:
        kernel.run("from nbgemini.notebook.live import Live, accordion")
        kernel.run("first = Live('status', snapshot=dict)")
        alone = kernel.run("answer = Live('answer', snapshot=dict)")
        both = kernel.run("thought = accordion('Thinking…', Live('thought', snapshot=dict))")
        delta = kernel.run("answer.tell(lambda: [['t', 'x' * 100]])")
    finally:
        kernel.close()
    sizes = {"alone": comm_bytes(alone), "in an accordion": comm_bytes(both), "delta of 100": comm_bytes(delta)}
    print(json.dumps(sizes))
    assert sizes["alone"] <= 5_200
    assert sizes["in an accordion"] <= 6_300
    assert sizes["delta of 100"] <= 800


def comm_bytes(messages):
    return wire_size([message for message in messages if message["msg_type"].startswith("comm_")])
