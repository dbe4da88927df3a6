"""The chunks of one Chat Completions stream, of OpenAI's service or of any that speaks like it.

Invariants: text that a server marks as reasoning is a thought, all other is the answer, whatever tags stand in it; only the
first choice is read; whatever a frame holds, decoding gives events or one WireError.
Sources: the types of openai 3.52; api-docs.deepseek.com/guides/thinking_mode; openrouter.ai/docs (reasoning tokens, errors).
"""

from __future__ import annotations

from typing import Any

from nbgemini.error_body import error_from_data
from nbgemini.events import (
    AnswerDelta,
    Citation,
    Citations,
    Event,
    Fault,
    Finish,
    PartReceived,
    ResponseInfo,
    ThoughtDelta,
    Unknown,
    UsageReport,
)
from nbgemini.providers.gemini_frames import load
from nbgemini.providers.gemini_sources import dicts
from nbgemini.providers.openai_chat_calls import NAME, Calls
from nbgemini.providers.openai_usage import usage_of
from nbgemini.turns import ORIGIN

_THOUGHTS = ("reasoning_content", "reasoning")  # who sends both sends the same twice
_DETAILS = "reasoning_details"
_JOINED = ("text", "summary", "data")  # what of such a detail comes in pieces
_DELTA = {"role", "content", "refusal", *_THOUGHTS, _DETAILS, "tool_calls", "annotations", "obfuscation"}
_WELL = ("stop", "tool_calls", "function_call", "eos", "end_turn")


class Stream:
    """One stream."""

    def __init__(self) -> None:
        """Begin before its first chunk."""
        self._events: list[Event] = []
        self._informed = False
        self._calls = Calls()
        self._thoughts: dict[str, list[str]] = {}  # by the name under which they came
        self._details: list[dict[str, Any]] = []
        self._refused: list[str] = []
        self._sources: dict[str, str] = {}

    def feed(self, frame: bytes) -> list[Event]:
        """Return what a frame says.

        Raises:
            WireError: it is not JSON.
        """
        data = load(frame)
        if isinstance(data, list) and data:
            data = data[0]  # as Google wraps errors
        self._events = []
        if isinstance(data, dict):
            self._read(data)
        return self._events

    def _read(self, data: dict[str, Any]) -> None:
        if (model := data.get("model")) and not self._informed:
            self._informed = True
            self._events.append(ResponseInfo(str(model), str(data.get("id") or "")))
        error = data if data.get("object") == "error" else data.get("error")
        choice = next((choice for choice in dicts(data.get("choices")) if not choice.get("index")), {})
        self._read_choice(choice, error or choice.get("error"))
        if isinstance(usage := data.get("usage"), dict):
            self._events.append(UsageReport(usage_of(usage, "prompt", "completion")))

    def _read_choice(self, choice: dict[str, Any], error: Any) -> None:
        delta: dict[str, Any] = next((choice[name] for name in ("delta", "message") if isinstance(choice.get(name), dict)), {})
        self._read_delta(delta)
        reason = choice.get("finish_reason")
        if error or reason == "error":
            said = error if isinstance(error, dict) else {"message": str(error or "")}
            self._events.append(Fault(error_from_data(0, said, key_name="")))
        elif reason:
            self._finish(str(reason))

    def _read_delta(self, delta: dict[str, Any]) -> None:
        self._think(delta)
        self._answer(delta.get("content"))
        if isinstance(refusal := delta.get("refusal"), str):
            self._refused.append(refusal)
        for call in dicts(delta.get("tool_calls")):
            self._events += self._calls.read(call)
        self._cite(dicts(delta.get("annotations")))
        self._events += [Unknown(name) for name, value in delta.items() if name not in _DELTA and value is not None]

    def _think(self, delta: dict[str, Any]) -> None:
        came = [(name, delta[name]) for name in _THOUGHTS if isinstance(delta.get(name), str)]
        for name, text in came:
            self._thoughts.setdefault(name, []).append(text)
        for detail in dicts(delta.get(_DETAILS)):
            self._add_detail(detail)
        if text := next((text for _, text in came if text), ""):
            self._events += [PartReceived({"text": text, "thought": True}), ThoughtDelta(text)]

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
        if isinstance(content, list):  # some send parts, as prompts have them
            content = "".join(part["text"] for part in dicts(content) if isinstance(part.get("text"), str))
        if isinstance(content, str) and content:
            self._events += [PartReceived({"text": content}), AnswerDelta(content)]

    def _cite(self, annotations: list[dict[str, Any]]) -> None:
        cited = [note["url_citation"] for note in annotations if isinstance(note.get("url_citation"), dict)]
        new = {str(source["url"]): str(source.get("title") or "") for source in cited if source.get("url")}
        if new:
            self._sources = {**self._sources, **new}
            self._events.append(Citations(tuple(Citation(uri, title) for uri, title in self._sources.items())))

    def _finish(self, reason: str) -> None:
        self._keep_thoughts()
        refused = "".join(self._refused)
        if refused or reason == "content_filter":
            self._events.append(Finish("blocked", "refusal" if refused else reason, refused))
            return
        if reason in _WELL:
            self._events += self._calls.end()
        self._events.append(Finish("complete" if reason in _WELL else "truncated", reason))

    def _keep_thoughts(self) -> None:
        """Keep what was thought, in its server's words: some want it back beside the calls of its turn."""
        block: dict[str, Any] = {name: "".join(texts) for name, texts in self._thoughts.items()}
        if self._details:
            block[_DETAILS] = self._details
        if block:
            origin = {"provider": NAME, "block": block}
            self._events.append(PartReceived({"text": "", "thought": True, "thoughtSignature": NAME, ORIGIN: origin}))
            self._thoughts, self._details = {}, []
