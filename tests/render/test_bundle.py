"""A segment at rest: sanitised HTML, harmless text, media that is what it says, and never Markdown."""

from __future__ import annotations

import base64
import re

import pytest

from nbgemini.messages.events import Citation, Citations, CodeResult, ExecutedCode, InlineMedia, ToolCall, ToolRun
from nbgemini.messages.segments import Segment
from nbgemini.render.mimebundle import (
    answer_bundle,
    bundle,
    error_bundle,
    live_bundle,
    progress_bundle,
    prompt_bundle,
    recalled_bundle,
    status_bundle,
    table_bundle,
    thought_title,
)
from tests.render.checker import faults, text_of

TEXTS = {"text/html", "text/plain"}
HEADS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/gif": b"GIF89a",
    "image/webp": b"RIFF\x00\x00\x00\x00WEBP",
    "audio/wav": b"RIFF\x00\x00\x00\x00WAVE",
    "audio/mpeg": b"ID3\x04",
    "audio/ogg": b"OggS",
    "audio/flac": b"fLaC",
}
SPECIALS = [
    ("tool_call", ToolRun(ToolCall("f", {"a": 1}))),
    ("code", ExecutedCode("print(1)")),
    ("code_result", CodeResult("1\n")),
    ("code_result", CodeResult("no", ok=False)),
    ("citations", Citations((Citation("https://a.example/x", "A"),))),
    ("citations", Citations(())),
    ("image", InlineMedia("image/png", "bm90IGEgcG5n")),
    ("image", None),
]


def of(kind, text="", content=None, **options):
    segment = Segment(0, kind, content)
    if text:
        segment.append(text)
    return bundle(segment, **options)


def media(head, mime="image/png"):
    return of("image", content=InlineMedia(mime, base64.b64encode(head + b"rest").decode()))


def bytes_in(html, mime):
    (encoded,) = re.findall(f'src="data:{mime};base64,([^"]*)"', html)
    return base64.b64decode(encoded)


@pytest.mark.parametrize(("kind", "content"), SPECIALS)
def test_a_special_segment_is_html_and_text(kind, content):
    data = of(kind, content=content)
    assert set(data) == TEXTS
    assert faults(data["text/html"]) == []


@pytest.mark.parametrize("kind", ["thought", "answer"])
@pytest.mark.parametrize("text", ["", "\n", "*a*", "$x$", "# h\n\n- a"])
def test_a_text_segment_is_html_and_text(kind, text):
    data = of(kind, text)
    assert set(data) - {"text/latex"} == TEXTS
    assert faults(data["text/html"]) == []


@pytest.mark.parametrize(
    "data",
    [
        status_bundle("done"),
        status_bundle("done", "offline"),
        error_bundle("Quota", "Wait"),
        live_bundle("answer", "<p>a</p>", "*a"),
        live_bundle("thought", "<p>a</p>", "a"),
        live_bundle("thought"),
        live_bundle("audio"),
        prompt_bundle("a\nb"),
        table_bundle(["a"], [["1"], [2]]),
        table_bundle(["a"], []),
    ],
)
def test_every_other_bundle_is_html_and_text(data):
    assert set(data) == TEXTS
    assert faults(data["text/html"]) == []


def test_an_answer_keeps_its_source_as_text():
    data = of("answer", "*a* $x_1$")
    assert data["text/plain"] == "*a* $x_1$"
    assert "<em>a</em> <span" in data["text/html"]


def test_a_thought_is_folded_unless_its_reader_opened_it():
    assert of("thought", "*a*", seconds=7)["text/html"] == (
        '<details class="nbgemini-thought"><summary>Thought for 7 s</summary><p><em>a</em></p>\n</details>'
    )
    assert of("thought", "a", opened=True)["text/html"].startswith('<details class="nbgemini-thought" open>')
    assert live_bundle("thought", "<p>a</p>", "a")["text/html"].startswith('<details class="nbgemini-thought"><summary>')


def test_a_thought_is_set_apart_in_text():
    assert of("thought", "a\n\nb\n", seconds=1.6)["text/plain"] == "Thought for 2 s\n│ a\n│ \n│ b"


def test_the_title_of_a_thought():
    assert [thought_title(seconds) for seconds in (None, 0, 0.2, 61)] == [
        "Thoughts",
        "Thought for 1 s",
        "Thought for 1 s",
        "Thought for 61 s",
    ]


def test_html_that_is_ready_is_not_rendered_again():
    assert of("answer", "*a*", html="<p>b</p>")["text/html"] == '<div class="nbgemini-answer"><p>b</p></div>'


@pytest.mark.parametrize("mime", HEADS)
def test_the_bytes_decide_what_media_is(mime):
    """And they stand in the bundle once: what is large is sent and saved once."""
    data = media(HEADS[mime], "text/html")
    assert set(data) == TEXTS
    assert bytes_in(data["text/html"], mime) == HEADS[mime] + b"rest"
    assert faults(data["text/html"]) == []


def test_a_draft_is_folded_and_named():
    data = of("image", content=InlineMedia("image/png", base64.b64encode(HEADS["image/png"]).decode(), thought=True))
    assert data["text/html"].startswith(
        '<div class="nbgemini-image"><details class="nbgemini-thought"><summary>A draft, not the answer</summary><img '
    )
    assert data["text/plain"] == "Draft picture from the model (PNG, 8 bytes)"
    assert faults(data["text/html"]) == []


def test_what_is_too_large_for_a_page_says_where_it_is(monkeypatch):
    monkeypatch.setattr("nbgemini.render.mimebundle.LARGEST", 10)
    data = media(HEADS["image/png"])
    assert "too large for a page; reply.media holds it" in text_of(data["text/html"])
    assert "base64" not in data["text/html"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg onload=alert(1)>",
        b"<html>",
        b"%PDF-1.7",
        b"\x89PNG",
        b"RIFF\x00\x00\x00\x00AVI ",
        b" \x89PNG\r\n\x1a\n",
        b"BM",
    ],
)
@pytest.mark.parametrize("mime", ["image/png", "image/svg+xml", "text/html", "application/javascript"])
def test_other_bytes_are_only_described(content, mime):
    data = of("image", content=InlineMedia(mime, base64.b64encode(content).decode()))
    assert set(data) == TEXTS
    assert "base64" not in data["text/html"]
    assert f"{mime} of {len(content):,} bytes" in data["text/plain"]


@pytest.mark.parametrize("data", ["***", "a", "é", "\ud800", "iVBORw0KGgo\x00"])
def test_broken_base64_is_only_described(data):
    assert set(of("image", content=InlineMedia("image/png", data))) == TEXTS


def test_the_other_base64_alphabet_is_read():
    content = HEADS["image/png"] + b"\xfb\xff\xfe"
    data = of("image", content=InlineMedia("image/png", base64.urlsafe_b64encode(content).decode().rstrip("=")))
    assert bytes_in(data["text/html"], "image/png") == content


def test_a_source_shows_its_host_and_an_odd_one_is_no_link():
    sources = (Citation("https://a.example/x", "A"), Citation("javascript:alert(1)", "B"))
    data = of("citations", content=Citations(sources))
    assert text_of(data["text/html"]) == "SourcesA (a.example)B"
    assert data["text/html"].count("<a ") == 1
    assert data["text/plain"] == "[1] A https://a.example/x\n[2] B javascript:alert(1)"


def test_the_arguments_of_a_tool_are_readable():
    data = of("tool_call", content=ToolRun(ToolCall("look_up", {"Stadt": "Zürich"})))
    assert "Stadt: Zürich" in text_of(data["text/html"])
    assert data["text/plain"].startswith("Tool look_up · called\n{")


def test_a_table_is_aligned_in_text():
    assert (
        table_bundle(["name", "n"], [["a", "10"], ["long name", "2"]])["text/plain"]
        == "name       n\na          10\nlong name  2"
    )


def test_in_a_table_numbers_stand_right_and_words_left_whatever_the_page_does_with_cells():
    rows = [("gemini", "1,024", "$0.10", "", "2026-11-21"), ("x", "7 / 0", "<$0.01", "0.1 s", "1 %")]
    html = table_bundle(("a", "b", "c", "d", "e"), rows)["text/html"]
    assert re.findall(r'<th><div align="(\w+)">', html) == ["left", "right", "right", "right", "left"]
    assert html.count('<td><div align="right">') == 6
    assert 'align="left">only' in table_bundle(("only",), [])["text/html"]


def test_a_bar_says_how_far_it_is_and_its_line_says_it_in_words():
    known, unknown = progress_bundle(0.25, "1 of 4 <b>", "offline service"), progress_bundle(None, "1 so far")
    assert re.search(
        r'<progress style="accent-color:var\(--jp-[^>]*" max="1" value="0.250"></progress> <small>', known["text/html"]
    )
    assert "&lt;b&gt;" in known["text/html"]
    assert 'max="1"></progress> <small>' in unknown["text/html"]
    assert (known["text/plain"], unknown["text/plain"]) == ("offline service · 1 of 4 <b>", "1 so far")


def test_a_table_in_a_prompt_is_a_table_again():
    table = "| a | b |\n| --- | --- |\n| 1 | <i> |"
    for text in (table, f"Sum up\n\n{table}\n\nin {{a}} line"):
        html = prompt_bundle(text)["text/html"]
        assert html.count("<table>") == 1
        assert "&lt;i&gt;" in html
        assert "|" not in html
    assert "<table>" not in prompt_bundle("| a |\n| b |")["text/html"]


def test_data_is_shown_again_as_data():
    data, words = Segment(0, "answer"), Segment(1, "answer")
    data.append('{"a": 1}')
    words.append("[1] *says* so")
    assert recalled_bundle(data, "json") == recalled_bundle(data, None) == answer_bundle(data.text, "json")
    assert recalled_bundle(data, "markdown") == bundle(data)
    assert recalled_bundle(words, None) == bundle(words)
    assert recalled_bundle(words, "text") == answer_bundle(words.text, "text")
