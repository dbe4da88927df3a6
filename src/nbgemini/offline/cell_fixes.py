"""What the offline service answers to `%gemini fix`: the corrected cell, by a rule for each common exception.

A rule yields what may be wrong and the source without it; the first source that can be parsed is taken. Where no rule fits, the
statement is guarded, so that the cell says what is wrong and goes on.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import keyword
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TypeAlias

from nbgemini.offline.canned_answers import Run, thought_and_answer
from nbgemini.offline.failed_code import FailedCode, failed_code, parse
from nbgemini.offline.syntax_fixes import syntax_fixes

Fix: TypeAlias = tuple[str, str]  # what is wrong, and the source without it
Rule: TypeAlias = Callable[[FailedCode], Iterator[Fix]]
Nodes: TypeAlias = Callable[[FailedCode], Iterable[ast.AST]]

_SIGNED = "*From nbgemini's offline service, not from Gemini: it corrects by rules, so read it before you run it.*"
_WORD = re.compile(r"[^\W\d]\w*")
_QUOTED = re.compile(r"'([^']+)'")
_IMPORTS = {
    "np": "import numpy as np", "pd": "import pandas as pd", "plt": "import matplotlib.pyplot as plt",
    "pl": "import polars as pl", "sns": "import seaborn as sns", "Path": "from pathlib import Path",
    "Counter": "from collections import Counter",
    "defaultdict": "from collections import defaultdict", "sleep": "from time import sleep", "sqrt": "from math import sqrt",
    "dataclass": "from dataclasses import dataclass", "partial": "from functools import partial", "pi": "from math import pi",
    "timedelta": "from datetime import timedelta", "Any": "from typing import Any", "randint": "from random import randint",
}  # fmt: skip
_CONSTANTS = {"true": "True", "false": "False", "null": "None", "nil": "None", "undefined": "None", "nan": 'float("nan")'}
_DISTRIBUTIONS = {"cv2": "opencv-python", "sklearn": "scikit-learn", "PIL": "Pillow", "yaml": "PyYAML", "bs4": "beautifulsoup4"}
_PACKAGES = ("numpy", "pandas", "matplotlib", "scipy", "seaborn", "requests", "sklearn", "polars", "plotly", "torch", "httpx")
_RENAMED = {
    ("list", "push"): "append", ("list", "add"): "append", ("set", "append"): "add", ("str", "trim"): "strip",
    ("DataFrame", "sort"): "sort_values",
}  # fmt: skip
_HOMES = {"DataFrame": "pandas", "Series": "pandas", "ndarray": "numpy"}  # where types of others are found, if they are loaded
_LENGTHS = ("length", "size", "count", "len")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NOT_CALLABLE = ("int", "float", "str", "list", "dict", "tuple", "set", "bool", "ndarray", "DataFrame", "Series")
_DATES = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d %B %Y", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")
_HANDLER = ("except CLASS as error:", '    print("KIND:", error)')
_MISSING_FILE = (
    "except CLASS as error:",
    "    folder = Path(error.filename).resolve().parent",
    "    there = sorted(path.name for path in folder.glob('*'))[:20]",
    '    print(f"{error.filename} is not in {folder}; what is there:", *there, sep="\\n  ")',
)
_HANDLERS = {"FileNotFoundError": _MISSING_FILE}
_WHY = {
    "FileNotFoundError": "The file is not there. I can't see your disk, so the corrected cell says what is in its folder",
    "RecursionError": "The function calls itself without end: a case that returns before is missing. The cell says so now",
    "ZeroDivisionError": "It divides by zero whatever comes: put the number that was meant. The cell says so now",
    "AssertionError": "What the `assert` states isn't true, and the cell says so now",
    "JSONDecodeError": "The text is no JSON; the cell says where it stops being one",
    "UnicodeDecodeError": "The bytes are in another encoding, such as `latin-1`: name it. The cell says where they are wrong",
}


def fix_cell(prompt: str) -> list[Run] | None:
    """Return thought and answer that correct a cell, if that is what the prompt asks for."""
    code = failed_code(prompt)
    if code is None:
        return None
    fixes = (fix for rule in (*_RULES.get(code.kind, ()), _guarded) for fix in rule(code))
    for why, source in fixes:
        corrected = f"{source.rstrip()}\n\n\n{code.cell}" if code.cell else source
        if source != code.source and parse(corrected) is not None:
            lines = code.source.split("\n")
            line = lines[min(code.line, len(lines)) - 1].strip()[:100].replace("`", "'")
            answer = f"{why}{'' if why.endswith('?') else '.'}\n\n```python\n{corrected}\n```\n\n{_SIGNED}"
            return thought_and_answer("Reading the error", f"{code.kind} at `{line}`; which rule fits?", answer)
    return None


def _nearest(wrong: str, known: Iterable[str], cutoff: float = 0.7) -> str:
    """Return what comes nearest to a word; nothing if nothing is near."""
    return next(iter(difflib.get_close_matches(wrong, sorted({*known} - {wrong}), n=1, cutoff=cutoff)), "")


def _public_names(kind: str) -> set[str]:
    """Return the names of a type that is known, or of a module of Python's library that is loaded."""
    owner = getattr(builtins, kind, None) or getattr(sys.modules.get(_HOMES.get(kind, "")), kind, None)
    owner = owner or (sys.modules.get(kind) if kind in sys.stdlib_module_names else None)
    return {name for name in dir(owner) if not name.startswith("_")} if owner is not None else set()


def _misspelled(code: FailedCode) -> Iterator[Fix]:
    """Yield the source with a word that is not known as the one that comes nearest."""
    quoted = _QUOTED.findall(code.message.partition(" (")[0])
    if not quoted:
        return
    wrong = quoted[0] if code.kind == "NameError" else quoted[-1]
    known = {word for text in (code.values, code.source, code.cell) for word in _WORD.findall(text)}
    known |= set(dir(builtins)) if code.kind == "NameError" else set()
    suggested = re.search(r"Did you mean: '(\w+)'", code.message)
    if right := suggested[1] if suggested else _nearest(wrong, known - set(keyword.kwlist)):
        yield f"There is no `{wrong}`, but there is `{right}`: a misspelling", code.rename(wrong, right)


def _unknown_names(code: FailedCode) -> Iterator[Fix]:
    wrong = next(iter(_QUOTED.findall(code.message)), "")
    if wrong in _CONSTANTS:
        yield f"`{wrong}` is written `{_CONSTANTS[wrong]}` in Python", code.rename(wrong, _CONSTANTS[wrong])
    if statement := _IMPORTS.get(wrong) or (f"import {wrong}" if wrong in sys.stdlib_module_names else ""):
        yield f"`{wrong}` is used before it is imported", f"{statement}\n\n{code.source}"
    yield from _misspelled(code)
    if wrong.isidentifier():
        defined = f"{wrong} = None  # put the value here: nothing in this notebook defines it"
        yield f"Nothing that I was shown defines `{wrong}`; the first line is a place for it", f"{defined}\n{code.source}"


def _attributes(code: FailedCode) -> Iterator[Fix]:
    kind, wrong = (_QUOTED.findall(code.message) or [""])[0], (_QUOTED.findall(code.message) or [""])[-1]
    nodes = [node for node in code.nodes(ast.Attribute) if node.attr == wrong]
    for node in nodes:
        owner, call = code.text(node.value), next((call for call in code.nodes(ast.Call) if call.func is node), None)
        if kind == "NoneType" and owner != "None":
            guarded = f"({code.text(call or node)} if {owner} is not None else None)"
            why = f"`{owner}` is `None`, as what makes it returned nothing; it is passed over now"
            yield why, code.replace(call or node, guarded)
        elif wrong in _LENGTHS and hasattr(getattr(builtins, kind, None), "__len__"):
            yield f"How long `{owner}` is, `len` says", code.replace(call if call and not call.args else node, f"len({owner})")
        elif right := _RENAMED.get((kind, wrong)) or _nearest(wrong, _public_names(kind)):
            yield f"There is no `{wrong}`, but there is `{right}`", code.replace(node, f"{owner}.{right}")
        elif kind == "dict" and not call:
            yield "What is in a `dict` is read by its key, in brackets", code.replace(node, f'{owner}["{wrong}"]')
        elif (kind, wrong) == ("str", "append") and call and len(call.args) == 1:
            added = f"{owner} + str({code.text(call.args[0])})"
            yield "A text can't be changed; `+` makes a longer one, which needs a name to stay", code.replace(call, added)
    yield from _misspelled(code)
    for node in nodes:
        if isinstance(node.ctx, ast.Load) and not any(call.func is node for call in code.nodes(ast.Call)):
            owner = code.text(node.value)
            yield f"`{owner}` has no `{wrong}`; it is `None` then", code.replace(node, f'getattr({owner}, "{wrong}", None)')


def _imports(code: FailedCode) -> Iterator[Fix]:
    wrong, module = (*_QUOTED.findall(code.message), "", "")[:2]
    if "cannot import name" in code.message and module:
        if right := _nearest(wrong, _public_names(module)):
            yield f"`{module}` has no `{wrong}`, but it has `{right}`", code.rename(wrong, right)
        return
    top = wrong.partition(".")[0]
    if top and (right := _nearest(top, {*sys.stdlib_module_names, *_PACKAGES})) and top not in _DISTRIBUTIONS:
        yield f"There is no `{top}`, but there is `{right}`: a misspelling", code.rename(top, right)
    if top:
        why = f"`{top}` is not installed; the first line installs it, if that is its name"
        yield why, f"%pip install {_DISTRIBUTIONS.get(top, top)}\n\n{code.source}"


def _joined_texts(code: FailedCode) -> Iterator[Fix]:
    mentioned = "str" in _QUOTED.findall(code.message) or '"str"' in code.message or "to str" in code.message
    for node in code.nodes(ast.BinOp) if mentioned else ():
        for text, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(node.op, ast.Add) and code.kind_of(text) == "str" and code.kind_of(other) != "str":
                said = code.text(other)
                yield f"A text can be joined to a text alone, so `{said}` becomes one", code.replace(other, f"str({said})")


def _hidden_builtins(code: FailedCode) -> Iterator[Fix]:
    for call, name in code.calls() if "is not callable" in code.message else ():
        if isinstance(call.func, ast.Name) and hasattr(builtins, name) and code.types.get(name) in _NOT_CALLABLE:
            why = f"`{name}` is a value of yours that hides Python's function; `builtins` has it"
            yield why, f"import builtins\n\n{code.replace(call.func, f'builtins.{name}')}"


def _arguments(code: FailedCode) -> Iterator[Fix]:
    called, quoted = code.message.partition("(")[0], _QUOTED.findall(code.message)
    name = called.rpartition(".")[2]
    taken = re.search(r"takes (?:from \d+ to )?(\d+) positional arguments? but", code.message)
    if taken and taken[1] == "0" and "." in called:
        yield (
            f"`{name}` belongs to a class, so it takes `self` first",
            re.sub(rf"\bdef {name}\(\)", f"def {name}(self)", code.source),
        )
    for call, _ in code.calls(name) if re.search(r"positional argument|keyword argument", code.message) else ():
        function, kept = code.text(call.func), [*map(code.text, call.args)]
        named = [(one.arg, code.text(one.value)) for one in call.keywords if one.arg]
        if "missing" in code.message:
            more = ", ".join(f"{argument}=None" for argument in quoted)
            text = code.text(call)[:-1].rstrip()
            comma = "" if text.endswith(("(", ",")) else ", "
            yield f"`{name}` also wants {more}: put the values there", code.replace(call, f"{text}{comma}{more})")
            continue
        if taken:
            most = int(taken[1]) - ("." in called)
            why, kept = f"`{name}` takes {most} arguments", kept[:most]
        elif quoted:
            signature = re.search(rf"^{re.escape(name)}: \w+ \w+(\(.*)$", code.values, re.MULTILINE)
            right = _nearest(quoted[-1], _WORD.findall(signature[1]), 0.6) if signature else ""
            why = f"`{name}` has no `{quoted[-1]}`: it {f'calls it `{right}`' if right else 'does not take it'}"
            named = [(right if arg == quoted[-1] else arg, value) for arg, value in named]
        else:
            continue
        kept += [f"{arg}={value}" for arg, value in named if arg]
        yield why, code.replace(call, f"{function}({', '.join(kept)})")


def _numbers(code: FailedCode) -> Iterator[Fix]:
    wrong = (_QUOTED.findall(code.message) or [""])[-1]
    if "invalid literal for int()" not in code.message and "could not convert string to float" not in code.message:
        return
    for call, name in code.calls("int", "float"):
        said = code.text(call.args[0]) if len(call.args) == 1 else ""
        if said and name == "int" and re.fullmatch(r"\s*[-+]?\d*\.\d+\s*", wrong):
            yield f"`{wrong}` is no whole number; `float` reads it first", code.replace(call, f"int(float({said}))")
        if said and "," in wrong and re.fullmatch(r"[\d,.\s]+", wrong):
            yield "The commas are in the way", code.replace(call, f'{name}(str({said}).replace(",", ""))')


def _dates(code: FailedCode) -> Iterator[Fix]:
    found = re.search(r"time data ['\"](.+)['\"] does not match format ['\"](.+)['\"]", code.message)
    for form in _DATES if found else ():
        with suppress(ValueError):
            datetime.strptime(found[1], form)  # type: ignore[index]  # noqa: DTZ007 - only whether it can be read
            for node in (node for node in code.nodes(ast.Constant) if node.value == found[2]):  # type: ignore[index]
                yield f"`{found[1]}` is written as `{form}` says", code.replace(node, repr(form))  # type: ignore[index]


def _python_literals(code: FailedCode) -> Iterator[Fix]:
    for call, _ in code.calls("loads") if "double quotes" in code.message else ():
        for text in call.args[:1]:
            why = "JSON wants double quotes; `ast.literal_eval` reads what is written as in Python"
            yield why, f"import ast\n\n{code.replace(call, f'ast.literal_eval({code.text(text)})')}"


def _column_conditions(code: FailedCode) -> Iterator[Fix]:
    for node in code.nodes(ast.BoolOp) if "truth value" in code.message else ():
        sign = " & " if isinstance(node.op, ast.And) else " | "
        why = f"Columns are compared row by row: `{sign.strip()}` joins such conditions, each in parentheses"
        yield why, code.replace(node, sign.join(f"({code.text(value)})" for value in node.values))


def _unpacked(code: FailedCode) -> Iterator[Fix]:
    counts = re.search(r"expected (\d+), got (\d+)", code.message)
    for node in code.nodes(ast.Tuple) if "values to unpack" in code.message else ():
        names = [code.text(target) for target in node.elts]
        if not isinstance(node.ctx, ast.Store):
            continue
        if "too many" in code.message:
            more = ", ".join([*names, "*rest"])
            yield "There are more values than names; the others go into `rest`", code.replace(node, more)
        elif counts and names and (got := int(counts[2])):
            fewer = f"{', '.join(names[:got])}{',' if got == 1 else ''}"
            lines = code.replace(node, fewer).split("\n")
            lines.insert(node.end_lineno or code.line, f"{code.indent(node)}{' = '.join(names[got:])} = None")
            yield f"There are only {got} values; the other names are `None` now", "\n".join(lines)


def _guarded(code: FailedCode) -> Iterator[Fix]:
    """Yield the source with the failing statement, and what follows it, guarded: the cell says what is wrong."""
    statements = [node for node in code.nodes(ast.stmt) if not isinstance(node, _DEFINITIONS)]
    if not statements:
        return
    first, kind = statements[0], code.kind if hasattr(builtins, code.kind) else "Exception"
    indent, lines, handler = code.indent(first), code.source.split("\n"), _HANDLERS.get(code.kind, _HANDLER)
    end = first.end_lineno or code.line
    for last in (end,) if indent else (len(lines), end):
        rest = lines[first.lineno - 1 : last]
        if any('"""' in line or "'''" in line for line in rest):
            continue
        body = [f"    {line}" if line.strip() else line for line in rest]
        words = [line.replace("CLASS", kind).replace("KIND", code.kind) for line in handler]
        guard = [f"{indent}try:", *body, *(indent + line for line in words)]
        source = "\n".join([*lines[: first.lineno - 1], *guard, *lines[last:]])
        why = _WHY.get(code.kind, f"No rule of mine tells what was meant, so the cell says what is wrong ({code.kind})")
        yield why, f"from pathlib import Path\n\n{source}" if "Path(" in handler[1] else source


def _rewrite(words: str, nodes: Nodes, why: str, text: str) -> Rule:
    """Return the rule that writes nodes of the failing line anew, where the message has these words.

    In the texts, `all` is the node as it is written, `owner` and `item` are what is taken from what, `called` is the function.
    """

    def rule(code: FailedCode) -> Iterator[Fix]:
        for node in nodes(code) if words in code.message else ():
            said = {"all": code.text(node), **{name: code.text(part) for name, part in _parts_of(node).items()}}
            new = text.format(**said)
            yield why.format(**said, new=new), code.replace(node, new)

    return rule


def _parts_of(node: ast.AST) -> dict[str, ast.AST]:
    match node:
        case ast.Subscript(value=owner, slice=item) | ast.BinOp(left=owner, right=item):
            return {"owner": owner, "item": item}
        case ast.Call(func=called, args=args):
            owner = called.value if isinstance(called, ast.Attribute) else called
            return {"called": called, "owner": owner, **({"item": args[0]} if args else {})}
    return {}


def _subscripts(code: FailedCode) -> Iterator[ast.Subscript]:
    """Yield what is read by an index or a key, but for `loc` and its like."""
    for node in code.nodes(ast.Subscript):
        places = isinstance(node.value, ast.Attribute) and node.value.attr in ("loc", "iloc", "at", "iat")
        if isinstance(node.ctx, ast.Load) and not isinstance(node.slice, ast.Slice | ast.Tuple) and not places:
            yield node


def _ends(code: FailedCode) -> Iterator[ast.Subscript]:
    return (node for node in _subscripts(code) if code.text(node.slice) == f"len({code.text(node.value)})")


def _indices(code: FailedCode) -> list[ast.expr]:
    return [node.slice for node in code.nodes(ast.Subscript)]


def _divisions(code: FailedCode, *, compound: bool) -> Iterator[ast.BinOp]:
    """Yield the divisions by an expression that needs parentheses, or by one that needs none; a number is what it is."""
    for node in code.nodes(ast.BinOp):
        needed = isinstance(node.right, ast.BinOp | ast.IfExp | ast.BoolOp)
        divides = isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod) and not isinstance(node.right, ast.Constant)
        if divides and compound == needed:
            yield node


def _methods(*names: str, arguments: tuple[int, ...] = (1,)) -> Nodes:
    """Return what finds the calls of methods with so many arguments."""
    return lambda code: [
        call for call, _ in code.calls(*names) if isinstance(call.func, ast.Attribute) and len(call.args) in arguments
    ]


def _calls_with(count: int) -> Nodes:
    return lambda code: [call for call in code.nodes(ast.Call) if len(call.args) == count and not call.keywords]


def _operands(kind: str) -> Nodes:
    """Return what finds the names that are counted with and stand for values of a type."""
    return lambda code: [
        side
        for node in code.nodes(ast.BinOp)
        for side in (node.left, node.right)
        if isinstance(side, ast.Name) and code.kind_of(side) == kind
    ]


def _iterated(code: FailedCode) -> list[ast.expr]:
    inner = [node.generators for node in code.nodes(ast.ListComp) + code.nodes(ast.GeneratorExp)]
    return [*(node.iter for node in code.nodes(ast.For)), *(loop.iter for loops in inner for loop in loops)]


def _measured(code: FailedCode) -> list[ast.expr]:
    return [call.args[0] for call, _ in code.calls("len") if len(call.args) == 1]


def _tests(code: FailedCode) -> list[ast.expr]:
    return [node.test for node in code.nodes(ast.If)] + [node.test for node in code.nodes(ast.While)]


_NO_KEY = "`{owner}` has no {item}; `get` gives `None` then"
_NO_PARENTHESES = "`{called}` is a value and no function, so it takes no parentheses"
_NO_FUNCTION = "`{called}` is no function; what is in it stands in brackets"
_WRONG_TYPE = "`{all}` is of the wrong type here; `{new}` is of the right one"
_ANY = "A whole column is neither true nor false; is any of it?"
_NOT_IN = "`{item}` is not in `{owner}`; nothing happens then"
_EMPTY = "`{owner}` is empty; what is taken from it is `None` then"
_SHORT = "`{owner}` is shorter than `{item}` needs; what is not there is `None` now"
_INSIDE = "({all} if -len({owner}) <= {item} < len({owner}) else None)"
_BY_ZERO = "`{item}` is 0 here, and nothing can be divided by it; the result is `nan` then"
_RULES: Mapping[str, tuple[Rule, ...]] = {
    "NameError": (_unknown_names,),
    "KeyError": (_misspelled, _rewrite("", _subscripts, _NO_KEY, "{owner}.get({item})")),
    "TypeError": (
        _joined_texts,
        _rewrite("NoneType", _operands("NoneType"), "`{all}` is `None`; it counts as 0 now", "({all} or 0)"),
        _rewrite("type", _operands("str"), "`{all}` is a text; `float` makes a number of it", "float({all})"),
        _hidden_builtins,
        _rewrite("is not callable", _calls_with(0), _NO_PARENTHESES, "{called}"),
        _rewrite("is not callable", _calls_with(1), _NO_FUNCTION, "{called}[{item}]"),
        _arguments,
        _rewrite("is not iterable", _iterated, _WRONG_TYPE, "range({all})"),
        _rewrite("has no len()", _measured, _WRONG_TYPE, "str({all})"),
        _rewrite("indices must be integers", _indices, _WRONG_TYPE, "int({all})"),
        _rewrite("unhashable type: 'list'", lambda code: code.nodes(ast.List), _WRONG_TYPE, "tuple({all})"),
    ),
    "ValueError": (
        _numbers,
        _dates,
        _unpacked,
        _column_conditions,
        _rewrite("truth value", _tests, _ANY, "({all}).any()"),
        _rewrite("", _methods("remove", "index"), _NOT_IN, "({all} if {item} in {owner} else None)"),
    ),
    "JSONDecodeError": (_python_literals,),
    "IndexError": (
        _rewrite("", _methods("pop", arguments=(0, 1)), _EMPTY, "({all} if {owner} else None)"),
        _rewrite("", _ends, "The last index of `{owner}` is one less than its length", "{owner}[-1]"),
        _rewrite("", _subscripts, _SHORT, _INSIDE),
    ),
    "AttributeError": (_attributes,),
    "ZeroDivisionError": (
        _rewrite("", partial(_divisions, compound=False), _BY_ZERO, '({all} if {item} else float("nan"))'),
        _rewrite("", partial(_divisions, compound=True), _BY_ZERO, '({all} if ({item}) else float("nan"))'),
    ),
    **dict.fromkeys(("ImportError", "ModuleNotFoundError"), (_imports,)),
    **dict.fromkeys(("SyntaxError", "IndentationError", "TabError"), (syntax_fixes,)),
}
