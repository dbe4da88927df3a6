"""What an answer in OpenAI's Chat Completions rests on: each server names its sources in words and places of its own.

OpenAI and OpenRouter annotate the message, Perplexity and xAI put `citations` and `search_results` beside the choices, others
inside of the choice, Qwen under `search_info`, GLM under `web_search`, Groq under the tools that it has run.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from nbgemini.messages.events import Citations
from nbgemini.providers.common.citations import CitationBuilder

NAMES = (
    "citations", "annotations", "search_results", "search_info", "web_search", "sources", "references", "executed_tools",
)  # fmt: skip
ANY = frozenset(NAMES)

_INSIDE = ("url_citation", "search_results", "results", "web", "source")  # where in an entry the sources may stand
_DEEPEST = 3
_PLACES, _TITLES = ("url", "uri", "link", "source", "href"), ("title", "name")
_SCHEMES = ("http://", "https://")
_MOST = 1_000  # in one frame; a hostile server could send any number


class CitationReader:
    """The sources of one stream: what comes later is added."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known = CitationBuilder()

    def take(self, place: dict[str, Any]) -> Citations | None:
        """Take what an object of a frame says of sources, and return all that is known if that is news."""
        for entry in (place[name] for name in NAMES if place.get(name)):
            for address, title in islice(_sources(entry), _MOST):
                self._known.add_source(address, title)
        return self._known.news()


def _sources(said: Any, depth: int = _DEEPEST) -> Iterator[tuple[str, str]]:
    """Yield the addresses in what is said of sources, each with its title."""
    for entry in said if isinstance(said, list) else [said]:
        if isinstance(entry, str) and entry.startswith(_SCHEMES):
            yield entry, ""
        elif isinstance(entry, dict):
            if address := _first(entry, _PLACES, _SCHEMES):
                yield address, _first(entry, _TITLES)
            elif depth:
                yield from (found for name in _INSIDE if entry.get(name) for found in _sources(entry[name], depth - 1))


def _first(entry: dict[str, Any], names: tuple[str, ...], starts: str | tuple[str, ...] = "") -> str:
    return next((value for name in names if isinstance(value := entry.get(name), str) and value.startswith(starts)), "")
