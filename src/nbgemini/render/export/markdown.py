"""A chat as Markdown, with its pictures in a folder beside it.

A model's Markdown stands in the page as it came if nothing in it can do harm, else mended, else as source.
Invariants: whatever reads the page finds no raw HTML, no picture that is loaded from elsewhere, no link but to the web or a
mailbox, no code that a converter would run or pass through; what a text opens it closes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import quote

from nbgemini._environment import HOST
from nbgemini.formatting import duration_text
from nbgemini.messages.events import Citations, CodeResult, ExecutedCode, InlineMedia, ToolCallGrowing, ToolRun
from nbgemini.messages.media import HEAD, decode_media, media_kind, mime_of
from nbgemini.messages.segments import Content
from nbgemini.render.escape import harmless
from nbgemini.render.export.model import Entry, ExportedChat
from nbgemini.render.urls import plain_url

_SUFFIXES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "application/pdf": "pdf",
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
}


def to_markdown(chat: ExportedChat, folder: str, *, thoughts: bool) -> tuple[str, dict[str, bytes]]:
    """Return the file's text, and the files that belong into `folder` beside it, by their names.

    Args:
        chat: what is told.
        folder: what the folder for pictures is called.
        thoughts: whether the model's thoughts are told too, folded.
    """
    page = _Page(folder, thoughts=thoughts)
    blocks = [_front(chat), f"# {escaped(chat.name)}"]
    for number, entry in enumerate(chat.entries, 1):
        blocks += [f"## {number}", *page.asked(entry), *page.came(entry)]
        blocks += [f"*{escaped(entry.facts)}*"] if entry.facts else []
    return "\n\n".join(blocks) + "\n", page.files


def _front(chat: ExportedChat) -> str:
    """Return the front matter; JSON's texts and numbers are YAML's too."""
    usage = chat.usage
    facts = {
        "title": harmless(chat.name),
        "model": harmless(chat.model),
        "exported": chat.at,
        **({"system": harmless(chat.system)} if chat.system else {}),
        "tokens": {"in": usage.input, "thought": usage.thought, "out": usage.output},
        **({"usd": round(chat.cost, 6)} if chat.cost else {}),
    }
    return "\n".join(["---", *(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in facts.items()), "---"])


class _Page:
    """The page as it grows, and its pictures."""

    def __init__(self, folder: str, *, thoughts: bool) -> None:
        self.files: dict[str, bytes] = {}
        self._folder = folder
        self._thoughts = thoughts

    def asked(self, entry: Entry) -> Iterator[str]:
        if entry.prompt.strip():
            yield quoted(safe_markdown(entry.prompt))
        yield from map(self._media, entry.attached)

    def came(self, entry: Entry) -> Iterator[str]:
        for segment in entry.segments:
            if segment.kind == "answer":
                yield safe_markdown(segment.text)
            elif segment.kind != "thought" and segment.content is not None:
                yield from self._special(segment.content)
            elif self._thoughts:
                yield f"<details>\n<summary>Thoughts</summary>\n\n{safe_markdown(segment.text)}\n\n</details>"

    def _special(self, content: Content) -> Iterator[str]:
        match content:
            case ToolRun():
                yield from self._tool(content)
            case ToolCallGrowing(_, name, text):
                yield f"**Tool call** {escaped(name)}, which never became whole"
                yield fenced(text)
            case ExecutedCode(source, language):
                yield "**Code the model ran**"
                yield fenced(source, language if language.isalnum() else "")
            case CodeResult(output, ok):
                yield "**Its output**" if ok else "**It failed**"
                yield fenced(output)
            case InlineMedia():
                yield self._media(content)
            case Citations(sources):
                yield "Sources:\n\n" + "\n".join(f"1. {_source(source.uri, source.title)}" for source in sources)

    def _tool(self, run: ToolRun) -> Iterator[str]:
        took = f", {duration_text(run.seconds)}" if run.seconds and HOST.durations else ""
        unasked = ", ran without asking" if run.unasked else ""
        yield f"**Tool call** {escaped(run.call.name)} ({run.state}{took}{unasked})"
        yield fenced(_json(run.call.args), "json")
        if run.response is not None:
            yield "Result:"
            yield fenced(_json(run.response), "json")
        yield from map(self._media, run.media)

    def _media(self, media: InlineMedia) -> str:
        content = decode_media(media.data)
        mime = mime_of(content[:HEAD])
        suffix = _SUFFIXES.get(mime)
        if suffix is None:
            return f"({escaped(media.mime)} of {len(content):,} bytes is not kept here)"
        name = f"{media_kind(mime)}-{len(self.files) + 1}.{suffix}"
        self.files[name] = content
        sign = "!" if mime.startswith("image/") else ""
        return f"{sign}[{mime} of {len(content):,} bytes]({quote(self._folder)}/{name})"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)


def _source(uri: str, title: str) -> str:
    url = plain_url(uri)
    return f"[{escaped(title or url)}](<{quote(url, safe=_URL)}>)" if url else escaped(title or uri)


_URL = ":/?#[]@!$&'()*+,;=%-._~"
_END_OF_TEXT = "nbgemini end of text"
_HTML = re.compile(r"<(?=[A-Za-z/!?])")
_RAW = re.compile(r"`\{=|^[ \t>]*(?:`{3,}|~{3,})[ \t]*\{|^:{3,}", re.MULTILINE)  # what Pandoc and Quarto obey
_SPECIAL = re.compile(r"([\\`*_\[\]<>#!|~&$])")
_RUN = re.compile(r"`+")


def safe_markdown(text: str) -> str:
    """Return Markdown that reads as the model meant it, as far as that is harmless."""
    source = harmless(text).strip("\n")
    for tried in (source, _HTML.sub(r"\\<", source).replace("![", "!\\[")):
        if _is_safe(tried):
            return tried
    return fenced(source)


def fenced(text: str, language: str = "") -> str:
    """Return text as a block of source, whatever it holds."""
    longest = max((len(run) for run in _RUN.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{harmless(text)}\n{fence}"


def escaped(text: str) -> str:
    """Return text for the middle of a line."""
    return _SPECIAL.sub(r"\\\1", " ".join(harmless(text).split()))


def quoted(markdown: str) -> str:
    """Return Markdown as a quotation."""
    return "\n".join(f"> {line}".rstrip() for line in markdown.split("\n"))


def _is_safe(source: str) -> bool:
    if _RAW.search(source):
        return False
    try:
        return all(_reads_safely(source, tables=tables) for tables in (True, False))
    except RecursionError:
        return False


def _reads_safely(source: str, *, tables: bool) -> bool:
    """Whether one dialect finds nothing harmful; where cells end differs, and with it what is code."""
    tokens = _parser(tables=tables).parse(f"{source}\n\n{_END_OF_TEXT}", {})
    closed = len(tokens) >= 3 and tokens[-1].level == 0 and tokens[-2].content == _END_OF_TEXT  # noqa: PLR2004 - open, text, close
    return closed and all(_is_harmless(token) for block in tokens for token in (block, *(block.children or ())))


def _is_harmless(token: Any) -> bool:
    if token.type == "link_open":
        return str(token.attrs.get("href", "")).lower().startswith(("http://", "https://", "mailto:", "#"))
    return token.type not in ("html_block", "html_inline", "image")


@cache
def _parser(*, tables: bool) -> Any:
    """Return a parser that finds all that a reader of its dialect might."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - at first use

    parser = MarkdownIt("commonmark", {"html": True}).enable(["strikethrough", *(["table"] if tables else [])])
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005 - it is given by name
    return parser
