"""What an interaction rests on: what its searches looked for, the pages it read, and the passages it gives sources for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbgemini.messages.events import Citations
from nbgemini.providers.common.citations import CitationBuilder
from nbgemini.providers.common.json import as_list, count, dicts

_MOST = 5_000  # of each kind; a hostile service could send any number
_ADDRESSES = ("url", "document_uri", "source")  # where a citation leads: a page, a place on the map, a file
_TITLES = ("title", "name", "file_name")


class CitationReader:
    """The citations of one stream, which come bit by bit."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known = CitationBuilder(_MOST)

    def search(self, step: Mapping[str, Any]) -> None:
        """Take a step of the service's own: what it looked for, or which pages it read."""
        kind, arguments = step.get("type"), step.get("arguments")
        if kind == "google_search_call" and isinstance(arguments, Mapping):
            for query in as_list(arguments.get("queries"))[:_MOST]:
                self._known.add_query(str(query or ""))
        if kind == "url_context_result":
            for page in (page for page in dicts(step.get("result"))[:_MOST] if page.get("url")):
                status = str(page.get("status") or "unknown")
                self._known.add_page(str(page["url"]), "" if status == "success" else status)

    def passages(self, annotations: Any, said: bytes | bytearray) -> None:
        """Take the annotations of a text in UTF-8, whose places are counted in bytes."""
        for item in dicts(annotations)[:_MOST]:
            number = self._known.add_source(_first(item, _ADDRESSES), _first(item, _TITLES))
            start, end = count(item.get("start_index")), count(item.get("end_index"))
            if end > start:
                self._known.add_passage(start, end, said[start:end].decode("utf-8", "replace"), [number])

    def news(self) -> Iterable[Citations]:
        """Yield all that is known, if more is known than was told."""
        if news := self._known.news():
            yield news


def _first(item: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((str(item[name]) for name in names if item.get(name)), "")
