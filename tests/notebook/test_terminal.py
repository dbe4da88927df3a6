"""Plain IPython: text arrives as text, and nothing the model says can steer the terminal."""

from __future__ import annotations

import os
import subprocess
import sys

from nbgemini.events import AnswerDelta, ThoughtDelta
from nbgemini.notebook.terminal import TerminalView
from nbgemini.reply import Reply
from nbgemini.transcript import Exchange
from nbgemini.turns import Options, user_turn


def run_ipython(folder, code):
    """Run a script of cells in a plain IPython and return what it printed."""
    script = folder / "script.ipy"
    script.write_text(code)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GEMINI", "GOOGLE"))}
    run = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**environ, "IPYTHONDIR": str(folder)},
        check=False,
    )
    return run.stdout + run.stderr


def test_escape_sequences_of_the_model_are_shown_not_obeyed(capsys):
    reply = Reply(Exchange(user_turn("x")), Options(model="m"), provider="gemini", chat=None, turn=0)
    view = TerminalView(reply)
    view.apply(reply.feed([ThoughtDelta("\x1b]0;title\x07"), AnswerDelta("\x1b[2J"), AnswerDelta("red \x9b31m")]))
    view.apply(reply.end())
    printed = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\x9b"} & set(printed)
    assert "red" in printed
