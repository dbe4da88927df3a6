"""How a cell waits with the loop alive: for its own answer, and for the pending replies that it reads.

A hook behind IPython's own transformations puts `await` before a magic call that stands at the beginning of a line, so the
cell is natively asynchronous: other tasks, widgets and interrupts go on. In[] and the history keep what was typed. A magic
called from a function, inside %%time or from a thread is not reached by the hook; there the loop is run from within. So it is
for what the text of a cell does not show: a function, exec, a script or a shell line that reads a reply (see `running_cells`).

A cell that names a pending reply or map (--out), or reads what is whole only then of the last one (`_gemini`), waits first.
A line that waits is put below the cell's text, which makes the cell asynchronous and leaves all line numbers as they are; when
the text has become a tree, the line moves to the top, and the source that tracebacks show forgets it.
"""

from __future__ import annotations

import ast
import asyncio
import io
import linecache
import re
import tokenize
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from IPython.core.inputtransformer2 import make_tokens_by_line

# Patterns are compiled where they are first used: eight of them would be a third of what %load_ext takes.
_ASKS = r"gemini\s+(?:ask|fix|explain|map)\s[^?]*[^?\s].*\?\s*$"
_LINE = r"""(?xs)^(?P<before>\s*(?:[^%\#\n]*?[^%\#\n=!<>]=\s*)?)  # indented, or assigned
    %(?P<name>\w+)\b\s*(?P<rest>.*)$"""
_ASKING = rf"(?s)(?:^|\s)%{_ASKS}"
_BARE = r"(?s)^(?P<before>\s*)(?P<name>gemini)\s+(?P<rest>.*)$"
_BARE_ASKING = rf"(?s)^\s*{_ASKS}"
_EMPTY_CELL = r"%%gemini(?:\s|$)"
_HELP_LINE = r"^(?P<before>\s*)%gemini\s+(?P<topic>[\w-]+)\s*\?+\s*$"


def called(lines: list[str], *, automagic: bool) -> list[str]:
    """Return the lines of a cell with those that ask as calls; `automagic`: the magic is known without its `%` too."""
    questions = any(line.rstrip().endswith("?") for line in lines) and any("gemini" in line for line in lines)
    if not questions or lines[0].startswith("%%"):
        return lines
    hidden = _inside_strings(lines)
    made: list[str] = []
    number = 0
    while number < len(lines):
        last = _last(lines, number)
        call = None if number in hidden else _call(_joined(lines[number : last + 1]), automagic=automagic)
        made += lines[number : last + 1] if call is None else [call + "\n", *["\n"] * (last - number)]
        number = last + 1
    return made


def _call(line: str, *, automagic: bool) -> str | None:
    """Return the call that a line is short for; None if it is none of ours."""
    if wanted := re.match(_HELP_LINE, line):
        return f"{wanted['before']}get_ipython().run_line_magic('gemini', {'help ' + wanted['topic']!r})"
    found = re.match(_LINE, line) if re.search(_ASKING, line) else None
    if found is None and automagic and re.match(_BARE_ASKING, line):
        found = re.match(_BARE, line)
    return found and f"{found['before']}get_ipython().run_line_magic({found['name']!r}, {found['rest'].strip()!r})"


def _last(lines: Sequence[str], number: int) -> int:
    """Return the number of the line that a line goes on to."""
    while number + 1 < len(lines) and lines[number].rstrip("\r\n").endswith("\\"):
        number += 1
    return number


def _joined(lines: Sequence[str]) -> str:
    *before, last = [line.rstrip("\r\n") for line in lines]
    return "".join(f"{line[:-1].rstrip()} " for line in before) + (last.lstrip() if before else last)


def _inside_strings(lines: list[str]) -> set[int]:
    """Return the numbers of the lines that begin inside a string."""
    tokens: list[Any] = [token for line in make_tokens_by_line(lines) for token in line]
    return {number for token in tokens if token.string.strip() for number in range(token.start[0], token.end[0])}


T = TypeVar("T")

AWAITED = "_gemini_awaited"  # the magic's other name, which the hook writes: it tells the magic that its result is awaited
_CALL = r"(?m)^get_ipython\(\)\.run_(cell|line)_magic\('gemini',"


class AwaitHook:
    """The transformation, and the two events that tell a whole cell from a piece of one."""

    def __init__(self, shell: Any, complete: Callable[[str], str], ours: Callable[[], bool] = lambda: True) -> None:
        """Watch `shell`; `complete` is given each whole cell, once it may await, to add what it likes.

        `ours` says whether `%%gemini` means us: another extension may have taken the name.
        """
        self.before_await: Callable[[], object] = lambda: None  # called before a cell begins that awaits because of us
        self._ours = ours
        self._shell = shell
        self._complete = complete
        self._running = 0

    def install(self) -> None:
        """Begin."""
        self._shell.input_transformers_cleanup.append(self.keep_from_ipython)
        self._shell.input_transformers_post.append(self.transform)
        self._shell.events.register("pre_run_cell", self._entered)
        self._shell.events.register("post_run_cell", self._left)

    def remove(self) -> None:
        """End; harmless twice."""
        if self.transform in self._shell.input_transformers_post:
            self._shell.input_transformers_cleanup.remove(self.keep_from_ipython)
            self._shell.input_transformers_post.remove(self.transform)
            self._shell.events.unregister("pre_run_cell", self._entered)
            self._shell.events.unregister("post_run_cell", self._left)

    def keep_from_ipython(self, lines: list[str]) -> list[str]:
        """Keep from IPython what it would take wrongly: a `%%gemini` cell without text, and question marks in `%gemini` lines.

        It refuses an empty cell by itself, and takes `%gemini ask …?` and `%gemini map?` for calls for help with the last word.
        """
        if lines and re.match(_EMPTY_CELL, lines[0]) and not "".join(lines[1:]).strip():
            return [lines[0], "\n"]
        automagic = bool(getattr(self._shell, "automagic", False)) and "gemini" not in self._shell.user_ns
        return called(lines, automagic=automagic)

    def transform(self, lines: list[str]) -> list[str]:
        """Put `await` before our magics, in whole cells only: %%time and exec compile pieces that can't await."""
        if self._running or not self._awaits_on_our_loop or not self._ours():
            return lines
        typed = "".join(lines)
        code = self._complete(re.sub(_CALL, rf"await get_ipython().run_\1_magic('{AWAITED}',", typed))
        if code != typed:
            self.before_await()
        return code.splitlines(keepends=True)

    @property
    def _awaits_on_our_loop(self) -> bool:
        """Whether a cell that awaits does so on the kernel's own loop: `%autoawait trio` brings another one."""
        shell = self._shell
        ours = getattr(shell, "loop_runner_map", {}).get("asyncio", (None,))[0]
        runs_here = getattr(shell, "loop_runner", ours) is ours and getattr(shell, "trio_runner", None) is None
        return runs_here and bool(getattr(shell, "autoawait", False))

    def _entered(self, *_: Any) -> None:
        self._running += 1

    def _left(self, *_: Any) -> None:
        self._running = max(0, self._running - 1)


def run_from_within(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end in code that is not async, the running loop (if there is one) staying alive.

    Raises:
        ConfigurationError: the loop is of a kind that can't be entered again (uvloop).
    """
    from nbgemini._async.deferred import run_within  # noqa: PLC0415 - %load_ext runs nothing yet
    from nbgemini._environment import hush  # noqa: PLC0415

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        hush("asyncio")
        return asyncio.run(coroutine)
    return run_within(loop, coroutine)


_QUESTION = r"(?m)^\s*(?:(?P<name>\w+)\s*=\s*)?%gemini\s+(?P<line>(?:(?:ask|fix|explain|map)\s.*|[\w-]+)\?)\s*$"
_HELP = ("pinfo", "pinfo2")  # what `?` and `??` become


class FirstCell:
    """The questions of the running cell that are still to be asked."""

    def __init__(self, shell: Any) -> None:
        """Look for them in what was typed."""
        self._shell = shell
        typed = getattr(getattr(shell, "history_manager", None), "input_hist_raw", None) or [""]
        self._questions = list(re.finditer(_QUESTION, typed[-1]))
        self._magics: dict[str, Any] = shell.magics_manager.magics["line"]
        self._help: dict[str, Any] = {}

    def listen(self) -> None:
        """Begin, if there are any; ends with the cell."""
        if self._questions:
            self._step_in()
            self._shell.events.register("post_run_cell", self._over)

    def _step_in(self) -> None:
        self._help = {name: self._magics[name] for name in _HELP if name in self._magics}
        self._magics.update({name: partial(self._look, name) for name in self._help})

    def _step_back(self) -> None:
        self._magics.update(self._help)

    def _look(self, name: str, about: str = "") -> None:
        """Ask what was a question; all else is help, which may be loaded only now and takes its own name again."""
        words = about.strip()
        question = next((found for found in self._questions if words and found["line"].rstrip("? ").endswith(words)), None)
        if question is None:
            self._step_back()
            self._shell.run_line_magic(name, about)
            self._step_in()
            return
        self._questions.remove(question)
        reply = self._shell.run_line_magic("gemini", question["line"])
        if question["name"]:
            self._shell.user_ns[question["name"]] = reply

    def _over(self, *_: Any) -> None:
        self._step_back()
        self._shell.events.unregister("post_run_cell", self._over)


WAIT = "_gemini_pending"  # the magic that the line calls
_WAITING_LINE = rf"await get_ipython\(\)\.run_line_magic\('{WAIT}', '[\w ]+'\);?\n"
_RUNS_PYTHON = ("time", "timeit", "capture", "prun")  # cell magics whose text is code
_PROMPTS = ("gemini", AWAITED)  # whose text names values in braces
_CONTROLS = ("stop", "done", "stopping", "so_far")  # what is asked of a reply that runs: such a cell waits where it reads


def with_wait(code: str, pending: Collection[str], last: Collection[str] = (), fields: Collection[str] = ()) -> str:
    """Return the cell with a line below it that waits for those of the `pending` names that it reads, if any.

    Those of the `last` reply and map are read all the time: they are waited for where one of the `fields` is read.
    """
    names = sorted(_names_read(code, pending) | _whole(code, last, fields)) if pending or last else []
    if not names:
        return code
    quiet = ";" if _ends_with_semicolon(code) else ""  # the last line says whether a value is shown
    return f"{code.rstrip()}\nawait get_ipython().run_line_magic('{WAIT}', '{' '.join(names)}'){quiet}\n"


class WaitFirst(ast.NodeTransformer):
    """Moves the waiting line to the top of its cell."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """Move it, if it is there."""
        if node.body and _waits(node.body[-1]):
            first = next((n for n, line in enumerate(node.body) if not _must_be_first(line)), 0)
            node.body.insert(first, node.body.pop())
            _hide_from_tracebacks()
        return node


def _ends_with_semicolon(code: str) -> bool:
    """Say whether the last thing in the code is a semicolon, whatever is said behind it."""
    blank = (tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(code).readline) if token.type not in blank]
    return bool(tokens) and tokens[-1].string == ";"


def _names_read(code: str, pending: Collection[str]) -> set[str]:
    found: set[str] = set()
    for node in _nodes(code) if pending else ():
        if isinstance(node, ast.Name) and node.id in pending and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Call):
            found |= _read_by_magic(node, pending)
    return found - {name for name, attribute in _attributes(code) if attribute in _CONTROLS}


def _whole(code: str, last: Collection[str], fields: Collection[str]) -> set[str]:
    """Return the names of which a field is read that is whole only at the end."""
    read = [(name, attribute) for name, attribute in _attributes(code) if name in last] if last else []
    controlled = {name for name, attribute in read if attribute in _CONTROLS}
    return {name for name, attribute in read if attribute in fields} - controlled


def _attributes(code: str) -> Iterator[tuple[str, str]]:
    """Return which attributes of names stand in a cell, in the code of its magics too."""
    for node in _nodes(code):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                yield name, attribute
            case ast.Call(
                func=ast.Attribute(attr="run_cell_magic"), args=[ast.Constant(value=magic), _, ast.Constant(value=text)]
            ) if magic in _RUNS_PYTHON:
                yield from re.findall(r"\b([^\W\d]\w*)\.(\w+)", str(text))


def _nodes(code: str) -> Iterable[ast.AST]:
    try:
        return list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError):
        return ()


def _read_by_magic(call: ast.Call, pending: Collection[str]) -> set[str]:
    """Return the names that the text of a cell magic reads: code as a whole, a prompt in its braces."""
    match call:
        case ast.Call(func=ast.Attribute(attr="run_cell_magic"), args=[ast.Constant(value=magic), _, ast.Constant(value=text)]):
            before = r"\b" if magic in _RUNS_PYTHON else r"\{" if magic in _PROMPTS else None
            return set(re.findall(rf"{before}({'|'.join(pending)})\b", str(text))) if before else set()
    return set()


def _waits(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Await(value=ast.Call(args=[ast.Constant(value=name), *_]))):
            return bool(name == WAIT)
    return False


def _must_be_first(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _hide_from_tracebacks() -> None:
    """Cut the line off the source that was kept for tracebacks a moment ago."""
    for entry in reversed(list(linecache.cache.values())):
        lines: Any = entry[2] if len(entry) > 2 else []  # noqa: PLR2004 - lazy entries are shorter
        if lines and re.fullmatch(_WAITING_LINE, lines[-1]):
            del lines[-1]
            return
