"""What makes a protocol one that the offline service speaks, and what it understands of a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from nbgemini.offline.http_server import HttpRequest
from nbgemini.offline.schema_answers import adapted
from nbgemini.offline.validation import is_answer_to_calls
from tests.fakes.dialects.errors import RequestError, ShapeError
from tests.fakes.dialects.event_writer import Writer

_WORDS = {"required": "ANY", "any": "ANY", "tool": "ANY", "function": "ANY", "none": "NONE"}


class Question(Struct, frozen=True):
    """A valid request.

    Attributes:
        model: who is asked.
        body: the request as Gemini's would be, in its normal form: what answers are made from.
        asked: the request in the protocol's own types.
        streams: whether the answer is to come as events.
        thinks: whether the model thinks before it answers.
    """

    model: str
    body: dict[str, Any]
    asked: Any
    streams: bool = False
    thinks: bool = False


class Dialect(Protocol):
    """One protocol."""

    calls: str
    """How the ids of calls begin."""

    def allow(self, request: HttpRequest) -> None:
        """Let a request pass that carries a key.

        Raises:
            RequestError: it carries none, or a bad one.
        """
        ...

    def look(self, request: HttpRequest) -> Any:
        """Return what a GET is answered with.

        Raises:
            RequestError: there is nothing at this address.
        """
        ...

    def read(self, request: HttpRequest, body: Any) -> Question | dict[str, Any]:
        """Return what a POST asks; where no model is needed, the answer.

        Raises:
            RequestError: the service would not take it.
            ShapeError: its shape is wrong.
        """
        ...

    def writer(self, question: Question, number: int) -> Writer:
        """Return who writes the answer; `number` counts answers."""
        ...

    def keep(self, question: Question, answer: dict[str, Any]) -> None:
        """Remember an answer that a later request may go on from."""
        ...

    def misshapen(self, found: ShapeError) -> RequestError:
        """Say in the protocol's words what is wrong with a shape."""
        ...

    def error(self, declined: RequestError, number: int) -> Any:
        """Return the error as the protocol writes it."""
        ...


def arguments(text: str) -> dict[str, Any]:
    """Return what a text says as arguments; nothing if it is no JSON object."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def result_part(name: str, id_: str, result: Any) -> dict[str, Any]:
    """Return what came of a call as Gemini writes it; a text that is a JSON object is taken as one."""
    said = result if isinstance(result, dict) else arguments(result) if isinstance(result, str) else None
    return {"functionResponse": {"id": id_, "name": name, "response": said or {"result": result}}}


def grouped(contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the contents with those of one role in a row as one, without empty ones; there is a prompt, be it an empty one."""
    merged: list[dict[str, Any]] = []
    for content in contents:
        if merged and merged[-1]["role"] == content["role"]:
            merged[-1] = {**content, "parts": [*merged[-1]["parts"], *content["parts"]]}
        elif content["parts"]:
            merged.append(content)
    return merged if any(_asks(content) for content in merged) else [{"role": "user", "parts": [{"text": ""}]}, *merged]


def _asks(content: dict[str, Any]) -> bool:
    return content["role"] == "user" and not is_answer_to_calls(content)


def chosen(choice: Any) -> dict[str, Any]:
    """Return what the `tool_choice` of another protocol means in Gemini's words; nothing if it leaves the choice."""
    kind = choice.get("type") or choice.get("mode") if isinstance(choice, dict) else choice
    mode = _WORDS.get(kind.lower()) if isinstance(kind, str) else None
    if mode is None:
        return {}
    function = choice.get("function") if isinstance(choice, dict) else None
    named = (
        choice.get("name") or (function.get("name") if isinstance(function, dict) else None)
        if isinstance(choice, dict)
        else None
    )
    return {"functionCallingConfig": {"mode": mode, **({"allowedFunctionNames": [named]} if named else {})}}


def gemini_body(  # noqa: PLR0913 - what a request is made of
    contents: list[dict[str, Any]],
    *,
    system: str = "",
    tools: Mapping[str, Any] | None = None,
    choice: Any = None,
    thinks: bool = False,
    form: Any = None,
    is_json: bool = False,
    most: int | None = None,
    stops: Iterable[str] = (),
) -> dict[str, Any]:
    """Return a request as Gemini's would be, in its normal form.

    Args:
        contents: what was said.
        system: the instruction.
        tools: the functions, and the JSON schemas of their arguments.
        choice: which of them is to be called, in the protocol's own words.
        thinks: whether to tell of thoughts.
        form: the JSON schema of the answer.
        is_json: whether the answer is to be JSON.
        most: how many tokens it may have.
        stops: the texts that it ends before.

    Raises:
        InvalidRequest: it is no schema.
    """
    config: dict[str, Any] = {"thinkingConfig": {"includeThoughts": thinks}}
    if is_json:
        config |= {
            "responseMimeType": "application/json",
            "responseJsonSchema": None if form is None else adapted(form, "schema"),
        }
    if most is not None:
        config["maxOutputTokens"] = most
    if stops := list(stops):
        config["stopSequences"] = stops
    body = {"contents": contents, "generationConfig": config}
    if system:
        body["systemInstruction"] = {"parts": [{"text": system}]}
    if tools:
        declared = [{"name": name, "parametersJsonSchema": schema} for name, schema in tools.items()]
        body |= {"tools": [{"functionDeclarations": declared}], "toolConfig": chosen(choice)}
    return body
