"""The chunks of one Chat Completions stream, of OpenAI's service or of any that speaks like it.

Invariants: text that a server marks as reasoning, by a name or by tags before the answer, is a thought, all else is the answer;
only the first choice is read. Each server names what an answer rests on in words and places of its own: OpenAI and OpenRouter
annotate the message, Perplexity and xAI put `citations` and `search_results` beside the choices, others inside of the choice,
Qwen under `search_info`, GLM under `web_search`, Groq under the tools that it has run.
Sources: the types of openai 3.52; api-docs.deepseek.com/guides/thinking_mode; openrouter.ai/docs (reasoning tokens, errors);
docs.mistral.ai, reasoning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any

from nbgemini.messages.events import (
    WHOLE,
    AnswerDelta,
    Done,
    Event,
    Finish,
    PartReceived,
    ToolArgsDelta,
    ToolArgsText,
    ToolCallEnd,
    ToolCallStart,
    UsageReport,
)
from nbgemini.messages.turns import ORIGIN
from nbgemini.providers.common.decoder import Data, StreamDecoder
from nbgemini.providers.common.json import as_dict, dicts, end_state, is_limit, stop_word
from nbgemini.providers.common.parts import block_part
from nbgemini.providers.openai.common import usage_of
from nbgemini.transport.api_errors import error_in

NAME = "openai-chat"

_CITATIONS = (
    "citations", "annotations", "search_results", "search_info", "web_search", "sources", "references", "executed_tools",
)  # fmt: skip
_CITED_IN = frozenset(_CITATIONS)
_INSIDE = ("url_citation", "search_results", "results", "web", "source")  # where in an entry the sources may stand
_DEEPEST_SOURCE = 3
_PLACES, _TITLES = ("url", "uri", "link", "source", "href"), ("title", "name")
_SCHEMES = ("http://", "https://")
_MOST = 1_000  # in one frame; a hostile server could send any number


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


def _first(entry: Data, names: tuple[str, ...], starts: str | tuple[str, ...] = "") -> str:
    return next((value for name in names if isinstance(value := entry.get(name), str) and value.startswith(starts)), "")


class _Call:
    """One call: `id` is its first, `begun` whether its name is known."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.id = ""
        self.begun = self.ended = False
        self.text: str | None = None  # its arguments if they came in one piece so far, else empty; None before they begin
        self.early: list[Event] = []  # arguments that came before the name


class _Calls:
    """The calls of one stream, in their order."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._slots: dict[str, _Call] = {}  # by index

    def read(self, piece: Data) -> list[Event]:
        """Return what one piece of a call says."""
        function = as_dict(piece.get("function"))
        name, new_id, given = _text(function.get("name")), _text(piece.get("id")), function.get("arguments")
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
        # What a server adds to a call it wants back: Google's puts the thought signature there.
        more = {field: value for field, value in piece.items() if field not in _CALL and value is not None}
        part = {ORIGIN: {"provider": NAME, "block": more}} if more else None
        start = ToolCallStart(call.key, name, call.id or None, part)
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
    call.text = text if anew or call.text is None else ""
    return [ToolArgsText(call.key, text) if anew else ToolArgsDelta(call.key, text)]


def _is_whole(text: str | None) -> bool:
    """Whether this is an object, as no piece of a longer one is."""
    try:
        return text is not None and text.startswith("{") and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


_CALL = ("index", "id", "type", "function")
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


class ChatDecoder(StreamDecoder):
    """One stream."""

    key_name = ""

    def __init__(self) -> None:
        super().__init__()
        self._ended = False
        self._calls = _Calls()
        self._thoughts: dict[str, list[str]] = {}  # by the name under which they came
        self._details: list[Data] = []
        self._refused: list[str] = []

    def _read(self, data: Data) -> None:
        self.inform(data.get("model"), data.get("id"))
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
            self.events += [UsageReport(counted)] if counted.total else []  # nothing takes no count back
        self._cite(data)
        self._cite(choice)

    def _cite(self, place: Data) -> None:
        """Take what an object of a chunk says of sources."""
        if not _CITED_IN.isdisjoint(place):
            for entry in (place[name] for name in _CITATIONS if place.get(name)):
                for address, title in islice(_sources(entry), _MOST):
                    self.sources.add_source(address, title)
            self.cite()

    def _read_choice(self, choice: Data, error: Data | None) -> None:
        name = next((name for name in ("delta", "message") if isinstance(choice.get(name), dict)), "")
        self._read_delta(choice.get(name) or {"content": choice.get("text")})  # the latter of old completions
        reason = choice.get("finish_reason")
        if error or reason == "error":
            self.fail(error or {})
        elif word := stop_word(reason):
            self._finish(word, choice)
        elif name == "message":  # the whole answer at once
            self._close(whole=True)
            self.events += [Done(), WHOLE]

    def _read_delta(self, delta: Data) -> None:
        if not _REASONING.isdisjoint(delta):
            self._think(delta)
        self._answer(delta.get("content"))
        if isinstance(refusal := delta.get("refusal"), str):
            self._refused.append(refusal)
        calls = dicts(delta.get("tool_calls"))
        if isinstance(old := delta.get("function_call"), dict) and not calls:
            calls = [{"index": 0, "function": old}]
        if calls:
            self.say(self._text.end(whole=False))
        for call in calls:
            self.events += self._calls.read(call)
        self._cite(delta)
        if not delta.keys() <= _DELTA:
            for name in (name for name, value in delta.items() if name not in _DELTA and value is not None):
                self.unknown(name)

    def _think(self, delta: Data) -> None:
        came = [(name, _words(delta[name])) for name in _THOUGHTS if delta.get(name) is not None]
        for name, text in came:
            if name in _GO_BACK:
                self._thoughts.setdefault(name, []).append(text)
        for detail in dicts(delta.get(_DETAILS)):
            self._add_detail(detail)
        if text := next((text for _, text in came if text), "") or "".join(_words(delta.get(name)) for name in _BLOCKS):
            self.say([*self._text.end(), (True, text)])

    def _add_detail(self, detail: Data) -> None:
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
                self.say([*self._text.end(), (True, text)] if thinks and text else self._text.take(text))
        elif isinstance(content, str) and content:
            if self._text.plain:
                self.events += [PartReceived({"text": content}), AnswerDelta(content)]
            else:
                self.say(self._text.take(content))

    def _finish(self, reason: str, choice: Data) -> None:
        self._ended = True
        natives = [str(choice[name]) for name in _NATIVE if choice.get(name)]
        reason = next((native for native in natives if is_limit(native)), reason)
        state, refused = end_state(reason), "".join(self._refused)
        self.say(self._text.end(whole=state == "complete"))
        self._keep_thoughts()
        if refused or state == "blocked":
            self.events.append(Finish("blocked", "refusal" if refused else reason, refused))
        else:
            self.events += self._calls.end() if state != "truncated" else []
            self.events.append(Finish(state or "truncated", reason))

    def _close(self, *, whole: bool) -> None:
        self.say(self._text.end(whole=whole))
        if whole and not self._ended:
            self._ended = True
            self._keep_thoughts()
            refused = "".join(self._refused)
            self.events += [Finish("blocked", "refusal", refused)] if refused else self._calls.end()

    def _keep_thoughts(self) -> None:
        """Keep what was thought, in its server's words: some want it back beside the calls of its turn."""
        block: Data = {name: "".join(texts) for name, texts in self._thoughts.items()}
        if self._details:
            block[_DETAILS] = self._details
        if block:
            self.events.append(PartReceived(block_part(NAME, block, text="", thought=True, thoughtSignature=NAME)))
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
