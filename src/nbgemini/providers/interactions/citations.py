"""What an interaction rests on: what its searches looked for, the pages it read, and the passages it gives sources for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbgemini.messages.events import Citation, Citations, Page, Passage
from nbgemini.providers.gemini.citations import dicts

_MOST = 5_000  # of passages, queries or pages; a hostile service could send any number
_PLACES = ("url", "document_uri", "source")  # where a citation leads: a page, a place on the map, a file
_NAMES = ("title", "name", "file_name")


class Cited:
    """The citations of one stream, which come bit by bit."""

    def __init__(self) -> None:
        """Begin with none."""
        self._sources: dict[Citation, int] = {}
        self._passages: dict[tuple[int, int, str], list[int]] = {}
        self._queries: dict[str, None] = {}
        self._pages: dict[str, Page] = {}
        self._told = Citations()

    def search(self, step: Mapping[str, Any]) -> None:
        """Take a step of the service's own: what it looked for, or which pages it read."""
        kind, arguments = step.get("type"), step.get("arguments")
        if kind == "google_search_call" and isinstance(arguments, Mapping) and isinstance(arguments.get("queries"), list):
            self._queries |= dict.fromkeys(str(query) for query in arguments["queries"][:_MOST] if query)
        if kind == "url_context_result":
            self._pages |= {str(page["url"]): _page(page) for page in dicts(step.get("result"))[:_MOST] if page.get("url")}

    def passages(self, annotations: Any, said: bytes | bytearray) -> None:
        """Take the annotations of a text in UTF-8, whose places are counted in bytes."""
        found = [item for item in dicts(annotations) if _first(item, _PLACES)]
        for item in found[: _MOST - len(self._passages)]:
            number = self._sources.setdefault(Citation(_first(item, _PLACES), _first(item, _NAMES)), len(self._sources))
            start, end = _count(item.get("start_index")), _count(item.get("end_index"))
            place = start, end, said[start:end].decode("utf-8", "replace")
            if end > start and number not in self._passages.setdefault(place, []):
                self._passages[place].append(number)

    def news(self) -> Iterable[Citations]:
        """Yield all that is known, if more is known than was told."""
        passages = tuple(Passage(*place, tuple(numbers)) for place, numbers in self._passages.items())
        known = Citations(tuple(self._sources), passages, tuple(self._queries), tuple(self._pages.values()))
        if known != self._told:
            self._told = known
            yield known


def _page(page: Mapping[str, Any]) -> Page:
    status = str(page.get("status") or "unknown")
    return Page(str(page["url"]), "" if status == "success" else status)


def _first(item: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((str(item[name]) for name in names if item.get(name)), "")


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 2**53 else 0
