"""What an answer of Anthropic's rests on: pages that are cited, searches, and pages that were read.

Only pages with an address count as sources; a passage is the block of text that cites them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbgemini.messages.events import Citation, Citations, Page, Passage
from nbgemini.providers.gemini.citations import dicts

_MOST = (
    1_000  # passages, searches and pages: each of them is told with all before it, and a hostile service could send any number
)


class Sources:
    """What one answer rests on, as far as it has come."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._sources: dict[Citation, int] = {}
        self._passages: list[Passage] = []
        self._queries: list[str] = []
        self._pages: list[Page] = []
        self._addresses: dict[str, str] = {}  # of pages that are to be read, by the id of the use
        self._bytes = 0  # of the answer so far

    def pass_over(self, text: str) -> None:
        """Count a piece of the answer that cites nothing."""
        self._bytes += _size(text)

    def cite(self, text: str, citations: Iterable[Any]) -> Iterable[Citations]:
        """Take a piece of the answer and what it cites."""
        start, self._bytes = self._bytes, self._bytes + _size(text)
        cited = [
            Citation(address, str(said.get("title") or "")) for said in dicts(list(citations)) if (address := _address(said))
        ]
        if not cited or not text or len(self._passages) >= _MOST:
            return ()
        numbers = tuple(dict.fromkeys(self._sources.setdefault(source, len(self._sources)) for source in cited))
        self._passages.append(Passage(start, self._bytes, text, numbers))
        return self._all()

    def ask(self, use: dict[str, Any]) -> Iterable[Citations]:
        """Take what a tool of the service's is asked for."""
        asked = use["input"]
        if use.get("name") == "web_search" and asked.get("query") and len(self._queries) < _MOST:
            self._queries.append(str(asked["query"]))
            return self._all()
        if use.get("name") == "web_fetch":
            self._addresses[str(use.get("id"))] = str(asked.get("url") or "")
        return ()

    def found(self, result: dict[str, Any]) -> Iterable[Citations]:
        """Take what came of reading a page."""
        content = result.get("content")
        address = self._addresses.get(str(result.get("tool_use_id")), "")
        if result.get("type") != "web_fetch_tool_result" or not isinstance(content, dict) or len(self._pages) >= _MOST:
            return ()
        trouble = str(content.get("error_code") or "").replace("_", " ")
        self._pages.append(Page(str(content.get("url") or address), trouble))
        return self._all()

    def _all(self) -> Iterable[Citations]:
        return (Citations(tuple(self._sources), tuple(self._passages), tuple(self._queries), tuple(self._pages)),)


def _address(said: dict[str, Any]) -> str:
    """Return where a citation leads: to a page, or to a search result of our own that has an address."""
    source = str(said.get("source") or "")
    return str(said.get("url") or "") or (source if source.startswith(("http://", "https://")) else "")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
