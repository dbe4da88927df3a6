"""A function's parameters as the model is told them and as they are read: pydantic's reader, and JSON Schema the service takes.

pydantic is imported by the first of these calls.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, NoReturn

from nbgemini.errors import PromptError
from nbgemini.tools.docstrings import Docstring, type_of
from nbgemini.tools.record_types import Field, typed_dict, with_readers

_NOISE = {"title", "discriminator", "examples"}  # the service refuses or ignores them
_FORMATS = {"date-time", "date", "time"}  # that it knows


def refuse(name: str, why: str) -> NoReturn:
    """Raise the one line that says why something can't be a tool."""
    raise PromptError(f"{name} can't be a tool: {why}") from None


def reader_of(name: str, signature: inspect.Signature, known: dict[str, Any], written: Mapping[str, str]) -> Any:
    """Return pydantic's reader of arguments: a TypedDict, whose keys may have any name and whose defaults stay Python's.

    `known` are the names that hints may use, `written` the types that the docstring names, for parameters without a hint.
    """
    fields = {}
    for key, parameter in signature.parameters.items():
        hint = _resolved_hint(name, parameter, known, written.get(key, ""))
        fields[key] = Field(key, hint, required=parameter.default is parameter.empty)
        _check_readable(name, fields[key])
    return _adapter(fields)


def _adapter(fields: Mapping[str, Field]) -> Any:
    import pydantic  # noqa: PLC0415 - 0.1 s, for those who declare tools

    shape = typed_dict("Arguments", fields)
    shape.__pydantic_config__ = {"extra": "forbid"}
    return pydantic.TypeAdapter(shape)


def _resolved_hint(name: str, parameter: inspect.Parameter, known: dict[str, Any], written: str) -> Any:
    if type(parameter.default).__name__ == "FieldInfo":
        refuse(name, f"the default of {parameter.name!r} is a Field; write {parameter.name}: Annotated[type, Field(…)] = value")
    if parameter.annotation is parameter.empty:
        kind = type_of(written) if written else ...
        return Any if kind is ... else typing.Optional[kind] if parameter.default is None else kind  # noqa: UP045 - as below
    holder = SimpleNamespace(__annotations__={"it": parameter.annotation})
    try:
        hint = typing.get_type_hints(holder, known, include_extras=True)["it"]
    except Exception as error:  # noqa: BLE001 - a hint is any expression
        refuse(name, f"the type hint of {parameter.name!r} can't be read ({error}); define what it names beside the function")
    try:
        hint = with_readers(hint)
    except PromptError as error:
        refuse(name, f"{parameter.name!r}: {error}")
    return typing.Optional[hint] if parameter.default is None else hint  # noqa: UP045 - a hint may be a string's value


def _check_readable(name: str, field: Field) -> None:
    try:
        _adapter({field.name: field}).json_schema(schema_generator=generator())
    except Exception as error:  # noqa: BLE001 - pydantic runs what the types bring along
        if getattr(error, "code", "") == "typed-dict-version":
            why = "is a TypedDict of typing, which can't be read before Python 3.12; use typing_extensions'"
        else:
            kind = inspect.formatannotation(field.hint)
            why = f"is of type {kind}, which JSON can't carry; take text, numbers, lists or a dataclass instead"
        refuse(name, f"{field.name!r} {why}")


@functools.cache
def generator() -> Any:
    """Return pydantic's writer of JSON Schema, which then warns of nothing."""
    from pydantic.json_schema import GenerateJsonSchema  # noqa: PLC0415

    class Quiet(GenerateJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as its base has it

        def typed_dict_schema(self, schema: Any) -> dict[str, Any]:
            return _with_descriptions(super().typed_dict_schema(schema), schema.get("cls"))

        def dataclass_schema(self, schema: Any) -> dict[str, Any]:
            return _with_descriptions(super().dataclass_schema(schema), schema.get("cls"))

        def model_schema(self, schema: Any) -> dict[str, Any]:
            return _with_descriptions(super().model_schema(schema), schema.get("cls"))

    return Quiet


def _with_descriptions(schema: dict[str, Any], kind: Any) -> dict[str, Any]:
    """Return the schema of a type with what its hints say in plain words: `Annotated[str, "the city"]`."""
    with suppress(Exception):  # a hint is any expression
        for key, hint in typing.get_type_hints(kind, include_extras=True).items():
            entry = schema.get("properties", {}).get(key)
            if isinstance(entry, dict) and "description" not in entry and (words := _description_in(hint)):
                entry["description"] = words
    return schema


def _description_in(hint: Any) -> str:
    """Return what a hint says beside its type, in plain words."""
    if typing.get_origin(hint) is typing.Annotated:
        said = [one if isinstance(one, str) else getattr(one, "documentation", "") for one in hint.__metadata__]
        return " ".join(words.strip() for words in said if isinstance(words, str) and words.strip())
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    wraps = origin is types.UnionType or not isinstance(origin, type)  # `… | None`, `NotRequired[…]`
    return _description_in(inner[0]) if inner and wraps else ""


def parameters_schema(reader: Any, signature: inspect.Signature, said: Docstring) -> dict[str, Any]:
    """Return the JSON Schema of the parameters, in the words the service takes; what the docstring says stands with them."""
    from pydantic_core import to_jsonable_python  # noqa: PLC0415

    schema = reader.json_schema(schema_generator=generator())
    for key, parameter in signature.parameters.items():
        entry = schema["properties"].get(key, {})
        if key in said.parameters:
            entry.setdefault("description", said.parameters[key])
        if key in said.types:
            kind, hinted = type_of(said.types[key]), parameter.annotation is not parameter.empty
            if kind is ... or (hinted and typing.get_origin(kind) is typing.Literal):  # more than the schema says
                entry["description"] = f"{entry.get('description', '')} ({said.types[key]})".strip()
        if parameter.default is not parameter.empty:
            with suppress(Exception):  # a default that JSON can't say is Python's own business
                default = to_jsonable_python(parameter.default)
                json.dumps(default, allow_nan=False)
                entry.update({} if default is None else {"default": default})
    return to_service_schema(schema)


def to_service_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of pydantic's in the words the service takes; `$defs` hold only types that contain themselves."""
    defs = schema.get("$defs", {})
    schema = {key: value for key, value in schema.items() if key != "$defs"}
    circular = _circular(defs)
    plain = {key: body for key, body in defs.items() if key not in circular}
    kept = {"$defs": {key: _tidy(defs[key], plain) for key in sorted(circular)}} if circular else {}
    return {**_tidy(schema, plain), **kept}


def _circular(defs: Mapping[str, Any]) -> set[str]:
    """Return the names of the types that contain themselves."""
    uses = {key: set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(body))) for key, body in defs.items()}
    for _ in defs:  # each pass looks at least one type farther
        uses = {key: found.union(*(uses[other] for other in found)) for key, found in uses.items()}
    return {key for key, found in uses.items() if key in found}


def _tidy(schema: Any, defs: Mapping[str, Any]) -> Any:
    """Return a schema in the words the service takes; `defs` are put in place, a `$ref` stays only where a type is circular."""
    if not isinstance(schema, dict):
        return schema
    rest = {key: value for key, value in schema.items() if key not in _NOISE and key != "$ref"}
    if "$ref" in schema:
        body = defs.get(schema["$ref"].removeprefix("#/$defs/"))
        if body is not None:
            return _tidy({**body, **rest}, defs)
        kept = {"$ref": schema["$ref"]}  # which may have no neighbours
        return {"anyOf": [kept], **rest} if rest else kept
    return _to_service_keywords(
        {key: convert_inner(key, value, lambda entry, _: _tidy(entry, defs)) for key, value in rest.items()}
    )


def convert_inner(key: str, value: Any, convert: Callable[[Any, str], Any], path: str = "") -> Any:
    """Return the value of a schema's keyword with all schemas in it converted; `convert` is given each with its path."""
    match key, value:
        case "properties" | "patternProperties" | "$defs", dict():
            return {name: convert(entry, f"{path}.{name}") for name, entry in value.items()}
        case "anyOf" | "oneOf" | "allOf" | "prefixItems", list():
            return [convert(entry, path) for entry in value]
        case "items" | "additionalProperties" | "propertyNames" | "contains" | "not", _:
            return convert(value, path)
    return value


def _to_service_keywords(schema: dict[str, Any]) -> dict[str, Any]:
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    step = 1 if schema.get("type") == "integer" else 0
    for word, plain, off in (("exclusiveMinimum", "minimum", step), ("exclusiveMaximum", "maximum", -step)):
        if word in schema:
            schema[plain] = schema.pop(word) + off  # of other numbers, pydantic still refuses the edge
    if schema.get("format") not in {None, *_FORMATS} and schema.get("type") == "string":
        said = f"(format: {schema.pop('format')})"
        schema["description"] = f"{schema.get('description', '')} {said}".strip()
    return schema
