"""The host that is shown is the host that a browser goes to, whatever a URL does to hide it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from nbgemini.messages.events import Citation, Citations
from nbgemini.messages.segments import Segment
from nbgemini.render.markdown_parser import markdown_parser
from nbgemini.render.mimebundle import bundle
from nbgemini.render.streaming_markdown import to_html
from nbgemini.render.urls import UNREADABLE, host_of, plain_url, speaks_for_itself
from tests.render.checker import faults, text_of


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://A.example:8080/x", "a.example"),
        ("HTTPS://a.example", "a.example"),
        ("https://user@a.example", "a.example"),
        ("https://bank.example@evil.example/", "evil.example"),
        ("https://evil.example\\@bank.example/", "evil.example"),
        ("https:\\\\evil.example/", "evil.example"),
        ("https://evil.example?@bank.example", "evil.example"),
        ("https://evil.example#@bank.example", "evil.example"),
        ("https://%65vil.example/", "evil.example"),
        ("https://evil\u3002example/", "evil.example"),
        ("https://\uff45vil.example/", "evil.example"),
        ("https://b\u00fccher.example", "xn--bcher-kva.example"),
        ("https://stra\u00dfe.example", "xn--strae-oqa.example"),
        ("https://[2001:db8::1]:8080/", "[2001:db8::1]"),
        ("http://[::1", UNREADABLE),
        ("https:///evil.example", UNREADABLE),
        ("https://", UNREADABLE),
        ("https://a b.example", UNREADABLE),
        ("https://a\tb.example", UNREADABLE),
        ("https://ev\u00adil.example", UNREADABLE),
        ("https://" + "a" * 80 + ".example", UNREADABLE),
        ("https://" + "\u00fc" * 80 + ".example", UNREADABLE),
        ("https://" + "a." * 1_000, UNREADABLE),
        ("mailto:a@b.example", ""),
        ("//evil.example", ""),
        ("/a", ""),
    ],
)
def test_host(url, host):
    assert host_of(url) == host


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_a_host_is_plain_or_unreadable(text):
    host = host_of("https://" + text)
    assert host == UNREADABLE or (host.isascii() and not set(host) & set(" /\\?#@<>\"'"))
    assert not (plain := plain_url("https://" + text)) or host_of(plain) == host


@pytest.mark.timeout(90)
@pytest.mark.parametrize("text", ["@" * 200_000, "\u00fc." * 100_000, ":" * 200_000, "%40" * 60_000])
def test_no_url_takes_long(text):
    assert host_of("https://" + text) in ("", UNREADABLE)


def test_a_citation_leads_where_it_says():
    sources = Citations((Citation("https://evil.example\\@bank.example/x?q=1", "A"), Citation("https:///evil.example", "B")))
    html = bundle(Segment(0, "citations", sources))["text/html"]
    assert 'href="https://evil.example\\@bank.example/x?q=1"' in html
    assert "A (evil.example)" in text_of(html)
    assert html.count("<a ") == 1
    assert faults(html) == []


def test_a_link_whose_host_cannot_be_told_is_no_link():
    for source in ("[a](https:///evil.example)", "[a](https://%20evil.example)", "![a](https:///evil.example/p.png)"):
        assert "href" not in to_html(source)
        assert UNREADABLE in to_html(source) or "<a" in to_html(source)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("[a](mailto:x@evil.example)", "a (x@evil.example)"),
        ("[help@bank.example](mailto:x@evil.example)", "help@bank.example (x@evil.example)"),
        ("[a](MAILTO:x@evil.example?subject=y)", "a (x@evil.example)"),
        ("[x@a.example](mailto:x@a.example?bcc=y@evil.example)", "x@a.example (x@a.example, y@evil.example)"),
        ("[a](mailto:?to=x@evil.example)", "a (x@evil.example)"),
        ("[a](mailto:x@evil.example,y@evil.example)", "a (x@evil.example, y@evil.example)"),
        ("[a](mailto:x%40evil.example)", "a (x@evil.example)"),
        ("[a](mailto:x@\u0435vil.example)", "a (x@xn--vil-qdd.example)"),
        ("<x@evil.example>", "x@evil.example"),
        ("[![https://bank.example](data:image/png;base64,AAAA)](https://bank.example)", " (bank.example)"),
        ("[![https://evil.example](p.png)](https://evil.example)", "[image not loaded: https://evil.example] (evil.example)"),
        ("[$https://evil.example$](https://evil.example)", "$https://evil.example$ (evil.example)"),
        ("[`https://evil.example`](https://evil.example)", "https://evil.example (evil.example)"),
        ("[https://evil.example<sub> </sub>](https://evil.example)", "https://evil.example  (evil.example)"),
        ("[https://evil.example](https://evil.example)", "https://evil.example"),
        ("<https://a.example/\u00fc>", "https://a.example/\u00fc"),
        ("https://a.example/\u00fc", "https://a.example/\u00fc"),
    ],
)
def test_only_text_speaks_for_a_link(source, shown):
    assert text_of(to_html(source)).removesuffix("\n") == shown
    assert faults(to_html(source)) == []


@pytest.mark.parametrize(
    "url", ["mailto:", "mailto:x", "mailto:x@", "mailto:%0Ax@a.example", "mailto:x@a.example,y", "mailto:a b@c.example"]
)
def test_a_mailbox_that_cannot_be_told_is_no_link(url):
    assert "href" not in to_html(f"[a](<{url}>)")


def test_a_url_as_text_says_its_host_unless_it_names_another_first():
    assert speaks_for_itself("https://a.example/@b", "https://a.example/@b")
    assert not speaks_for_itself("https://bank.example@evil.example", "https://bank.example@evil.example")
    assert "(evil.example)" in text_of(to_html("<https://bank.example@evil.example>"))
    assert text_of(to_html("<https://a.example/@b>")) == "https://a.example/@b\n"


@given(st.text(st.sampled_from(["[", "]", "!", "(", ")", "*", "`", "\\", " ", "\n", "a", "^"]), max_size=30))
def test_a_bracket_that_nothing_closes_is_the_text_that_it_was(text):
    rules = markdown_parser().inline.ruler
    html = to_html(text)
    rules.disable(["lone_bracket"])
    try:
        assert to_html(text) == html
    finally:
        rules.enable(["lone_bracket"])
