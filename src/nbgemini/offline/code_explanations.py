"""What the offline service answers to `%gemini explain`: the code that was sent, statement by statement, in plain words."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Iterable, Iterator

from nbgemini.offline.canned_answers import Run, thought_and_answer
from nbgemini.offline.failed_code import parse, titled_blocks
from nbgemini.offline.input_report import describe
from nbgemini.offline.text_tables import tables_in

_ASKED = re.compile(r"^(?:(?:can|could|would) you |please )*(?:explain\b|what does (?:this|the)\b)", re.IGNORECASE)
_FENCED = re.compile(r"^```(?:python|py)?\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_TYPE = re.compile(r"^(\S+) is of type (\S+)\.$", re.MULTILINE)
_SIGNATURE = re.compile(r"^([\w.]+\(.{0,5000}): (?:builtin|function|method|class)", re.MULTILINE)
_LIKE_CODE = re.compile(r"^\s*(?:async|def|class|for|import|from)\b|^\s*\w+\s*=|[\w\])]\(|^[\[({].*[\])}]$", re.MULTILINE)
_LONGEST = 20_000  # characters of a prompt that are looked at
_DEEPEST, _MOST_LINES, _SHOWN = 3, 40, 80
_SIGNED = "*From nbgemini's offline service, not from Gemini: it reads the code word by word, and doesn't know what it is for.*"


def explain(prompt: str) -> list[Run] | None:
    """Return thought and answer about the code or the object in a prompt that asks to explain one; None for other prompts."""
    prompt = prompt[:_LONGEST]
    if not _ASKED.match(prompt.lstrip()):
        return None
    blocks = titled_blocks(prompt)
    if _TYPE.search(prompt) and "Source" not in blocks:
        return _about_value(prompt)
    fenced = (found[1] for found in _FENCED.finditer(prompt) if _is_code(found[1]))
    code = blocks.get("Source") or next((text for title, text in blocks.items() if title.startswith("Cell [")), "")
    code = textwrap.dedent(code or next(fenced, "") or _bare_code(prompt))
    tree, documentation = parse(code) if code else None, blocks.get("Documentation", "none").strip()
    paragraphs = re.sub(r"\n[=-]{3,}", "", documentation).split("\n\n") if documentation != "none" else [""]
    own_words = next((words for words in paragraphs if not re.match(r"\s*(?:[\w.]+\(|>>>)", words)), "")
    if not (tree and tree.body) and not own_words:
        return None
    output = next((text.strip() for title, text in blocks.items() if title.startswith("Output of [")), "")
    signature = _SIGNATURE.search(prompt)
    parts, how = [f"**In its own words:** {own_words}" if own_words else ""], "Its documentation says it."
    if tree and tree.body:
        how = f"{len(code.splitlines())} lines; I go through its statements in their order."
        free, lines = sorted(_free_names(tree)), list(_lines(tree.body))
        more = f"\n\n… and {len(lines) - _MOST_LINES} more lines." if len(lines) > _MOST_LINES else ""
        parts += ["Step by step, this code:\n\n" + "\n".join(lines[:_MOST_LINES]) + more]
        parts += [f"From outside it takes {_listed(free)}." if free else ""]
    elif signature:
        call = textwrap.shorten(signature[1], 200, placeholder=" …")
        parts += [f"It is called as `{call}`; how it is made was not sent."]
    parts += [f"What came of it:\n\n```text\n{output[:2000]}\n```" if output else "", _SIGNED]
    return thought_and_answer("Reading the code", how, "\n\n".join(filter(None, parts)))


def _about_value(prompt: str) -> list[Run] | None:
    """Return what can be said of an object whose type and value the prompt gives; a table is better measured than repeated."""
    found, blocks, tables = _TYPE.search(prompt), titled_blocks(prompt), tables_in(prompt)
    value = next((text[1] for text in _FENCED.finditer(prompt)), "")
    if found is None or not (tables or value):
        return None
    name, kind = found.groups()
    said = f"`{name}` is {'an' if kind[0].lower() in 'aeiou' else 'a'} `{kind}`"
    if tables:
        said += ", and this is what reached me of it:\n\n" + "\n".join(map(describe, tables))
    elif "Documentation" not in blocks:
        said += f", and this is what it holds:\n\n```text\n{value[:2000]}\n```"
    elif (words := blocks["Documentation"].strip().partition("\n\n")[0]) != "none":  # it says nothing of itself
        said += f"; of its class its documentation says: {words}"
    return thought_and_answer(f"Looking at `{name}`", "I say what was sent of it.", f"{said}\n\n{_SIGNED}")


def _is_code(text: str) -> bool:
    tree = parse(text)
    return tree is not None and not all(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in tree.body
    )


def _bare_code(prompt: str) -> str:
    """Return the code below a first line that asks about it, or after its colon."""
    first, _, rest = prompt.strip().partition("\n")
    rest = rest.strip() or first.partition(":")[2].strip(" `")
    return rest if _LIKE_CODE.search(rest) and _is_code(rest) else ""


def _lines(body: list[ast.stmt], depth: int = 0) -> Iterator[str]:
    """Yield a line of a list for each statement, those inside of it below."""
    number = 0
    for node in body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            continue  # a docstring
        number += 1
        mark, indent = f"{number}." if depth == 0 else "-", "   " * depth
        inside = list(_inside(node)) if depth < _DEEPEST else []
        said = _statement(node)
        yield f"{indent}{mark} {said if inside or not said.endswith(':') else f'{said} …'}"
        for words, inner in inside:
            if words:
                yield f"{indent}   {words}" if depth == 0 else f"{indent}- {words}"
            yield from _lines(inner, depth + 1)


def _inside(node: ast.stmt) -> Iterator[tuple[str, list[ast.stmt]]]:
    """Yield the blocks in a statement, with what stands before those after the first."""
    if body := getattr(node, "body", None):
        yield "", body
    for handler in getattr(node, "handlers", ()):
        yield f"and if that raises {_code(handler.type) if handler.type else 'anything'}:", handler.body
    for name, words in (("orelse", "otherwise:"), ("finalbody", "and in the end, whatever happened:")):
        if inner := getattr(node, name, None):
            is_loop = isinstance(node, ast.For | ast.AsyncFor | ast.While)
            yield "and at its end, unless a `break` ended it:" if is_loop and name == "orelse" else words, inner


def _statement(node: ast.stmt) -> str:  # noqa: PLR0911 - a table
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yields = any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node))
            kind = "coroutine" if isinstance(node, ast.AsyncFunctionDef) else "generator" if yields else "function"
            marks = f", decorated with {_listed(map(ast.unparse, node.decorator_list))}" if node.decorator_list else ""
            return f"defines the {kind} `{node.name}({ast.unparse(node.args)})`{marks}{_documented(node)}:"
        case ast.ClassDef(bases=bases):
            kind = f", a {_listed(map(ast.unparse, bases))}" if bases else ""
            return f"defines the class `{node.name}`{kind}{_documented(node)}:"
        case ast.For() | ast.AsyncFor():
            return f"goes through {_code(node.iter)}, each time as {_code(node.target)}:"
        case ast.While():
            return f"repeats as long as {_code(node.test)}:"
        case ast.If():
            return f"if {_code(node.test)}:"
        case ast.With() | ast.AsyncWith():
            return f"with {_listed(map(ast.unparse, node.items))}:"
        case ast.Try():
            return "tries this:"
    return _simple(node)


def _simple(node: ast.stmt) -> str:  # noqa: C901, PLR0911, PLR0912 - a table
    match node:
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            origin = f" from `{node.module}`" if isinstance(node, ast.ImportFrom) else ""
            return f"imports {_listed(map(ast.unparse, names))}{origin}"
        case ast.Assign(targets=targets, value=value):
            made = "the function " if isinstance(value, ast.Lambda) else ""
            return f"sets {_listed(map(ast.unparse, targets))} to {made}{_code(value)}"
        case ast.AnnAssign(value=None):
            return f"declares {_code(node.target)} of type {_code(node.annotation)}"
        case ast.AnnAssign(value=ast.expr() as value):
            return f"sets {_code(node.target)}, of type {_code(node.annotation)}, to {_code(value)}"
        case ast.AugAssign(op=ast.Add()):
            return f"adds {_code(node.value)} to {_code(node.target)}"
        case ast.AugAssign(target=target, op=op, value=value):
            return f"sets {_code(target)} to {_code(ast.BinOp(ast.parse(ast.unparse(target), mode='eval').body, op, value))}"
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return f"takes {_listed(names)} from {'the notebook' if isinstance(node, ast.Global) else 'the function around it'}"
        case ast.Return(value=value):
            return f"returns {_code(value)}" if value else "returns"
        case ast.Raise(exc=ast.expr() as error):
            return f"raises {_code(error)}"
        case ast.Assert():
            return f"stops with an error unless {_code(node.test)}"
        case ast.Pass():
            return "does nothing"
        case ast.Break() | ast.Continue():
            return "leaves the loop" if isinstance(node, ast.Break) else "goes on with the next round"
        case ast.Delete(targets=targets):
            return f"deletes {_listed(map(ast.unparse, targets))}"
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=args)):
            return f"prints {_listed(map(ast.unparse, args)) or 'an empty line'}"
        case ast.Expr(value=ast.Yield(value=value)):
            return f"yields {_code(value)}" if value else "yields"
        case ast.Expr(value=ast.Call() | ast.Await() as value):
            return f"calls {_code(value)}"
        case ast.Expr(value=value):
            return f"shows the value of {_code(value)}"
    return f"does {_code(node)}"


def _documented(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    docs = (ast.get_docstring(node) or "").partition("\n")[0].replace("`", "'")
    return f" (“{docs}”)" if docs else ""


def _code(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return f"`{text if len(text) <= _SHOWN else f'{text[:_SHOWN]}…'}`".replace("``", "`")


def _listed(names: Iterable[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}" if quoted else ""


def _free_names(tree: ast.Module) -> set[str]:
    """Return the names that code reads and does not define itself."""
    nodes = list(ast.walk(tree))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    made = {node.id for node in names if not isinstance(node.ctx, ast.Load)} | {
        node.arg for node in nodes if isinstance(node, ast.arg)
    }
    made |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    made |= {(alias.asname or alias.name).partition(".")[0] for alias in nodes if isinstance(alias, ast.alias)}
    made |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    return {node.id for node in names if isinstance(node.ctx, ast.Load)} - made - set(dir(builtins))
