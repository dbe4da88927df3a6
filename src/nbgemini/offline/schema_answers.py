"""The form of an answer: what Gemini would take as one, and an answer in it, filled with what the prompt says.

Values are taken in the order in which they stand there: from tables, `name: value`, numbers, quoted texts, names. What is
missing is made up, the same for the same request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from nbgemini.offline.input_report import TextTable, tables_in, without_tables
from nbgemini.offline.requests import InvalidRequest

_JSON, _ENUM = "application/json", "text/x.enum"
_KNOWN = {
    "$id", "$defs", "$ref", "$anchor", "$schema", "type", "format", "title", "description", "enum", "items", "prefixItems",
    "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required",
    "propertyOrdering",
}  # fmt: skip
_WHERE = "* GenerateContentRequest.generation_config.response_json_schema"
_SHAPES: dict[str, type | tuple[type, ...]] = {
    "properties": dict, "$defs": dict, "enum": list, "anyOf": list, "oneOf": list, "prefixItems": list, "required": list,
    "$ref": str, "minItems": (int, str), "maxItems": (int, str), "minimum": (int, float), "maximum": (int, float),
}  # fmt: skip
_SHARED = ("format", "title", "description", "enum", "minItems", "maxItems", "minimum", "maximum", "required")
_CHOICES = (str, int, float)
_ITEMS, _MOST_ITEMS, _MOST_SAID = 3, 1000, 20
_DEEPEST = 3  # how often a type that contains itself does so here
_EXAMPLES = {"date-time": "2026-11-2{n}T12:00:00Z", "date": "2026-11-2{n}", "time": "1{n}:00:00"}
_PLANETS: dict[str, tuple[Any, ...]] = {
    "name": ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"),
    "mass": (0.055, 0.815, 1.0, 0.107, 317.8, 95.2, 14.5, 17.1),
    "radius": (2440, 6052, 6371, 3390, 69911, 58232, 25362, 24622),
    "moons": (0, 0, 1, 2, 95, 146, 28, 16),
    "rings": (False, False, False, False, True, True, True, True),
    "kind": ("rocky", "rocky", "rocky", "rocky", "gas giant", "gas giant", "ice giant", "ice giant"),
}


def check_form(config: dict[str, Any], model: str, *, functions: bool, tools: bool) -> None:
    """Check what a normalised `generationConfig` says about the form of the answer.

    Raises:
        InvalidRequest: with the message of the 400.
    """
    schema, mime = config.get("responseJsonSchema"), config.get("responseMimeType", "text/plain")
    if schema is not None and config.get("responseSchema") is not None:
        raise InvalidRequest("Only one of response_schema and response_json_schema may be set.")
    if (schema is not None or config.get("responseSchema") is not None) and mime not in (_JSON, _ENUM):
        raise InvalidRequest(f"{_WHERE}: only allowed when response mime type is 'application/json'")
    if mime == _JSON and (functions or tools) and model.startswith(("gemini-1", "gemini-2", "gemma-")):
        what = "Function calling" if functions else "Tool use"
        raise InvalidRequest(f"{what} with a response mime type: 'application/json' is unsupported")
    written = config.get("responseSchema")
    if mime == _ENUM and not _dict(written if schema is None else schema).get("enum"):
        raise InvalidRequest(
            "* GenerateContentRequest.generation_config.response_schema: enum must be specified for text/x.enum"
        )
    if schema is not None:
        _check_all(schema, _WHERE)
    if written is not None:
        _check_all(from_openapi(written), _WHERE.replace("_json", ""))


def from_openapi(schema: Any) -> dict[str, Any]:
    """Return a schema in Google's subset of OpenAPI (types in capitals, `nullable`, an order of properties) as JSON Schema."""
    said = _dict(schema)
    made = {name: value for name, value in said.items() if name in _SHARED}
    if "type" in said:
        made["type"] = str(said["type"]).lower()
    if "items" in said:
        made["items"] = from_openapi(said["items"])
    if "anyOf" in said:
        made["anyOf"] = [from_openapi(entry) for entry in said["anyOf"]]
    if "properties" in said:
        order = {name: None for name in [*said.get("propertyOrdering", ()), *said["properties"]] if name in said["properties"]}
        made["properties"] = {name: from_openapi(said["properties"][name]) for name in order}
    return made


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def adapted(schema: Any, where: str) -> Any:
    """Return a schema of another service's in the words that answers are made by; what they don't know bounds nothing.

    Raises:
        InvalidRequest: what is left is no schema.
    """
    fit = _fit(schema)
    _check_all(fit, where)
    return fit


def _fit(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    said = {"$defs" if name == "definitions" else name: value for name, value in schema.items()}
    if isinstance(said.get("allOf"), list) and said["allOf"]:
        said = {**said, **(said["allOf"][0] if isinstance(said["allOf"][0], dict) else {})}
    said |= {"enum": [said["const"]]} if "const" in said else {}
    kept = {name: _fit_inside(name, value) for name, value in said.items() if name in _KNOWN}
    if "$ref" in kept:
        return {name: value for name, value in kept.items() if name.startswith("$")}
    empty = kept.get("type") == "object" and not kept.get("properties") and not kept.get("additionalProperties")
    return {**kept, "additionalProperties": {"type": "string"}} if empty else kept


def _fit_inside(name: str, value: Any) -> Any:
    if name in ("properties", "$defs") and isinstance(value, dict):
        return {key: _fit(entry) for key, entry in value.items()}
    if isinstance(value, list) and name in ("anyOf", "oneOf", "prefixItems"):
        return [_fit(entry) for entry in value]
    return _fit(value) if name in ("items", "additionalProperties") else value


def _check_all(schema: Any, where: str) -> None:
    _check(schema, where, _types(schema))
    _check_circles(schema, where)


def answer_in(schema: Any, prompt: str) -> str:
    """Return JSON that follows `schema` (None: any)."""
    planets = "planet" in prompt.lower()
    if not isinstance(schema, dict):
        first = prompt.strip().partition("\n")[0][:200]
        return json.dumps({"asked": first, "from": "nbgemini's offline service, not Gemini"}, ensure_ascii=False)
    filled = _Filler(schema.get("$defs", {}), PromptValues(prompt), planets=planets).value(schema, "value", 1)
    return json.dumps(filled, ensure_ascii=False)


class _Filler:
    """Makes values of a schema: what the prompt says, else what is made up."""

    def __init__(self, types: dict[str, Any], said: PromptValues, *, planets: bool) -> None:
        self._types = types
        self._said = said
        self._planets = planets
        self._depth = 0
        self._row: dict[str, str] = {}  # of a table in the prompt: the record that is being filled

    def value(self, schema: Any, name: str, number: int) -> Any:
        """Return the value that stands under `name`, the `number`-th of its kind."""
        schema = self._resolved(schema)
        if schema.get("enum"):
            chosen = self._said.chosen(schema["enum"])
            return schema["enum"][(number - 1) % len(schema["enum"])] if chosen is None else chosen
        return self._of_kind(_kind(schema), schema, name, number)

    def _resolved(self, schema: Any) -> dict[str, Any]:
        """Return a schema without references and choices; `true` bounds nothing."""
        while isinstance(schema, dict):
            if "$ref" in schema:
                schema = self._types[schema["$ref"].rpartition("/")[2]]
            elif choices := schema.get("anyOf") or schema.get("oneOf"):
                schema = choices[0]
            else:
                return schema
        return {}

    def _of_kind(self, kind: str, schema: dict[str, Any], name: str, number: int) -> Any:
        if kind == "object":
            return self._object(schema, number)
        if kind == "array":
            return self._array(schema, name)
        if kind == "null":
            return None
        found = self._found(kind, schema, name, number)
        if kind in ("integer", "number"):
            return _bounded(kind, schema, number if found is None else found)
        if found is not None:
            return found
        text = _EXAMPLES.get(str(schema.get("format")))
        made = f"{name} {number}" if text is None else text.replace("{n}", str(number % 10))
        return number % 2 == 1 if kind == "boolean" else made

    def _found(self, kind: str, schema: dict[str, Any], name: str, number: int) -> Any:
        """Return what the prompt says: its table, what is known of planets, or the words themselves."""
        if name in self._row:
            return as_kind(self._row[name], kind)
        if self._planets:
            known = _PLANETS.get(name.lower())
            value = known[(number - 1) % len(known)] if known else None
            return value if _is_of(value, kind) else None
        return self._said.take(name, kind, str(schema.get("format", "")))

    def _object(self, schema: dict[str, Any], number: int) -> dict[str, Any]:
        self._depth += 1
        required = map(str, schema.get("required", ())) if self._depth > _DEEPEST else schema.get("properties", {})
        made = {key: self.value(schema.get("properties", {}).get(key), key, number) for key in required}
        more = schema.get("additionalProperties")
        if isinstance(more, dict) and not made:
            made = {f"key {n}": self.value(more, "value", n) for n in range(1, _ITEMS + 1)}
        self._depth -= 1
        return made

    def _array(self, schema: dict[str, Any], name: str) -> list[Any]:
        if "prefixItems" in schema:
            return [self.value(item, name, n) for n, item in enumerate(schema["prefixItems"], 1)]
        items = self._resolved(schema.get("items", {}))
        rows = self._said.rows_with(list(items.get("properties", ()))) if not self._row else []
        many = len(_PLANETS["name"]) if self._planets and self._depth == 0 else len(rows) or self._said_items(items) or _ITEMS
        least = min(int(schema.get("minItems", 0)), _MOST_ITEMS)
        count = least if self._depth > _DEEPEST else max(least, min(int(schema.get("maxItems", many)), many))
        made = []
        for n in range(1, count + 1):
            self._row = rows[n - 1] if n <= len(rows) else {}
            made.append(self.value(items, name.removesuffix("s"), n))
        self._row = {}
        return made

    def _said_items(self, items: dict[str, Any]) -> int:
        """Return how many items the values in the prompt are enough for."""
        fields = items.get("properties", {}).values() if _kind(items) == "object" else [items]
        kinds = [_kind(self._resolved(field)) for field in fields]
        texts, numbers = kinds.count("string"), kinds.count("integer") + kinds.count("number")
        kind, each = ("string", texts) if texts else ("number", numbers)
        return min(-(-self._said.count(kind) // each), _MOST_SAID) if each else 0


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "string")
    return str(kind[0] if isinstance(kind, list) and kind else kind).lower()


def _is_of(value: Any, kind: str) -> bool:
    kinds: dict[str, tuple[type, ...]] = {"integer": (int, float), "number": (int, float), "boolean": (bool,)}
    return isinstance(value, kinds.get(kind, (str,))) and (kind == "boolean") == isinstance(value, bool)


def _bounded(kind: str, schema: dict[str, Any], number: float) -> float:
    low, high = schema.get("minimum", number), schema.get("maximum", number)
    bounded = max(low, min(high, number))
    return int(bounded) if kind == "integer" else bounded


def _check(schema: Any, where: str, types: dict[str, Any]) -> None:
    """Check that a schema says nothing that is not known, and of each object what is in it."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise InvalidRequest(f"{where}: not a JSON Schema")
    _check_words(schema, where, types)
    for key in ("properties", "$defs"):
        for name, entry in schema.get(key, {}).items():
            _check(entry, f"{where}.{key}[{name}]", types)
    for key in ("anyOf", "oneOf", "prefixItems"):
        for number, entry in enumerate(schema.get(key, ())):
            _check(entry, f"{where}.{key}[{number}]", types)
    for key in ("items", "additionalProperties"):
        _check(schema.get(key, True), f"{where}.{key}", types)


def _check_words(schema: dict[str, Any], where: str, types: dict[str, Any]) -> None:
    if unknown := sorted(schema.keys() - _KNOWN):
        raise InvalidRequest(f"{where}: unsupported keyword {unknown[0]}")
    for key, shape in _SHAPES.items():
        if key in schema and not isinstance(schema[key], shape):
            raise InvalidRequest(f"{where}.{key}: wrong type")
    if any(not str(schema.get(key, 0)).isdecimal() for key in ("minItems", "maxItems")):
        raise InvalidRequest(f"{where}: not a count")
    if "$ref" in schema and any(not key.startswith("$") for key in schema):
        raise InvalidRequest(f"{where}: $ref may have no neighbours")
    if "$ref" in schema and schema["$ref"].rpartition("/")[2] not in types:
        raise InvalidRequest(f"{where}: {schema['$ref']} is not defined")
    if any(type(value) not in _CHOICES for value in schema.get("enum", ())):
        raise InvalidRequest(f"{where}.enum: only strings and numbers")
    if schema.get("type") == "object" and not schema.get("properties") and not schema.get("additionalProperties"):
        raise InvalidRequest(f"{where}.properties: should be non-empty for OBJECT type")


def _check_circles(schema: Any, where: str) -> None:
    types = _types(schema)
    for name in types:
        if _needs(types, types[name], name, set()):
            raise InvalidRequest(f"{where}: {name} is cyclic in a required property")


def _types(schema: Any) -> dict[str, Any]:
    types = schema.get("$defs") if isinstance(schema, dict) else None
    return types if isinstance(types, dict) else {}


def _needs(types: dict[str, Any], schema: Any, name: str, seen: set[str]) -> bool:
    """Say whether a value of `schema` must hold one of type `name`."""
    if not isinstance(schema, dict):
        return False
    if "$ref" in schema:
        found = schema["$ref"].rpartition("/")[2]
        return found == name or (found not in seen and _needs(types, types[found], name, seen | {found}))
    held = [schema.get("properties", {}).get(str(key)) for key in schema.get("required", ())]
    held += [schema.get("items"), schema.get("additionalProperties")]
    held += [entry for key in ("anyOf", "oneOf", "prefixItems") for entry in schema.get(key, ())]
    return any(_needs(types, entry, name, seen) for entry in held)


_LONGEST = 20_000  # characters of a prompt that are looked at
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d{1,15}(?:\.\d{1,15})?(?!\.?\w)")
_QUOTED = re.compile(r"[\"“]([^\"“”\n]{1,200})[\"”]|(?<!\w)'([^'\n]{1,200})'(?!\w)")
_NAME = re.compile("\\b[^\\W\\d_a-z][\\w\u2019-]*(?: (?:(?:of|de|van|von|the) )?[^\\W\\d_a-z][\\w\u2019-]*){0,4}")
_FORMATS = {"email": r"[\w.+-]+@[\w-]+\.[\w.-]+\b", "uri": r"https?://[^\s<>\"')]+", "date": r"\b\d{4}-\d\d-\d\d\b"}
_NO_NAMES = re.compile(
    "a|all|am|an|and|answer|are|as|at|can|classify|could|describe|do|does|explain|extract|fill|find|for|from|get|give|have|hello"
    "|here|how|i|if|in|is|it|json|let|list|make|me|my|name|no|of|on|please|put|return|say|show|tell|that|the|these|they|this|to"
    "|use|we|what|what.s|when|where|which|who|why|with|write|you|your",
    re.IGNORECASE,
)
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


class PromptValues:
    """What a prompt says, taken bit by bit; nothing is taken twice."""

    def __init__(self, prompt: str) -> None:
        """Read a prompt."""
        prompt = prompt[:_LONGEST]
        self.tables: list[TextTable] = tables_in(prompt)
        self.words = without_tables(prompt)
        quoted = [first or second for first, second in _QUOTED.findall(self.words)]
        self._numbers: Iterator[str] = iter(_NUMBER.findall(self.words))
        self._texts: Iterator[str] = iter(quoted or list(_names(self.words)))

    def take(self, name: str, kind: str, form: str = "") -> Any:
        """Return the next value of a JSON type for a field; None if the prompt holds none.

        Args:
            name: of the field; `name: value` in the prompt is its own.
            kind: `string`, `integer`, `number` or `boolean`.
            form: the format of a text, as JSON Schema names it.
        """
        said = re.search(
            rf"\b{re.escape(name)}\b\s*(?:[:=]|is|of)\s*(\"[^\"\n]+\"|'[^'\n]+'|[^\s,;]+)", self.words, re.IGNORECASE
        )
        if said and (value := as_kind(said[1].strip("\"'.?!"), kind)) is not None:
            return value
        if form in _FORMATS:
            found = re.search(_FORMATS[form], self.words)
            return found[0] if found else None
        if kind in ("integer", "number"):
            return next((value for text in self._numbers if (value := as_kind(text, kind)) is not None), None)
        return next(self._texts, None) if kind == "string" else None

    def chosen(self, choices: list[Any]) -> Any:
        """Return the first of these choices that the prompt names; None if it names none."""
        said = self.words.lower()
        return next(
            (one for one in choices if isinstance(one, str) and re.search(rf"\b{re.escape(one.lower())}\b", said)), None
        )

    def rows_with(self, names: list[str]) -> list[dict[str, str]]:
        """Return the rows of the first table that has one of these columns, spelled in any case."""
        for table in self.tables:
            known = {_plain(column): column for column in table.names}
            found = {name: known[_plain(name)] for name in names if _plain(name) in known}
            if found:
                columns = {name: table.column(column) for name, column in found.items()}
                return [{name: cells[n] for name, cells in columns.items()} for n in range(len(table.rows))]
        return []

    def count(self, kind: str) -> int:
        """Return how many values of a type are there to be taken."""
        left = list(self._numbers if kind in ("integer", "number") else self._texts)
        if kind in ("integer", "number"):
            self._numbers = iter(left)
        else:
            self._texts = iter(left)
        return len(left)


def as_kind(text: str, kind: str) -> Any:
    """Return a text as a value of a JSON type; None if it is none."""
    if kind in ("integer", "number"):
        try:
            number = float(text.replace(",", ""))
        except ValueError:
            return None
        whole = number.is_integer() if abs(number) < 2**53 else False
        return int(number) if whole and (kind == "integer" or "." not in text) else number if kind == "number" else None
    if kind == "boolean":
        return True if text.lower() in _TRUE else False if text.lower() in _FALSE else None
    return text if kind == "string" and text else None


def _names(text: str) -> Iterator[str]:
    """Yield what is written like a name: words in capitals, without those that only begin a sentence."""
    for found in _NAME.findall(text):
        words = found.split()
        while words and _NO_NAMES.fullmatch(words[0]):
            words = words[1:]
        if words:
            yield " ".join(words)


def _plain(name: str) -> str:
    return re.sub(r"[_\W]+", "", name.lower()).removesuffix("s")
