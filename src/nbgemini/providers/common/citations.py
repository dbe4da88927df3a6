"""What an answer rests on, gathered bit by bit: sources, the passages that cite them, searches, and pages that were read."""

from __future__ import annotations

from collections.abc import Iterable

from nbgemini.messages.events import Citation, Citations, Page, Passage

_MOST = 1_000  # of each kind: each is told with all before it, and a hostile service could send any number


class CitationBuilder:
    """The sources of one answer, each address once, in the order in which they came."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most  # of each kind
        self._titles: dict[str, str] = {}  # of the sources, by their addresses
        self._numbers: dict[str, int] = {}
        self._passages: dict[tuple[int, int, str], dict[int, None]] = {}
        self._queries: dict[str, None] = {}
        self._pages: dict[str, Page] = {}
        self._is_news = False

    def add_source(self, address: str, title: str = "") -> int | None:
        """Add a source and return its number; None without an address, or where there are too many."""
        if not address or (address not in self._titles and len(self._titles) >= self._most):
            return None
        title = title or self._titles.get(address, "")
        self._is_news |= self._titles.get(address) != title
        self._titles[address] = title
        return self._numbers.setdefault(address, len(self._numbers))

    def add_passage(self, start: int, end: int, text: str, sources: Iterable[int | None]) -> None:
        """Add a passage, whose place is counted in bytes of the answer, with the numbers of its sources."""
        numbers, place = [number for number in sources if number is not None], (start, end, text)
        if not numbers or end <= start or (place not in self._passages and len(self._passages) >= self._most):
            return
        known = self._passages.setdefault(place, {})
        self._is_news |= any(number not in known for number in numbers)
        known.update(dict.fromkeys(numbers))

    def add_query(self, query: str) -> None:
        """Add what was searched for."""
        if query and query not in self._queries and len(self._queries) < self._most:
            self._queries[query] = None
            self._is_news = True

    def add_page(self, address: str, trouble: str = "") -> None:
        """Add a page that was read; `trouble` says why it could not be."""
        page = Page(address, trouble)
        if self._pages.get(address) != page and (address in self._pages or len(self._pages) < self._most):
            self._pages[address] = page
            self._is_news = True

    def sources(self) -> Iterable[tuple[str, str]]:
        """Return the addresses and the titles of the sources."""
        return self._titles.items()

    def news(self) -> Citations | None:
        """Return all that is known, if more is known than was told."""
        if not self._is_news:
            return None
        self._is_news = False
        sources = tuple(Citation(address, title) for address, title in self._titles.items())
        passages = tuple(Passage(*place, tuple(numbers)) for place, numbers in self._passages.items())
        return Citations(sources, passages, tuple(self._queries), tuple(self._pages.values()))
