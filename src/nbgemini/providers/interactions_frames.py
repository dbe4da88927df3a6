"""The events of an interaction's stream as events: it tells of steps, each begun, continued and ended under its number.

Invariant: whatever a frame holds, decoding gives events or one WireError.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbgemini.error_reason import error_in
from nbgemini.events import WHOLE, Done, Event, ResponseInfo, Unknown, UsageReport
from nbgemini.providers.gemini_frames import load
from nbgemini.providers.gemini_sources import dicts
from nbgemini.providers.interactions_cited import Cited
from nbgemini.providers.interactions_ends import ended, refused
from nbgemini.providers.interactions_steps import Step, step_of
from nbgemini.turns import Usage
from nbgemini.wire import DONE

_COUNTS = ("input_", "thought_", "output_", "cached_", "tool_use_", "")


class Stream:
    """One stream. The service may cut an answer in two within it: then their tokens are counted together."""

    def __init__(self) -> None:
        """Begin before the first frame."""
        self._steps: dict[str, Step] = {}
        self._cited = Cited()
        self._earlier, self._usage = Usage(), Usage()

    def feed(self, frame: bytes) -> list[Event]:
        """Return what the next frame says.

        Raises:
            WireError: it is not JSON.
        """
        data = load(frame)
        if isinstance(data, list) and data:
            data = data[0]  # errors come wrapped in an array where another framing was asked for
        if isinstance(data, dict):
            return list(self._read(data))
        return [*self._ends(), Done()] if data == DONE else []

    def _read(self, data: dict[str, Any]) -> Iterable[Event]:
        match data:
            case {"event_type": "step.start", "step": dict(step)}:
                yield from self._begin(str(data.get("index")), step)
            case {"event_type": "step.delta", "delta": dict(delta)}:
                yield from self._go_on(str(data.get("index")), delta)
            case {"event_type": "step.stop"}:
                yield from self._end(str(data.get("index")))
            case {"event_type": "interaction.created", "interaction": dict(interaction)}:
                self._earlier, self._usage = self._earlier + self._usage, Usage()
                yield from _named(interaction)
            case {"event_type": "interaction.completed", "interaction": dict(interaction)}:
                yield from self._close(interaction)
            case {"event_type": "interaction.status_update"}:
                yield from self._counted(data.get("usage"))
            case _ if data:
                yield from self._read_other(data)

    def _read_other(self, data: dict[str, Any]) -> Iterable[Event]:
        """Read what is no event of a stream that goes well: an error, a whole answer, something newer."""
        match data:
            case {"steps": list(steps)} | {"outputs": list(steps)}:
                yield from self._whole(data, steps)
            case _ if error := error_in(data, bare="event_type" not in data):
                yield refused(error)
            case _:
                yield Unknown(str(data.get("event_type") or next(iter(data))))

    def _begin(self, key: str, block: dict[str, Any]) -> Iterable[Event]:
        step = self._steps[key] = step_of(key, block, self._cited)
        yield from step.begin()

    def _go_on(self, key: str, delta: dict[str, Any]) -> Iterable[Event]:
        if key not in self._steps:  # what it belongs to was not told
            yield from self._begin(key, {"type": "thought" if str(delta.get("type")).startswith("thought") else "model_output"})
        yield from self._steps[key].go_on(delta)

    def _end(self, key: str) -> Iterable[Event]:
        step = self._steps.pop(key, None)
        if step:
            yield from step.end()
            yield from self._cited.news()

    def _ends(self) -> Iterable[Event]:
        """Yield what the steps say whose ends did not come, as the stream has ended."""
        for key in list(self._steps):
            yield from self._end(key)

    def _close(self, interaction: dict[str, Any]) -> Iterable[Event]:
        yield from self._ends()
        yield from self._counted(interaction.get("usage"))
        yield from _named(interaction)
        yield from ended(interaction)

    def _counted(self, usage: Any) -> Iterable[Event]:
        if isinstance(usage, Mapping):
            self._usage = Usage(*(_count(usage, f"total_{name}tokens") for name in _COUNTS))
            yield UsageReport(self._earlier + self._usage)

    def _whole(self, interaction: dict[str, Any], steps: list[Any]) -> Iterable[Event]:
        """Read an interaction that came at once, as gateways do that don't stream."""
        for number, step in enumerate(dicts(steps)):
            yield from self._begin(str(number), step)
            yield from self._end(str(number))
        yield from self._close(interaction)
        if not interaction.get("status"):
            yield WHOLE


def _named(interaction: dict[str, Any]) -> Iterable[Event]:
    if model := interaction.get("model"):
        yield ResponseInfo(str(model), str(interaction.get("id") or ""))


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if type(value) is int and 0 <= value < 2**63 else 0
