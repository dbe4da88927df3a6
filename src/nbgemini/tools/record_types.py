"""Types of records that pydantic does not know, made such that it reads them: attrs, msgspec, pydantic's first version.

They are known by what they can do, wherever they stand in a hint; nothing of them is imported. A dataclass that holds one is
read field by field.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from nbgemini.errors import PromptError

_FORMS = (typing.Annotated, typing.Union, types.UnionType)


def with_readers(hint: Any, within: tuple[Any, ...] = ()) -> Any:
    """Return a hint in which each type that pydantic does not know brings along how it is read.

    A type that contains itself, or can't be read, is a PromptError.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if inner and origin is not typing.Literal and (origin in _FORMS or isinstance(origin, type)):
        types_in = inner[:1] if origin is typing.Annotated else inner
        read = [kind if kind is ... or isinstance(kind, list) else with_readers(kind, within) for kind in types_in]
        if all(new is old for new, old in zip(read, types_in, strict=True)):
            return hint
        parts = (*read, *inner[len(types_in) :])
        if origin not in _FORMS and hasattr(hint, "copy_with"):
            return hint.copy_with(parts)
        return (typing.Union if origin is types.UnionType else origin)[parts]
    if not isinstance(hint, type) or origin is not None:
        return hint
    if issubclass(hint, dict) and hasattr(hint, "__required_keys__"):
        return hint if hint in within else _readable_typed_dict(hint, within)
    reader = _reader(hint, within)
    return hint if reader is None else typing.Annotated[hint, reader]


class Field(typing.NamedTuple):
    """One field: what it is called when the object is made, its type, and whether it must be given."""

    name: str
    hint: Any
    required: bool


def _read_fields(kind: Any, fields: Mapping[str, Field], within: tuple[Any, ...]) -> dict[str, Field]:
    """Return fields of a type whose hints bring along how they are read."""
    return {name: one._replace(hint=with_readers(one.hint, (*within, kind))) for name, one in fields.items()}


def typed_dict(name: str, fields: Mapping[str, Field]) -> Any:
    """Return a TypedDict of these fields."""
    import typing_extensions  # noqa: PLC0415 - comes with pydantic

    make: Any = typing_extensions.TypedDict
    entries = {key: one.hint if one.required else typing_extensions.NotRequired[one.hint] for key, one in fields.items()}
    return make(name, entries)


def _readable_typed_dict(kind: Any, within: tuple[Any, ...]) -> Any:
    """Return a TypedDict whose entries are readable; itself if all are."""
    fields = {}
    for name, hint in _hints(kind).items():
        required = name in kind.__required_keys__ and typing.get_origin(hint) is not typing.NotRequired
        while typing.get_origin(hint) in (typing.Required, typing.NotRequired):
            (hint,) = typing.get_args(hint)  # noqa: PLW2901 - the type that is said to be required, or not
        fields[name] = Field(name, hint, required)
    read = _read_fields(kind, fields, within)
    return kind if _same(read, fields) else typed_dict(kind.__name__, read)


def _same(read: Mapping[str, Field], fields: Mapping[str, Field]) -> bool:
    """Whether pydantic reads all these fields by itself."""
    return all(read[name].hint is one.hint for name, one in fields.items())


def _reader(kind: Any, within: tuple[Any, ...]) -> Any:
    """Return what reads a type; None for one that pydantic reads itself.

    A dataclass has a reader if one of its fields needs one, and if it does not contain itself, which pydantic knows.
    """
    if kind in within:
        raise PromptError(f"{kind.__name__} contains itself; make it a pydantic model")
    if hasattr(kind, "__struct_config__"):
        import msgspec  # noqa: PLC0415 - with the other types

        return _Whole(kind, msgspec.json.schema, lambda value: msgspec.convert(value, kind, strict=False))
    if not hasattr(kind, "model_json_schema") and hasattr(kind, "parse_obj") and hasattr(kind, "__fields__"):
        return _Whole(kind, lambda one: one.schema(), kind.parse_obj)
    if isinstance(getattr(kind, "__attrs_attrs__", None), tuple):
        return _ByField(kind, _read_fields(kind, _attrs_fields(kind), within))
    if dataclasses.is_dataclass(kind) and not hasattr(kind, "__pydantic_core_schema__"):
        with suppress(PromptError):
            fields = _dataclass_fields(kind)
            read = _read_fields(kind, fields, within)
            return None if _same(read, fields) else _ByField(kind, read)
    return None


def _attrs_fields(kind: Any) -> dict[str, Field]:
    hints = _hints(kind)
    return {
        one.name: Field(one.alias or one.name, hints.get(one.name, one.type or Any), repr(one.default) == "NOTHING")
        for one in kind.__attrs_attrs__
        if one.init
    }


def _dataclass_fields(kind: Any) -> dict[str, Field]:
    hints, nothing = _hints(kind), dataclasses.MISSING
    return {
        one.name: Field(one.name, hints.get(one.name, Any), one.default is nothing and one.default_factory is nothing)
        for one in dataclasses.fields(kind)
        if one.init and kind.__dataclass_params__.init
    }


def _hints(kind: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except Exception as error:  # noqa: BLE001 - a hint is any expression
        raise PromptError(f"the types of {kind.__name__} can't be read ({error})") from None


class _ByField:
    """Reads an object by its fields, and makes it of them."""

    def __init__(self, kind: Any, fields: Mapping[str, Field]) -> None:
        self._kind, self._fields = kind, fields
        self._shape = typed_dict(kind.__name__, fields)
        if not (kind.__doc__ or "").startswith(f"{kind.__name__}("):  # as dataclasses write it themselves
            self._shape.__doc__ = kind.__doc__

    def __get_pydantic_core_schema__(self, _source: Any, handler: Any) -> Any:
        """Tell pydantic how it is read."""
        from pydantic_core import core_schema  # noqa: PLC0415 - is imported by now

        def build(values: dict[str, Any]) -> Any:
            given = {self._fields[name].name: value for name, value in values.items()}
            return _build_record(self._kind, lambda _: self._kind(**given), values)

        return core_schema.no_info_after_validator_function(build, handler.generate_schema(self._shape))


class _Whole:
    """Reads an object with the package's own reader, which has its own JSON Schema too."""

    def __init__(self, kind: Any, schema: Callable[[Any], Mapping[str, Any]], read: Callable[[Any], Any]) -> None:
        self._kind, self._read = kind, read
        try:
            body = dict(schema(kind))
        except Exception as error:  # noqa: BLE001 - another package's code
            raise PromptError(f"{kind.__name__} can't be read: {' '.join(str(error).split())[:200]}") from None
        defs = {**body.pop("$defs", {}), **body.pop("definitions", {})}
        self._schema = _inlined(body, defs, kind.__name__)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> Any:
        """Tell pydantic how it is read."""
        from pydantic_core import core_schema  # noqa: PLC0415 - is imported by now

        return core_schema.no_info_plain_validator_function(lambda value: _build_record(self._kind, self._read, value))

    def __get_pydantic_json_schema__(self, _core: Any, _handler: Any) -> dict[str, Any]:
        """Tell pydantic its JSON Schema."""
        return dict(self._schema)


def _build_record(kind: Any, read: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, kind):
        return value
    from pydantic_core import PydanticCustomError  # noqa: PLC0415 - is imported by now

    try:
        return read(value)
    except Exception as error:  # noqa: BLE001 - another package's code, and its user's
        errors: Any = getattr(error, "errors", None)
        found = errors() if callable(errors) else ()
        why = (
            "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found) or str(error) or type(error).__name__
        )
        raise PydanticCustomError("misfit", "{why}", {"why": " ".join(why.split())[:300]}) from None


def _inlined(schema: Any, defs: Mapping[str, Any], name: str, within: tuple[str, ...] = ()) -> Any:
    """Return a schema without references."""
    if isinstance(schema, list):
        return [_inlined(entry, defs, name, within) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {key: _inlined(value, defs, name, within) for key, value in schema.items() if key not in ("$ref", "title")}
    target = str(schema.get("$ref", "")).rpartition("/")[2]
    if not target:
        return rest
    if target in within or target not in defs:
        raise PromptError(f"{name} contains itself; make it a pydantic model")
    return {**_inlined(defs[target], defs, name, (*within, target)), **rest}
