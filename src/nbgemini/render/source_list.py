"""What an answer rests on, below it: numbered sources with their hosts, what was searched for, pages that were read.

What Google sends to be shown with its results (`searchEntryPoint.renderedContent`) is a page of its own, with style and script:
hostile until proven otherwise. Its links are made here from the queries instead.
"""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from nbgemini.messages.events import Citation, Citations, Page
from nbgemini.render.escape import harmless
from nbgemini.render.math import untypeset
from nbgemini.render.sanitize import sanitised
from nbgemini.render.urls import host_of, plain_url

_SEARCH = "https://www.google.com/search?q="
_LONGEST = 300  # characters of a title or an address that are shown


def citations_html(citations: Citations) -> str:
    """Return the lists as sanitised HTML."""
    sources = "".join(f"<li>{_source(source)}</li>" for source in citations.sources)
    queries = " · ".join(_link(f"{_SEARCH}{_quoted(query)}", query) for query in citations.queries)
    pages = "".join(f"<li>{_page(page)}</li>" for page in citations.pages)
    lists = [
        f"<small>Sources</small><ol>{sanitised(sources)}</ol>" if sources or not (queries or pages) else "",
        f"<p><small>Searched for: {sanitised(queries)}</small></p>" if queries else "",
        f"<small>Pages</small><ul>{sanitised(pages)}</ul>" if pages else "",
    ]
    return "".join(lists)


def citations_text(citations: Citations) -> str:
    """Return the list as plain text."""
    lines = [f"[{n}] {source.title} {source.uri}" for n, source in enumerate(citations.sources, 1)]
    lines += [f"Searched for: {', '.join(citations.queries)}"] if citations.queries else []
    lines += [f"Page {_state(page)}: {page.url}" for page in citations.pages]
    return "\n".join(lines)


def _source(source: Citation) -> str:
    uri = harmless(source.uri)
    shown = source.title or uri
    return f"{_link(uri, shown)} ({escape(host_of(plain_url(uri)))})" if plain_url(uri) else _prose(shown)


def _page(page: Page) -> str:
    uri = harmless(page.url)
    return f"{_link(uri, uri) if plain_url(uri) else _prose(uri)}: {_prose(_state(page))}"


def _state(page: Page) -> str:
    return f"not read ({page.trouble})" if page.trouble else "read"


def _link(url: str, shown: str) -> str:
    return f'<a href="{escape(plain_url(url))}" target="_blank">{_prose(shown)}</a>'


def _quoted(query: str) -> str:
    return quote(query.encode("utf-8", "replace"), safe="")


def _prose(text: str) -> str:
    return untypeset(escape(harmless(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")))
