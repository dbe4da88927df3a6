"""What the offline service answers to `%gemini fix`: the corrected cell, by rules for each common exception.

A rule yields what may be wrong and the source without it; the first source that can be compiled is taken. Rules look at the
expression that the traceback marks, and put no `None` where it fails next. Where no rule fits, the statement of the cell is
guarded, so that the cell says what is wrong and goes on.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import json
import keyword
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import structs

from nbgemini.offline.canned_answers import Run, thought_and_answer
from nbgemini.offline.failed_code import FINDERS, FailedCode, failed_code, first_line, parse
from nbgemini.offline.syntax_fixes import syntax_fixes

Fix: TypeAlias = tuple[str, str]  # what is wrong, and the source without it
Rule: TypeAlias = Callable[[FailedCode], Iterator[Fix]]

_SIGNED = "*From nbgemini's offline service, not from Gemini: it corrects by rules, so read it before you run it.*"
_QUOTED = re.compile(r"'([^']+)'")
_TOLD: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
_PACKAGES = ("numpy", "pandas", "matplotlib", "scipy", "seaborn", "requests", "sklearn", "polars", "plotly", "torch", "httpx")
_HOMES = {
    "DataFrame": "pandas",
    "Series": "pandas",
    "ndarray": "numpy",
    "Axes": "matplotlib.axes",
    "Figure": "matplotlib.figure",
}
_MOST_NAMED = 12  # columns
_LENGTHS = ("length", "size", "count", "len")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_DATES = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d %B %Y", "%B %d, %Y", "%B %d %Y", "%Y-%m-%d %H:%M")
_HANDLER = ("except CLASS as error:", '    print("KIND:", error)')
_MISSING_FILE = (
    "except CLASS as error:",
    "    folder = Path(error.filename).resolve().parent",
    "    there = sorted(path.name for path in folder.glob('*'))[:20]",
    '    print(f"{error.filename} is not in {folder}; what is there:", *there, sep="\\n  ")',
)
_HANDLERS = {"FileNotFoundError": _MISSING_FILE}


def fix_cell(prompt: str) -> list[Run] | None:
    """Return thought and answer that correct a cell, if that is what the prompt asks for."""
    code = failed_code(prompt)
    if code is None:
        return None
    whole = structs.replace(code, source=code.cell or code.source, line=code.top, cell="", marked=(0, 0))
    rules: list[Rule] = [
        *_RULES.get(code.kind, ()),
        *(partial(_rewritten, row) for row in _TOLD["rewrites"].get(code.kind, ())),
    ]
    fixes = chain(((code, *fix) for rule in rules for fix in rule(code)), ((whole, *fix) for fix in _guarded(whole)))
    for about, why, source in fixes:
        corrected = f"{source.rstrip()}\n\n\n{about.cell}" if about.cell else source
        if source != about.source and parse(corrected, whole=True) is not None:
            lines = code.source.split("\n")
            line = lines[min(code.line, len(lines)) - 1].strip()[:100].replace("`", "'")
            answer = f"{why}{'' if why.endswith('?') else '.'}\n\n```python\n{corrected}\n```\n\n{_SIGNED}"
            return thought_and_answer("Reading the error", f"{code.kind} at `{line}`; which rule fits?", answer)
    return None


def _nearest(wrong: str, known: Iterable[str], cutoff: float = 0.7) -> str:
    """Return what comes nearest to a word, in whatever case it is written; nothing if nothing is near."""
    words = {word.lower(): word for word in sorted({*known} - {wrong}, reverse=True)}
    return words.get(next(iter(difflib.get_close_matches(wrong.lower(), words, n=1, cutoff=cutoff)), ""), "")


def _owner_of(kind: str) -> object:
    """Return the type that is known by a name, or the loaded module of Python or of a package that is known."""
    last = kind.rpartition(".")[2]
    known = kind.partition(".")[0] in (*sys.stdlib_module_names, *_PACKAGES)
    owner = getattr(builtins, kind, None) or getattr(sys.modules.get(_HOMES.get(last, "")), last, None)
    return owner or (sys.modules.get(kind) if known else None)


def _public_names(kind: str) -> set[str]:
    owner = _owner_of(kind)
    return {name for name in dir(owner) if not name.startswith("_")} if owner is not None else set()


def _root(code: FailedCode, wrong: str) -> str:
    """Return the import that a name lacks: of a module, or of what is called like the module that it is in."""
    inner = getattr(sys.modules.get(wrong), wrong, None) if wrong in sys.stdlib_module_names else None
    read = {node.attr for node in code.nodes(ast.Attribute) if code.text(node.value) == wrong}
    is_called = any(code.text(call.func) == wrong for call in code.nodes(ast.Call))
    if inner is not None and (is_called or (read and not read & set(dir(sys.modules[wrong])))):
        return f"from {wrong} import {wrong}"
    return _TOLD["imports"].get(wrong) or (f"import {wrong}" if wrong in sys.stdlib_module_names else "")


def _unknown_names(code: FailedCode) -> Iterator[Fix]:
    wrong = next(iter(_QUOTED.findall(code.message)), "")
    if wrong in _TOLD["constants"]:
        yield f"`{wrong}` is written `{_TOLD['constants'][wrong]}` in Python", code.rename(wrong, _TOLD["constants"][wrong])
    if statement := _root(code, wrong):
        yield f"`{wrong}` is used before it is imported", f"{statement}\n\n{code.source}"
    suggested = re.search(r"Did you mean: '(\w+)'", code.message)
    known = {one.id for one in code.all(ast.Name)} | {*code.types, *dir(builtins)} - set(keyword.kwlist)
    if right := suggested[1] if suggested else _nearest(wrong, known):
        yield f"There is no `{wrong}`, but there is `{right}`: a misspelling", code.rename(wrong, right)
    named = next((node for node in code.nodes(ast.Name) if node.id == wrong), None)
    if named and not code.is_used_on(named):
        defined = f"{wrong} = None  # put the value here: nothing in this notebook defines it"
        yield f"Nothing that I was shown defines `{wrong}`; the first line is a place for it", f"{defined}\n{code.source}"


def _wrong_keys(code: FailedCode) -> Iterator[Fix]:
    """Yield what a key or a column is called."""
    wrong = next(iter(_QUOTED.findall(code.message)), "")
    for node in [node for node in code.nodes(ast.Constant) if node.value == wrong]:
        columns, quote = next(filter(None, map(code.columns, code.nodes(ast.Name))), []), code.text(node)[-1]
        known = columns or {*_QUOTED.findall(code.values), *(str(one.value) for one in code.all(ast.Constant))}
        if wrong in columns and any(node in call.args for call, _ in code.calls("drop")):
            why = "`drop` looks for a row of that name; `columns` says that it is a column"
            yield why, code.replace(node, f"columns={code.text(node)}")
        elif wrong not in columns and (right := _nearest(wrong, known)):
            yield f"There is no `{wrong}`, but there is `{right}`: a misspelling", code.replace(node, f"{quote}{right}{quote}")


def _missing_values(code: FailedCode) -> Iterator[Fix]:
    """Yield what is asked of `None` as passed over, where nothing more is done with it."""
    for node in code.failing(ast.Attribute) if "'NoneType' object" in code.message else ():
        whole = next((call for call in code.nodes(ast.Call) if call.func is node), node)
        owner, is_made = code.text(node.value), isinstance(node.value, ast.Call)
        if owner != "None" and not code.is_used_on(whole):
            used = "found" if is_made else owner
            rest = code.text(whole)[len(owner) :]
            guarded = f"({used}{rest} if {f'(found := {owner})' if is_made else owner} is not None else None)"
            why = f"`{owner}` is `None`, as what makes it returned nothing; it is passed over now"
            yield why, code.replace(whole, guarded)


def _right_attribute(code: FailedCode, kind: str, wrong: str, *, is_called: bool) -> str:
    """Return what an attribute is called; nothing if nothing is near. What is read is no method."""
    last, names = kind.rpartition(".")[2], _public_names(kind)
    suggested = re.search(r"Did you mean: '(\w+)'", code.message)
    near, own = _nearest(wrong, names, 0.75), {one.attr for one in code.all(ast.Attribute)}
    own |= {one.name for one in code.all(ast.FunctionDef)} - {wrong}
    found = (
        _TOLD["renamed"].get(f"{last}.{wrong}"),
        suggested and suggested[1],
        *(f"{verb}_{wrong}" for verb in ("set", "get") if f"{verb}_{wrong}" in names),
        near if is_called or not callable(getattr(_owner_of(kind), near, None)) else "",
        _nearest(wrong, own),
    )
    return next(filter(None, found), "")


def _attributes(code: FailedCode) -> Iterator[Fix]:
    told = _QUOTED.findall(code.message.partition("Did you mean: ")[0])
    kind, wrong = (told or [""])[0], (told or [""])[-1]
    last = kind.rpartition(".")[2]
    inner = getattr(_owner_of(kind), last, None)
    for node in [node for node in code.failing(ast.Attribute) if node.attr == wrong and "alias for" not in code.message]:
        owner, call = code.text(node.value), next((call for call in code.nodes(ast.Call) if call.func is node), None)
        if wrong in _LENGTHS and hasattr(getattr(builtins, kind, None), "__len__"):
            yield f"How long `{owner}` is, `len` says", code.replace(call if call and not call.args else node, f"len({owner})")
        elif not call and isinstance(node.value, ast.Name) and (column := _nearest(wrong, code.columns(node.value))):
            yield f"The column is called `{column}`", code.replace(node, f'{owner}["{column}"]')
        elif hasattr(inner, wrong):
            yield f"`{wrong}` belongs to the `{last}` in the module `{last}`", code.replace(node, f"{owner}.{last}.{wrong}")
        elif wrong == last:
            yield f"`{owner}` is that already", code.replace(node, owner)
        elif right := _right_attribute(code, kind, wrong, is_called=call is not None):
            yield f"There is no `{wrong}`, but there is `{right}`", code.replace(node, f"{owner}.{right}")
        elif last == "ndarray" and wrong in _public_names("Axes"):
            yield f"`{owner}` holds several axes; this draws on the first", code.replace(node, f"{owner}.flat[0].{wrong}")
        yield from _other_attributes(code, node, kind, call)


def _other_attributes(code: FailedCode, node: ast.Attribute, kind: str, call: ast.Call | None) -> Iterator[Fix]:
    """Yield what to do where nothing has a name like that."""
    owner, wrong = code.text(node.value), node.attr
    if kind == "list" and call and hasattr(str, wrong):
        each = f"[text{code.text(call)[len(owner) :]} for text in {owner}]"
        yield f"A list has no `{wrong}`, but the texts in it have", code.replace(call, each)
    elif kind == "dict" and not call:
        yield "What is in a `dict` is read by its key, in brackets", code.replace(node, f'{owner}["{wrong}"]')
    elif isinstance(node.ctx, ast.Load) and kind != "NoneType" and not code.is_used_on(node):
        yield f"`{owner}` has no `{wrong}`; it is `None` then", code.replace(node, f'getattr({owner}, "{wrong}", None)')


def _imports(code: FailedCode) -> Iterator[Fix]:
    wrong, module = (*_QUOTED.findall(code.message), "", "")[:2]
    if "cannot import name" in code.message and module:
        if right := _nearest(wrong, _public_names(module)):
            yield f"`{module}` has no `{wrong}`, but it has `{right}`", code.rename(wrong, right)
        return
    top = wrong.partition(".")[0]
    if top and (right := _nearest(top, {*sys.stdlib_module_names, *_PACKAGES}, 0.8)) and top not in _TOLD["distributions"]:
        yield f"There is no `{top}`, but there is `{right}`: a misspelling", code.rename(top, right)
    if top:
        why = f"`{top}` is not installed; the first line installs it, if that is its name"
        yield why, f"%pip install {_TOLD['distributions'].get(top, top)}\n\n{code.source}"


def _arguments(code: FailedCode) -> Iterator[Fix]:
    """Yield calls of the notebook's own functions with other arguments, or their heads with `self`."""
    called, quoted = code.message.partition("(")[0], _QUOTED.findall(code.message)
    owner, _, name = called.rpartition(".")
    signature = re.search(rf"^{re.escape(name)}: \w+ \w+(\(.*)$", code.values, re.MULTILINE)
    defined = next((one for one in code.all(ast.FunctionDef) if one.name == name), None)
    taken = re.search(r"takes (?:from \d+ to )?(\d+) positional arguments? but", code.message)
    if taken and owner and defined and not (defined.args.args and defined.args.args[0].arg == "self"):
        head = re.sub(rf"\bdef {name}\((?=(\))?)", lambda found: f"{found[0]}self{'' if found[1] else ', '}", code.source)
        yield f"`{name}` belongs to a class, so it takes `self` first", head
    for call, _ in code.calls(owner if name == "__init__" else name) if defined or signature else ():
        function, kept = code.text(call.func), [*map(code.text, call.args)]
        named = [(one.arg, code.text(one.value)) for one in call.keywords if one.arg]
        if "missing" in code.message:
            if quoted == ["self"] and function == called:
                yield f"`{name}` is called on an object, which `{owner}()` makes", code.replace(call.func, f"{owner}().{name}")
            more = ", ".join(f"{argument}=None" for argument in quoted)
            text = code.text(call)[:-1].rstrip()
            comma = "" if text.endswith(("(", ",")) else ", "
            yield f"`{function}` also wants {more}: put the values there", code.replace(call, f"{text}{comma}{more})")
            continue
        if taken:
            most = int(taken[1]) - bool(owner)
            why, kept = f"`{name}` takes {most} arguments", kept[:most]
        elif quoted and "keyword argument" in code.message:
            right = _nearest(quoted[-1], re.findall(r"[^\W\d]\w*", signature[1]), 0.6) if signature else ""
            why = f"`{name}` has no `{quoted[-1]}`: it {f'calls it `{right}`' if right else 'does not take it'}"
            named = [(right if arg == quoted[-1] else arg, value) for arg, value in named]
        else:
            continue
        kept += [f"{arg}={value}" for arg, value in named if arg]
        yield why, code.replace(call, f"{function}({', '.join(kept)})")


def _dates(code: FailedCode) -> Iterator[Fix]:
    found = re.search(r"time data ['\"](.+)['\"] does not match format ['\"](.+)['\"]", code.message)
    forms: dict[datetime, str] = {}
    for form in _DATES if found else ():
        with suppress(ValueError):
            forms.setdefault(datetime.strptime(found[1], form), form)  # type: ignore[index]  # noqa: DTZ007 - only what it can be
    for node in code.nodes(ast.Constant) if len(forms) == 1 else ():
        if node.value == found[2]:  # type: ignore[index]
            form = next(iter(forms.values()))
            yield f"`{found[1]}` is written as `{form}` says", code.replace(node, repr(form))  # type: ignore[index]


def _column_conditions(code: FailedCode) -> Iterator[Fix]:
    for node in code.nodes(ast.BoolOp) if "truth value" in code.message else ():
        sign = " & " if isinstance(node.op, ast.And) else " | "
        why = f"Columns are compared row by row: `{sign.strip()}` joins such conditions, each in parentheses"
        yield why, code.replace(node, sign.join(f"({code.text(value)})" for value in node.values))


def _unpacked(code: FailedCode) -> Iterator[Fix]:
    counts = re.search(r"expected (\d+), got (\d+)", code.message)
    for node in code.nodes(ast.Tuple) if "values to unpack" in code.message else ():
        names = [code.text(target) for target in node.elts]
        if not isinstance(node.ctx, ast.Store) or any(loop.target is node for loop in code.nodes(ast.For)):
            continue
        if "too many" in code.message:
            more = ", ".join([*names, "*rest"])
            yield "There are more values than names; the others go into `rest`", code.replace(node, more)
        elif counts and names and (got := int(counts[2])):
            fewer = f"{', '.join(names[:got])}{',' if got == 1 else ''}"
            lines = code.replace(node, fewer).split("\n")
            lines.insert(node.end_lineno or code.line, f"{code.indent(node)}{' = '.join(names[got:])} = None")
            yield f"There are only {got} values; the other names are `None` now", "\n".join(lines)


def _off_by_one(code: FailedCode) -> Iterator[Fix]:
    """Yield the loop with one round less, where it counts up to what it reads by its number."""
    for node in code.failing(ast.Subscript):
        owner, item = code.text(node.value).removesuffix(".iloc"), code.text(node.slice)
        why = f"The last index of `{owner}` is one less than its length"
        for loop in [one for one in code.nodes(ast.For) if isinstance(one.target, ast.Name)]:
            ahead = re.fullmatch(rf"{code.text(loop.target)}(?:\s*\+\s*(\d))?", item)
            match loop.iter:
                case ast.Call(func=ast.Name(id="range"), args=[last] | [_, last]) if ahead:
                    yield why, code.replace(last, f"len({owner})" + (f" - {ahead[1]}" if ahead[1] else ""))
                case ast.Name(id=name) if ahead and name == owner and not ahead[1]:
                    yield f"`{item}` is an item of `{owner}` already, and no index", code.replace(node, item)
        for test in [one.test for one in code.nodes(ast.While)]:
            if code.text(test) == f"{item} <= len({owner})":
                yield why, code.replace(test, f"{item} < len({owner})")


def _guarded(code: FailedCode) -> Iterator[Fix]:
    """Yield the source with the failing statement, and what follows it, guarded: the cell says what is wrong."""
    statements = [node for node in code.nodes(ast.stmt) if not isinstance(node, _DEFINITIONS)] or code.nodes(ast.stmt)[::-1]
    if not statements:
        return
    first, kind = statements[0], code.kind if hasattr(builtins, code.kind) else "Exception"
    indent, lines, handler = code.indent(first), code.source.split("\n"), _HANDLERS.get(code.kind, _HANDLER)
    begin, end = first_line(first) - 1, first.end_lineno or code.line
    for last in (end,) if indent else (len(lines), end):
        rest = lines[begin:last]
        if any('"""' in line or "'''" in line for line in rest):
            continue
        body = [f"    {line}" if line.strip() else line for line in rest]
        words = [line.replace("CLASS", kind).replace("KIND", code.kind) for line in handler]
        guard = [f"{indent}try:", *body, *(indent + line for line in words)]
        source = "\n".join([*lines[:begin], *guard, *lines[last:]])
        yield _why(code), f"from pathlib import Path\n\n{source}" if "Path(" in handler[1] else source


def _why(code: FailedCode) -> str:
    columns = next(filter(None, map(code.columns, code.nodes(ast.Name))), [])
    if columns and code.kind == "KeyError":
        return f"There is no such row or column; the columns are {', '.join(f'`{name}`' for name in columns[:_MOST_NAMED])}"
    told = (why for words, why in _TOLD["why"].items() if re.search(words, f"{code.kind}: {code.message}"))
    return next(told, f"No rule of mine tells what was meant, so the cell says what is wrong ({code.kind})")


def _rewritten(rewrite: Sequence[str], code: FailedCode) -> Iterator[Fix]:
    """Yield the source with nodes of the failing line written anew, if the message has these words.

    In the texts `all` is the node as it is written, `owner`, `item`, `value` are parts of it, `found` is one of the message.
    """
    words, finder, why, text, first = rewrite
    found, (name, *arguments) = re.search(words, code.message), finder.split()
    for node in FINDERS[name](code, *arguments) if found else ():
        said = {"all": code.text(node), "indent": code.indent(node), "found": found[1] if found and found.groups() else ""}
        said |= {part: ", ".join(map(code.text, held)) for part, held in _parts_of(node).items()}
        new, head = text.format(**said), f"{first.format(**said)}\n\n" if first else ""
        if not ("None" in text or why.endswith("`None` then")) or not code.is_used_on(node):
            yield why.format(**said, new=new), head + code.replace(node, new)


def _parts_of(node: ast.AST) -> dict[str, Sequence[ast.AST]]:
    match node:
        case (
            ast.Assign(targets=[ast.Subscript() as place], value=value)
            | ast.AugAssign(target=ast.Subscript() as place, value=value)
        ):
            return {"owner": [place.value], "item": [place.slice], "value": [value]}
        case ast.Subscript(value=owner, slice=item) | ast.BinOp(left=owner, right=item):
            return {"owner": [owner], "item": [item]}
        case ast.Call(func=called, args=args):
            owner = called.value if isinstance(called, ast.Attribute) else called
            return {"called": [called], "owner": [owner], "item": args[:1], "args": [*args, *node.keywords]}
    return {}


_RULES: Mapping[str, tuple[Rule, ...]] = {
    "NameError": (_unknown_names,),
    "KeyError": (_wrong_keys,),
    "TypeError": (_arguments,),
    "ValueError": (_dates, _unpacked, _column_conditions),
    "IndexError": (_off_by_one,),
    "AttributeError": (_missing_values, _attributes),
    **dict.fromkeys(("ImportError", "ModuleNotFoundError"), (_imports,)),
    **dict.fromkeys(("SyntaxError", "IndentationError", "TabError"), (syntax_fixes,)),
}
