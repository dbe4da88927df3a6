"""A passage is found where its text stands, whatever the service counts from, or nowhere."""

from __future__ import annotations

from hypothesis import given, strategies as st

from nbgemini.messages.citations import CitationTracker, locate_passages
from nbgemini.messages.events import Citation, Citations, Page, Passage

texts = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4)


def rests(text, passage, sources=(0,), base=0):
    start = len(text[: text.index(passage)].encode()) + base
    return Passage(start, start + len(passage.encode()), passage, sources)


@given(texts=texts, data=st.data())
def test_a_place_in_bytes_becomes_one_in_characters(texts, data):
    """Counted from the text it is in, or from the whole answer."""
    number = data.draw(st.integers(0, len(texts) - 1))
    text = texts[number]
    end = data.draw(st.integers(1, len(text)))
    base = data.draw(st.sampled_from([0, len("".join(texts[:number]).encode())]))
    wanted = Passage(base, base + len(text[:end].encode()), text[:end], (0,))
    found = locate_passages([wanted], texts)
    ((where, (at, sources)),) = [(n, place) for n, some in enumerate(found) for place in some]
    assert sources == (0,)
    assert texts[where][:at].endswith(text[:end])


def test_sources_of_one_place_are_together():
    text = "Zürich – 🙂 is old."
    passages = [rests(text, "old", (2,)), rests(text, "🙂", (1,)), rests(text, "is old", (0, 2))]
    assert locate_passages(passages, [text]) == [((10, (1,)), (17, (0, 2)))]


def test_a_wrong_place_gives_way_to_the_only_place_where_the_text_stands():
    assert locate_passages([Passage(1, 3, "bc", (0,)), Passage(7, 8, "x", (1,))], ["aabcx"]) == [((4, (0,)), (5, (1,)))]
    assert locate_passages([Passage(1, 3, "bc", (0,))], ["aabc", "bc"]) == [(), ()]
    assert locate_passages([Passage(9, 12, "bcd", (0,))], ["abc"]) == [()]


def test_without_its_text_a_passage_must_end_between_characters():
    assert locate_passages([Passage(0, 2, "", (0,)), Passage(0, 1, "", (1,)), Passage(0, 9, "", (2,))], ["ü"]) == [((1, (0,)),)]


def test_later_rounds_count_on():
    citing = CitationTracker()
    citing.update(Citations((Citation("a"),), (Passage(0, 1, "x", (0,)),), ("q",)))
    citing.update(Citations(pages=(Page("p"),)))
    citing.begin_round()
    found = citing.update(Citations((Citation("b"),), (Passage(0, 2, "y", (0,)),), ("q", "r")))
    assert [source.uri for source in found.sources] == ["a", "b"]
    assert [one.sources for one in found.passages] == [(0,), (1,)]
    assert (found.queries, found.pages) == (("q", "r"), (Page("p"),))


def test_within_a_round_what_is_newer_replaces():
    citing = CitationTracker()
    citing.update(Citations((Citation("a"),)))
    assert citing.update(Citations((Citation("a"), Citation("b")))).sources == (Citation("a"), Citation("b"))
