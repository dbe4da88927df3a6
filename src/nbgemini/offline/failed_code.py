"""Code that failed, as a prompt of `%gemini fix` describes it: its source, the line, the error, and the types of the values."""

from __future__ import annotations

import ast
import builtins
import re
import string
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Any, TypeVar

from msgspec import Struct, structs

_N = TypeVar("_N", bound=ast.AST)

_FAILED = re.compile(r"^Code in my notebook failed with ([\w.<>]+)(?:: (.*))?$", re.MULTILINE)
_FRAME = re.compile(
    r'^  File "(?:Cell )?(?P<file>[^"\n]*)", line (?P<line>\d{1,6})(?:, in (?P<name>\S+))?\n    (?P<code>.*)'
    r"(?:\n    (?P<marks>[ ~^]*\^[ ~^]*)$)?",
    re.MULTILINE,
)
_VALUE = re.compile(r"^(?:in \w+: )?(\w+): (\w+)", re.MULTILINE)
_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[^#\n'\"]*\?{1,2}\s*)$")
_GOES_ON = re.compile(r"\s*(?:% |!=)")  # an expression
_HELD_TEXT = r"^(?:in \w+: )?{}: str .*?= '(.*)'$"
_TAKES_NONE = ast.Expr | ast.Assign | ast.AnnAssign | ast.Return | ast.List | ast.Dict | ast.ListComp | ast.If | ast.BoolOp
_RETURNED = {"str": "str", "input": "str", "repr": "str", "len": "int", "int": "int", "sum": "int", "round": "int"}
_DISPLAYED = {
    ast.JoinedStr: "str",
    ast.List: "list",
    ast.ListComp: "list",
    ast.Dict: "dict",
    ast.Set: "set",
    ast.Tuple: "tuple",
}
_NOT_CALLABLE = ("int", "float", "str", "list", "dict", "tuple", "set", "bool", "ndarray", "DataFrame", "Series")
_LONGEST = 20_000  # characters of a prompt that are looked at


class FailedCode(Struct, frozen=True):
    """The source to correct: the cell, or the function of another cell in which the error arose.

    Attributes:
        kind: the exception's class.
        message: what it says.
        source: the code that failed.
        line: its line that failed, from 1.
        cell: what follows the source in the corrected cell, if that is a function of another cell.
        types: the types of the values that the cell met, by name.
        values: those values as the prompt describes them.
        marked: where in the line the traceback says that it failed, from its first letter on.
        top: the line of the cell from which all of this was reached.
    """

    kind: str
    message: str
    source: str
    line: int
    cell: str = ""
    types: dict[str, str] = {}
    values: str = ""
    marked: tuple[int, int] = (0, 0)
    top: int = 1

    def all(self, kind: type[_N]) -> list[_N]:
        """Return the nodes of a kind, wherever they are; none if the code can't be parsed."""
        tree = parse(self.source)
        return [node for node in ast.walk(tree) if isinstance(node, kind)] if tree else []

    def nodes(self, kind: type[_N]) -> list[_N]:
        """Return the nodes of a kind on the failing line, innermost first."""
        found = [node for node in self.all(kind) if first_line(node) <= self.line <= getattr(node, "end_lineno", 0)]
        return sorted(found, key=lambda node: len(self.text(node)))

    def failing(self, kind: type[_N]) -> list[_N]:
        """Return the node that the traceback marks, if it is of a kind; all nodes of the kind on the line if it marks none."""
        lines, starts = _lines_of(self.source)
        first = starts[self.line - 1] + len(lines[self.line - 1]) - len(lines[self.line - 1].lstrip())
        place = first + self.marked[0], first + self.marked[1]
        marked = [node for node in self.nodes(ast.AST) if self._span(node) == place]
        return [node for node in marked if isinstance(node, kind)] if marked else self.nodes(kind)

    def is_used_on(self, node: ast.AST) -> bool:
        """Whether something is done with the value of an expression that may fail with `None`."""
        users = [user for user in self.all(ast.AST) if any(node is inner for inner in ast.iter_child_nodes(user))]
        return any(
            not (
                isinstance(user, _TAKES_NONE)
                or (isinstance(user, ast.FormattedValue) and user.format_spec is None)
                or (isinstance(user, ast.Call) and self.text(user.func) in ("print", "repr", "str", "type", "display"))
            )
            for user in users
        )

    def columns(self, node: ast.AST) -> list[str]:
        """Return the columns of the DataFrame that an expression begins with; none if it is another value."""
        while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
            node = node.func if isinstance(node, ast.Call) else node.value
        name = node.id if isinstance(node, ast.Name) else " "
        found = re.search(rf"^(?:in \w+: )?{name}: DataFrame of shape .*?\), columns (.*)$", self.values, re.MULTILINE)
        return [column.rpartition(" ")[0] for column in found[1].split(", ")] if found else []

    def holds_number(self, node: ast.AST) -> bool:
        """Whether an expression is a text that holds a number, as far as is known."""
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(node, ast.Name) and (said := re.search(_HELD_TEXT.format(node.id), self.values, re.MULTILINE)):
            text = said[1]
        return isinstance(text, str) and bool(re.fullmatch(r"\s*[-+]?\d+(\.\d+)?\s*", text))

    def text(self, node: ast.AST) -> str:
        """Return how a node is written."""
        start, end = self._span(node)
        return self.source[start:end]

    def replace(self, node: ast.AST, text: str) -> str:
        """Return the source with other text in a node's place."""
        start, end = self._span(node)
        return self.source[:start] + text + self.source[end:]

    def rename(self, wrong: str, right: str) -> str:
        """Return the source with another name in a name's place, also where it is imported."""
        word, source = re.compile(rf"\b{re.escape(wrong)}\b"), self.source
        spans = [self._span(node) for node in self.all(ast.Name) if node.id == wrong]
        spans += [self._span(node) for node in (*self.all(ast.Import), *self.all(ast.ImportFrom))]
        for start, end in sorted(spans, reverse=True):
            source = source[:start] + word.sub(lambda _: right, source[start:end]) + source[end:]
        return source

    def calls(self, *names: str) -> Iterator[tuple[ast.Call, str]]:
        """Yield the calls on the failing line with the names of what is called: these names, or all."""
        for call in self.nodes(ast.Call):
            name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            if name and (not names or name in names):
                yield call, name

    def indent(self, node: ast.AST) -> str:
        """Return the blanks before a statement."""
        line = self.source.split("\n")[node.lineno - 1]  # type: ignore[attr-defined]
        return line[: len(line) - len(line.lstrip())]

    def kind_of(self, node: ast.AST) -> str:
        """Return the type of an expression as far as it is known, else nothing."""
        match node:
            case ast.Constant(value=value):
                return type(value).__name__
            case ast.Call(func=ast.Name(id=name)):
                return _RETURNED.get(name, "")
            case ast.Name(id=name):
                return self.types.get(name, "")
            case ast.BinOp(left=left, right=right):
                return next((kind for side in (left, right) if (kind := self.kind_of(side)) == "str"), self.kind_of(left))
        return _DISPLAYED.get(type(node), "")

    def _span(self, node: ast.AST) -> tuple[int, int]:
        lines, starts = _lines_of(self.source)

        def at(line: int, column: int) -> int:  # columns count bytes
            return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

        return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]


@lru_cache(4)
def _lines_of(source: str) -> tuple[list[str], list[int]]:
    lines = source.split("\n")
    return lines, [0, *accumulate(len(line) + 1 for line in lines)]


def first_line(node: ast.AST) -> int:
    """Return the line where a node begins, its decorators included; one beyond all code if it has no place."""
    return min((one.lineno for one in getattr(node, "decorator_list", ())), default=getattr(node, "lineno", _LONGEST))


def failed_code(prompt: str) -> FailedCode | None:
    """Return what a prompt says of code that failed; None if it is about something else."""
    prompt = prompt[:_LONGEST]
    failed = _FAILED.search(prompt)
    blocks = titled_blocks(prompt) if failed else {}
    cell = next((text for title, text in blocks.items() if title.endswith("which failed")), "")
    if failed is None or not cell:
        return None
    values = blocks.get("Values when it failed", "")
    kind, message = failed[1].rpartition(".")[2], failed[2] or ""
    first = next((number for number, line in enumerate(cell.split("\n"), 1) if line.strip() and not _MAGIC.match(line)), 1)
    code = FailedCode(kind, message, cell, first, types=dict(_VALUE.findall(values)), values=values, top=first)
    return structs.replace(code, **_place(code, blocks))


def titled_blocks(text: str) -> dict[str, str]:
    """Return the fenced blocks of a text by the lines above them, without their colons."""
    blocks: dict[str, str] = {}
    title, fence, held = "", "", list[str]()
    for line in text.split("\n"):
        if fence and line != fence:
            held.append(line)
        elif fence:
            blocks[title], fence, held, title = "\n".join(held), "", [], ""
        elif line.startswith("```") and title.endswith(":"):
            title, fence = title[:-1], line.rstrip(string.ascii_letters)
        else:
            title = line
    return blocks


def _place(code: FailedCode, blocks: dict[str, str]) -> dict[str, object]:
    """Return the source and the line that failed: the innermost frame whose code the prompt shows."""
    place: dict[str, object] = {}
    for frame in _FRAME.finditer(blocks.get("Traceback", "")):
        number, line, marks = int(frame["line"]), frame["code"].strip(), frame["marks"] or ""
        marked = len(marks) - len(marks.lstrip()), len(marks.rstrip())
        function = blocks.get(f"{frame['name']}, from Cell {frame['file']}", "")
        if function and (found := _line_of(function, line)):
            place |= {"source": function, "line": found, "cell": code.source, "marked": marked}
        elif "In[" in frame["file"] and (found := _line_of(code.source, line, number)):
            place |= {"source": code.source, "line": found, "cell": "", "marked": marked}
            place = {"top": found} | place
    return place


def _line_of(source: str, code: str, number: int = 0) -> int:
    """Return the number of the line that reads `code`, the `number`-th if it does; 0 if none does."""
    lines = [line.strip() for line in source.split("\n")]
    if 0 < number <= len(lines) and not _MAGIC.match(lines[number - 1]) and (lines[number - 1] == code or code not in lines):
        return number
    return lines.index(code) + 1 if code in lines else 0


@lru_cache(16)
def parse(source: str, *, whole: bool = False) -> ast.Module | None:
    """Return the tree of a cell, lines of magics passed over; None if it can't be parsed, or (`whole`) compiled."""
    lines = (line if _GOES_ON.match(line) else _MAGIC.sub(r"\1pass", line) for line in source.split("\n"))
    text = "\n".join(lines)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = compile(text, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            if whole:
                compile(text, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if isinstance(tree, ast.Module) else None


def _subscripts(code: FailedCode) -> list[ast.Subscript]:
    """Return what is read by an index or a key, but for `loc` and its like, and what is cut out."""
    places = ("loc", "iloc", "at", "iat")
    return [
        node
        for node in code.failing(ast.Subscript)
        if isinstance(node.ctx, ast.Load) and not isinstance(node.slice, ast.Slice | ast.Tuple)
        if getattr(node.value, "attr", "") not in places
    ]


def _missing_keys(code: FailedCode) -> list[ast.Subscript]:
    said = code.message.strip("'\"")
    found = [one for one in _subscripts(code) if not isinstance(one.slice, ast.Constant) or str(one.slice.value) == said]
    return [one for one in found if not code.columns(one.value) or not isinstance(one.value, ast.Name)]


def _methods(code: FailedCode, *names: str) -> list[ast.Call]:
    return [call for call, _ in code.calls(*names) if isinstance(call.func, ast.Attribute) and len(call.args) == 1]


def _given(code: FailedCode, *names: str) -> list[ast.expr]:
    return [call.args[0] for call, _ in code.calls(*names) if len(call.args) == 1]


def _sides(code: FailedCode, *operations: type[ast.operator]) -> list[tuple[ast.expr, ast.expr]]:
    """Return the sides of what is counted or compared, each before the other."""
    pairs = [(node.left, node.right) for node in code.failing(ast.BinOp) if not operations or isinstance(node.op, operations)]
    pairs += [(node.left, node.comparators[0]) for node in code.failing(ast.Compare) if not operations]
    return [pair for one, other in pairs for pair in ((one, other), (other, one))]


def _joined(code: FailedCode) -> list[ast.expr]:
    """Return what is added to a text and is none; texts that hold numbers might have been meant as such."""
    texts = [pair for pair in _sides(code, ast.Add) if code.kind_of(pair[0]) == "str" and not code.holds_number(pair[0])]
    return [other for _, other in texts if code.kind_of(other) not in ("str", "bytes")]


def _number_texts(code: FailedCode) -> list[ast.expr]:
    return [text for text, other in _sides(code) if code.holds_number(text) and code.kind_of(other) in ("int", "float")]


def _made_none(code: FailedCode, method: str) -> list[ast.expr]:
    """Return the calls of a method of lists whose result has a name that the failing line reads."""
    read = {node.id for node in code.nodes(ast.Name)}
    calls = [
        (one.value, one.value.func)
        for one in code.all(ast.Assign)
        if isinstance(one.value, ast.Call) and read & set(map(code.text, one.targets))
    ]
    return [call for call, called in calls if isinstance(called, ast.Attribute) and called.attr == method]


def _coroutines(code: FailedCode) -> list[ast.expr]:
    """Return what stands for a coroutine where it can be awaited."""
    if any(isinstance(one, ast.FunctionDef) for one in code.nodes(ast.stmt)):
        return []
    made = {node.name for node in code.all(ast.AsyncFunctionDef)}
    calls = [call for call, name in code.calls() if name in made]
    return [*calls, *(node for node in code.nodes(ast.Name) if code.kind_of(node) == "coroutine")]


def _users(code: FailedCode, kind: type[_N]) -> list[_N]:
    """Return the statements that assign to the place that failed."""
    places = code.failing(ast.Subscript)
    return [
        one
        for one in code.nodes(kind)
        if any(place in ast.iter_child_nodes(one) and isinstance(place.ctx, ast.Store) for place in places)
    ]


def _collected(code: FailedCode, *methods: str) -> list[ast.expr]:
    called = {id(node.value) for node in code.nodes(ast.Attribute) if node.attr in methods}
    return [node for node in _missing_keys(code) if id(node) in called]


def _uncallable(code: FailedCode, count: str = "0") -> list[ast.Call]:
    calls = [call for call in code.failing(ast.Call) if isinstance(call.func, ast.Name | ast.Attribute) and not call.keywords]
    return [call for call in calls if len(call.args) == int(count) and not hasattr(builtins, code.text(call.func))]


def _hidden_builtins(code: FailedCode) -> list[ast.Call]:
    calls = [(call, name) for call, name in code.calls() if isinstance(call.func, ast.Name) and hasattr(builtins, name)]
    return [call for call, name in calls if code.types.get(name) in _NOT_CALLABLE]


def _iterated(code: FailedCode) -> list[ast.expr]:
    inner = [node.generators for node in code.nodes(ast.ListComp) + code.nodes(ast.GeneratorExp)]
    return [*(node.iter for node in code.nodes(ast.For)), *(loop.iter for loops in inner for loop in loops)]


def _pairs(code: FailedCode, kind: str = "") -> list[ast.expr]:
    """Return what loops take apart into two names."""
    loops = [one for one in code.nodes(ast.For) if isinstance(one.target, ast.Tuple) and len(one.target.elts) == 2]  # noqa: PLR2004
    return [loop.iter for loop in loops if not kind or code.kind_of(loop.iter) == kind]


def _unhashable(code: FailedCode) -> list[ast.expr]:
    """Return the lists that are keys, or items of sets."""
    keys = [key for node in code.nodes(ast.Dict) for key in node.keys if key]
    items = [one for node in code.nodes(ast.Set) for one in node.elts]
    found = [*keys, *items, *_given(code, "hash"), *(one.slice for one in code.failing(ast.Subscript))]
    return [node for node in found if isinstance(node, ast.List)]


def _divisions(code: FailedCode, *, compound: bool) -> list[ast.BinOp]:
    """Return the divisions by an expression that needs parentheses, or by one that needs none; a number is what it is."""
    signs, complex_ones = ast.Div | ast.FloorDiv | ast.Mod, ast.BinOp | ast.IfExp | ast.BoolOp
    found = [node for node in code.failing(ast.BinOp) if isinstance(node.op, signs)]
    return [one for one in found if not isinstance(one.right, ast.Constant) and isinstance(one.right, complex_ones) == compound]


def _field_defaults(code: FailedCode) -> list[ast.expr]:
    fields = [
        one for one in code.all(ast.AnnAssign) if re.search(rf"for field {re.escape(code.text(one.target))}\b", code.message)
    ]
    return [one.value for one in fields if one.value]


def _reading(code: FailedCode) -> list[ast.Call]:
    """Return the one call of the code that reads texts from a file."""
    calls = [call for call in code.all(ast.Call) if re.search(r"\b(open|read_csv|read_text)$", code.text(call.func))]
    return calls if len(calls) == 1 else []


def _encodings(code: FailedCode) -> list[ast.expr]:
    return [one.value for call in _reading(code) for one in call.keywords if one.arg == "encoding"]


def _writing(code: FailedCode) -> list[ast.Call]:
    """Return the calls that write into a file."""
    calls = [(call, [*call.args[1:2], *(one.value for one in call.keywords)]) for call, _ in code.calls("open")]
    opened = [call for call, modes in calls if any(re.match(r"['\"]r?[wax]", code.text(mode)) for mode in modes)]
    return [*opened, *(call for call, _ in code.calls("to_csv", "to_excel", "to_json", "savefig", "write_text", "save"))]


FINDERS: Mapping[str, Callable[..., list[Any]]] = {  # what rules rewrite
    "additions": lambda code: code.failing(ast.BinOp),
    "appended": lambda code, kind: [one for one in _methods(code, "append") if (code.kind_of(one.args[0])) == kind],
    "assigned": lambda code: _users(code, ast.Assign),
    "augmented": lambda code: [one for one in _users(code, ast.AugAssign) if code.kind_of(one.value) in ("", "int", "float")],
    "beside_texts": _joined,
    "calls": lambda code, *names: [call for call, _ in code.calls(*names)],
    "collected": _collected,
    "compound_divisions": lambda code: _divisions(code, compound=True),
    "coroutines": _coroutines,
    "divisions": lambda code: _divisions(code, compound=False),
    "encodings": _encodings,
    "field_defaults": _field_defaults,
    "folds": lambda code: [
        one for one, _ in code.calls("mean", "sum", "median", "std", "var", "corr") if not one.args and not one.keywords
    ],
    "function_starts": lambda code: [one.body[0] for one in code.nodes(ast.FunctionDef)[:1]],
    "given": _given,
    "hidden_builtins": _hidden_builtins,
    "iterated": _iterated,
    "left_sides": lambda code: [one.left for one in code.failing(ast.BinOp)],
    "made_none": _made_none,
    "methods": _methods,
    "missing_keys": _missing_keys,
    "not_lists": lambda code: [
        other for one, other in _sides(code, ast.Add) if code.kind_of(one) == "list" != code.kind_of(other)
    ],
    "number_indices": lambda code: [
        one.slice for one in code.failing(ast.Subscript) if code.kind_of(one.slice) != "str" or code.holds_number(one.slice)
    ],
    "number_texts": _number_texts,
    "operands": lambda code, kind: [one for one, _ in _sides(code) if isinstance(one, ast.Name) and code.kind_of(one) == kind],
    "pairs": _pairs,
    "read_attributes": lambda code: code.failing(ast.Attribute),
    "read_ends": lambda code: [one for one in _subscripts(code) if code.text(one.slice) == f"len({code.text(one.value)})"],
    "read_items": lambda code: [one for one in _subscripts(code) if code.kind_of(one.slice) != "str"],
    "readings": _reading,
    "right_sides": lambda code: [one.right for one in code.failing(ast.BinOp)],
    "several": lambda code, *names: [call for call, _ in code.calls(*names) if len(call.args) > 1],
    "tests": lambda code: [one.test for one in (*code.nodes(ast.If), *code.nodes(ast.While))],
    "unhashable": _unhashable,
    "values_called": _uncallable,
    "writings": _writing,
}
