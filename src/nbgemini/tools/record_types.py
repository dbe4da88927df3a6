"""Types of records that pydantic does not know, made such that it reads them: attrs, msgspec, pydantic's first version.

They are known by what they can do, wherever they stand in a hint; nothing of them is imported. A dataclass that holds one is
read field by field.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from nbgemini.errors import PromptError

_UNIONS = (typing.Union, types.UnionType)


def with_readers(hint: Any, within: tuple[Any, ...] = ()) -> Any:
    """Return a hint in which each type that pydantic does not know brings along how it is read.

    Raises:
        PromptError: a type contains itself, or can't be read.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        made = with_readers(inner[0], within)
        return hint if made is inner[0] else typing.Annotated[(made, *inner[1:])]
    if inner and origin is not typing.Literal and (origin in _UNIONS or isinstance(origin, type)):
        parts = tuple(kind if kind is ... or isinstance(kind, list) else with_readers(kind, within) for kind in inner)
        return hint if all(new is old for new, old in zip(parts, inner, strict=True)) else _again(hint, origin, parts)
    if _is_typed_dict(hint):
        return _typed_dict(hint, within)
    reader = _reader(hint, within) if isinstance(hint, type) and origin is None else None
    return hint if reader is None else typing.Annotated[hint, reader]


def _is_typed_dict(hint: Any) -> bool:
    """Whether a type is a TypedDict, of whichever module."""
    return isinstance(hint, type) and issubclass(hint, dict) and hasattr(hint, "__required_keys__")


def _typed_dict(kind: Any, within: tuple[Any, ...]) -> Any:
    """Return a TypedDict whose entries are readable; itself if all are."""
    import typing_extensions  # noqa: PLC0415 - comes with pydantic

    if kind in within:
        return kind
    marked = _hints(kind)
    hints = {name: _without_required(hint) for name, hint in marked.items()}
    made = {name: with_readers(hint, (*within, kind)) for name, hint in hints.items()}
    if all(made[name] is hint for name, hint in hints.items()):
        return kind
    missing = typing_extensions.NotRequired
    left = {name for name, hint in marked.items() if typing.get_origin(hint) is missing or name not in kind.__required_keys__}
    make: Any = typing_extensions.TypedDict
    return make(kind.__name__, {name: missing[hint] if name in left else hint for name, hint in made.items()})


def _without_required(hint: Any) -> Any:
    """Return the type of an entry that is said to be required, or not."""
    while typing.get_origin(hint) in (typing.Required, typing.NotRequired):
        hint = typing.get_args(hint)[0]
    return hint


def _again(hint: Any, origin: Any, inner: tuple[Any, ...]) -> Any:
    if origin in _UNIONS:
        return typing.Union[inner]  # noqa: UP007 - of as many as there are
    return hint.copy_with(inner) if hasattr(hint, "copy_with") else origin[inner]


def _reader(kind: Any, within: tuple[Any, ...]) -> Any:
    """Return what reads a type; None for one that pydantic reads itself."""
    if kind in within:
        raise PromptError(f"{kind.__name__} contains itself; make it a pydantic model")
    if hasattr(kind, "__struct_config__"):
        import msgspec  # noqa: PLC0415 - with the other types

        return _Whole(kind, msgspec.json.schema, lambda value: msgspec.convert(value, kind, strict=False))
    if not hasattr(kind, "model_json_schema") and hasattr(kind, "parse_obj") and hasattr(kind, "__fields__"):
        return _Whole(kind, lambda one: one.schema(), kind.parse_obj)
    if isinstance(getattr(kind, "__attrs_attrs__", None), tuple):
        return _ByField(kind, _attrs_fields(kind), within)
    if dataclasses.is_dataclass(kind) and not hasattr(kind, "__pydantic_core_schema__"):
        return _of_dataclass(kind, within)
    return None


class _Field(typing.NamedTuple):
    """One field: what it is called when the object is made, its type, and whether it must be given."""

    name: str
    hint: Any
    required: bool


def _attrs_fields(kind: Any) -> dict[str, _Field]:
    hints = _hints(kind)
    return {
        one.name: _Field(one.alias or one.name, hints.get(one.name, one.type or Any), repr(one.default) == "NOTHING")
        for one in kind.__attrs_attrs__
        if one.init
    }


def _of_dataclass(kind: Any, within: tuple[Any, ...]) -> Any:
    """Return a reader of a dataclass, if one of its fields is of a type that needs one."""
    try:
        hints = _hints(kind)
        needed = any(with_readers(hint, (*within, kind)) is not hint for hint in hints.values())
    except PromptError:
        return None  # it contains itself, which pydantic knows how to read
    if not needed or kind.__dataclass_params__.init is False:
        return None
    nothing = dataclasses.MISSING
    fields = {
        one.name: _Field(one.name, hints.get(one.name, Any), one.default is nothing and one.default_factory is nothing)
        for one in dataclasses.fields(kind)
        if one.init
    }
    return _ByField(kind, fields, within)


def _hints(kind: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except Exception as error:  # noqa: BLE001 - a hint is any expression
        raise PromptError(f"the types of {kind.__name__} can't be read ({error})") from None


class _ByField:
    """Reads an object by its fields, and makes it of them."""

    def __init__(self, kind: Any, fields: Mapping[str, _Field], within: tuple[Any, ...]) -> None:
        import typing_extensions  # noqa: PLC0415 - comes with pydantic

        self._kind, self._fields = kind, fields
        hints = {name: with_readers(field.hint, (*within, kind)) for name, field in fields.items()}
        required = {
            name: hint if fields[name].required else typing_extensions.NotRequired[hint] for name, hint in hints.items()
        }
        make: Any = typing_extensions.TypedDict
        self._shape = make(kind.__name__, required)
        if not (kind.__doc__ or "").startswith(f"{kind.__name__}("):  # as dataclasses write it themselves
            self._shape.__doc__ = kind.__doc__

    def __get_pydantic_core_schema__(self, _source: Any, handler: Any) -> Any:
        """Tell pydantic how it is read."""
        from pydantic_core import core_schema  # noqa: PLC0415 - is imported by now

        return core_schema.no_info_after_validator_function(self._make, handler.generate_schema(self._shape))

    def _make(self, values: dict[str, Any]) -> Any:
        given = {self._fields[name].name: value for name, value in values.items()}
        return _build_record(self._kind, lambda _: self._kind(**given), values)


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
        raise PydanticCustomError("misfit", "{why}", {"why": _why(error)}) from None


def _why(error: Exception) -> str:
    errors: Any = getattr(error, "errors", None)
    found = errors() if callable(errors) else ()
    said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found) or str(error) or type(error).__name__
    return " ".join(said.split())[:300]


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
