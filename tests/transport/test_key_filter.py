"""A key that a service says in pieces: whole frames of it, and of its base64, are taken out wherever it is cut."""

from __future__ import annotations

import gc
import json
from base64 import b64encode, urlsafe_b64encode
from itertools import combinations, pairwise

import pytest
from hypothesis import given, strategies as st

from nbgemini.errors import TransportError, WireError
from nbgemini.secrets import STEP, Mask, Secret
from nbgemini.transport import key_filter
from nbgemini.transport.framing import DONE
from nbgemini.transport.http import HttpSource
from nbgemini.transport.key_filter import KeyFilter, KeyForms
from nbgemini.transport.request import Request
from tests.fakes.raw import CLOSE, RawServer, event, head

KEY = "AIzaSyCANARY+k3y/0f_th1s-su1te"
FORMS = {
    "plain": KEY,
    "upper": KEY.upper(),
    **{f"base64 {before}": b64encode(b"x" * before + KEY.encode()).decode() for before in range(3)},
    "base64 of URLs": urlsafe_b64encode(KEY.encode()).decode(),
}
DIALECTS = {
    "gemini": lambda text: {"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}}], "id": "abc"},
    "openai": lambda text: {"choices": [{"index": 0, "delta": {"content": text}}], "object": "chat.completion.chunk"},
    "anthropic": lambda text: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
    "arguments": lambda text: {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": text}}]}}]},
}
HARMLESS = json.dumps({"usageMetadata": {"totalTokenCount": 3}}).encode()


def run(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def filtered(frames, key=KEY):
    without_key = KeyFilter(KeyForms(Mask(Secret(key))))
    return [passed for frame in frames for passed in run(without_key.feed(frame))] + without_key.close()


def texts(frames):
    """All texts of the frames in their order, at the places where a dialect has its text."""
    found = []

    def walk(value):
        if isinstance(value, dict):
            for name, item in value.items():
                if isinstance(item, str) and name in ("text", "content", "arguments"):
                    found.append(item)
                else:
                    walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    for frame in frames:
        walk(json.loads(frame))
    return "".join(found)


def pieces_of(form, cuts):
    edges = [0, *cuts, len(form)]
    return [form[start:end] for start, end in pairwise(edges)]


def longest_shared(text, form):
    """The length of the longest run of `form` that stands in `text`."""
    sizes = range(len(form), 0, -1)
    return next((size for size in sizes if any(form[at : at + size] in text for at in range(len(form) - size + 1))), 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [2, 3])
def test_wherever_it_is_cut(form, count):
    said = FORMS[form]
    wrap = DIALECTS["gemini"]
    for cuts in combinations(range(1, len(said)), count - 1):
        pieces = pieces_of(said, cuts)
        frames = [json.dumps(wrap(f"before {pieces[0]}")).encode()]
        frames += [json.dumps(wrap(piece)).encode() for piece in pieces[1:-1]]
        frames += [HARMLESS, json.dumps(wrap(f"{pieces[-1]} behind")).encode()]
        came = texts(filtered(frames))
        assert longest_shared(came, said) < 8, (cuts, came)
        assert came.startswith("before ")
        assert came.endswith(" behind")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_one_character_a_frame(dialect):
    frames = [json.dumps(DIALECTS[dialect](letter)).encode() for letter in f"a key: {KEY}, and more"]
    assert texts(filtered(frames)) == "a key: AI[key], and more"


def test_in_two_parts_of_one_frame_and_escaped():
    parts = [{"text": f"see {KEY[:9]}"}, {"text": f"{KEY[9:]} there"}]
    frame = json.dumps({"candidates": [{"content": {"parts": parts}}]}).encode()
    assert texts(filtered([frame])) == "see [key] there"
    escaped = json.dumps({"text": KEY[:9]}).replace("AIza", "".join(f"\\u{ord(letter):04x}" for letter in "AIza")).encode()
    assert KEY.encode()[9:] not in b"".join(filtered([escaped, json.dumps({"text": KEY[9:]}).encode()]))


@given(st.lists(st.text(alphabet='aiz AIqu\\"\u0130é🙂', max_size=6), max_size=12))
def test_any_other_text_stays_as_it_came(said):
    frames = [json.dumps(DIALECTS["gemini"](text), ensure_ascii=False).encode() for text in said]
    assert filtered(frames) == frames


@given(st.text(max_size=20), st.text(max_size=20), st.lists(st.integers(1, len(KEY) - 1), max_size=6, unique=True))
def test_what_stands_around_a_key_stays(before, behind, cuts):
    whole = before + KEY + behind
    pieces = pieces_of(whole, sorted(len(before) + cut for cut in cuts))
    came = texts(filtered([json.dumps(DIALECTS["openai"](piece)).encode() for piece in pieces]))
    assert longest_shared(came, KEY) < 8
    assert came.startswith(before)
    assert came.endswith(behind)


def test_a_frame_waits_only_where_a_key_may_go_on():
    without_key = KeyFilter(KeyForms(Mask(Secret(KEY))))
    first, second, third = (json.dumps({"text": text}).encode() for text in ("a piz AIza", "Sy", " is no key"))
    assert run(without_key.feed(first)) == []
    assert run(without_key.feed(second)) == []
    assert run(without_key.feed(third)) == [first, second, third]
    assert run(without_key.feed(first)) == []
    assert run(without_key.feed(DONE)) == [first, DONE]  # the end is the end, though the body stays open


def test_a_long_beginning_is_hidden_where_the_stream_ends():
    frame = json.dumps({"text": f"it is {KEY[:-3]}"}).encode()
    assert texts(filtered([frame])) == "it is [key]"


def test_frames_that_never_tell_are_not_held_for_good(monkeypatch):
    monkeypatch.setattr("nbgemini.transport.key_filter._MOST_WAITING", 200)
    without_key = KeyFilter(KeyForms(Mask(Secret(KEY))))
    begun = json.dumps({"text": KEY[:20]}).encode()
    junk = [run(without_key.feed(frame)) for frame in [begun, *[HARMLESS] * 6]]
    assert any(junk)
    late = run(without_key.feed(json.dumps({"text": KEY[20:]}).encode()))
    assert texts(late) == "[key]"


def test_odd_json():
    odd = [b'not json AI"', b'{"text": "\xff AIza"}', b"[" * 5_000 + b'"AIza"', DONE]
    assert len(filtered(odd)) == len(odd)


async def test_a_key_too_short_to_be_one_is_not_looked_for():
    keys, frames = KeyFilter(KeyForms(Mask(Secret("short")))), [b'"short"', HARMLESS, DONE]
    assert not keys.suspects(frames)
    assert await keys.filtered(frames) == frames


async def test_what_waits_comes_before_an_error():
    frames = [HARMLESS, b'{"text": "AIzaSy"}']
    async with RawServer([head(), *(event(json.loads(frame)) for frame in frames), CLOSE]) as server:
        source, came = HttpSource(server.url, Secret(KEY)), []
        with pytest.raises(TransportError):
            async for frame in source.frames(Request("v1beta/models/m:streamGenerateContent", {}, {"alt": "sse"})):
                came.append(frame)
        await source.aclose()
    assert came == frames


def test_many_texts_in_one_frame_let_others_have_their_turn():
    frame = json.dumps({"list": ["words"] * 5_000, "text": "AIza"}).encode()
    assert sum(1 for _ in KeyFilter(KeyForms(Mask(Secret(KEY)))).feed(frame)) >= 5


def test_a_long_text_is_searched_in_bounded_steps_and_keys_across_their_borders_are_found():
    secret = b64encode(KEY.encode()).decode()
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in secret)
    for before in (STEP - 3, STEP - len(secret) // 2, STEP, 3 * STEP - 1):
        frame = f'{{"text": "{"." * before}{escaped}{"." * (STEP * 4)}"}}'.encode()
        assert sum(1 for _ in KeyFilter(KeyForms(Mask(Secret(KEY)))).feed(frame)) >= 8
        came = texts(filtered([frame]))
        assert secret[3:-3] not in came
        assert came.startswith("." * before)
        assert came.endswith("." * STEP * 4)


def test_many_keys_in_one_text_are_taken_out_at_once(monkeypatch):
    calls = []
    replace = key_filter._Piece.replace
    monkeypatch.setattr(key_filter._Piece, "replace", lambda piece, spans: calls.append(len(spans)) or replace(piece, spans))
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in b64encode(KEY.encode()).decode())
    came = texts(filtered([f'{{"text": "{f"{escaped} " * 500}"}}'.encode()]))
    assert calls == [500]
    assert came.count("[key]") == 500


def test_frames_that_were_passed_on_are_forgotten_although_a_key_may_have_begun_in_them():
    without_key, frames = (
        KeyFilter(KeyForms(Mask(Secret(KEY)))),
        [json.dumps({f"place {n}": "piz A", "x": "y" * 99}).encode() for n in range(50)],
    )
    assert [passed for frame in frames for passed in run(without_key.feed(frame))] == frames
    gc.collect()
    assert [held for held in gc.get_objects() if isinstance(held, key_filter._Frame)] == []
    late = run(without_key.feed(json.dumps({"place 7": KEY[1:]}).encode()))
    assert json.loads(late[0]) == {"place 7": "[key]"}


def test_a_key_that_may_have_begun_everywhere_ends_the_answer(monkeypatch):
    monkeypatch.setattr(key_filter, "_MOST_PLACES", 100)
    with pytest.raises(WireError, match="at over 100 places"):
        filtered([json.dumps({f"place {n}": "piz A" for n in range(101)}).encode()])


@pytest.mark.parametrize("odd", ["\ud800", "\u0000", "é", "🙂"])
def test_a_frame_that_held_a_key_is_written_anew_whatever_else_is_in_it(odd):
    frame = json.dumps({"a": [1, 2.5, None, True, 10**30], "b": {"c": odd}, "text": KEY[:9]}).encode()
    first, second = filtered([frame, json.dumps({"text": KEY[9:]}).encode()])
    assert json.loads(first) == {"a": [1, 2.5, None, True, 10**30], "b": {"c": odd.replace("\ud800", "?")}, "text": ""}
    assert json.loads(second) == {"text": "[key]"}


def test_values_that_are_no_text_let_others_have_their_turn_too():
    frame = json.dumps({"list": [[1, 2]] * 5_000, "text": "AIza"}).encode()
    assert sum(1 for _ in KeyFilter(KeyForms(Mask(Secret(KEY)))).feed(frame)) >= 10
