"""The way of our completions into IPython: through a matcher where there are such, through the completer itself where not.

IPython 8.6 and later ask matchers that see the whole cell. Before, matchers saw one word of it: there the completer's own
method is stood in for, which all front ends call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeAlias

from IPython.core import completer as ipython

Offered: TypeAlias = Callable[[str, int, int], tuple[str, list[str]]]
"""From a cell's text, a row and a column to what is being typed there and what it may become."""

_METHOD = "completions"


class Source(Protocol):
    """Completions that one completer gives."""

    def install(self) -> None:
        """Begin."""
        ...

    def remove(self) -> None:
        """End; harmless twice."""
        ...


class _Matcher:
    """IPython 8.6 and later."""

    def __init__(self, completer: Any, offered: Offered) -> None:
        self._completer = completer

        @ipython.context_matcher(identifier="nbgemini", priority=1000)  # before jedi, which then need not run
        def match(context: Any) -> dict[str, Any]:
            typed, words = offered(context.full_text, context.cursor_line, context.cursor_position)
            found = [ipython.SimpleCompletion(word, type="nbgemini") for word in words]
            return {"completions": found, "suppress": True, "matched_fragment": typed, "ordered": True}

        self._matcher = match

    def install(self) -> None:
        self._completer.custom_matchers.append(self._matcher)

    def remove(self) -> None:
        with contextlib.suppress(ValueError):
            self._completer.custom_matchers.remove(self._matcher)


class _InPlace:
    """IPython before 8.6."""

    def __init__(self, completer: Any, offered: Offered) -> None:
        self._completer = completer
        self._offered = offered

    def install(self) -> None:
        setattr(self._completer, _METHOD, self._completions)

    def remove(self) -> None:
        vars(self._completer).pop(_METHOD, None)

    def _completions(self, text: str, offset: int) -> Iterator[Any]:
        """Return ours where something of ours is typed, or else IPython's: that would run properties to see what they have."""
        before = text[:offset].split("\n")
        typed, words = self._offered(text, len(before) - 1, len(before[-1]))
        if not typed and not words:
            return getattr(type(self._completer), _METHOD)(self._completer, text, offset)
        return iter([ipython.Completion(offset - len(typed), offset, word, type="nbgemini") for word in words])


def source_of(completer: Any, offered: Offered) -> Source:
    """Return the way into this completer; nothing is changed before it is installed."""
    return (_Matcher if hasattr(ipython, "context_matcher") else _InPlace)(completer, offered)
