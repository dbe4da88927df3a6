"""Questions in the very cell that loads the extension: IPython has read that cell before anybody could tell it what they are.

It takes the mark at the end of `%gemini ask why?` for a call for help about `why`. So help is looked through until the cell is
over, and what was meant as a question is asked.
"""

from __future__ import annotations

import re
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
        self._help: dict[str, Any] = {}

    def listen(self) -> None:
        """Begin, if there are any; ends with the cell."""
        magics = self._shell.magics_manager.magics["line"]
        if self._questions and all(name in magics for name in _HELP):
            self._help = {name: magics[name] for name in _HELP}
            for name in _HELP:
                magics[name] = self._asked(name)
            self._shell.events.register("post_run_cell", self._over)

    def _asked(self, name: str) -> Any:
        def asked(about: str = "", *args: Any, **kwargs: Any) -> Any:
            question = next((found for found in self._questions if found["line"].rstrip("? ").endswith(about.strip())), None)
            if question is None or not about.strip():
                return self._help[name](about, *args, **kwargs)
            self._questions.remove(question)
            reply = self._shell.run_line_magic("gemini", question["line"])
            if question["name"]:
                self._shell.user_ns[question["name"]] = reply
            return None

        return asked

    def _over(self, *_: Any) -> None:
        self._shell.magics_manager.magics["line"].update(self._help)
        self._shell.events.unregister("post_run_cell", self._over)
