"""Citations on a page: the numbers of sources in an answer, and the list below it.

A reference is put into an answer's Markdown before that is rendered, and becomes `[1]` on the page. It is made of characters
that mean nothing to Markdown, to a typesetter or to a highlighter, and begins with some that a model cannot know: it forges
none. Wherever it cannot be shown, in code or in a formula, it vanishes.
The list has numbered sources with their hosts, what was searched for, and pages that were read. What Google sends to be shown
with its results (`searchEntryPoint.renderedContent`) is a page of its own, with style and script: hostile until proven
otherwise. The links of the list are made here from the queries instead.
"""

from __future__ import annotations

import re
from html import escape
from secrets import randbelow
from urllib.parse import quote

from nbgemini.messages.citations import SourcePlaces
from nbgemini.messages.events import Citation, Citations, Page
from nbgemini.render.escape import harmless
from nbgemini.render.math import prose
from nbgemini.render.sanitize import sanitize
from nbgemini.render.urls import host_of, plain_url

_ZERO = 0xE000  # private use: digits, then begin and comma and end
_OURS = dict.fromkeys(range(_ZERO, _ZERO + 13), "\ufffd")
_GONE = dict.fromkeys(_OURS)
_NUMBERS, _BEGIN, _END = "".join(map(chr, (*range(_ZERO, _ZERO + 10), _ZERO + 11))), "\ue00a", "\ue00c"
_HIDE, _SHOW = str.maketrans("0123456789,", _NUMBERS), str.maketrans(_NUMBERS, "0123456789,")
_SECRET = f"{_BEGIN}{randbelow(10**9):09}{_BEGIN}".translate(_HIDE)
_REFERENCE = re.compile(rf" ?{_SECRET}([{_NUMBERS}]+){_END}")
_WHOLE = re.compile(  # what a reference must not stand in
    r"\]\([^()\n]{0,2000}\)|`[^`\n]{1,1000}`|\$[^$\n]{1,1000}\$|\\\([^\n]{0,1000}?\\\)|https?://[^\s<>]{1,2000}|<[^<>\n]{1,2000}>"
)
_BEHIND = " \t\n|"  # before these: a table's cell ends there
_VERBATIM = ("```", "~~~", "$$", "    ")


def with_references(markdown: str, places: SourcePlaces) -> str:
    """Return Markdown with references, which `number_references` shows; sources are counted from 1 there."""
    markdown = markdown.translate(_OURS)
    spans = [found.span() for found in _WHOLE.finditer(markdown)]
    pieces, begin = [], 0
    for at, sources in places:
        place = _fitting_place(markdown, at, spans)
        if place is not None and place >= begin:
            numbers = ",".join(str(number + 1) for number in sources).translate(_HIDE)
            pieces += [markdown[begin:place], f" {_SECRET}{numbers}{_END}"]
            begin = place
    return "".join([*pieces, markdown[begin:]])


def number_references(escaped: str, begin: str = "<sup>", end: str = "</sup>") -> str:
    """Return escaped text with its references as what a reader sees, each between `begin` and `end`."""
    if _SECRET not in escaped:
        return escaped
    return _REFERENCE.sub(lambda found: f"{begin}[{found[1].translate(_SHOW).replace(',', '][')}]{end}", escaped)


def without_references(text: str, source: str) -> str:
    """Return what was made of such Markdown without the references that are left in it."""
    return _REFERENCE.sub("", text).translate(_GONE) if _SECRET in source else text  # a highlighter may have cut some in pieces


def _fitting_place(text: str, at: int, spans: list[tuple[int, int]]) -> int | None:
    at = next((end for start, end in spans if start < at < end), at)
    while at and text[at - 1] in _BEHIND:
        at -= 1
    line = text[text.rfind("\n", 0, at) + 1 : at]
    fits = any(map(str.isalnum, line)) and not line.lstrip(" ").startswith(_VERBATIM) and not line.startswith(_VERBATIM)
    return at if fits else None


_SEARCH = "https://www.google.com/search?q="
_LONGEST = 300  # characters of a title or an address that are shown


def citations_html(citations: Citations) -> str:
    """Return the lists as sanitised HTML."""
    sources = "".join(f"<li>{_source(source)}</li>" for source in citations.sources)
    searches = ((_SEARCH + quote(query.encode("utf-8", "replace"), safe=""), query) for query in citations.queries)
    queries = " · ".join(_link(url, query) for url, query in searches)
    pages = "".join(f"<li>{_link(page.url, page.url)}: {_shortened(_state(page))}</li>" for page in citations.pages)
    lists = [
        f"<small>Sources</small><ol>{sanitize(sources)}</ol>" if sources or not (queries or pages) else "",
        f"<p><small>Searched for: {sanitize(queries)}</small></p>" if queries else "",
        f"<small>Pages</small><ul>{sanitize(pages)}</ul>" if pages else "",
    ]
    return "".join(lists)


def citations_text(citations: Citations) -> str:
    """Return the list as plain text."""
    lines = [f"[{n}] {source.title} {source.uri}" for n, source in enumerate(citations.sources, 1)]
    lines += [f"Searched for: {', '.join(citations.queries)}"] if citations.queries else []
    lines += [f"Page {_state(page)}: {page.url}" for page in citations.pages]
    return "\n".join(lines)


def _source(source: Citation) -> str:
    url = plain_url(harmless(source.uri))
    return _link(source.uri, source.title or source.uri) + (f" ({escape(host_of(url))})" if url else "")


def _state(page: Page) -> str:
    return f"not read ({page.trouble})" if page.trouble else "read"


def _link(address: str, shown: str) -> str:
    """Return a link, or only its text where it leads nowhere."""
    url = plain_url(harmless(address))
    return f'<a href="{escape(url)}" target="_blank">{_shortened(shown)}</a>' if url else _shortened(shown)


def _shortened(text: str) -> str:
    return prose(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
