"""A type as the form of an answer: the JSON Schema that the service takes, and what reads the answer as that type.

Invariants: what the service would refuse is refused here, in one line, before anything is sent; where the answer does not fit,
`Misfit` says at which place and why. pydantic is imported by the first `answer_schema`; `schema_for` keeps that off the loop.
"""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from msgspec import structs

from nbgemini._async.threads import run_in_import_thread
from nbgemini.errors import PromptError
from nbgemini.messages.tool_call_assembler import in_double_quotes
from nbgemini.messages.turns import Options, Schema
from nbgemini.tools.json_schema import convert_inner, generator, to_service_schema
from nbgemini.tools.record_types import with_readers

_FENCE = "```"
_OPENED = re.compile(r"^[ \t]*```(?:json)?[ \t]*\n", re.IGNORECASE | re.MULTILINE)
_BRACKET = re.compile(r"[{\[]")
_BARE = re.compile(r"\s*[{\[\"\-0-9tfn]")
_THOUGHT = "</think>"  # of a model whose server did not see where its thought began
_CLOSED_BY = {"{": "}", "[": "]"}
_READER = json.JSONDecoder()
_MOST_MISSES = 100  # brackets that begin nothing: each may be read to the end of the answer
_STRING = r'"(?:[^"\\]|\\.)*+(?:"|\Z)'
_FREE = rf"""(?s){_STRING}|'(?:[^'\\]|\\.)*+(?:'|\Z)|//[^\n]*|/\*.*?(?:\*/|\Z)|#[^\n]*|\b(?:True|False|None)\b"""
_LAST_COMMA = rf"(?s)({_STRING})|,(?=\s*[}}\]])"
_WORDS = {"True": "true", "False": "false", "None": "null"}
_AROUND_A_WORD = " \n\r\t*_`'\".:!"


def json_texts(answer: str) -> Iterator[str]:
    """Yield where the JSON of an answer may be, the likeliest first: all of it, its fences from the last on, its brackets.

    What is in brackets may be several values, or sources behind words, or the same twice: the longest first.
    """
    yield answer
    text = answer.rpartition(_THOUGHT)[2]
    if len(text) < len(answer):
        yield text
    for fenced in reversed(_fences(text)):
        yield fenced
        yield from _strict(fenced)
    if first := _BRACKET.search(text):
        last = text.rfind(_CLOSED_BY[first[0]])
        if last > first.start():
            yield (outermost := text[first.start() : last + 1])
            yield from _strict(outermost)
        yield from sorted(_values(text, first.start()), key=len, reverse=True)


def _strict(text: str) -> Iterator[str]:
    """Yield a text as JSON has it, if it is written more freely: with comments, single quotes, Python's words, last commas."""
    free = re.sub(_FREE, lambda found: _as_json(found[0]), text)
    if (strict := re.sub(_LAST_COMMA, lambda found: found[1] or "", free)) != text:
        yield strict


def _as_json(token: str) -> str:
    if token.startswith(("/", "#")):
        return ""
    return in_double_quotes(token[1:-1]) if token.startswith("'") else _WORDS.get(token, token)


def json_text(answer: str) -> str:
    """Return the JSON of an answer; the answer itself if there is none."""
    return next((text for text in json_texts(answer) if _is_json(text)), answer)


def json_begun(answer: str) -> str:
    """Return what there is of the JSON of an answer that still comes."""
    text = answer.rpartition(_THOUGHT)[2]
    if opened := _OPENED.search(text):
        return text[opened.end() :]
    if _BARE.match(text):
        return text
    first = _BRACKET.search(text)
    return text[first.start() :] if first else text


def _values(text: str, at: int) -> Iterator[str]:
    """Yield the objects and lists that are whole, one behind the other."""
    misses = 0
    while misses < _MOST_MISSES and (found := _BRACKET.search(text, at)):
        try:
            at = _READER.raw_decode(text, found.start())[1]
        except (ValueError, RecursionError):
            at, misses = found.end(), misses + 1
        else:
            yield text[found.start() : at]


def _fences(text: str) -> list[str]:
    """Return what the code fences of a text hold."""
    found: list[str] = []
    lines: list[str] | None = None  # of the open fence
    for line in text.split("\n"):
        bare = line.strip()
        if lines is None:
            lines = [] if bare.startswith(_FENCE) else None
        elif bare == _FENCE:
            found.append("\n".join(lines))
            lines = None
        else:
            lines.append(line)
    return found


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


# Source: responseJsonSchema in the API's reference; all else goes into the description, and pydantic checks it.
_KNOWN = {
    "$defs", "$ref", "type", "format", "description", "enum", "items", "prefixItems", "minItems", "maxItems", "minimum",
    "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required",
}  # fmt: skip
_SILENT = {"default", "title"}  # say nothing about what the answer may be
_UNREADABLE = ("schema-for-unknown-type", "invalid-for-json-schema")
_UNKNOWN = re.compile(r"(?:[sS]chema for |\()(?:<class ')?([\w.<>]+?)(?:'>)?(?:\. |\)|\s(?!\()|$)")
_LONGEST = 200  # characters of a reason
WAY_OUT = "use a pydantic model, a dataclass or a TypedDict"


class SchemaMismatch(ValueError):  # noqa: N818 - a finding, not a fault
    """An answer that is not what was asked for; the message names the place and the reason."""


async def schema_for(kind: Any) -> Schema | None:
    """Return the schema of a type, read off the loop; a schema, or None, as it is.

    Raises:
        PromptError: it is no type, or none that the service takes.
    """
    return kind if kind is None or isinstance(kind, Schema) else await run_in_import_thread(partial(answer_schema, kind))


def with_schema_format(options: Options) -> Options:
    """Return options whose schema, which may have been named as a type, is read.

    Raises:
        PromptError: it is no type that the service takes, or the format is another than JSON.
    """
    kind: Any = options.schema
    if kind is None:
        return options
    if options.format in ("code", "text"):
        raise PromptError(f"--schema can't be combined with -f {options.format}")
    return options if isinstance(kind, Schema) else structs.replace(options, schema=answer_schema(kind))


def answer_schema(kind: Any, name: str = "") -> Schema:
    """Return the schema of a type: a pydantic model, dataclass, TypedDict, Enum, Literal, or lists, dicts and unions of these.

    Raises:
        PromptError: it is no type, or none that the service takes.
    """
    import pydantic  # noqa: PLC0415 - 0.1 s, for those who ask for objects

    if not is_type(kind):
        raise PromptError(f"a value of type {type(kind).__name__} can't be a schema: it is not a type; {WAY_OUT}")
    name = name or _name(kind)
    try:
        adapter: Any = pydantic.TypeAdapter(with_readers(kind))
        body = _without_root_reference(to_service_schema(adapter.json_schema(schema_generator=generator())))
    except Exception as error:  # noqa: BLE001 - pydantic runs what the types bring along
        raise PromptError(f"{name} can't be a schema: {reason_text(error)}") from None
    _refuse_circles(name, body)
    return Schema(
        name, _with_supported_keywords(body, name), partial(_parse, adapter, chooses="enum" in body or "const" in body)
    )


def is_type(value: Any) -> bool:
    """Whether a value is a type, or made of types as `list[str]` is."""
    named = any(hasattr(value, name) for name in ("__supertype__", "__value__"))  # NewType, and `type X = …`
    return isinstance(value, type) or typing.get_origin(value) is not None or named


def read_answer(options: Options, text: str, ending: str) -> tuple[Any, str]:
    """Return what an answer holds where JSON was asked for, and, if it doesn't fit, one line that says where and why.

    Args:
        options: what was asked for.
        text: the answer.
        ending: `complete`, or how it was cut.
    """
    wanted = options.schema.name if options.schema else "JSON"
    if ending != "complete":
        return (
            None,
            f"the answer is {ending}, so the {wanted} is incomplete; what arrived is in reply.partial → ask for less",
        )
    if not text.strip():
        return None, f"the answer does not match {wanted}: it is empty (Invalid JSON) → ask again"
    try:
        return (options.schema.read if options.schema else parse_json)(text), ""
    except ValueError as error:
        way_out = "ask again, or loosen the type" if options.schema else "ask again"
        return None, f"the answer does not match {wanted}: {error}; it is in reply.text → {way_out}"


def parse_json(text: str) -> Any:
    """Return the value of a JSON text, or raise Misfit: it is none."""
    try:
        return json.loads(json_text(text))
    except json.JSONDecodeError as error:
        raise SchemaMismatch(f"it is not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise SchemaMismatch("it is nested too deep") from None


def value_so_far(text: str) -> Any:
    """Return the value of a JSON text that still comes, as far as it has come; None before it begins."""
    from pydantic_core import from_json  # noqa: PLC0415 - pydantic is loaded by those who ask for objects

    begun = json_begun(text).lstrip()
    with suppress(ValueError):
        return from_json(begun.encode("utf-8", "replace"), allow_partial="trailing-strings")
    with suppress(ValueError, RecursionError):
        return _READER.raw_decode(begun)[0]  # something follows it
    return None


def _parse(adapter: Any, text: str, *, chooses: bool) -> Any:
    """Return what the JSON in a text is as the type; one of its choices may stand there bare."""
    import pydantic  # noqa: PLC0415 - is imported by now

    word = [json.dumps(text.strip()), json.dumps(text.strip(_AROUND_A_WORD))] if chooses else []
    for found in (*json_texts(text), *word):
        with suppress(pydantic.ValidationError, SchemaMismatch):
            return _validated(adapter, found)
    try:
        return _validated(adapter, json_text(text))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise SchemaMismatch(f"{_path_text(first['loc'])}{_one_line(first['msg'])}{more}") from None


def _validated(adapter: Any, text: str) -> Any:
    """Return a JSON text as the type."""
    import pydantic  # noqa: PLC0415 - is imported by now

    try:
        return adapter.validate_json(text)
    except pydantic.ValidationError:
        raise
    except Exception as error:  # noqa: BLE001 - a validator is anybody's code
        raise SchemaMismatch(reason_text(error)) from None


def _path_text(path: tuple[str | int, ...]) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return f"at {steps.removeprefix('.')}: " if steps else ""


def reason_text(error: Exception) -> str:
    """Return in one line why a type can't be read from JSON, or made."""
    if getattr(error, "code", "") == "typed-dict-version":
        return "it has a TypedDict of typing, which can't be read before Python 3.12; use typing_extensions'"
    if getattr(error, "code", "") == "class-not-fully-defined":
        return "a type hint in it names what is not defined"
    if getattr(error, "code", "") in _UNREADABLE and (found := _UNKNOWN.search(str(error))):
        unread = found[1].rpartition(".")[2].removesuffix("Schema")
        return f"{unread} can't be read from JSON; {WAY_OUT}"
    return _one_line(str(error) or type(error).__name__)


def _one_line(text: str) -> str:
    line = " ".join(text.split("\n\nFor further", 1)[0].split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _name(kind: Any) -> str:
    plain = isinstance(kind, type) and not typing.get_origin(kind)
    return kind.__name__ if plain else re.sub(r"\b(?:typing|__main__)\.", "", str(kind))


def _without_root_reference(body: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that does not begin with a reference, which could have no neighbours."""
    return {**body["$defs"][body["$ref"].rpartition("/")[2]], "$defs": body["$defs"]} if "$ref" in body else body


def _refuse_circles(name: str, body: Mapping[str, Any]) -> None:
    """Refuse a type that can't but contain itself: the service unrolls circles, and only where they may be left out."""
    needs = {key: dict(_needed(inside, key)) for key, inside in body.get("$defs", {}).items()}
    reached = {key: set(found) for key, found in needs.items()}
    for _ in needs:  # each pass looks at least one type farther
        reached = {key: found.union(*(reached[other] for other in found)) for key, found in reached.items()}
    for path in (path for key, found in needs.items() for other, path in found.items() if key in reached[other] | {other}):
        raise PromptError(
            f"{name} can't be a schema: {path} contains itself without end; give it a default, such as … | None = None"
        )


def _needed(schema: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the types that a value can't do without, with the paths to them."""
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2], path
    for key in schema.get("required", ()):
        yield from _needed(schema.get("properties", {}).get(key), f"{path}.{key}")
    for key in ("items", "additionalProperties"):
        yield from _needed(schema.get(key), path)
    for key in ("anyOf", "oneOf", "prefixItems"):
        for entry in schema.get(key, ()):
            yield from _needed(entry, path)


def _with_supported_keywords(schema: Any, path: str) -> Any:
    """Return a schema in the words for answers; the others are told in the description."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "object" and not schema.get("properties") and not schema.get("additionalProperties"):
        raise PromptError(f"{path} can't be a schema: it has no fields, which Gemini refuses")
    kept = {key: convert_inner(key, value, _with_supported_keywords, path) for key, value in schema.items() if key in _KNOWN}
    told = [f"{key}: {json.dumps(value)}" for key, value in schema.items() if key not in _KNOWN | _SILENT]
    choices = kept.get("enum", [])
    if None in choices and len(choices) > 1:
        return {
            "anyOf": [
                _with_supported_keywords({**schema, "enum": [value for value in choices if value is not None]}, path),
                {"type": "null"},
            ]
        }
    if any(type(value) not in (str, int, float) for value in choices):
        told.append(f"one of {json.dumps(kept.pop('enum'))}")  # the service knows texts and numbers there
    if told:
        kept["description"] = f"{kept.get('description', '')} ({', '.join(told)})".strip()
    return kept
