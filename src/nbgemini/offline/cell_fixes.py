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
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from nbgemini.offline.failed_code import FailedCode, call_names, failed_code, iterated_values, measured_values, parse

Fix: TypeAlias = tuple[str, str]  # what is wrong, and the source without it

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
_RENAMED = {("list", "push"): "append", ("list", "add"): "append", ("set", "append"): "add", ("str", "trim"): "strip"}
_LENGTHS = ("length", "size", "count", "len")
_NOT_CALLABLE = ("int", "float", "str", "list", "dict", "tuple", "set", "bool", "ndarray", "DataFrame", "Series")


def fix_cell(prompt: str) -> list[tuple[str, str]] | None:
    """Return thought and answer that correct a cell, if that is what the prompt asks for."""
    code = failed_code(prompt)
    if code is None:
        return None
    rules = _RULES.get(code.kind, ())
    fixes = (fix for rule in (*rules, _guarded) for fix in rule(code))
    for why, source in fixes:
        corrected = f"{source.rstrip()}\n\n\n{code.cell}" if code.cell else source
        if source != code.source and parse(corrected) is not None:
            thought = f"**Reading the error**\n\n{code.kind} at `{_line(code)}`; which rule fits?\n\n\n"
            end = "" if why.endswith("?") else "."
            return [("thought", thought), ("answer", f"{why}{end}\n\n```python\n{corrected}\n```\n\n{_SIGNED}")]
    return None


def _line(code: FailedCode) -> str:
    lines = code.source.split("\n")
    return lines[min(code.line, len(lines)) - 1].strip()[:100].replace("`", "'")


def _near(wrong: str, known: set[str], cutoff: float = 0.7) -> str:
    """Return what comes nearest to a word; nothing if nothing is near."""
    near = difflib.get_close_matches(wrong, sorted(known - {wrong}), n=1, cutoff=cutoff)
    return near[0] if near else ""


def _known_words(code: FailedCode) -> set[str]:
    return {*_WORD.findall(code.values), *_WORD.findall(code.source), *_WORD.findall(code.cell)}


def _misspelled(code: FailedCode) -> Iterator[Fix]:
    """Yield the source with a word that is not known as the one that comes nearest."""
    quoted = _QUOTED.findall(code.message.partition(" (")[0])
    if not quoted:
        return
    wrong = quoted[0] if code.kind == "NameError" else quoted[-1]
    known = _known_words(code) | (set(dir(builtins)) if code.kind == "NameError" else set())
    suggested = re.search(r"Did you mean: '(\w+)'", code.message)
    if right := suggested[1] if suggested else _near(wrong, known - set(keyword.kwlist)):
        corrected = re.sub(rf"\b{re.escape(wrong)}\b", lambda _: right, code.source)
        yield f"There is no `{wrong}`, but there is `{right}`: a misspelling", corrected


def _names(code: FailedCode) -> Iterator[Fix]:
    wrong = next(iter(_QUOTED.findall(code.message)), "")
    if wrong in _CONSTANTS:
        right = _CONSTANTS[wrong]
        yield f"`{wrong}` is written `{right}` in Python", re.sub(rf"\b{re.escape(wrong)}\b", right, code.source)
    if statement := _IMPORTS.get(wrong) or (f"import {wrong}" if wrong in sys.stdlib_module_names else ""):
        yield f"`{wrong}` is used before it is imported", f"{statement}\n\n{code.source}"
    yield from _misspelled(code)
    if wrong.isidentifier():
        defined = f"{wrong} = None  # put the value here: nothing in this notebook defines it"
        yield f"Nothing that I was shown defines `{wrong}`; the first line is a place for it", f"{defined}\n{code.source}"


def _keys(code: FailedCode) -> Iterator[Fix]:
    yield from _misspelled(code)
    for node in code.nodes(ast.Subscript):
        if isinstance(node.ctx, ast.Load):
            owner, key = code.text(node.value), code.text(node.slice)
            yield f"`{owner}` has no {key}; `get` gives `None` then", code.replace(node, f"{owner}.get({key})")


def _divisions(code: FailedCode) -> Iterator[Fix]:
    for node in code.nodes(ast.BinOp):
        if isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod):
            divisor = code.text(node.right)
            if isinstance(node.right, ast.BinOp | ast.IfExp | ast.BoolOp):
                divisor = f"({divisor})"
            guarded = f'({code.text(node)} if {divisor} else float("nan"))'
            why = f"`{divisor}` is 0 here, and nothing can be divided by it; the result is `nan` then"
            yield why, code.replace(node, guarded)


def _indexes(code: FailedCode) -> Iterator[Fix]:
    for call, name in call_names(code):
        if name == "pop" and isinstance(call.func, ast.Attribute):
            owner, text = code.text(call.func.value), code.text(call)
            guarded = f"({text} if {owner} else None)"
            yield f"`{owner}` is empty; what is taken from it is `None` then", code.replace(call, guarded)
    for node in code.nodes(ast.Subscript):
        owner, index = code.text(node.value), code.text(node.slice)
        if not isinstance(node.ctx, ast.Load) or isinstance(node.slice, ast.Slice | ast.Tuple):
            continue
        if index == f"len({owner})":
            yield f"The last index of `{owner}` is one less than its length", code.replace(node, f"{owner}[-1]")
        guarded = f"({code.text(node)} if -len({owner}) <= {index} < len({owner}) else None)"
        yield f"`{owner}` is shorter than `{index}` needs; what is not there is `None` now", code.replace(node, guarded)


def _attributes(code: FailedCode) -> Iterator[Fix]:
    kind, _, wrong = (*_QUOTED.findall(code.message)[:1], "", *_QUOTED.findall(code.message)[-1:])[:3] or ("", "", "")
    nodes = [node for node in code.nodes(ast.Attribute) if node.attr == wrong]
    for node in nodes:
        owner = code.text(node.value)
        right = _RENAMED.get((kind, wrong)) or _near(wrong, _public_names(kind))
        if kind == "NoneType" and owner != "None":
            whole = next((call for call in code.nodes(ast.Call) if call.func is node), node)
            guarded = f"({code.text(whole)} if {owner} is not None else None)"
            yield f"`{owner}` is `None`, as what makes it returned nothing; it is passed over now", code.replace(whole, guarded)
        elif wrong in _LENGTHS and hasattr(getattr(builtins, kind, None), "__len__"):
            whole = next((call for call in code.nodes(ast.Call) if call.func is node and not call.args), node)
            yield f"How long `{owner}` is, `len` says", code.replace(whole, f"len({owner})")
        elif right:
            yield f"There is no `{wrong}`, but there is `{right}`", code.replace(node, f"{owner}.{right}")
    yield from _misspelled(code)
    for node in nodes:
        if isinstance(node.ctx, ast.Load):
            owner = code.text(node.value)
            yield f"`{owner}` has no `{wrong}`; it is `None` then", code.replace(node, f'getattr({owner}, "{wrong}", None)')


def _public_names(kind: str) -> set[str]:
    """Return the names of a type of Python's own, or of a module of its library that is loaded."""
    owner = getattr(builtins, kind, None) or (sys.modules.get(kind) if kind in sys.stdlib_module_names else None)
    return {name for name in dir(owner) if not name.startswith("_")} if owner is not None else set()


def _imports(code: FailedCode) -> Iterator[Fix]:
    quoted = _QUOTED.findall(code.message)
    wrong = quoted[0] if quoted else ""
    if "cannot import name" in code.message and len(quoted) > 1:
        if right := _near(wrong, _public_names(quoted[1])):
            yield f"`{quoted[1]}` has no `{wrong}`, but it has `{right}`", re.sub(rf"\b{wrong}\b", right, code.source)
        return
    top = wrong.partition(".")[0]
    if top and (right := _near(top, {*sys.stdlib_module_names, *_PACKAGES})) and top not in _DISTRIBUTIONS:
        yield f"There is no `{top}`, but there is `{right}`: a misspelling", re.sub(rf"\b{top}\b", right, code.source)
    if top:
        name = _DISTRIBUTIONS.get(top, top)
        why = f"`{top}` is not installed; the first line installs it, if that is its name"
        yield why, f"%pip install {name}\n\n{code.source}"


def _types(code: FailedCode) -> Iterator[Fix]:
    message = code.message
    if "str" in _QUOTED.findall(message) or '"str"' in message or "to str" in message:
        yield from _joined_texts(code)
    if "'NoneType'" in message and "operand" in message:
        for node in (node for node in code.nodes(ast.Name) if code.types.get(node.id) == "NoneType"):
            yield f"`{node.id}` is `None`; it counts as 0 now", code.replace(node, f"({node.id} or 0)")
    if "is not callable" in message:
        yield from _not_callable(code)
    if re.search(r"positional argument|keyword argument", message):
        yield from _arguments(code)
    for words, operands, text in _CONVERSIONS:
        if words in message:
            for operand in operands(code):
                wrong, right = code.text(operand), text.format(code.text(operand))
                yield f"`{wrong}` is of the wrong type here; `{right}` is of the right one", code.replace(operand, right)


def _joined_texts(code: FailedCode) -> Iterator[Fix]:
    for node in (node for node in code.nodes(ast.BinOp) if isinstance(node.op, ast.Add)):
        for text, other in ((node.left, node.right), (node.right, node.left)):
            if code.kind_of(text) == "str" and code.kind_of(other) != "str":
                said = code.text(other)
                yield f"A text can be joined to a text alone, so `{said}` becomes one", code.replace(other, f"str({said})")


def _not_callable(code: FailedCode) -> Iterator[Fix]:
    for call, name in call_names(code):
        if isinstance(call.func, ast.Name) and hasattr(builtins, name) and code.types.get(name) in _NOT_CALLABLE:
            source = code.replace(call.func, f"builtins.{name}")
            why = f"`{name}` is a value of yours that hides Python's function; `builtins` has it"
            yield why, f"import builtins\n\n{source}"
    for call in code.nodes(ast.Call):
        owner = code.text(call.func)
        if not call.args and not call.keywords:
            yield f"`{owner}` is a value and no function, so it takes no parentheses", code.replace(call, owner)
        elif len(call.args) == 1 and not call.keywords:
            index = code.text(call.args[0])
            yield f"`{owner}` is no function; what is in it stands in brackets", code.replace(call, f"{owner}[{index}]")


def _arguments(code: FailedCode) -> Iterator[Fix]:
    name = code.message.partition("(")[0].rpartition(".")[2]
    quoted = _QUOTED.findall(code.message)
    taken = re.search(r"takes (?:from \d+ to )?(\d+) positional arguments? but", code.message)
    for call in (call for call, called in call_names(code) if called == name):
        if "missing" in code.message:
            more = ", ".join(f"{argument}=None" for argument in quoted)
            text = code.text(call)[:-1].rstrip()
            comma = "" if text.endswith(("(", ",")) else ", "
            yield f"`{name}` also wants {more}: put the values there", code.replace(call, f"{text}{comma}{more})")
        elif taken:
            most = int(taken[1]) - ("." in code.message.partition("(")[0])
            kept = [code.text(argument) for argument in call.args[:most]]
            kept += [f"{one.arg}={code.text(one.value)}" for one in call.keywords if one.arg]
            yield f"`{name}` takes {most} arguments", code.replace(call, f"{code.text(call.func)}({', '.join(kept)})")
        elif quoted:
            signature = re.search(rf"^{re.escape(name)}: \w+ \w+(\(.*)$", code.values, re.MULTILINE)
            right = _near(quoted[-1], set(_WORD.findall(signature[1])), 0.6) if signature else ""
            named = [(right if one.arg == quoted[-1] else one.arg, one) for one in call.keywords]
            kept = [*map(code.text, call.args), *(f"{arg}={code.text(one.value)}" for arg, one in named if arg)]
            why = f"calls it `{right}`" if right else "does not take it"
            yield f"`{name}` has no `{quoted[-1]}`: it {why}", code.replace(call, f"{code.text(call.func)}({', '.join(kept)})")


_CONVERSIONS: tuple[tuple[str, Callable[[FailedCode], Sequence[ast.expr]], str], ...] = (
    ("is not iterable", iterated_values, "range({})"),
    ("has no len()", measured_values, "str({})"),
    ("indices must be integers", lambda code: [node.slice for node in code.nodes(ast.Subscript)], "int({})"),
    ("unhashable type: 'list'", lambda code: code.nodes(ast.List), "tuple({})"),
)


def _values(code: FailedCode) -> Iterator[Fix]:
    message = code.message
    if "invalid literal for int()" in message or "could not convert string to float" in message:
        yield from _numbers(code)
    if "values to unpack" in message:
        yield from _unpacked(code)
    if "truth value" in message:
        for test in [node.test for node in code.nodes(ast.If)] + [node.test for node in code.nodes(ast.While)]:
            yield "A whole column is neither true nor false; is any of it?", code.replace(test, f"({code.text(test)}).any()")
    for call, name in call_names(code):
        if name in ("remove", "index") and isinstance(call.func, ast.Attribute) and len(call.args) == 1:
            owner, item = code.text(call.func.value), code.text(call.args[0])
            guarded = f"({code.text(call)} if {item} in {owner} else None)"
            yield f"`{item}` is not in `{owner}`; nothing happens then", code.replace(call, guarded)


def _numbers(code: FailedCode) -> Iterator[Fix]:
    wrong = _QUOTED.findall(code.message)[-1:] or [""]
    for call, name in call_names(code):
        if name not in ("int", "float") or len(call.args) != 1:
            continue
        said = code.text(call.args[0])
        if name == "int" and re.fullmatch(r"\s*[-+]?\d*\.\d+\s*", wrong[0]):
            yield f"`{wrong[0]}` is no whole number; `float` reads it first", code.replace(call, f"int(float({said}))")
        if "," in wrong[0] and re.fullmatch(r"[\d,.\s]+", wrong[0]):
            yield "The commas are in the way", code.replace(call, f'{name}(str({said}).replace(",", ""))')


def _unpacked(code: FailedCode) -> Iterator[Fix]:
    counts = re.search(r"expected (\d+), got (\d+)", code.message)
    for node in code.nodes(ast.Tuple):
        if not isinstance(node.ctx, ast.Store):
            continue
        names = [code.text(target) for target in node.elts]
        if "too many" in code.message:
            more = ", ".join([*names, "*rest"])
            yield "There are more values than names; the others go into `rest`", code.replace(node, more)
        elif counts:
            got, last = int(counts[2]), names[-1]
            fewer = f"{', '.join(names[:got])}{',' if got == 1 else ''}"
            missing = " = ".join(names[got:])
            lines = code.replace(node, fewer).split("\n")
            lines.insert(node.end_lineno or code.line, f"{code.indent(node)}{missing} = None")
            if got and last:
                yield f"There are only {got} values; the other names are `None` now", "\n".join(lines)


def _guarded(code: FailedCode) -> Iterator[Fix]:
    """Yield the source with the failing statement, and what follows it, guarded: the cell says what is wrong."""
    statements = [node for node in code.nodes(ast.stmt) if not hasattr(node, "body")]
    if not statements or not hasattr(builtins, code.kind):
        return
    first = statements[0]
    indent, lines, handler = code.indent(first), code.source.split("\n"), _HANDLERS.get(code.kind, _HANDLER)
    for last in (len(lines), first.end_lineno or code.line):
        rest = lines[first.lineno - 1 : last]
        if any('"""' in line or "'''" in line for line in rest) or (indent and last == len(lines)):
            continue
        body = [f"    {line}" if line.strip() else line for line in rest]
        guard = [f"{indent}try:", *body, *(indent + line.replace("KIND", code.kind) for line in handler)]
        source = "\n".join([*lines[: first.lineno - 1], *guard, *lines[last:]])
        why = _WHY.get(code.kind, f"No rule of mine tells what was meant, so the cell says what is wrong ({code.kind})")
        yield why, f"from pathlib import Path\n\n{source}" if "Path(" in handler[1] else source


_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_NEVER_CLOSED = re.compile(r"^'([(\[{])' was never closed")
_UNMATCHED = re.compile(r"(?:unmatched|closing parenthesis) '([)\]}])'")
_HEAD = re.compile(r"^\s*(?:async\s+)?(?:if|elif|else|for|while|def|class|with|try|except|finally|match|case)\b")
_SINGLE_EQUALS = re.compile(r"(?<![=!<>:+\-*/%&|^@])=(?!=)")
_FOREIGN = (
    (re.compile(r"\belse\s+if\b"), "elif", "`else if` is `elif` in Python"),
    (re.compile(r"\s*&&\s*"), " and ", "`&&` is `and` in Python"),
    (re.compile(r"\s*\|\|\s*"), " or ", "`||` is `or` in Python"),
    (re.compile(r"(\w+)\s*\+\+"), r"\1 += 1", "Python has no `++`; it says `+= 1`"),
    (re.compile(r"(\w+)\s*--(?!\s*\w)"), r"\1 -= 1", "Python has no `--`; it says `-= 1`"),
    (re.compile(r"!(?=\w)"), "not ", "`!` is `not` in Python"),
    (re.compile(r"=>"), ">=", "“at least” is written `>=`"),
    (re.compile(r"<>"), "!=", "“unequal” is written `!=`"),
    (re.compile("[\u201c\u201d\u201e]"), '"', "Python needs straight quotation marks"),
    (re.compile("[\u2018\u2019]"), "'", "Python needs straight quotation marks"),
    (re.compile(r"^(\s*)(print|exec)\s+(.+?)\s*$"), r"\1\2(\3)", "What a function gets stands in parentheses"),
)


def syntax_fixes(code: FailedCode) -> Iterator[tuple[str, str]]:
    """Yield what may be wrong with the line, and the source without it; most of them don't parse."""
    lines = code.source.split("\n")
    number = min(code.line, len(lines)) - 1
    line = lines[number]

    def with_line(text: str) -> str:
        return "\n".join([*lines[:number], text, *lines[number + 1 :]])

    body, mark, comment = line.partition("  #")
    if _HEAD.match(line) and not body.rstrip().endswith(":"):
        yield "The line opens a block and lacks its colon", with_line(f"{body.rstrip()}:{mark}{comment}")
    for pattern, text, why in _FOREIGN:
        if pattern.search(line):
            yield why, with_line(pattern.sub(text, line))
    if _HEAD.match(line):
        for gap in re.finditer(r"\s+", body.strip()):
            at = len(body) - len(body.lstrip()) + gap.start()
            yield "The line opens a block and lacks its colon", with_line(f"{line[:at]}:{line[at:]}")
    yield from _quotes(line, with_line)
    yield from ((why, with_line(text)) for why, text in _brackets(code.message, line))
    if found := _NEVER_CLOSED.search(code.message):
        yield f"`{found[1]}` is never closed", f"{code.source.rstrip()}{_CLOSERS[found[1]]}"
    if _HEAD.match(line):
        yield "`=` assigns, `==` compares", with_line(_SINGLE_EQUALS.sub("==", line, count=1))
    yield from _indents(lines, number)
    for gap in re.finditer(r"(?<=[\w\"')\]}])\s+(?=[\w\"'(\[{])", line):
        yield "A comma is missing", with_line(f"{line[: gap.start()]},{line[gap.start() :]}")
    yield "I can't tell what this line was meant to say, so it is a comment now", with_line(_commented(line))


def _quotes(line: str, with_line: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Yield the line with a text closed that is not, also inside of brackets."""
    for quote in ("'", '"'):
        if line.count(quote) % 2:
            at = len(line.rstrip())
            while at and line[at - 1] in ")]}:,":
                yield "A text is never closed", with_line(line[:at] + quote + line[at:])
                at -= 1
            yield "A text is never closed", with_line(line[:at] + quote + line[at:])


def _brackets(message: str, line: str) -> Iterator[tuple[str, str]]:
    body, open_ones = line.rstrip(), _open_brackets(line)
    if open_ones:
        closers = "".join(_CLOSERS[opener] for opener in reversed(open_ones))
        why = f"`{open_ones[-1]}` is never closed"
        yield why, f"{body}{closers}"
        yield why, f"{body[:-1]}{closers}{body[-1:]}"
        yield f"{why}, and the colon is missing", f"{body}{closers}:"
    if found := _UNMATCHED.search(message):
        before, _, after = line.rpartition(found[1])
        yield f"`{found[1]}` closes nothing", before + after


def _open_brackets(line: str) -> list[str]:
    """Return the brackets that a line leaves open, innermost last."""
    open_ones: list[str] = []
    for mark in line:
        if mark in _CLOSERS:
            open_ones.append(mark)
        elif open_ones and mark == _CLOSERS[open_ones[-1]]:
            open_ones.pop()
    return open_ones


def _indents(lines: list[str], number: int) -> Iterator[tuple[str, str]]:
    """Yield the source with the line, or the block that begins there, further in or out."""
    line = lines[number]
    before = next((other for other in reversed(lines[:number]) if other.strip()), "")
    indent, wanted = _indent(line), _indent(before) + ("    " if before.rstrip().endswith(":") else "")
    end = next((n for n in range(number + 1, len(lines)) if lines[n].strip() and _indent(lines[n]) != indent), len(lines))
    for last in (end, number + 1):
        moved = [f"{wanted}{other.lstrip()}" if other.strip() else other for other in lines[number:last]]
        yield "The line is indented by the wrong number of blanks", "\n".join([*lines[:number], *moved, *lines[last:]])
    if line.rstrip().endswith(":"):
        yield "The block has nothing in it", "\n".join([*lines[: number + 1], f"{indent}    pass", *lines[number + 1 :]])
    if before.rstrip().endswith(":"):
        yield "The block has nothing in it", "\n".join([*lines[:number], f"{wanted}pass", *lines[number:]])


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _commented(line: str) -> str:
    return f"{_indent(line)}# {line.lstrip()}"


_HANDLER = ("except KIND as error:", '    print("KIND:", error)')
_MISSING_FILE = (
    "except KIND as error:",
    "    folder = Path(error.filename).resolve().parent",
    "    there = sorted(path.name for path in folder.glob('*'))[:20]",
    '    print(f"{error.filename} is not in {folder}; what is there:", *there, sep="\\n  ")',
)
_HANDLERS = {"FileNotFoundError": _MISSING_FILE}
_WHY = {"FileNotFoundError": "The file is not there. I can't see your disk, so the corrected cell says what is in its folder"}
_RULES: Mapping[str, tuple[Callable[[FailedCode], Iterator[Fix]], ...]] = {
    "NameError": (_names,),
    "KeyError": (_keys,),
    "TypeError": (_types,),
    "ValueError": (_values,),
    "IndexError": (_indexes,),
    "AttributeError": (_attributes,),
    "ZeroDivisionError": (_divisions,),
    "ImportError": (_imports,),
    "ModuleNotFoundError": (_imports,),
    "SyntaxError": (syntax_fixes,),
    "IndentationError": (syntax_fixes,),
    "TabError": (syntax_fixes,),
}
