"""Tool calls as they arrive: a delta appends, a complete text replaces; the event says which, never the text.

Invariants (property-tested): a call is made once, and only of arguments that the service ended and that are a JSON object, or
nothing; pieces, however cut, give exactly that object; nothing is quadratic in its length; whatever comes, nothing is raised.
Calls without ids that say the same are so many calls if one frame holds them; those of later frames are echoes.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from nbgemini.messages.events import (
    Event,
    ToolArgsDelta,
    ToolArgsPiece,
    ToolArgsText,
    ToolCall,
    ToolCallEnd,
    ToolCallGrowing,
    ToolCallStart,
)
from nbgemini.messages.turns import Part

_NOT_JSON = (TypeError, ValueError, RecursionError)
_SHORT = 4096  # characters: arguments up to here are shown at every piece,
_GROWTH = 1 / 32  # and longer ones whenever they are so much longer: showing all at every piece would be quadratic
_DEEPEST = 64
_STEP = re.compile(
    r"""
    \. (?P<bare> [^.\[\]*]+ )
    | \[ (?P<index> [0-9]{1,9} ) \]
    | \[ (?P<double> "(?: [^"\\] | \\. )*" ) \]
    | \[' (?P<single> (?: [^'\\] | \\. )* ) '\]
    """,
    re.VERBOSE | re.DOTALL,
)

_IN_DOUBLE_QUOTES = {"\\'": "'", '"': '\\"'}

_Step: TypeAlias = str | int
_Piece: TypeAlias = ToolArgsDelta | ToolArgsText | ToolArgsPiece


class ToolCallAssembler:
    """The tool calls of one response: those that still grow, and which have been made."""

    def __init__(self) -> None:
        self.part: Part | None = None  # the service's own of the call that `feed` returned last; none if it came whole
        self._open: dict[str, _Call] = {}
        self._made: dict[str | tuple[str, str], int] = {}  # how many there are of each
        self._here: dict[str | tuple[str, str], int] = {}  # and of how many this frame has told
        self._frame: int | None = None

    def feed(self, event: Event, frame: int | None = None) -> list[ToolCall | ToolCallGrowing]:
        """Take the next event and return what it makes known: a call once it is complete, and how far others are.

        `frame` is the number of the frame that says it; without one, it is the only event of its frame.
        """
        if frame is None or frame != self._frame:
            self._here.clear()
            self._frame = frame
        match event:
            case ToolCall():
                return self._unless_repeated(event, None)
            case ToolCallStart():
                return self._start(event)
            case ToolArgsDelta() | ToolArgsText() | ToolArgsPiece():
                call = self._open.get(event.key)
                return call.take(event) if call else []
            case ToolCallEnd():
                return self._end(event)
        return []

    def close(self) -> list[ToolCall | ToolCallGrowing]:
        """End the response: return the calls whose end never came, as far as they are known."""
        calls, self._open = self._open, {}
        return [call.known("broken") for call in calls.values()]

    def _start(self, start: ToolCallStart) -> list[ToolCall | ToolCallGrowing]:
        before = self._open.get(start.key)
        if before and start.id and before.id == start.id:
            return []  # some say again with every piece whose it is
        self._open.pop(start.key, None)
        news: list[ToolCall | ToolCallGrowing] = [before.known("broken")] if before else []
        if start.id not in self._made:
            self._open[start.key] = call = _Call(start)
            news.append(call.known())
        return news

    def _end(self, end: ToolCallEnd) -> list[ToolCall | ToolCallGrowing]:
        call = self._open.pop(end.key, None)
        if call is None:
            return []
        args = call.arguments()
        if args is None:
            return [call.known("broken")]
        part = {**(end.part or {}), **(call.part or {})}
        return self._unless_repeated(ToolCall(call.name, args, call.id), part or None) or [call.known("again")]

    def _unless_repeated(self, call: ToolCall, part: Part | None) -> list[ToolCall | ToolCallGrowing]:
        """Return the call, unless it is one that has been made: models have sent a hundred copies of one call."""
        mark: str | tuple[str, str] | None = None  # what tells it from others: its id, or without one all that it says
        with suppress(*_NOT_JSON):
            mark = call.id or (call.name, json.dumps(call.args, sort_keys=True))
        if mark is not None:
            made, here = self._made.get(mark, 0), self._here.get(mark, 0) + 1
            self._here[mark] = 1 if call.id else here  # an id names one call
            if self._here[mark] <= made:
                return []
            self._made[mark] = made + 1
        self.part = part
        return [call]


def weight(value: Any, enough: int) -> int:
    """Return about how many characters a value has as JSON; not much more than `enough` of them are counted."""
    total, waiting = 0, [value]
    while waiting and total <= enough:
        value = waiting.pop()
        total += 4 + (len(value) if isinstance(value, str) else 0)
        if isinstance(value, dict):
            total += sum(map(len, value))
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return total


class _Call:
    """A call that grows by JSON text, or by values at their paths; both at once make no sense, and no call."""

    def __init__(self, start: ToolCallStart) -> None:
        self.key, self.name, self.id, self.part = start.key, start.name, start.id, start.part
        self._replace("")

    def _replace(self, text: str) -> None:
        self._size, self._shown = len(text), 0  # characters that came, and at which size it was shown
        self._texts = [text] if text else []
        self._tree: dict[str, Any] = {}
        self._sound = True

    def take(self, piece: _Piece) -> list[ToolCall | ToolCallGrowing]:
        """Add a piece, and say how far the call is if that is news."""
        match piece:
            case ToolArgsText(_, text):
                self._replace(text)
            case ToolArgsDelta(_, text):
                self._size += len(text)
                self._texts += [text] if text else []
                self._sound = self._sound and not self._tree
            case _:
                self._put(piece)
        due = self._size <= _SHORT or self._size >= self._shown * (1 + _GROWTH)
        return [self.known()] if due else []

    def _put(self, piece: ToolArgsPiece) -> None:
        """Set the value at a path, or continue the text there; a path that leads nowhere spoils the arguments."""
        value = piece.value
        self._size += len(piece.path)
        self._tree = self._tree or {"$": {}}
        try:
            text = value if isinstance(value, str) else json.dumps(value)
            self._size += len(text)
            # A copy: later paths may lead into the value, and events never change.
            _put(self._tree, _steps(piece.path), _Text(text, piece.more) if isinstance(value, str) else json.loads(text))
        except _NOT_JSON:
            self._sound = False
        self._sound = self._sound and not self._texts

    def known(self, state: Literal["growing", "broken", "again"] = "growing") -> ToolCallGrowing:
        """Return what is known so far, with the JSON text of the arguments."""
        self._shown, text = self._size, ""
        if not self._tree:
            text = "".join(self._texts)
            self._texts = [text] if text else []
        with suppress(*_NOT_JSON):
            text = json.dumps(self._tree["$"], ensure_ascii=False, default=str) if self._tree else text
        return ToolCallGrowing(self.key, self.name, _repair_surrogates(text), self.id, state)

    def arguments(self) -> dict[str, Any] | None:
        """Return the arguments, or None if they are not complete."""
        try:
            text = json.dumps(self._tree["$"], default=_Text.whole) if self._tree else "".join(self._texts)
            args = parse_arguments(text)
            args = json.loads(_repair_surrogates(json.dumps(args, ensure_ascii=False, allow_nan=False)))
        except _NOT_JSON:
            return None
        return args if self._sound and isinstance(args, dict) else None


def parse_arguments(text: str) -> Any:
    """Return what the JSON text of a call's arguments holds: nothing in any form is no arguments; a text in it is read too."""
    args = json.loads(text) if text.strip() else None
    if isinstance(args, str):  # some gateways write it twice
        args = json.loads(args) if args.strip() else None
    return {} if args is None or args == [] else args


class _Text:
    """A text at a path, in pieces; `more` are to come."""

    def __init__(self, text: str, more: bool) -> None:
        self.pieces = [text]
        self.more = more

    def __str__(self) -> str:
        return "".join(self.pieces)

    def whole(self) -> str:
        """Return the text, which has ended (ValueError: more of it is to come)."""
        if self.more:
            raise ValueError("the text has no end")
        return str(self)


def _repair_surrogates(text: str) -> str:
    """Join surrogates that were cut apart and replace lone ones, which UTF-8 can't carry."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def in_double_quotes(text: str) -> str:
    """Return what stands in single quotes as JSON has it, which knows double quotes only."""
    inside = re.sub(r"\\.|\"", lambda sign: _IN_DOUBLE_QUOTES.get(sign[0], sign[0]), text, flags=re.DOTALL)
    return f'"{inside}"'


def _steps(path: str) -> list[_Step]:
    """Return the steps of a JSONPath that names one place (ValueError: it is none)."""
    steps: list[_Step] = ["$"]
    at = 1 if path.startswith("$") else len(path) + 1
    while at < len(path) and len(steps) <= _DEEPEST and (found := _STEP.match(path, at)):
        quoted, at = found["double"], found.end()
        if found["single"] is not None:
            quoted = in_double_quotes(found["single"])
        if quoted is not None:
            steps.append(str(json.loads(quoted, strict=False)))
        else:
            steps.append(found["bare"] if found["index"] is None else int(found["index"]))
    if at != len(path):
        raise ValueError("not a path")
    return steps


def _put(tree: dict[str, Any], steps: list[_Step], value: Any) -> None:
    """Put the value where the steps lead, and make what lies on the way; ValueError where another value stands already."""
    node: Any = tree
    for step, following in pairwise(steps):
        if not _has_place(node, step):
            _add(node, step, [] if isinstance(following, int) else {})
        node = node[step]
    here = node[steps[-1]] if _has_place(node, steps[-1]) else None
    if isinstance(here, _Text) and isinstance(value, _Text) and (here.more or value.pieces == [""]):
        here.pieces += value.pieces
        here.more = value.more
    else:
        _add(node, steps[-1], value, anew=node is tree)


def _has_place(node: Any, step: _Step) -> bool:
    if isinstance(node, list) and isinstance(step, int):
        return step < len(node)
    if isinstance(node, dict) and isinstance(step, str):
        return step in node
    raise ValueError("the path leads through another value")


def _add(node: Any, step: _Step, value: Any, *, anew: bool = False) -> None:
    """Add a value to an object, or at the end of a list; models are known to mix paths up."""
    if isinstance(node, list) and step == len(node):
        node.append(value)
    elif isinstance(node, dict) and (anew or step not in node):
        node[step] = value
    else:
        raise ValueError("a value twice, or none before it")
