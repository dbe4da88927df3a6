"""The form of an answer: what Gemini would take as one, and an answer in it, filled with what the prompt says.

Values are taken in the order in which they stand there: from tables, `name: value`, numbers, quoted texts, names. What is
missing is null, or the choice that leaves it open, where the form has one; else it is made up, the same for the same request.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Collection, Iterator
from typing import Any

from nbgemini.offline.canned_answers import calculation
from nbgemini.offline.requests import InvalidRequest
from nbgemini.offline.text_tables import TextTable, tables_in, without_tables
from nbgemini.providers.common.json import as_dict
from nbgemini.tools.json_schema import convert_inner

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
_NAMED, _LISTED, _SINGLE = ("properties", "$defs"), ("anyOf", "oneOf", "prefixItems"), ("items", "additionalProperties")
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
_LONGEST = 20_000  # characters of a prompt that are looked at
_NUMBER = re.compile(r"(?<![\w.:-])[-+]?\d{1,15}(?:\.\d{1,15})?(?![.:-]?\w)")
_QUOTED = r"[\"“]([^\"“”\n]{1,200})[\"”]|(?<!\w)'([^'\n]{1,200})'(?!\w)"
_TEXT = re.compile(_QUOTED + "|\\b[^\\W\\d_a-z][\\w\u2019-]*(?: (?:(?:of|de|van|von|the) )?[^\\W\\d_a-z][\\w\u2019-]*){0,4}")
_LIST = re.compile(r"\b[a-z][\w-]{0,40}(?:, [a-z][\w-]{0,40}){1,20},? and [a-z][\w-]{0,40}")
_FORMATS = {
    "email": r"(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]+\b", "uri": r"https?://[^\s<>\"')]+", "date": r"\b\d{4}-\d\d-\d\d\b",
    "date-time": r"\b\d{4}-\d\d-\d\d(?:T| at | )\d\d:\d\d(?::\d\d)?Z?", "time": r"\b\d\d:\d\d(?::\d\d)?\b",
}  # fmt: skip
_NAMED_FORMATS = {"email": "email", "mail": "email", "url": "uri", "website": "uri", "link": "uri"}  # of texts, by their fields
_PAIR = re.compile(r"\b([^\W\d]\w*):? (-?\d{1,15}(?:\.\d{1,15})?)\b")
_ADDRESS = re.compile(r"\w[./@\\]\w")
_WORD = re.compile(_QUOTED + r"|[~./\\@$]{0,3}\w(?:[^\s\"“”,;()]*\w)?|[^\w\s]")
_NO_NAMES = re.compile(
    "a|add|all|am|an|and|answer|are|as|at|be|book|buy|calculate|can|classify|compare|compute|convert|could|count|current(?:ly)?"
    "|describe|do|does|explain|extract|fill|find|finish|for|from|get|give|has|have|hello|here|how|i|if|in|is|it|its|json"
    "|let|like|list|make|me|my|name|no|now|of|on|or|order|please|plot|put|quel|quelle|return|right|roll|say|search|send|set"
    "|should|show|so|sort|sum|summari[sz]e|tell|that|the|then|there|these|they|this|to|today|tomorrow|tonight|translate"
    "|turn|use|was|we|were|wer|wie|wo|what|when|where|which|who|why|with|would|write|yesterday|you|your"
    "|(?:how|it|that|there|what|where|who).s",
    re.IGNORECASE,
)
BEFORE = frozenset(  # values
    {"about", "at", "between", "by", "called", "for", "from", "in", "into", "named", "near", "of", "on", "to", "with"}
)
_ARTICLES = (":", "a", "an", "and", "my", "our", "the", "this")
_LEAVES_OPEN = re.compile("other|unknown|unclear|undecided|unsure|none|neutral|mixed|n/a", re.IGNORECASE)  # choices
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


def check_form(config: dict[str, Any], model: str, *, functions: bool, tools: bool) -> None:
    """Check what a normalised `generationConfig` says about the form of the answer."""
    schema, mime = config.get("responseJsonSchema"), config.get("responseMimeType", "text/plain")
    if schema is not None and config.get("responseSchema") is not None:
        raise InvalidRequest("Only one of response_schema and response_json_schema may be set.")
    if (schema is not None or config.get("responseSchema") is not None) and mime not in (_JSON, _ENUM):
        raise InvalidRequest(f"{_WHERE}: only allowed when response mime type is 'application/json'")
    if mime == _JSON and (functions or tools) and model.startswith(("gemini-1", "gemini-2", "gemma-")):
        what = "Function calling" if functions else "Tool use"
        raise InvalidRequest(f"{what} with a response mime type: 'application/json' is unsupported")
    written = config.get("responseSchema")
    if mime == _ENUM and not as_dict(written if schema is None else schema).get("enum"):
        raise InvalidRequest(
            "* GenerateContentRequest.generation_config.response_schema: enum must be specified for text/x.enum"
        )
    if schema is not None:
        _check_all(schema, _WHERE)
    if written is not None:
        _check_all(from_openapi(written), _WHERE.replace("_json", ""))


def from_openapi(schema: Any) -> dict[str, Any]:
    """Return a schema in Google's subset of OpenAPI (types in capitals, `nullable`, an order of properties) as JSON Schema."""
    said = dict(as_dict(schema))
    made = {name: value for name, value in said.items() if name in _SHARED}
    if "type" in said:
        made["type"] = str(said["type"]).lower()
    if "properties" in said:
        order = dict.fromkeys(name for name in said.get("propertyOrdering", ()) if name in said["properties"])
        said["properties"] = order | said["properties"]
    inner = (name for name in ("items", "anyOf", "properties") if name in said)
    return made | {name: convert_inner(name, said[name], lambda entry, _: from_openapi(entry)) for name in inner}


def adapted(schema: Any, where: str) -> Any:
    """Return a schema of another service's in the words that answers are made by; what they don't know bounds nothing."""
    fit = _fit(schema)
    _check_all(fit, where)
    return fit


def _fit(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    said = {"$defs" if name == "definitions" else name: value for name, value in schema.items()}
    if isinstance(said.get("allOf"), list) and said["allOf"]:
        said |= as_dict(said["allOf"][0])
    said |= {"enum": [said["const"]]} if "const" in said else {}
    kept = {name: convert_inner(name, value, lambda entry, _: _fit(entry)) for name, value in said.items() if name in _KNOWN}
    if "$ref" in kept:
        return {name: value for name, value in kept.items() if name.startswith("$")}
    empty = kept.get("type") == "object" and not kept.get("properties") and not kept.get("additionalProperties")
    return {**kept, "additionalProperties": {"type": "string"}} if empty else kept


def _check_all(schema: Any, where: str) -> None:
    types = as_dict(as_dict(schema).get("$defs"))
    _check(schema, where, types)
    for name in types:
        if _needs(types, types[name], name, set()):
            raise InvalidRequest(f"{where}: {name} is cyclic in a required property")


def _inner_schemas(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the schemas that stand in a schema, each after its place."""
    yield from ((f".{key}[{name}]", entry) for key in _NAMED for name, entry in schema.get(key, {}).items())
    yield from ((f".{key}[{number}]", entry) for key in _LISTED for number, entry in enumerate(schema.get(key, ())))
    yield from ((f".{key}", schema[key]) for key in _SINGLE if key in schema)


def _check(schema: Any, where: str, types: dict[str, Any]) -> None:
    """Check that a schema says nothing that is not known, and of each object what is in it."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise InvalidRequest(f"{where}: not a JSON Schema")
    if fault := next(_faults(schema, types), ""):
        raise InvalidRequest(where + fault)
    for place, entry in _inner_schemas(schema):
        _check(entry, where + place, types)


def _faults(schema: dict[str, Any], types: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the words of a schema, each after its place."""
    yield from (f": unsupported keyword {name}" for name in sorted(schema.keys() - _KNOWN))
    yield from (f".{key}: wrong type" for key, shape in _SHAPES.items() if key in schema and not isinstance(schema[key], shape))
    if any(not str(schema.get(key, 0)).isdecimal() for key in ("minItems", "maxItems")):
        yield ": not a count"
    if "$ref" in schema and any(not key.startswith("$") for key in schema):
        yield ": $ref may have no neighbours"
    if "$ref" in schema and schema["$ref"].rpartition("/")[2] not in types:
        yield f": {schema['$ref']} is not defined"
    if any(type(value) not in _CHOICES for value in schema.get("enum", ())):
        yield ".enum: only strings and numbers"
    if schema.get("type") == "object" and not schema.get("properties") and not schema.get("additionalProperties"):
        yield ".properties: should be non-empty for OBJECT type"


def _needs(types: dict[str, Any], schema: Any, name: str, seen: set[str]) -> bool:
    """Say whether a value of `schema` must hold one of type `name`."""
    if not isinstance(schema, dict):
        return False
    if "$ref" in schema:
        found = schema["$ref"].rpartition("/")[2]
        return found == name or (found not in seen and _needs(types, types[found], name, seen | {found}))
    properties, required = schema.get("properties", {}), map(str, schema.get("required", ()))
    held = {**schema, "$defs": {}, "properties": {key: properties[key] for key in required if key in properties}}
    return any(_needs(types, entry, name, seen) for _, entry in _inner_schemas(held))


def answer_in(schema: Any, prompt: str) -> str:
    """Return JSON that follows `schema` (None: any)."""
    if not isinstance(schema, dict):
        first = prompt.strip().partition("\n")[0][:200]
        return json.dumps({"asked": first, "from": "nbgemini's offline service, not Gemini"}, ensure_ascii=False)
    result = as_kind(calculation(prompt[:_LONGEST])[1], _kind(schema)) if _kind(schema) in ("integer", "number") else None
    made = _Filler(schema.get("$defs", {}), prompt).value(schema, "value", 1) if result is None else result
    return json.dumps(made, ensure_ascii=False)


class _Filler:
    """Makes values of a schema: what the prompt says, else what is made up."""

    def __init__(self, types: dict[str, Any], prompt: str) -> None:
        self._types = types
        self._said = PromptValues(prompt)
        self._planets = "planet" in prompt.lower()
        self._depth = 0
        self._row: dict[str, str] = {}  # of a table in the prompt: the record that is being filled

    def value(self, schema: Any, name: str, number: int) -> Any:
        """Return the value that stands under `name`, the `number`-th of its kind."""
        may_lack = {"type": "null"} in (as_dict(schema).get("anyOf") or ())
        schema = self._resolved(schema)
        if choices := schema.get("enum"):
            made_up = [None] if may_lack else [one for one in choices if _LEAVES_OPEN.fullmatch(str(one))] or choices
            chosen = self._said.chosen(choices)
            return made_up[(number - 1) % len(made_up)] if chosen is None else chosen
        kind = _kind(schema)
        if kind in ("object", "array"):
            return self._object(schema, number) if kind == "object" else self._array(schema, name)
        found = None if kind == "null" else self._found(kind, schema, name, number)
        if found is None:
            return None if may_lack or kind == "null" else _made_up(kind, schema, name, number)
        return _bounded(kind, schema, found)

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

    def _found(self, kind: str, schema: dict[str, Any], name: str, number: int) -> Any:
        """Return what the prompt says: its table, what is known of planets, or the words themselves."""
        if name in self._row:
            return as_kind(self._row[name], kind)
        if self._planets:
            known = _PLANETS.get(name.lower())
            value = known[(number - 1) % len(known)] if known else None
            return value if _is_of(value, kind) else None
        return self._said.take(name, kind, _format(name, schema))

    def _object(self, schema: dict[str, Any], number: int) -> dict[str, Any]:
        self._depth += 1
        required = map(str, schema.get("required", ())) if self._depth > _DEEPEST else schema.get("properties", {})
        made = {key: self.value(schema.get("properties", {}).get(key), key, number) for key in required}
        more = {} if made == {} and schema.get("additionalProperties") is True else schema.get("additionalProperties")
        if isinstance(more, dict) and not made:
            pairs = {key: as_kind(number, _kind(more)) for key, number in _PAIR.findall(self._said.words)}
            numbered = {key: number for key, number in pairs.items() if isinstance(number, int | float)}
            made = numbered or {f"key {n}": self.value(more, "value", n) for n in range(1, _ITEMS + 1)}
        self._depth -= 1
        return made

    def _array(self, schema: dict[str, Any], name: str) -> list[Any]:
        if "prefixItems" in schema:
            return [self.value(item, name, n) for n, item in enumerate(schema["prefixItems"], 1)]
        items = self._resolved(schema.get("items", {}))
        if _kind(items) == "string" and not self._said.texts and self._said.lists:
            self._said.texts.extend(self._said.lists.popleft())
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
        properties = items.get("properties", {}) if _kind(items) == "object" else {"": items}
        fields = {name: self._resolved(field) for name, field in properties.items()}
        kinds = [_kind(field) for name, field in fields.items() if _format(name, field) not in _FORMATS]
        texts, numbers = kinds.count("string"), kinds.count("integer") + kinds.count("number")
        left, each = (self._said.texts, texts) if texts else (self._said.numbers, numbers)
        return min(-(-len(left) // each), _MOST_SAID) if each else 0


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "string")
    return str(kind[0] if isinstance(kind, list) and kind else kind).lower()


def _format(name: str, schema: dict[str, Any]) -> str:
    """Return the format of a text, by its schema or the name of its field."""
    return str(schema.get("format") or (_NAMED_FORMATS.get(name.lower(), "") if _kind(schema) == "string" else ""))


def _is_of(value: Any, kind: str) -> bool:
    kinds: dict[str, tuple[type, ...]] = {"integer": (int, float), "number": (int, float), "boolean": (bool,)}
    return isinstance(value, kinds.get(kind, (str,))) and (kind == "boolean") == isinstance(value, bool)


def _made_up(kind: str, schema: dict[str, Any], name: str, number: int) -> Any:
    if kind in ("integer", "number"):
        return _bounded(kind, schema, number)
    text = _EXAMPLES.get(str(schema.get("format")))
    made = f"{name} {number}" if text is None else text.replace("{n}", str(number % 10))
    return number % 2 == 1 if kind == "boolean" else made


def _bounded(kind: str, schema: dict[str, Any], value: Any) -> Any:
    if kind not in ("integer", "number"):
        return value
    bounded = max(schema.get("minimum", value), min(schema.get("maximum", value), value))
    return int(bounded) if kind == "integer" else bounded


class PromptValues:
    """What a prompt says, taken bit by bit; nothing is taken twice."""

    def __init__(self, prompt: str, before: Collection[str] = (), plain: Collection[str] = ()) -> None:
        """Look for texts also behind the words `before`, if there are any, up to those that are `plain`."""
        prompt = prompt[:_LONGEST]
        self.tables: list[TextTable] = tables_in(prompt)
        self.words = without_tables(prompt)
        self.numbers = deque(_NUMBER.findall(self.words))
        self.texts = deque(_texts_behind(self.words, before, plain) if before else _texts(self.words, plain))
        self._formatted = {form: deque(re.findall(pattern, self.words)) for form, pattern in _FORMATS.items()}
        self.lists = deque(re.split(r",? and |, ", found[0]) for found in _LIST.finditer(self.words))

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
        if kind == "boolean" and (
            found := re.search(rf"(\bnot |n't |\bnever |\bno )?\b{re.escape(name)}\b", self.words, re.IGNORECASE)
        ):
            return not found[1]
        unit = re.search(rf"({_NUMBER.pattern}) ?{re.escape(name.rpartition('_')[2])}\b", self.words) if "_" in name else None
        if unit and unit[1] in self.numbers and (value := as_kind(unit[1], kind)) is not None:
            self.numbers.remove(unit[1])  # the name says in what it is measured
            return value
        if form in _FORMATS:
            found = self._formatted[form].popleft() if self._formatted[form] else None
            return re.sub(" at | ", "T", found) if found and form == "date-time" else found
        while kind in ("integer", "number") and self.numbers:
            if (value := as_kind(self.numbers.popleft(), kind)) is not None:
                return value
        return self.texts.popleft() if kind == "string" and self.texts else None

    def chosen(self, choices: list[Any]) -> Any:
        """Return which of these choices the prompt names; None if that is none, or it names several to ask which."""
        said, texts = self.words.lower(), [one for one in choices if isinstance(one, str)]
        named = sorted((one for one in texts if re.search(rf"\b{re.escape(one.lower())}\b", said)), key=len)
        found = named[-1] if named and all(one in named[-1] for one in named) else None
        self.texts = deque(text for text in self.texts if found is None or text.lower() != found.lower())
        return found

    def rows_with(self, names: list[str]) -> list[dict[str, str]]:
        """Return the rows of the first table that has one of these columns, spelled in any case."""
        for table in self.tables:
            known = {_plain(column): column for column in table.names}
            found = {name: known[_plain(name)] for name in names if _plain(name) in known}
            if found:
                columns = {name: table.column(column) for name, column in found.items()}
                return [{name: cells[n] for name, cells in columns.items()} for n in range(len(table.rows))]
        return []


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


def _texts(text: str, plain: Collection[str] = ()) -> Iterator[str]:
    """Yield what is quoted or written like a name: words in capitals, without those that only begin a sentence."""
    for found in _TEXT.finditer(text):
        words = [] if found[1] or found[2] else found[0].split()
        while words and (words[0].islower() or _NO_NAMES.fullmatch(words[0]) or words[0].lower() in plain):
            words = words[1:]
        while words and words[-1].lower() in plain:
            words = words[:-1]
        if said := found[1] or found[2] or " ".join(words):
            yield said


def _texts_behind(text: str, before: Collection[str], plain: Collection[str]) -> Iterator[str]:
    """Yield what is quoted, written like a name or a file, or stands behind one of the words `before`, up to a plain word."""
    run: list[str] = []
    begun = False
    for found in _WORD.finditer(f"{text}\n."):
        quoted, word = found[1] or found[2], found[0].lower()
        ends = quoted or word in before or word in plain or not word[-1].isalnum() or _NUMBER.fullmatch(word)
        if not ends and not _NO_NAMES.fullmatch(word) and (begun or found[0][0].isupper() or _ADDRESS.search(word)):
            run.append(found[0])
            continue
        yield from filter(None, (" ".join(run), quoted))
        run, begun = [], word in before or (begun and word in _ARTICLES)


def _plain(name: str) -> str:
    return re.sub(r"[_\W]+", "", name.lower()).removesuffix("s")
