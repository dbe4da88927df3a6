"""Turn, Options, Usage: the pure values a conversation is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import add
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct, structs

from nbgemini.errors import PromptError, nearest

Part: TypeAlias = Mapping[str, Any]
NOTE = "nbgemini"  # the key of a part under which stands what concerns its reader alone: it never goes back
ORIGIN = "origin"  # the key under which another provider than Gemini keeps what it alone understands
Role: TypeAlias = Literal["user", "model"]
Format: TypeAlias = Literal["markdown", "code", "json", "text"]

_CODE_ALONE = (
    "Answer with code only: one fenced code block that names its language, complete and ready to run, in Python unless another"
    " language is asked for. Write what needs saying as comments; no text outside of the block."
)


class Turn(Struct, frozen=True):
    """One side's say: who, and the parts exactly as they went over the wire."""

    role: Role
    parts: tuple[Part, ...]


class Usage(Struct, frozen=True):
    """Token counts of one reply. `input` includes `cached`; `total` is the service's own sum."""

    input: int = 0
    thought: int = 0
    output: int = 0
    cached: int = 0
    tool: int = 0
    total: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*map(add, structs.astuple(self), structs.astuple(other)))


class Declaration(Struct, frozen=True):
    """A function offered to the model; `schema` is the JSON Schema of its arguments."""

    name: str
    description: str
    schema: dict[str, Any]


class Schema(Struct, frozen=True):
    """A type that an answer must have: its name, its JSON Schema, and what reads a JSON text as it or raises ValueError."""

    name: str
    body: dict[str, Any]
    read: Callable[[str], Any]


class Options(Struct, frozen=True, kw_only=True):
    """How an answer is to be made. None means: the service's own default.

    `think` is ``off``, ``low``, ``medium``, ``high`` or a token budget; the provider says it in the words the model takes.
    `timeout` bounds the whole answer, in seconds. `search`, `run_code` and `urls` let the service search the web, run code of
    the model's own, and read the pages whose addresses stand in the prompt. `schema` asks for an object of a type, `format` for
    any JSON, for nothing but code, or for text that is shown as it is. `fresh` asks also for what a cache holds.
    """

    model: str
    system: str | None = None
    think: str | int | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop_at: tuple[str, ...] = ()
    timeout: float | None = None
    tools: tuple[Declaration, ...] = ()
    format: Format = "markdown"
    schema: Schema | None = None
    search: bool = False
    run_code: bool = False
    urls: bool = False
    fresh: bool = False

    @property
    def json(self) -> bool:
        """Whether the answer is to be JSON."""
        return self.schema is not None or self.format == "json"

    @property
    def instruction(self) -> str | None:
        """The system instruction, with what the format of the answer asks for."""
        return "\n\n".join(filter(None, (self.system, _CODE_ALONE if self.format == "code" else None))) or None

    def changed(self, changes: Mapping[str, Any]) -> Options:
        """Return the options with some of them changed; a `schema` may still be any type.

        Raises:
            PromptError: there is no such option, or it can't have this value.
        """
        for name, value in changes.items():
            if name == "tools":
                raise PromptError("only %%gemini -t and client.chat offer tools")
            if name not in _KINDS:
                raise PromptError(f"no option {name!r}{nearest(name, _KINDS)}; the options are {', '.join(_KINDS)}")
            if _KINDS[name] is not Any:
                try:
                    msgspec.convert(value, _KINDS[name])
                except msgspec.ValidationError as error:
                    why = type_text(error, _KINDS[name])
                    raise PromptError(f"{name}={repr(value)[:_LONGEST_VALUE]} can't be used: {why}") from None
        return structs.replace(self, **changes)


def type_text(error: msgspec.ValidationError, kind: Any) -> str:
    """Return what was expected of a value of this kind, in Python's words."""
    if get_origin(kind) is Literal:
        return f"expected one of {', '.join(get_args(kind))}"
    words = str(error).partition(" - at ")[0].replace("`", "").replace(" | null", "").replace("Expected", "expected")
    return words.replace("null", "None").replace("array", "list")


_LONGEST_VALUE = 60  # characters of a value that a message quotes
_KINDS = get_type_hints(Options) | {
    "schema": Any,
    "temperature": Annotated[float, Meta(ge=0, le=2)] | None,
    "max_tokens": Annotated[int, Meta(ge=1)] | None,
    "timeout": Annotated[float, Meta(gt=0)] | None,
}
del _KINDS["tools"]  # offered by a chat, which can run them


def user_turn(prompt: str | Turn) -> Turn:
    """Return the user's turn that says a text, in which lone surrogates, which UTF-8 can't carry, become question marks.

    Raises:
        PromptError: it is neither a text nor a turn.
    """
    if isinstance(prompt, Turn):
        return prompt
    if not isinstance(prompt, str):
        raise PromptError(f"a prompt is text, or a Turn with parts, not {type(prompt).__name__}")
    return Turn("user", ({"text": prompt.encode("utf-8", "replace").decode()},))


def merge_text(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Join neighbouring parts that hold nothing but text of one kind; signed parts stay apart, unchanged.

    Source: the API's thought-signature rules (a signed part is returned as it came, never merged).
    """
    merged: list[tuple[Part, list[str]]] = []
    before: bool | None = None  # whether the last part was a thought, if it can be joined with the next
    for part in parts:
        joinable = part.keys() <= {"text", "thought"} and isinstance(part.get("text"), str)
        thought = part.get("thought") is True if joinable else None
        if thought is not None and thought is before:
            merged[-1][1].append(part["text"])
        else:
            merged.append((part, [] if thought is None else [part["text"]]))
        before = thought
    return tuple({**part, "text": "".join(texts)} if texts else part for part, texts in merged)
