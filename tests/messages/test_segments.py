"""Thoughts stay thoughts, answers stay answers, and nothing is lost."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from nbgemini.messages.events import (
    AnswerDelta,
    Citation,
    Citations,
    ExecutedCode,
    InlineMedia,
    ThoughtDelta,
    ToolAnswer,
    ToolCall,
    ToolCallGrowing,
    ToolProgress,
    ToolRun,
    UsageReport,
)
from nbgemini.messages.segments import Segment, SegmentDelta, SegmentEnd, Segmenter, SegmentStart, SegmentUpdate, last_text
from nbgemini.messages.turns import Usage

texts = st.text(max_size=4)
any_event = st.one_of(
    st.builds(ThoughtDelta, texts),
    st.builds(AnswerDelta, texts),
    st.builds(ToolCall, texts, st.just({})),
    st.builds(ExecutedCode, texts),
    st.just(UsageReport(Usage(1))),
    st.just(Citations((Citation("https://example.org"),))),
)


def run(events, batches=1):
    segmenter, changes = Segmenter(), []
    for start in range(0, len(events), batches):
        changes += segmenter.feed(events[start : start + batches])
    return segmenter, changes + segmenter.close()


def test_thought_answer_thought_answer_gives_four_segments():
    segmenter, _ = run(
        [ThoughtDelta("a"), ThoughtDelta("b"), AnswerDelta("c"), ThoughtDelta("d"), AnswerDelta("e"), AnswerDelta("f")]
    )
    assert [(s.kind, s.text) for s in segmenter.segments] == [
        ("thought", "ab"),
        ("answer", "c"),
        ("thought", "d"),
        ("answer", "ef"),
    ]


@given(events=st.lists(any_event, max_size=20), batches=st.integers(1, 5))
@settings(max_examples=1000)
def test_text_comes_out_whole_and_only_in_its_kind(events, batches):
    segmenter, _ = run(events, batches)
    for kind, delta in (("thought", ThoughtDelta), ("answer", AnswerDelta)):
        shown = "".join(s.text for s in segmenter.segments if s.kind == kind)
        assert shown == "".join(e.text for e in events if isinstance(e, delta))


@given(events=st.lists(any_event, max_size=20), batches=st.integers(1, 5))
@settings(max_examples=1000)
def test_changes_are_well_formed(events, batches):
    """Start, deltas, end; one open at most; indexes count up; the deltas are the segment's text."""
    segmenter, changes = run(events, batches)
    opened, texts_of = None, {}
    for change in changes:
        match change:
            case SegmentStart(index):
                assert opened is None
                assert index == len(texts_of)
                opened, texts_of[index] = index, ""
            case SegmentDelta(index, text):
                assert index == opened
                texts_of[index] += text
            case SegmentEnd(index):
                assert index == opened
                opened = None
    assert opened is None
    assert [texts_of[s.index] for s in segmenter.segments] == [s.text for s in segmenter.segments]


@given(events=st.lists(any_event, max_size=20))
def test_citations_are_shown_once_and_last(events):
    segmenter, _ = run(events)
    kinds = [s.kind for s in segmenter.segments]
    assert kinds.count("citations") == (1 if any(isinstance(e, Citations) for e in events) else 0)
    assert "citations" not in kinds[:-1]


def test_empty_text_opens_no_segment():
    assert run([ThoughtDelta(""), AnswerDelta("")])[0].segments == []


CALLS = [ToolCall("f", {"n": n}, id_) for n, id_ in enumerate(["a", None, "b", None])]
STATES = ["asking", "running", "done", "failed", "refused", "stopped", "timed out"]
progress = st.builds(lambda n, state: ToolProgress(n, ToolRun(CALLS[n], state)), st.integers(0, 3), st.sampled_from(STATES))


@given(events=st.lists(progress | st.builds(AnswerDelta, texts), max_size=20))
def test_calls_go_on_beside_the_text_and_one_that_is_over_stays_as_it_is(events):
    segmenter = Segmenter()
    segmenter.feed(CALLS)
    over = {}
    for change in [*segmenter.feed(events), *segmenter.close()]:
        if isinstance(change, SegmentUpdate):
            assert change.index not in over
            if change.content.over:
                over[change.index] = change.content
    assert over == {n: segmenter.segments[n].content for n in range(4)}
    assert not segmenter.asks


keys = st.sampled_from("ab")
grown = st.builds(
    ToolCallGrowing, keys, st.sampled_from("fg"), texts, st.none(), st.sampled_from(["growing"] * 4 + ["broken", "again"])
)


@given(events=st.lists(grown | st.builds(ToolCall, st.sampled_from("fg"), st.just({})) | any_event, max_size=20))
@settings(max_examples=500)
def test_a_call_is_one_segment_from_its_first_piece_to_its_end(events):
    """Every call that is made is a run, in that order; at the end none grows any more, whatever came."""
    segmenter, changes = run(events)
    calls = [event for event in events if isinstance(event, ToolCall)]
    assert [segment.content.call for segment in segmenter.runs] == calls
    shown = [segment for segment in segmenter.segments if segment.kind == "tool_call"]
    assert all(segment.content.over for segment in shown)
    assert sum(isinstance(change, SegmentStart) and change.kind == "tool_call" for change in changes) == len(shown)
    last = {change.index: change.content for change in changes if isinstance(change, SegmentStart | SegmentUpdate)}
    assert all(last[segment.index] == segment.content for segment in shown)


def test_growing_calls_find_their_whole_by_id_and_without_one_by_name():
    growing = [ToolCallGrowing(key, "f", "{", id_) for key, id_ in (("1", "x"), ("2", "y"), ("3", None))]
    whole = [ToolCall("f", {"n": n}, id_) for n, id_ in enumerate(["y", None, "x"])]
    segmenter, _ = run([*growing, AnswerDelta("so"), *whole])
    assert [segment.kind for segment in segmenter.segments] == ["tool_call"] * 3 + ["answer"]
    assert [segment.content.call.args["n"] for segment in segmenter.segments[:3]] == [2, 0, 1]
    assert [segment.index for segment in segmenter.runs] == [1, 2, 0]


def test_a_call_that_never_comes_whole_says_so_and_another_takes_its_key():
    first, other = ToolCallGrowing("", "f", "{"), ToolCallGrowing("", "f", "{", None, "broken")
    segmenter, _ = run([first, other, ToolCallGrowing("", "f", '{"a'), ToolCall("f", {"a": 1})])
    assert [segment.content.state for segment in segmenter.segments] == ["broken", "stopped"]


def test_stored_answers_find_their_calls():
    """By id, and without one by name, in order; a second answer finds nobody."""
    answers = [ToolAnswer("f", id_, {"output": n}) for n, id_ in enumerate([None, "b", "a", None, "a"])]
    segmenter, _ = run([*CALLS, *answers])
    assert [segment.content.response for segment in segmenter.segments] == [{"output": n} for n in (2, 0, 1, 3)]


def test_a_stored_answer_says_whether_the_call_failed_and_none_that_it_was_stopped():
    answers = [ToolAnswer("f", "a", {"error": "no"}), ToolAnswer("f", "b", {"error": "no", "output": 1})]
    segmenter, _ = run([*CALLS, *answers])
    assert [segment.content.state for segment in segmenter.segments] == ["failed", "stopped", "done", "stopped"]


def test_a_question_is_open_until_it_is_answered():
    segmenter = Segmenter()
    segmenter.feed([*CALLS, ToolProgress(0, ToolRun(CALLS[0], "asking")), ToolProgress(1, ToolRun(CALLS[1], "running"))])
    assert segmenter.asks
    segmenter.feed([ToolProgress(0, ToolRun(CALLS[0], "running"))])
    assert not segmenter.asks


def test_what_was_said_before_the_last_call_is_no_part_of_an_object():
    segmenter = Segmenter()
    segmenter.feed([AnswerDelta("I look."), ToolCall("f", {}), ThoughtDelta("Hm."), AnswerDelta("{}")])
    assert last_text(segmenter.segments) == "{}"
    assert last_text(segmenter.segments[:1]) == "I look."


def test_a_segment_tells_itself_from_others():
    segment = Segment(3, "answer")
    segment.append("x" * 100)
    assert repr(segment) == f"Segment(3, 'answer', '{'x' * 40}')"


def test_sound_is_a_segment_of_its_own_kind():
    segmenter = Segmenter()
    segmenter.feed([InlineMedia("audio/mpeg", "eA==")])
    assert [segment.kind for segment in segmenter.segments] == ["audio"]
