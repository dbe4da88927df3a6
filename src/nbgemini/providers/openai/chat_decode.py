"""The chunks of one Chat Completions stream, of OpenAI's service or of any that speaks like it.

Invariants: text that a server marks as reasoning, by a name or by tags before the answer, is a thought, all else is the answer;
only the first choice is read; whatever a frame holds, decoding gives events or one WireError. Each server names what an answer
rests on in words and places of its own: OpenAI and OpenRouter annotate the message, Perplexity and xAI put `citations` and
`search_results` beside the choices, others inside of the choice, Qwen under `search_info`, GLM under `web_search`, Groq under
the tools that it has run.
Sources: the types of openai 3.52; api-docs.deepseek.com/guides/thinking_mode; openrouter.ai/docs (reasoning tokens, errors);
docs.mistral.ai, reasoning.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any

from nbgemini.messages.events import (
    WHOLE,
    AnswerDelta,
    Citations,
    Done,
    Event,
    Fault,
    Finish,
    PartReceived,
    ResponseInfo,
    ThoughtDelta,
    ToolArgsDelta,
    ToolArgsText,
    ToolCallEnd,
    ToolCallStart,
    Unknown,
    UsageReport,
)
from nbgemini.messages.turns import ORIGIN
from nbgemini.providers.base import OVER
from nbgemini.providers.common.citations import CitationBuilder
from nbgemini.providers.common.json import dicts, end_state, is_limit, load_frame, stop_word
from nbgemini.providers.common.thought_tags import Said, TaggedText
from nbgemini.providers.openai.common import usage_of
from nbgemini.transport.api_errors import error_from_data, error_in

_CITATIONS = (
    "citations", "annotations", "search_results", "search_info", "web_search", "sources", "references", "executed_tools",
)  # fmt: skip
_CITED_IN = frozenset(_CITATIONS)

_INSIDE = ("url_citation", "search_results", "results", "web", "source")  # where in an entry the sources may stand
_DEEPEST_SOURCE = 3
_PLACES, _TITLES = ("url", "uri", "link", "source", "href"), ("title", "name")
_SCHEMES = ("http://", "https://")
_MOST = 1_000  # in one frame; a hostile server could send any number


class _CitationReader:
    """The sources of one stream: what comes later is added."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known = CitationBuilder()

    def take(self, place: dict[str, Any]) -> Citations | None:
        """Take what an object of a frame says of sources, and return all that is known if that is news."""
        for entry in (place[name] for name in _CITATIONS if place.get(name)):
            for address, title in islice(_sources(entry), _MOST):
                self._known.add_source(address, title)
        return self._known.news()


def _sources(said: Any, depth: int = _DEEPEST_SOURCE) -> Iterator[tuple[str, str]]:
    """Yield the addresses in what is said of sources, each with its title."""
    for entry in said if isinstance(said, list) else [said]:
        if isinstance(entry, str) and entry.startswith(_SCHEMES):
            yield entry, ""
        elif isinstance(entry, dict):
            if address := _first(entry, _PLACES, _SCHEMES):
                yield address, _first(entry, _TITLES)
            elif depth:
                yield from (found for name in _INSIDE if entry.get(name) for found in _sources(entry[name], depth - 1))


def _first(entry: dict[str, Any], names: tuple[str, ...], starts: str | tuple[str, ...] = "") -> str:
    return next((value for name in names if isinstance(value := entry.get(name), str) and value.startswith(starts)), "")


NAME = "openai-chat"

_KNOWN = ("index", "id", "type", "function")


class _Call:
    """One call: `id` is its first, `begun` whether its name is known, `text` its arguments if they came in one piece so far."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.id = ""
        self.begun = False
        self.text = ""
        self.pieces = 0  # of its arguments
        self.ended = False
        self.early: list[Event] = []  # arguments that came before the name


class _Calls:
    """The calls of one stream, in their order."""

    def __init__(self) -> None:
        """Begin with none."""
        self._calls: list[_Call] = []
        self._slots: dict[str, _Call] = {}  # by index

    def read(self, piece: dict[str, Any]) -> list[Event]:
        """Return what one piece of a call says."""
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        name, new_id = _text(function.get("name")), _text(piece.get("id"))
        given = function.get("arguments")
        call = self._call_of(piece.get("index"), new_id, name, given)
        call.id = call.id or new_id
        arguments = _arguments(call, given)
        if call.begun:
            return arguments
        call.early += arguments
        if not name:
            return []
        call.begun = True
        call.ended = not call.id and _is_whole(call.text)
        start = ToolCallStart(call.key, name, call.id or None, _extra_part(piece))
        return [start, *call.early, *([ToolCallEnd(call.key)] if call.ended else [])]

    def end(self) -> list[Event]:
        """Return that all calls are whole: no server says so of each."""
        return [ToolCallEnd(call.key) for call in self._calls if call.begun and not call.ended]

    def _call_of(self, index: Any, new_id: str, name: str, given: Any) -> _Call:
        """Return the call that a piece is of.

        It is another than the last with its index if it has a name and an id of its own; or if neither has an id, and what came
        first of the last was all of it: then it is at its end at once, as it may come again in later frames.
        """
        slot = "" if index is None else str(index)
        before = self._slots.get(slot) if slot else self._unnumbered(new_id, name)
        another = name and new_id and before and before.id and new_id != before.id
        again = name and not new_id and given and before and not before.id and _is_whole(before.text)
        if before and not another and not again:
            return before
        call = _Call(str(len(self._calls)))
        self._calls.append(call)
        if slot:
            self._slots[slot] = call
        return call

    def _unnumbered(self, new_id: str, name: str) -> _Call | None:
        """Return the call that a piece without an index goes on: the one with its id, or the last unless it names another."""
        known = next((call for call in self._calls if new_id and call.id == new_id), None)
        last = self._calls[-1] if self._calls else None
        return known or (None if name and last and last.begun else last)


def _arguments(call: _Call, given: Any) -> list[Event]:
    """Return what a piece of a call's arguments says: it goes on, or is instead of all that came, if that was whole already."""
    whole = isinstance(given, dict)
    text = json.dumps(given, ensure_ascii=False) if whole else given
    if not isinstance(text, str) or not text or call.ended:
        return []
    anew = whole or (text.startswith("{") and _is_whole(call.text))
    call.pieces = 1 if anew else call.pieces + 1
    call.text = text if call.pieces == 1 else ""
    return [ToolArgsText(call.key, text) if anew else ToolArgsDelta(call.key, text)]


def _is_whole(text: str) -> bool:
    """Whether this is an object, as no piece of a longer one is."""
    try:
        return text.startswith("{") and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _extra_part(piece: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part that keeps what a server adds to a call and wants back: Google's puts the thought signature there."""
    more = {name: value for name, value in piece.items() if name not in _KNOWN and value is not None}
    return {ORIGIN: {"provider": NAME, "block": more}} if more else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


_GO_BACK = ("reasoning_content", "reasoning")  # those that some servers want back
_THOUGHTS = (*_GO_BACK, "reasoning_text", "thinking", "thinking_content")  # who sends several sends the same twice
_DETAILS = "reasoning_details"
_BLOCKS = (_DETAILS, "thinking_blocks")  # the same again, in pieces with signatures
_REASONING = frozenset((*_THOUGHTS, *_BLOCKS))
_JOINED = ("text", "summary", "data")  # what of such a detail comes in pieces
_WORDS = ("text", "thinking", "reasoning", "summary", "content")  # where in a piece of reasoning its text stands
_DELTA = {"role", "content", "refusal", *_THOUGHTS, *_BLOCKS, *_CITATIONS, "tool_calls", "function_call", "obfuscation"}
_NATIVE = ("native_finish_reason", "stop_reason")  # beside the reason, in the words of the service behind a gateway
_DEEPEST = 4


class ChatDecoder:
    """One stream."""

    def __init__(self) -> None:
        """Begin before its first chunk."""
        self._events: list[Event] = []
        self._informed = self._ended = False
        self._calls = _Calls()
        self._text = TaggedText()
        self._thoughts: dict[str, list[str]] = {}  # by the name under which they came
        self._details: list[dict[str, Any]] = []
        self._refused: list[str] = []
        self._sources = _CitationReader()

    def feed(self, frame: bytes) -> list[Event]:
        """Return what a frame says.

        Raises:
            WireError: it is not JSON.
        """
        data = load_frame(frame)
        if isinstance(data, list) and data:
            data = data[0]  # as Google wraps errors
        self._events = []
        if isinstance(data, dict):
            self._read(data)
        elif isinstance(data, bytes):
            self._close(whole=data != OVER)
        return self._events

    def _read(self, data: dict[str, Any]) -> None:
        if (model := data.get("model")) and not self._informed:
            self._informed = True
            self._events.append(ResponseInfo(str(model), str(data.get("id") or "")))
        choice = next((choice for choice in dicts(data.get("choices")) if not choice.get("index")), None)
        error = error_in(data, bare=True) if choice is None else None
        if choice is None:
            choice = {}
        elif "error" in data or "error" in choice or data.get("object") == "error":
            error = error_in(data, bare=False) or error_in(choice, bare=False)
        self._read_choice(choice, error)
        usage = data.get("usage") or choice.get("usage") or data.get("x_groq")  # Moonshot and Groq count elsewhere
        if isinstance(usage, dict) and isinstance(counts := usage.get("usage", usage), dict):
            counted = usage_of(counts, "prompt", "completion")
            self._events += [UsageReport(counted)] if counted.total else []  # nothing takes no count back
        self._cite(data, choice)

    def _cite(self, *places: dict[str, Any]) -> None:
        for place in places:
            if not _CITED_IN.isdisjoint(place) and (cited := self._sources.take(place)):
                self._events.append(cited)

    def _read_choice(self, choice: dict[str, Any], error: dict[str, Any] | None) -> None:
        name = next((name for name in ("delta", "message") if isinstance(choice.get(name), dict)), "")
        self._read_delta(choice.get(name) or {"content": choice.get("text")})  # the latter of old completions
        reason = choice.get("finish_reason")
        if error or reason == "error":
            self._events.append(Fault(error_from_data(0, error or {}, key_name="")))
        elif word := stop_word(reason):
            self._finish(word, choice)
        elif name == "message":  # the whole answer at once
            self._close(whole=True)
            self._events.append(WHOLE)

    def _read_delta(self, delta: dict[str, Any]) -> None:
        self._think(delta)
        self._answer(delta.get("content"))
        if isinstance(refusal := delta.get("refusal"), str):
            self._refused.append(refusal)
        calls = dicts(delta.get("tool_calls"))
        if isinstance(old := delta.get("function_call"), dict) and not calls:
            calls = [{"index": 0, "function": old}]
        if calls:
            self._say(self._text.end())
        for call in calls:
            self._events += self._calls.read(call)
        self._cite(delta)
        if not delta.keys() <= _DELTA:
            self._events += [Unknown(name) for name, value in delta.items() if name not in _DELTA and value is not None]

    def _think(self, delta: dict[str, Any]) -> None:
        if _REASONING.isdisjoint(delta):
            return
        came = [(name, _words(delta[name])) for name in _THOUGHTS if delta.get(name) is not None]
        for name, text in came:
            if name in _GO_BACK:
                self._thoughts.setdefault(name, []).append(text)
        for detail in dicts(delta.get(_DETAILS)):
            self._add_detail(detail)
        if text := next((text for _, text in came if text), "") or "".join(_words(delta.get(name)) for name in _BLOCKS):
            self._say([*self._text.end(), (True, text)])

    def _add_detail(self, detail: dict[str, Any]) -> None:
        """Add a piece of what OpenRouter wants back: pieces with one number are one."""
        index, last = detail.get("index"), self._details[-1] if self._details else {}
        if index is None or (last.get("index"), last.get("type")) != (index, detail.get("type")):
            self._details.append({**detail})
            return
        for name, value in detail.items():
            joined = name in _JOINED and isinstance(value, str) and isinstance(last.get(name), str)
            if value is not None:
                last[name] = last[name] + value if joined else value

    def _answer(self, content: Any) -> None:
        if isinstance(content, list):  # some send parts, as prompts have them; Mistral's reasoning is one of them
            for thinks, parts in groupby(content, _thinks):
                text = _words(list(parts))
                self._say([*self._text.end(), (True, text)] if thinks and text else self._text.take(text))
        elif isinstance(content, str) and content:
            if self._text.plain:
                self._events += [PartReceived({"text": content}), AnswerDelta(content)]
            else:
                self._say(self._text.take(content))

    def _say(self, said: Iterable[Said]) -> None:
        for thought, text in said:
            if thought:
                self._events += [PartReceived({"text": text, "thought": True}), ThoughtDelta(text)]
            else:
                self._events += [PartReceived({"text": text}), AnswerDelta(text)]

    def _finish(self, reason: str, choice: dict[str, Any]) -> None:
        self._ended = True
        self._say(self._text.end())
        self._keep_thoughts()
        natives = [str(choice[name]) for name in _NATIVE if choice.get(name)]
        reason = next((native for native in natives if is_limit(native)), reason)
        state, refused = end_state(reason), "".join(self._refused)
        if refused or state == "blocked":
            self._events.append(Finish("blocked", "refusal" if refused else reason, refused))
        else:
            self._events += self._calls.end() if state != "truncated" else []
            self._events.append(Finish(state or "truncated", reason))

    def _close(self, *, whole: bool) -> None:
        """Say what was held back, as nothing more comes; if the server says that this is the `whole`, the calls are too."""
        self._say(self._text.end())
        if whole and not self._ended:
            self._ended = True
            self._keep_thoughts()
            refused = "".join(self._refused)
            self._events += [Finish("blocked", "refusal", refused)] if refused else self._calls.end()
        self._events += [Done()] if whole else []

    def _keep_thoughts(self) -> None:
        """Keep what was thought, in its server's words: some want it back beside the calls of its turn."""
        block: dict[str, Any] = {name: "".join(texts) for name, texts in self._thoughts.items()}
        if self._details:
            block[_DETAILS] = self._details
        if block:
            origin = {"provider": NAME, "block": block}
            self._events.append(PartReceived({"text": "", "thought": True, "thoughtSignature": NAME, ORIGIN: origin}))
            self._thoughts, self._details = {}, []


def _thinks(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in ("thinking", "reasoning")


def _words(value: Any, depth: int = _DEEPEST) -> str:
    """Return the text of a piece of content or reasoning: a text, an object that holds one, or a list of these."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and depth:
        return next((text for name in _WORDS if (text := _words(value.get(name), depth - 1))), "")
    return "".join(_words(item, depth - 1) for item in value) if isinstance(value, list) and depth else ""
