"""The page tells all that was said, and what a model wrote can do nothing in it, whoever renders it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import mistune
import pytest

from nbgemini.render.export import to_json, to_markdown
from nbgemini.render.export.markdown import fenced, safe_markdown
from tests.corpus import PAYLOADS
from tests.fakes.functions import PNG
from tests.render.export.conftest import said_by, said_in

TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "del"),
    *("table", "thead", "tbody", "tr", "th", "td", "a", "img", "details", "summary"),
}  # fmt: skip
HARMLESS = {
    "href": re.compile(r"https?://|mailto:|#|%23|chat_files/", re.IGNORECASE),
    "src": re.compile(r"chat_files/"),
    "class": re.compile(r"language-"),
    "style": re.compile(r"text-align:(left|right|center)"),
    "alt": re.compile(""),
    "title": re.compile(""),
    "start": re.compile(r"\d+"),
}


class Faults(HTMLParser):
    """What a page must not hold."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        wrong = [(name, value) for name, value in attrs if name not in HARMLESS or not HARMLESS[name].match(value or "")]
        self.found += wrong + ([tag] if tag not in TAGS else [])

    def handle_comment(self, data):
        self.found.append(data)


def rendered(page):
    """The page as a converter makes it that lets raw HTML through and knows of no sanitiser."""
    return mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])(page.split("---\n", 2)[2])


def test_the_page_tells_prompts_answers_calls_pictures_and_what_they_took(chat):
    page, files = to_markdown(said_in(chat, system="Be brief."), "chat_files", thoughts=False)
    assert page.startswith('---\ntitle: "main"\nmodel: "gemini-3.8-flash"\nexported: "2026-11-21 12:00"\nsystem: "Be brief."\n')
    for told in ("> Why is the sky blue?", "**Tool call** plot (done", '"colour": "red"', '"in red"', "gemini-3.8-flash · "):
        assert told in page
    assert [files[name] for name in sorted(files)] == [PNG, PNG]
    assert all(f"![image/png of {len(PNG)} bytes](chat_files/{name})" in page for name in files)
    assert "Thoughts" not in page
    assert Faults(rendered(page)).found == []


def test_thoughts_are_told_folded_when_they_are_asked_for(chat):
    page, _ = to_markdown(said_in(chat), "x", thoughts=True)
    assert page.count("<details>\n<summary>Thoughts</summary>") == page.count("</details>") >= 2
    thought = next(segment for entry in said_in(chat).entries for segment in entry.segments if segment.kind == "thought")
    assert thought.text.strip() in page


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: repr(payload)[1:50])
def test_nothing_that_a_model_writes_runs_or_loads_or_closes_what_we_opened(payload):
    for text in (payload, f"`{payload}", f"\\`{payload}`", f"```\n{payload}", f"- a\n\n      {payload}", f"> {payload}"):
        page, files = to_markdown(said_by(text, chat=payload, prompt=text), "chat_files", thoughts=True)
        html = rendered(page)
        assert Faults(html).found == [], (text, page)
        assert html.count("<details>") == html.count("</details>") == 1
        assert files == {}


def test_front_matter_is_lines_of_json_whatever_the_chat_is_called():
    for name in ('"\n---\nevil: yes', "a: b\u2028- c", "\x1b[2J", "é 🙂"):
        page, _ = to_markdown(said_by("x", chat=name), "f", thoughts=False)
        _, front, _ = page.split("---\n", 2)
        assert [line.split(":", 1)[0] for line in front.splitlines()] == ["title", "model", "exported", "tokens"]
        assert all(json.loads(line.split(": ", 1)[1]) for line in front.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        "# Head\n\n- a\n- b\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        "`x < y` and ```\n\n```python\nif a < b: ...\n```",
        "[a](https://x.example/)",
    ],
)
def test_markdown_that_is_harmless_stays_as_it_is(text):
    assert safe_markdown(text) == text


def test_html_becomes_text_and_what_cannot_be_mended_becomes_source():
    assert safe_markdown("a <b>c</b>") == "a \\<b>c\\</b>"
    assert safe_markdown("![a](https://evil.example/x.png)") == "!\\[a](https://evil.example/x.png)"
    for text in (
        "```\nnever closed",
        "[a](javascript:alert(1))",
        "```{python}\nimport os\n```",
        "`<b>`{=html}",
    ):
        assert safe_markdown(text) == fenced(text)
    assert fenced("a ````` b") == "``````\na ````` b\n``````"


def test_json_is_not_for_reading_but_holds_the_thoughts(chat):
    assert "thought" in to_json(said_in(chat))
