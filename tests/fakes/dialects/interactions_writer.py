"""How Google's Interactions are written: a step for each run, with what it is signed with at its end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.fakes.dialects.answer_runs import Run, Speech
from tests.fakes.dialects.event_writer import Event
from tests.fakes.dialects.seals import seal

_STATUS = {"STOP": "completed", "MAX_TOKENS": "incomplete"}


class InteractionWriter:
    """Writes one interaction."""

    names = True

    def __init__(self, model: str, number: int, *, shows: bool) -> None:
        """Write for a model; `shows` says whether thoughts can be read."""
        self._id = f"offline-v1_{number}"
        self._model = model
        self._shows = shows
        self._created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def begin(self, _speech: Speech) -> list[Event]:
        """Return the interaction, as yet empty."""
        started = {"id": self._id, "status": "in_progress", "object": "interaction", "model": self._model}
        status = {"interaction_id": self._id, "status": "in_progress"}
        return [_event("interaction.created", interaction=started), _event("interaction.status_update", **status)]

    def opening(self, index: int, run: Run) -> list[Event]:
        """Return the step without its content."""
        kinds: dict[str, dict[str, Any]] = {"thought": {"type": "thought"}, "text": {"type": "model_output"}}
        step = kinds.get(run.kind) or {"type": "function_call", "id": run.id, "name": run.name, "arguments": {}}
        return [_event("step.start", index=index, step=step)]

    def delta(self, index: int, run: Run, text: str) -> list[Event]:
        """Return more of the content."""
        match run.kind:
            case "thought":
                content = {"type": "text", "text": text}
                return [_delta(index, "thought_summary", content=content)] if self._shows else []
            case "text":
                return [_delta(index, "text", text=text)]
            case "call":
                return [_delta(index, "arguments_delta", arguments=text)]

    def closing(self, index: int, run: Run) -> list[Event]:
        """Return the signature of thoughts, and the end of the step."""
        signature = self._signature(run) if run.kind == "thought" else ""
        signed = [_delta(index, "thought_signature", signature=signature)] if signature else []
        return [*signed, _event("step.stop", index=index)]

    def end(self, speech: Speech) -> list[Event]:
        """Return the interaction without its steps, and the word that it is over."""
        return [_event("interaction.completed", interaction=self._interaction(speech)), ("done", "[DONE]")]

    def fault(self, message: str) -> list[Event]:
        """Return the error."""
        return [_event("error", error={"code": "unavailable", "message": message})]

    def whole(self, speech: Speech) -> dict[str, Any]:
        """Return the interaction with its steps."""
        return {**self._interaction(speech), "steps": [self._step(run) for run in speech.runs]}

    def _step(self, run: Run) -> dict[str, Any]:
        match run.kind:
            case "thought":
                summary = [{"type": "text", "text": text} for text in [self._summary(run)] if text]
                return {"type": "thought", "signature": self._signature(run), **({"summary": summary} if summary else {})}
            case "text":
                return {"type": "model_output", "content": [{"type": "text", "text": run.text}]}
            case "call":
                return {"type": "function_call", "id": run.id, "name": run.name, "arguments": run.args}

    def _summary(self, run: Run) -> str:
        return run.text if self._shows else ""

    def _signature(self, run: Run) -> str:
        return seal(self._summary(run))

    def _interaction(self, speech: Speech) -> dict[str, Any]:
        status = _STATUS.get(str(speech.finish or "STOP"), "failed")
        return {
            "id": self._id,
            "status": "requires_action" if speech.calls and status == "completed" else status,
            "usage": _usage(speech),
            "created": self._created,
            "updated": self._created,
            "service_tier": "standard",
            "object": "interaction",
            "model": self._model,
        }


def _event(name: str, /, **data: Any) -> Event:
    return name, {**data, "event_type": name}


def _delta(index: int, kind: str, **data: Any) -> Event:
    return _event("step.delta", index=index, delta={"type": kind, **data})


def _usage(speech: Speech) -> dict[str, int]:
    return {
        "total_tokens": speech.asked + speech.thought + speech.made,
        "total_input_tokens": speech.asked,
        "total_cached_tokens": 0,
        "total_output_tokens": speech.made,
        "total_tool_use_tokens": 0,
        "total_thought_tokens": speech.thought,
    }
