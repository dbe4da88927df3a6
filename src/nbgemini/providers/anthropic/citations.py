"""What an answer of Anthropic's rests on: pages that are cited, searches, and pages that were read.

Only pages with an address count as sources; a passage is the block of text that cites them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbgemini.messages.events import Citations
from nbgemini.providers.common.citations import CitationBuilder
from nbgemini.providers.common.json import dicts


class CitationReader:
    """What one answer rests on, as far as it has come."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._known = CitationBuilder()
        self._addresses: dict[str, str] = {}  # of pages that are to be read, by the id of the use
        self._bytes = 0  # of the answer so far

    def pass_over(self, text: str) -> None:
        """Count a piece of the answer that cites nothing."""
        self._bytes += _size(text)

    def cite(self, text: str, citations: Iterable[Any]) -> Iterable[Citations]:
        """Take a piece of the answer and what it cites."""
        start, self._bytes = self._bytes, self._bytes + _size(text)
        if text:
            said = dicts(list(citations))
            numbers = [self._known.add_source(_address(one), str(one.get("title") or "")) for one in said]
            self._known.add_passage(start, self._bytes, text, numbers)
        return self._news()

    def ask(self, use: dict[str, Any]) -> Iterable[Citations]:
        """Take what a tool of the service's is asked for."""
        asked = use["input"]
        if use.get("name") == "web_search":
            self._known.add_query(str(asked.get("query") or ""))
        if use.get("name") == "web_fetch":
            self._addresses[str(use.get("id"))] = str(asked.get("url") or "")
        return self._news()

    def found(self, result: dict[str, Any]) -> Iterable[Citations]:
        """Take what came of reading a page."""
        content = result.get("content")
        if result.get("type") == "web_fetch_tool_result" and isinstance(content, dict):
            address = str(content.get("url") or self._addresses.get(str(result.get("tool_use_id")), ""))
            self._known.add_page(address, str(content.get("error_code") or "").replace("_", " "))
        return self._news()

    def _news(self) -> Iterable[Citations]:
        news = self._known.news()
        return (news,) if news else ()


def _address(said: dict[str, Any]) -> str:
    """Return where a citation leads: to a page, or to a search result of our own that has an address."""
    source = str(said.get("source") or "")
    return str(said.get("url") or "") or (source if source.startswith(("http://", "https://")) else "")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
