"""How OpenAI's Responses are written: an item for each run, its parts inside it, and the whole response at both ends."""

from __future__ import annotations

import itertools
import time
from typing import Any

import msgspec

from tests.fakes.dialects.answer_runs import Run, Speech
from tests.fakes.dialects.event_writer import Event
from tests.fakes.dialects.openai_responses_request import Asked
from tests.fakes.dialects.seals import seal

_IDS = {"thought": "rs", "text": "msg", "call": "fc"}
_REASONS = {"MAX_TOKENS": "max_output_tokens"}


class ResponseWriter:
    """Writes one response."""

    names = True

    def __init__(self, asked: Asked, number: int) -> None:
        """Write what was asked for; `number` is in all ids."""
        self._asked = asked
        self._number = number
        self._created = int(time.time())
        self._sequence = itertools.count()
        self._seals = "reasoning.encrypted_content" in (asked.include or ())
        self._shows = bool(asked.reasoning and (asked.reasoning.summary or asked.reasoning.generate_summary))

    def begin(self, _speech: Speech) -> list[Event]:
        """Return the response, as yet empty."""
        empty = self._response("in_progress", [])
        return [self._event("response.created", response=empty), self._event("response.in_progress", response=empty)]

    def opening(self, index: int, run: Run) -> list[Event]:
        """Return the item without its content, and its first part."""
        item = {**self._item(index, run), "status": "in_progress"}
        match run.kind:
            case "thought":
                item = {"id": item["id"], "type": "reasoning", "summary": []}
                return [self._added(index, item), *self._summary(index, "part.added", part=_summary_part(""))]
            case "text":
                part = {**self._at(index, run), "content_index": 0, "part": _text_part("")}
                added = self._added(index, {**item, "content": []})
                return [added, self._event("response.content_part.added", **part)]
            case "call":
                return [self._added(index, {**item, "arguments": ""})]

    def delta(self, index: int, run: Run, text: str) -> list[Event]:
        """Return more of the content."""
        match run.kind:
            case "thought":
                return self._summary(index, "text.delta", delta=text)
            case "text":
                event = {**self._at(index, run), "content_index": 0, "delta": text, "logprobs": []}
                return [self._event("response.output_text.delta", **event)]
            case "call":
                return [self._event("response.function_call_arguments.delta", **self._at(index, run), delta=text)]

    def closing(self, index: int, run: Run) -> list[Event]:
        """Return the whole content once more, and the whole item."""
        at = self._at(index, run)
        match run.kind:
            case "thought":
                part = _summary_part(run.text)
                ended = [*self._summary(index, "text.done", text=run.text), *self._summary(index, "part.done", part=part)]
            case "text":
                done = {**at, "content_index": 0, "text": run.text, "logprobs": []}
                part = {**at, "content_index": 0, "part": _text_part(run.text)}
                ended = [self._event("response.output_text.done", **done), self._event("response.content_part.done", **part)]
            case "call":
                ended = [self._event("response.function_call_arguments.done", **at, arguments=run.text)]
        return [*ended, self._event("response.output_item.done", output_index=index, item=self._item(index, run))]

    def end(self, speech: Speech) -> list[Event]:
        """Return the whole response."""
        whole = self.whole(speech)
        return [self._event(f"response.{whole['status']}", response=whole)]

    def fault(self, message: str) -> list[Event]:
        """Return the error, and the response that failed of it."""
        error = {"code": "server_error", "message": message}
        failed = {**self._response("failed", []), "error": error}
        return [self._event("error", **error, param=None), self._event("response.failed", response=failed)]

    def whole(self, speech: Speech) -> dict[str, Any]:
        """Return the whole response."""
        output = [self._item(index, run) for index, run in enumerate(speech.runs)]
        made = {"usage": _usage(speech)}
        if speech.finish in ("STOP", None):
            return {**self._response("completed", output), **made}
        reason = _REASONS.get(str(speech.finish), "content_filter")
        return {**self._response("incomplete", output), **made, "incomplete_details": {"reason": reason}}

    def _item(self, index: int, run: Run) -> dict[str, Any]:
        match run.kind:
            case "thought":
                shown = [_summary_part(run.text)] if self._shows else []
                item = {"id": self._id("rs", index), "type": "reasoning", "summary": shown}
                return {**item, "encrypted_content": seal([part["text"] for part in shown])} if self._seals else item
            case "text":
                item = {"id": self._id("msg", index), "type": "message", "status": "completed", "role": "assistant"}
                return {**item, "content": [_text_part(run.text)]}
            case "call":
                item = {"id": self._id("fc", index), "type": "function_call", "status": "completed", "call_id": run.id}
                return {**item, "name": run.name, "arguments": run.text}

    def _id(self, kind: str, index: int) -> str:
        return f"{kind}_offline_{self._number}_{index}"

    def _at(self, index: int, run: Run) -> dict[str, Any]:
        return {"item_id": self._id(_IDS[run.kind], index), "output_index": index}

    def _added(self, index: int, item: dict[str, Any]) -> Event:
        return self._event("response.output_item.added", output_index=index, item=item)

    def _summary(self, index: int, what: str, **data: Any) -> list[Event]:
        """Return an event about readable thoughts, if they are to be."""
        if not self._shows:
            return []
        at = {"item_id": self._id("rs", index), "output_index": index, "summary_index": 0}
        return [self._event(f"response.reasoning_summary_{what}", **at, **data)]

    def _event(self, name: str, /, **data: Any) -> Event:
        return name, {"type": name, "sequence_number": next(self._sequence), **data}

    def _response(self, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        asked = self._asked
        reasoning = asked.reasoning
        return {
            "id": f"offline-resp_{self._number}",
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": asked.instructions,
            "max_output_tokens": asked.max_output_tokens,
            "metadata": asked.metadata or {},
            "model": asked.model,
            "output": output,
            "parallel_tool_calls": asked.parallel_tool_calls is not False,
            "previous_response_id": asked.previous_response_id,
            "reasoning": {
                "effort": reasoning.effort if reasoning else None,
                "summary": reasoning.summary if reasoning else None,
            },
            "store": asked.store is not False,
            "temperature": 1.0 if asked.temperature is None else asked.temperature,
            "text": {"format": _form(asked)},
            "tool_choice": asked.tool_choice or "auto",
            "tools": asked.tools,
            "top_p": 1.0 if asked.top_p is None else asked.top_p,
            "truncation": asked.truncation or "disabled",
            "usage": None,
        }


def _form(asked: Asked) -> dict[str, Any]:
    form = msgspec.to_builtins(asked.text.format) if asked.text and asked.text.format else {"type": "text"}
    return {name: value for name, value in form.items() if value not in (None, "")}


def _summary_part(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _usage(speech: Speech) -> dict[str, Any]:
    made = speech.thought + speech.made
    return {
        "input_tokens": speech.asked,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": speech.thought},
        "total_tokens": speech.asked + made,
    }
