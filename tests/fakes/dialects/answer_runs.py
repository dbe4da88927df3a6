"""An answer as runs of thought, text and calls: what every protocol but Gemini's own writes, each in its way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct, structs

from nbgemini.offline.directive import cut_evenly
from nbgemini.offline.requests import InvalidRequest
from nbgemini.offline.stream import ScriptedPart, begins_call, one_call, token_count, whole_call

Kind: TypeAlias = Literal["thought", "text", "call"]

_FRAGMENTS = 3  # of the arguments of a call that is said at once
_THINKS = 0.4  # seconds at natural pace


class Run(Struct, frozen=True):
    """What belongs together: a text in pieces, each after its wait, or a call whose arguments are the text."""

    kind: Kind
    pieces: list[tuple[float, list[str]]]
    name: str = ""
    id: str = ""

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(fragment for _, fragments in self.pieces for fragment in fragments)

    @property
    def args(self) -> dict[str, Any]:
        """The arguments of a call."""
        return dict(json.loads(self.text))


class Speech(Struct, frozen=True):
    """The runs of an answer, and what is said of them all: why it ends (None: not said), and the tokens of the prompt."""

    runs: list[Run]
    finish: str | None
    asked: int

    @property
    def calls(self) -> list[Run]:
        """The runs that are calls."""
        return [run for run in self.runs if run.kind == "call"]

    def text_of(self, kind: Kind) -> str:
        """Return all that is said in one kind."""
        return "".join(run.text for run in self.runs if run.kind == kind)

    @property
    def thought(self) -> int:
        """The tokens thought."""
        return sum(token_count(run.text) for run in self.runs if run.kind == "thought")

    @property
    def made(self) -> int:
        """The tokens of the rest."""
        return sum(token_count(run.name + run.text) for run in self.runs if run.kind != "thought")


def speech_of(said: list[ScriptedPart], finish: str | None, asked: int, ids: str, *, thinks: bool) -> Speech:
    """Return the speech of an answer; calls get ids that begin with `ids`; who `thinks`, does so before a call too.

    Raises:
        InvalidRequest: the prompt's directive has parts that only Gemini's protocol can say.
    """
    if thinks and any(begins_call(item.part) for item in said) and not any(item.part.get("thought") for item in said):
        said = [ScriptedPart({"text": "**A tool**\n\nIt knows better than I do.\n\n\n", "thought": True}, _THINKS), *said]
    runs = [run for run in _runs(said) if thinks or run.kind != "thought"]
    named = [structs.replace(run, id=f"{ids}_{n}") if run.kind == "call" else run for n, run in enumerate(runs)]
    return Speech(named, finish, asked)


def _runs(said: Sequence[ScriptedPart]) -> list[Run]:
    runs: list[Run] = []
    rest = 0  # pieces of a call that has been taken whole
    for number, item in enumerate(said):
        if rest:
            rest -= 1
        elif begins_call(item.part):
            runs.append(_call(said[number:]))
            rest = len(runs[-1].pieces) - 1
        else:
            kind, text = _said(item.part)
            if runs and runs[-1].kind == kind:
                runs[-1].pieces.append((item.wait, [text]))
            elif text:
                runs.append(Run(kind, [(item.wait, [text])]))
    return runs


def _said(part: dict[str, Any]) -> tuple[Kind, str]:
    if not isinstance(part.get("text"), str):
        raise InvalidRequest(f"The prompt's directive is not valid. Only Gemini's protocol can say {', '.join(part)[:100]}.")
    return "thought" if part.get("thought") else "text", part["text"]


def _call(rest: Sequence[ScriptedPart]) -> Run:
    """Return the call that begins here, as many pieces as it comes in."""
    parts = [item.part for item in rest]
    call, waits = whole_call(parts)["functionCall"], [item.wait for item, _ in zip(rest, one_call(parts), strict=False)]
    text = json.dumps(call.get("args") or {}, ensure_ascii=False)
    if len(waits) == 1:
        return Run("call", [(waits[0], cut_evenly(text, _FRAGMENTS))], call["name"])
    return Run("call", list(_spread(waits, cut_evenly(text, len(waits) - 1))), call["name"])


def _spread(waits: list[float], fragments: list[str]) -> Iterator[tuple[float, list[str]]]:
    """Yield the fragments one by one after the first wait, which brings nothing but the name."""
    yield waits[0], []
    for number, wait in enumerate(waits[1:]):
        yield wait, fragments[number : number + 1]
