"""Nothing that a model writes can run, load, restyle or hide anything, whole or cut anywhere."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.messages.events import (
    Citation,
    Citations,
    CodeResult,
    ExecutedCode,
    InlineMedia,
    Page,
    Passage,
    ToolCall,
    ToolRun,
)
from nbgemini.messages.segments import Segment
from nbgemini.notebook.display.text_view import Deltas, update_of
from nbgemini.render.code import code_html
from nbgemini.render.escape import harmless
from nbgemini.render.html_tree import Patch
from nbgemini.render.mimebundle import bundle, error_bundle, live_bundle, prompt_bundle, status_bundle, table_bundle
from nbgemini.render.sanitize import sanitize
from nbgemini.render.streaming_markdown import Blocks, to_html
from tests.corpus import PAYLOADS
from tests.render.checker import controls, faults, text_of


def check(data):
    assert faults(data["text/html"]) == []
    assert controls(data["text/html"]) == []
    assert controls(data["text/plain"]) == []


def segment(kind, text):
    made = Segment(0, kind)
    made.append(text)
    return made


def ids(payload):
    return repr(payload)[1:50]


every_payload = pytest.mark.parametrize("payload", PAYLOADS, ids=ids)


def test_the_corpus_is_not_thin():
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 300


@every_payload
def test_every_prefix_is_harmless_at_rest(payload):
    for end in range(len(payload) + 1):
        check(bundle(segment("answer", payload[:end])))
    check(bundle(segment("thought", payload), seconds=3))


@every_payload
def test_every_prefix_is_harmless_while_it_streams(payload):
    """With widgets: the HTML of each operation, the text between, and what a page gets that missed some. Without: the bundle."""
    blocks, deltas = Blocks(), Deltas()
    for char in payload:
        blocks.append(char)
        check_operations(deltas.next(update_of(blocks.advance(), blocks.patch())))
        assert faults(deltas.snapshot()["open"]) == []
        check(live_bundle("answer", blocks.html() + deltas.open_html(), payload))
    check_operations(deltas.next(update_of(blocks.close(), Patch([]))))
    assert deltas.open_html() == ""
    assert faults(deltas.snapshot()["html"]) == []


def check_operations(operations):
    for name, path, count, added in operations:
        assert name in ("t", "h")
        assert min([*path, 1]) > 0 <= count
        assert controls(f"\u05d0{added}") == []  # marks of direction belong to what stands before them
        if name == "h":
            assert faults(added) == []


@every_payload
def test_every_other_text_is_harmless(payload):
    specials = [
        ToolRun(ToolCall(payload, {payload: payload, "list": [payload]})),
        ExecutedCode(payload, payload),
        ExecutedCode(payload),
        CodeResult(payload, ok=False),
        Citations((Citation(payload, payload), Citation("https://a.example/" + payload, payload), Citation(payload))),
        Citations(passages=(Passage(0, 1, payload, (0,)),), queries=(payload,), pages=(Page(payload, payload), Page(payload))),
        InlineMedia(payload, payload),
        InlineMedia(payload, payload, thought=True),
        InlineMedia(payload, base64.b64encode(payload.encode("utf-8", "replace")).decode()),
    ]
    for content in specials:
        check(bundle(Segment(0, "code", content)))
    answer = Segment(0, "answer")
    answer.append(payload)
    answer.cited = tuple((at, (0,)) for at in range(1, min(len(payload), 40)))
    check(bundle(answer))
    for data in (
        error_bundle(payload, payload),
        status_bundle(payload, payload),
        live_bundle("answer", to_html(payload), payload),
        live_bundle("thought", to_html(payload), payload),
        prompt_bundle(payload),
        table_bundle([payload, "b"], [[payload, payload]]),
    ):
        check(data)


@every_payload
def test_the_sanitiser_alone_is_enough(payload):
    """Whatever a fault in the Markdown parser let through as HTML."""
    for wrapped in (payload, f"<div>{payload}</div>", f'<a href="{payload}">x</a>', f'<img src="{payload}">'):
        cleaned = sanitize(wrapped.encode("utf-8", "replace").decode())
        assert faults(cleaned) == []
        assert sanitize(cleaned) == cleaned
    assert faults(sanitize(code_html(payload.encode("utf-8", "replace").decode(), payload))) == []


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from(PAYLOADS) | st.text(st.characters(exclude_categories=()), max_size=20), max_size=4).map("".join)
)
def test_any_text_is_harmless(text):
    html = to_html(text)
    assert faults(html) == []
    assert controls(html) == []
    assert sorted(re.split("[ >]", sanitize(html))) == sorted(re.split("[ >]", html))  # it may swap attributes


def test_raw_html_is_shown_as_text():
    assert "<script>alert(1)</script>" in text_of(to_html("<script>alert(1)</script>"))


def test_a_link_says_where_it_leads():
    assert "(evil.example)" in text_of(to_html("[https://bank.example](https://evil.example)"))
    assert "(evil.example)" in text_of(to_html("[a](https://bank.example@evil.example/)"))
    assert "(xn--pple-43d.com)" in text_of(to_html("[a](https://\u0430pple.com/)"))


def test_a_title_cannot_pose_as_the_host_of_a_citation():
    shown = text_of(
        bundle(Segment(0, "citations", Citations((Citation("https://evil.example", "bank.example"),))))["text/html"]
    )
    assert "bank.example (evil.example)" in shown


@pytest.mark.parametrize(
    "text",
    [
        "&#x202e;abc",
        "<https://a.example/%e2%80%ae>",
        "<https://a.example/%1b[31m>",
        '[a](https://a.example "&#x202e;")',
        "![&#8238;](x)",
    ],
)
def test_no_control_character_comes_out_of_the_parser(text):
    """Entities and percent signs become characters only there."""
    html = to_html(text)
    assert html == harmless(html)
    assert "\u202e" not in html
    assert "\x1b" not in html
