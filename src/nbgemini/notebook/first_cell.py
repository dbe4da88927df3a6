"""Questions in the very cell that loads the extension: IPython has read that cell before anybody could tell it what they are.

It takes the mark at the end of `%gemini ask why?` for a call for help about `why`. So help is looked through until the cell is
over, and what was meant as a question is asked.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

_QUESTION = re.compile(r"^\s*(?:(?P<name>\w+)\s*=\s*)?%gemini\s+(?P<line>(?:ask|fix|explain|map)\s.*\?)\s*$", re.MULTILINE)
_HELP = ("pinfo", "pinfo2")  # what `?` and `??` become


class FirstCell:
    """The questions of the running cell that are still to be asked."""

    def __init__(self, shell: Any) -> None:
        """Look for them in what was typed."""
        self._shell = shell
        typed = getattr(getattr(shell, "history_manager", None), "input_hist_raw", None) or [""]
        self._questions = list(_QUESTION.finditer(typed[-1]))
        self._magics: dict[str, Any] = shell.magics_manager.magics["line"]
        self._help: dict[str, Any] = {}

    def listen(self) -> None:
        """Begin, if there are any; ends with the cell."""
        if self._questions:
            self._step_in()
            self._shell.events.register("post_run_cell", self._over)

    def _step_in(self) -> None:
        self._help = {name: self._magics[name] for name in _HELP if name in self._magics}
        self._magics.update({name: partial(self._look, name) for name in self._help})

    def _step_back(self) -> None:
        self._magics.update(self._help)

    def _look(self, name: str, about: str = "") -> None:
        """Ask what was a question; all else is help, which may be loaded only now and takes its own name again."""
        words = about.strip()
        question = next((found for found in self._questions if words and found["line"].rstrip("? ").endswith(words)), None)
        if question is None:
            self._step_back()
            self._shell.run_line_magic(name, about)
            self._step_in()
            return
        self._questions.remove(question)
        reply = self._shell.run_line_magic("gemini", question["line"])
        if question["name"]:
            self._shell.user_ns[question["name"]] = reply

    def _over(self, *_: Any) -> None:
        self._step_back()
        self._shell.events.unregister("post_run_cell", self._over)
