"""What an answer rests on is gathered once, told when there is more of it, and bounded."""

from __future__ import annotations

from nbgemini.messages.events import Citation, Citations, Page, Passage
from nbgemini.providers.anthropic.decode import MessagesDecoder
from nbgemini.providers.common.citations import CitationBuilder


def test_each_address_is_one_source_with_the_latest_title():
    known = CitationBuilder()
    assert [known.add_source("https://a"), known.add_source("https://b", "B"), known.add_source("https://a", "A")] == [0, 1, 0]
    assert known.add_source("", "nowhere") is None
    assert known.news() == Citations((Citation("https://a", "A"), Citation("https://b", "B")), (), (), ())


def test_nothing_is_told_twice():
    known = CitationBuilder()
    assert known.news() is None
    number = known.add_source("https://a", "A")
    known.add_passage(0, 3, "abc", [number, None])
    known.add_passage(3, 3, "", [number])
    known.add_passage(4, 5, "d", [None])
    known.add_query("why")
    known.add_query("")
    known.add_page("https://p", "not found")
    assert known.news() == Citations(
        (Citation("https://a", "A"),), (Passage(0, 3, "abc", (0,)),), ("why",), (Page("https://p", "not found"),)
    )
    known.add_source("https://a")
    known.add_passage(0, 3, "abc", [number])
    known.add_query("why")
    known.add_page("https://p", "not found")
    assert known.news() is None
    known.add_page("https://p")
    assert known.news().pages == (Page("https://p", ""),)


def test_there_are_at_most_so_many_of_each():
    known = CitationBuilder(2)
    for n in range(4):
        number = known.add_source(f"https://{n}")
        known.add_passage(n, n + 1, "x", [number if number is not None else 0])
        known.add_query(str(n))
        known.add_page(str(n))
    told = known.news()
    assert [len(kind) for kind in (told.sources, told.passages, told.queries, told.pages)] == [2, 2, 2, 2]


def test_a_block_without_text_cites_nothing():
    decoder = MessagesDecoder()
    decoder.add_passage("", [{"url": "https://a"}])
    assert decoder.sources.news() is None
