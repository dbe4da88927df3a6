"""What IPython asks at Tab. What can be offered there is loaded at the first one, as %load_ext must stay quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from IPython.core import completer as ipython

from nbgemini.notebook.config import Gemini

_METHOD = "completions"


class CompletionMatcher:
    """Joins our completions to those of one shell: as a matcher, or before IPython 8.6 in the place of its method."""

    def __init__(self, shell: Any, config: Gemini, session: Callable[[], Any]) -> None:
        """`session` returns the session, or None while nothing was asked: it is not made for a Tab."""
        self._completer = shell.Completer
        self._parts = shell, config, session
        self._offers: Any = None
        self._matcher = self._new_matcher() if hasattr(ipython, "context_matcher") else None

    def install(self) -> None:
        """Offer completions from now on."""
        if self._matcher is not None:
            self._completer.custom_matchers.append(self._matcher)
        else:
            setattr(self._completer, _METHOD, self._completions)

    def remove(self) -> None:
        """Offer nothing any more; harmless twice."""
        if self._matcher is None:
            vars(self._completer).pop(_METHOD, None)
        elif self._matcher in self._completer.custom_matchers:
            self._completer.custom_matchers.remove(self._matcher)

    def _offered(self, text: str, row: int, column: int) -> tuple[str, list[str]]:
        """Return what is being typed at a place in a cell, and the whole words of ours that it may become."""
        if "gemini" not in text:
            return "", []
        if self._offers is None:
            self._offers = import_module("nbgemini.notebook.magics.completion").Completer(*self._parts)
        offered: tuple[str, list[str]] = self._offers.offered(text, row, column)
        return offered

    def _new_matcher(self) -> Any:
        @ipython.context_matcher(identifier="nbgemini", priority=1000)  # before jedi, which then need not run
        def match(context: Any) -> dict[str, Any]:
            typed, words = self._offered(context.full_text, context.cursor_line, context.cursor_position)
            found = [ipython.SimpleCompletion(word, type="nbgemini") for word in words]
            return {"completions": found, "suppress": True, "matched_fragment": typed, "ordered": True}

        return match

    def _completions(self, text: str, offset: int) -> Iterator[Any]:
        """Return ours where something of ours is typed, or else IPython's: that would run properties to see what they have."""
        before = text[:offset].split("\n")
        typed, words = self._offered(text, len(before) - 1, len(before[-1]))
        if not typed and not words:
            return getattr(type(self._completer), _METHOD)(self._completer, text, offset)
        return iter([ipython.Completion(offset - len(typed), offset, word, type="nbgemini") for word in words])
