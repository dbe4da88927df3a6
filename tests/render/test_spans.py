"""Four elements of HTML, bare addresses and boxes of tasks; nothing beside them."""

from __future__ import annotations

import pytest

from nbgemini.render.streaming_markdown import to_html
from tests.render.checker import faults, text_of


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("a<br>b", "a<br>\nb"),
        ("a<br/>b<BR />c", "a<br>\nb<br>\nc"),
        ("H<sub>2</sub>O and x<sup>2</sup>", "H<sub>2</sub>O and x<sup>2</sup>"),
        ("<kbd>Ctrl</kbd>+<KBD>C</KBD>", "<kbd>Ctrl</kbd>+<kbd>C</kbd>"),
        ("<sub>*a* `b`</sub>", "<sub><em>a</em> <code>b</code></sub>"),
        ("**a<sub>b</sub>**", "<strong>a<sub>b</sub></strong>"),
        ("<kbd><kbd>a</kbd>+<kbd>b</kbd></kbd>", "<kbd><kbd>a</kbd>+<kbd>b</kbd></kbd>"),
        ("<sub>a", "&lt;sub&gt;a"),
        ("a</sub>", "a&lt;/sub&gt;"),
        ("<sub>a</sup>", "&lt;sub&gt;a&lt;/sup&gt;"),
        ("**<sub>a**</sub>", "<strong>&lt;sub&gt;a</strong>&lt;/sub&gt;"),
        ("<sub class=x>a</sub>", "&lt;sub class=x&gt;a&lt;/sub&gt;"),
        ("<br onclick=x>", "&lt;br onclick=x&gt;"),
        ("</br>", "&lt;/br&gt;"),
        ("<b>a</b>", "&lt;b&gt;a&lt;/b&gt;"),
        ("`<br>`", "<code>&lt;br&gt;</code>"),
        ("\\<br>", "&lt;br&gt;"),
    ],
)
def test_elements(source, html):
    assert to_html(source) == f"<p>{html}</p>\n"
    assert faults(to_html(source)) == []


def test_elements_in_cells():
    html = to_html("| a<br>b | H<sub>2</sub>O |\n|:--|:-:|\n| <kbd>x</kbd> | <sup>1 |")
    assert "a<br>\nb</div></th>" in html
    assert '<div align="center">H<sub>2</sub>O</div>' in html
    assert "<kbd>x</kbd>" in html
    assert "&lt;sup&gt;1" in html


def test_elements_do_not_stand_in_each_other_without_end():
    html = to_html("<sub>" * 100 + "a" + "</sub>" * 100)
    assert html.count("<sub>") <= 4
    assert faults(html) == []


@pytest.mark.parametrize(
    ("source", "urls"),
    [
        ("See https://a.example/x.", ["https://a.example/x"]),
        ("(https://a.example/a_(b)), or (https://b.example)?", ["https://a.example/a_(b)", "https://b.example"]),
        (
            "**https://a.example/x**, _https://b.example_; https://c.example/!",
            ["https://a.example/x", "https://b.example", "https://c.example/"],
        ),
        ("请看https://a.example/x，然后https://b.example查看。", ["https://a.example/x", "https://b.example"]),
        ("https://a.example/wiki/日本、https://a.example/x查看", ["https://a.example/wiki/日本", "https://a.example/x"]),
        ("“https://a.example/x” «https://b.example/y»…", ["https://a.example/x", "https://b.example/y"]),
        ("http://localhost:8888/lab?token=x&y=z#a", ["http://localhost:8888/lab?token=x&y=z#a"]),
        ("| https://a.example/x | https://b.example |\n|-|-|", ["https://a.example/x", "https://b.example"]),
        ("HTTPS://A.example/x:", ["HTTPS://A.example/x"]),
        ("https://a.example/x'; https://b.example/x\"", ["https://a.example/x", "https://b.example/x"]),
        ("[https://a.example/x](https://a.example/x)", ["https://a.example/x"]),
        ("<https://a.example/x>.", ["https://a.example/x"]),
        ("https://a.example/*x*", ["https://a.example/*x"]),
        ("xhttps://a.example https:// http://. ftp://a.example https:a", []),
        ("https://bank.example@evil.example https://b\u00fccher.example https://a.example\\@b.example", []),
        ("`https://a.example`", []),
    ],
)
def test_bare_addresses(source, urls):
    html = to_html(source)
    shown = [part.split(">", 1)[1].split("</a>")[0].replace("&amp;", "&") for part in html.split("<a ")[1:]]
    assert shown == urls
    assert faults(html) == []
    assert "nbgemini-host" not in html


def test_tasks_have_boxes():
    html = to_html("- [x] done\n- [ ] **to do**\n- [X] loose\n\n1. [ ] numbered\n- [y] no\n- [x](https://a.example)\n- [ ]\n")
    assert [line for line in text_of(html).split("\n") if line][:3] == ["☑ done", "☐ to do", "☑ loose"]
    assert "☐ numbered" in text_of(html)
    assert text_of(html).count("☑") + text_of(html).count("☐") == 4
    assert text_of(to_html("[x] no list")) == "[x] no list\n"
