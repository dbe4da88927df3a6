"""A real IPython on a real pseudo-terminal: what a reader sees, and a terminal that is left as it was found."""

from __future__ import annotations

import re
import termios

import pytest

from tests.kernel.test_saved_file import Terminal
from tests.notebook.terminal.test_terminal import OURS, run_ipython

WAIT = "[time.sleep(0.01) for _ in iter(lambda: '_gemini' in globals() and 'Sunlight' in _gemini.so_far.text, True)]"
SKY = "%gemini ask Why is the sky blue?"


@pytest.fixture
def ipython(monkeypatch, tmp_path):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    made = Terminal()
    made.modes = termios.tcgetattr(made._main)
    made.type("%load_ext nbgemini", until="In [2]")
    yield made
    made.close()


def last_cell(terminal, prompt):
    """What the terminal got since this line was typed."""
    return terminal.seen.rpartition(prompt)[2]


def test_an_answer_is_seen_growing_and_ends_rendered(ipython):
    ipython.type("%gemini demo fast", until="In [3]")
    ipython.type(SKY, until="In [4]")
    shown = last_cell(ipython, SKY)
    final = re.split(r"\x1b\[\d+A\r\x1b\[J", shown)[-1]
    assert re.search(r"38 times\x1b\[0m", shown)
    assert "**38 times**" not in final
    assert shown.index("Why the sky is blue") < shown.index("Now the sunset") < shown.rindex("offline service")
    assert "\x1b[2m· thinking\x1b[0m" in shown
    rest = re.sub(r"\x1b\[\?2004[lh]", "", OURS.sub("", shown))
    assert "\x1b" not in rest


def test_ctrl_c_in_mid_answer_leaves_a_sane_terminal_and_a_rendered_answer(ipython):
    ipython.type("%gemini demo", until="In [3]")
    ipython.type(SKY, until="Sunlight holds")
    ipython.type("\x03", until="In [4]", enter=False)
    shown = last_cell(ipython, SKY)
    assert "stopped" in shown
    assert "Traceback" not in shown
    assert shown.count("\x1b[?7l") == shown.count("\x1b[?7h")
    assert "\x1b[?25l" not in shown
    ipython.type("import sys; print(type(sys.stdout).__name__, _gemini.state)", until="TextIOWrapper interrupted")
    assert termios.tcgetattr(ipython._main)[:4] == ipython.modes[:4]


def test_a_print_from_a_thread_stays_above_what_still_grows(ipython):
    ipython.type("%gemini demo", until="In [3]")
    ipython.type("import threading, time", until="In [4]")
    ipython.type(f"threading.Thread(target=lambda: ({WAIT}, print('from', 'afar'))).start()", until="In [5]")
    ipython.type(SKY, until="In [6]")
    shown = last_cell(ipython, SKY)
    assert re.search(r"\r\x1b\[Jfrom afar\r\n", shown)
    assert shown.index("from afar") < shown.index("Low above the horizon")


def test_nothing_but_text_goes_down_a_pipe(tmp_path):
    printed = run_ipython(tmp_path, f"%load_ext nbgemini\n%gemini demo fast\n{SKY[:-1]}\n")
    assert "up to **38 times** more air" in printed
    assert "\x1b" not in printed


def test_rich_is_imported_by_a_terminal_only(tmp_path):
    asked = "import sys; print([name in sys.modules for name in ('rich', 'rich.markdown')])"
    printed = run_ipython(tmp_path, f"%load_ext nbgemini\n%gemini demo fast\n{SKY[:-1]}\n{asked}\n")
    assert "38 times" in printed
    assert "[False, False]" in printed
