"""A real IPython on a real pseudo-terminal: what a reader sees, and a terminal that is left as it was found."""

from __future__ import annotations

import json
import re
import termios

import pytest

from tests.support.terminal import OURS, IPythonTerminal, run_ipython

WAIT = "[time.sleep(0.01) for _ in iter(lambda: '_gemini' in globals() and 'Sunlight' in _gemini.so_far.text, True)]"
SKY = "%gemini ask Why is the sky blue?"


@pytest.fixture
def ipython(monkeypatch, tmp_path):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    made = IPythonTerminal()
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


def halted(text, **more):
    """A line that asks for this answer, which comes in small pieces and then no further."""
    pieces = [["answer", text[start : start + 5]] for start in range(0, len(text), 5)]
    return f"%gemini ask offline: {json.dumps({'parts': pieces, 'gap': 0, 'stall': len(pieces), **more})}"


FORMATTED = {
    "# Title": r"\x1b\[1;4mTitle",
    "so **bold": r"so \x1b\[1mbold",
    "- one\n- *two": r" • \x1b\[0mone(?:\x1b\[0m)?\r\n\x1b\[1m • \x1b\[0m\x1b\[3mtwo",
    "1. one\n   - inner **two": r"inner \x1b\[1mtwo",
    "| a | b |\n|---|---|\n| 1 | *x": r"────.*\r\n.*1.*\x1b\[3mx",
    "```python\ndef f(": r"\x1b\[94mdef",
    "> quoted **so": r"▌ .*quoted .*so",
}


def test_an_answer_is_formatted_before_its_end(ipython):
    ipython.type("%gemini demo fast", until="In [3]")
    for number, (text, shown) in enumerate(FORMATTED.items(), 4):
        ipython.type(halted(text), until=lambda seen, shown=shown: re.search(shown, seen.rpartition('"stall"')[2]))
        ipython.type("\x03", until=f"In [{number}]", enter=False)
        assert "stopped" in last_cell(ipython, '"stall"')


def test_no_colour_is_asked_of_a_terminal_that_wants_none(ipython):
    ipython.type("import os; os.environ['NO_COLOR'] = '1'", until="In [3]")
    ipython.type("%gemini demo fast", until="In [4]")
    ipython.type(halted("> quoted **so**\n\n1. one"), until=lambda seen: " one" in seen.rpartition('"stall"')[2])
    ipython.type("\x03", until="In [5]", enter=False)
    styles = re.findall(r"\x1b\[([\d;]*)m", last_cell(ipython, '"stall"'))
    assert "1" in styles
    assert all(int(code or 0) < 30 for style in styles for code in style.split(";"))


def test_a_dumb_terminal_gets_text_as_it_comes(ipython):
    ipython.type("import os; os.environ['TERM'] = 'dumb'", until="In [3]")
    ipython.type("%gemini demo fast", until="In [4]")
    ipython.type(SKY, until="In [5]")
    assert "**38 times**" in last_cell(ipython, SKY)
    assert "\x1b" not in last_cell(ipython, SKY).replace("\x1b[?2004h", "").replace("\x1b[?2004l", "")


def test_a_terminal_that_is_made_narrower_in_mid_answer_gets_all_of_it(ipython):
    words = " ".join(f"word{number}" for number in range(40))
    ipython.type("%gemini demo fast", until="In [3]")
    ipython.type(halted(words, gap=0.02), until=lambda seen: "word5" in seen.rpartition('"stall"')[2])
    ipython.resize(40, 12)
    ipython.type("", until=lambda seen: "word39" in seen.rpartition('"stall"')[2], enter=False)
    ipython.type("\x03", until="In [4]", enter=False)
    final = re.split(r"\x1b\[\d+A\r\x1b\[J", last_cell(ipython, '"stall"'))[-1]
    rows = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", final).split("— ")[0].split()
    assert rows == words.split()
    assert max(map(len, re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", final).split("— ")[0].splitlines())) < 40


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
