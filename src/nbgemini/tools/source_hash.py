"""What runs, as a hash: leave given for good holds for one function, in all its layers, and for the object it works on.

The layers are what a call may reach: partials and decorators around the function, its code, its defaults, what it holds of the
function around it, the object it is bound to with that object's class and values, and the functions, classes and values that
its code names, in modules too. What the code counts or fills itself is left out, or each call would ask again. Invariant: what
can't be compared makes another hash each time, so that its reader is asked again.
"""

from __future__ import annotations

import builtins
import dis
import functools
import hashlib
import inspect
import itertools
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Set as AbstractSet
from contextlib import suppress
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from pathlib import PurePath
from sysconfig import get_paths
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

_MOST = 2_000  # layers and values; more than that is not compared
_CONSTANTS = (type(None), bool, int, float, complex, str, bytes, date, time, timedelta, Decimal, PurePath, Enum, range)
_CODE = (FunctionType, MethodType, functools.partial, staticmethod, classmethod, property, type)
_CHANGING = (int, float, list, dict, set, deque)  # what code may change itself, again and again
_CHANGERS = {
    "append", "extend", "insert", "add", "update", "pop", "popitem", "remove", "discard", "clear", "setdefault", "sort",
    "reverse", "appendleft", "popleft",
}  # fmt: skip
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_WRAPPERS = ("__wrapped__", "__func__", "func", "fget", "__call__")
_PARTS: tuple[tuple[Any, Callable[[Any], tuple[Any, ...]]], ...] = (  # of what stands for others
    (functools.partial, attrgetter("func", "args", "keywords")),
    (MethodType, attrgetter("__func__", "__self__")),
    ((staticmethod, classmethod), lambda one: (one.__func__,)),
    (property, attrgetter("fget", "fset")),
    (types.MappingProxyType, lambda one: (dict(one),)),
    (weakref.ref, lambda one: (one(),)),
)
_FOREIGN = tuple({get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_MAKERS = ("__init__", "__new__", "__post_init__")
_IN_PYTHON = 1 << 9  # the flag of a class that was made while Python ran, and can be changed
_numbers = itertools.count()
_tokens: dict[int, tuple[weakref.ref[Any], int]] = {}


def source_hash(function: Any, core: Any) -> str:
    """Return a hash of what runs: `function` as it is offered, `core` as somebody wrote it."""
    walk = _Walk()
    walk.visit(function)
    walk.visit(core)
    return walk.digest.hexdigest()


class _Walk:
    """One walk through all that a function reaches."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._seen: dict[int, tuple[int, Any]] = {}

    def visit(self, value: Any) -> None:
        """Take a value in, with what it reaches."""
        if isinstance(value, _CONSTANTS):
            self._feed(type(value).__qualname__, repr(value) if not isinstance(value, str) else value)
            return
        if id(value) in self._seen:
            self._feed("again", str(self._seen[id(value)][0]))
            return
        self._seen[id(value)] = len(self._seen), value  # kept, so that no other gets its id meanwhile
        if len(self._seen) > _MOST:
            self._feed("unsure", str(next(_numbers)))
            return
        self._visit_parts(value)

    def _visit_parts(self, value: Any) -> None:
        self._feed("kind", f"{type(value).__module__}.{type(value).__qualname__}")
        if isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, CodeType):
            self._code(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, ModuleType):
            self._feed("module", value.__name__)
        elif parts := next((parts for kind, parts in _PARTS if isinstance(value, kind)), None):
            self._visit_all(parts(value))
        elif isinstance(value, _CONTAINERS) and type(value).__module__ in ("builtins", "collections"):
            self._container(value)
        else:
            self._object(value)

    def _container(self, value: Any) -> None:
        items = list(itertools.chain.from_iterable(value.items()) if isinstance(value, dict) else value)
        items = sorted(items, key=repr) if isinstance(value, AbstractSet) else items
        if all(isinstance(item, _CONSTANTS) for item in items):
            self._feed("values", repr(items))
        else:
            self._visit_all(items)

    def _function(self, function: FunctionType) -> None:
        if _is_foreign(function.__code__.co_filename):
            self._feed("foreign", f"{function.__module__}.{function.__qualname__}")
            self._code(function.__code__)
        else:
            self._feed("source", _source_of(function.__code__))
            self._code(function.__code__)
            self._names(function)
        self._visit_all((function.__defaults__, function.__kwdefaults__))
        changed, _ = _changed_in(function.__code__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            with suppress(ValueError):  # an empty cell
                if not (name in changed and isinstance(cell.cell_contents, _CHANGING)):
                    self.visit(cell.cell_contents)
        self.visit(getattr(function, "__wrapped__", None))

    def _code(self, code: CodeType) -> None:
        self._feed("code", code.co_code.hex())
        self._feed("names", repr((code.co_names, code.co_varnames, code.co_freevars)))
        for const in code.co_consts:
            self.visit(const)

    def _names(self, function: FunctionType) -> None:
        """Take in what the names in its code stand for now, in modules too: all of the user's, else functions and classes."""
        code, own = function.__code__, function.__globals__
        names, (changed, set_attributes) = sorted(_names_in(code)), _changed_in(code)
        modules = [builtins, *(own[name] for name in names if isinstance(own.get(name), ModuleType))]
        for name in names:
            if name in own and not (name in changed and isinstance(own[name], _CHANGING)):
                self._feed("global", name)
                self.visit(own[name])
        for module in modules:
            foreign = module is builtins or _is_foreign_module(module)
            for name, found in ((name, vars(module)[name]) for name in names if name in vars(module)):
                if isinstance(found, ModuleType):
                    modules += [] if found in modules else [found]
                elif not (foreign or (name in set_attributes and isinstance(found, _CHANGING))) or isinstance(
                    found, FunctionType | type
                ):
                    self._feed("of a module", name)
                    self.visit(found)

    def _class(self, kind: type) -> None:
        self._feed("class", f"{kind.__module__}.{kind.__qualname__}")
        if _is_foreign_class(kind):
            return
        changed = _changed_attributes(kind)
        for name, member in sorted(vars(kind).items()):
            filled = isinstance(member, _CONTAINERS) and not name.startswith("__") and name not in changed
            if filled or isinstance(member, (*_CODE, *_CONSTANTS)):
                self._feed("member", name)
                self.visit(member)
        self._visit_all(kind.__mro__[1:-1])

    def _object(self, value: Any) -> None:
        """Take in which object it is, of what class, and what it holds of its own."""
        self._feed("object", str(_token(value)))
        if isinstance(value, types.BuiltinFunctionType | types.MethodWrapperType):
            self._feed("built in", value.__qualname__)
            self.visit(value.__self__)
            return
        self._visit_all(
            found for name in _WRAPPERS if isinstance(found := getattr(value, name, None), FunctionType | MethodType)
        )
        self._class(type(value))
        foreign, changed = _is_foreign_class(type(value)), _changed_attributes(type(value))
        own = getattr(value, "__dict__", {})
        for name, held in sorted(own.items()) if isinstance(own, Mapping) else ():
            if name in changed and isinstance(held, _CHANGING) and not isinstance(held, bool):
                continue
            if not foreign or isinstance(held, (*_CODE, *_CONSTANTS)):
                self._feed("holds", str(name))
                self.visit(held)

    def _visit_all(self, values: Any) -> None:
        for value in values:
            self.visit(value)

    def _feed(self, kind: str, words: str) -> None:
        encoded = words.encode("utf-8", "replace")
        self.digest.update(f"{kind} {len(encoded)} ".encode() + encoded)


def _token(value: Any) -> int:
    """Return the number of an object, which no other ever has; another each time for one that can't be told from others."""
    known = _tokens.get(id(value))
    if known is not None and known[0]() is value:
        return known[1]
    number, key = next(_numbers), id(value)
    with suppress(TypeError):  # nobody learns when it ends, and what is made at its place
        _tokens[key] = weakref.ref(value, lambda _: _tokens.pop(key, None)), number
    return number


@functools.lru_cache(maxsize=4_096)
def _source_of(code: CodeType) -> str:
    """Return the text that code was made of, or nothing; what belongs to one code never changes."""
    with suppress(OSError, TypeError):
        return inspect.getsource(code)
    return ""


def _is_foreign(file: str) -> bool:
    """Whether code is a package's or Python's own: it is known by its own code, and not by all that it reaches."""
    return file.startswith(("<frozen", *_FOREIGN))


def _is_foreign_module(module: ModuleType | None) -> bool:
    return _is_foreign(getattr(module, "__file__", None) or "")


def _is_foreign_class(kind: type) -> bool:
    return not kind.__flags__ & _IN_PYTHON or _is_foreign_module(sys.modules.get(kind.__module__))


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in _inner(code):
        yield from _names_in(inner)


@functools.lru_cache(maxsize=4_096)
def _changed_in(code: CodeType) -> tuple[AbstractSet[str], AbstractSet[str]]:
    """Return the names, and the attributes, that code sets or fills itself: a number that it counts, a list that it fills."""
    names, attributes = set[str](), set[str]()
    name = attribute = ""  # that were loaded last
    for step in dis.get_instructions(code):
        if step.opname in ("STORE_GLOBAL", "STORE_DEREF"):
            names.add(str(step.argval))
        elif step.opname == "STORE_ATTR":
            attributes.add(str(step.argval))
        elif step.opname in ("LOAD_GLOBAL", "LOAD_DEREF", "LOAD_NAME"):
            name = str(step.argval)
        elif step.opname in ("STORE_SUBSCR", "DELETE_SUBSCR") or (step.opname in _ATTRIBUTES and step.argval in _CHANGERS):
            names.add(name)
            attributes.add(attribute)
        elif step.opname in _ATTRIBUTES:
            attribute = str(step.argval)
    for inner_names, inner_attributes in map(_changed_in, _inner(code)):
        names |= inner_names
        attributes |= inner_attributes
    return names, attributes


def _changed_attributes(kind: type) -> AbstractSet[str]:
    """Return the attributes that the methods of a class set or fill after an object is made."""
    classes = [base for base in kind.__mro__ if not _is_foreign_class(base)]
    methods = {name: member for base in classes for name, member in vars(base).items() if isinstance(member, FunctionType)}
    return set().union(*(_changed_in(one.__code__)[1] for name, one in methods.items() if name not in _MAKERS))


def _inner(code: CodeType) -> Iterator[CodeType]:
    return (const for const in code.co_consts if isinstance(const, CodeType))
