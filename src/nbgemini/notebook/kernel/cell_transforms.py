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
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from typing import Any, TypeVar

from IPython.core.inputtransformer2 import make_tokens_by_line

T = TypeVar("T")

# Patterns are compiled where they are first used: eight of them would be a third of what %load_ext takes.
_ASKS = r"gemini\s+\S+\s[^?]*[^?\s].*\?\s*$"
_LINE = r"""(?xs)^(?P<before>\s*(?:[^%\#\n]*?[^%\#\n=!<>]=\s*)?)  # indented, or assigned
    %(?P<name>\w+)\b\s*(?P<rest>.*)$"""
_ASKING = rf"(?s)(?:^|\s)%{_ASKS}"
_BARE = r"(?s)^(?P<before>\s*)(?P<name>gemini)\s+(?P<rest>.*)$"
_BARE_ASKING = rf"(?s)^\s*{_ASKS}"
_CELL = r"\s*%%gemini(?:\s|$)"
_HELP_LINE = r"^(?P<before>\s*)%gemini\s+(?P<topic>[\w-]+)\s*\?+\s*$"

AWAITED = "_gemini_awaited"  # the magic's other name, which the hook writes: it tells the magic that its result is awaited
_CALL = r"(?m)^get_ipython\(\)\.run_(cell|line)_magic\('gemini',"
MISPLACED = "%%gemini"  # a command that the user has not typed: a cell magic below code


def called(lines: list[str], *, automagic: bool) -> list[str]:
    """Return the lines of a cell with those that ask as calls; `automagic`: the magic is known without its `%` too."""
    questions = any(line.rstrip().endswith("?") for line in lines) and any("gemini" in line for line in lines)
    if not questions or lines[0].startswith("%%"):
        return lines
    inside_strings = _inside_strings(lines)
    calls: list[str] = []
    number = 0
    while number < len(lines):
        last = number
        while last + 1 < len(lines) and lines[last].rstrip("\r\n").endswith("\\"):
            last += 1
        *before, end = [line.rstrip("\r\n") for line in lines[number : last + 1]]
        whole = "".join(f"{line[:-1].rstrip()} " for line in before) + (end.lstrip() if before else end)
        call = None if number in inside_strings else _call(whole, automagic=automagic)
        calls += lines[number : last + 1] if call is None else [call + "\n", *["\n"] * (last - number)]
        number = last + 1
    return calls


def _inside_strings(lines: list[str]) -> set[int]:
    """Return the numbers of the lines that begin inside a string."""
    tokens: list[Any] = [token for line in make_tokens_by_line(lines) for token in line if token.string.strip()]
    return {number for token in tokens for number in range(token.start[0], token.end[0])}


def _from_magic_on(lines: list[str]) -> list[str]:
    """Return a cell without comments and spaces before its `%%gemini`; one below code becomes a call that refuses it."""
    number = next((number for number, line in enumerate(lines) if "%%gemini" in line and re.match(_CELL, line)), None)
    if number is None or (number and (lines[0].startswith("%%") or number in _inside_strings(lines))):
        return lines
    if all(not line.strip() or line.startswith("#") for line in lines[:number]):
        return [lines[number].lstrip(), *lines[number + 1 :]]
    return [f"get_ipython().run_line_magic('gemini', {MISPLACED!r})\n"]


def _call(line: str, *, automagic: bool) -> str | None:
    """Return the call that a line is short for; None if it is none of ours."""
    if wanted := re.match(_HELP_LINE, line):
        return f"{wanted['before']}get_ipython().run_line_magic('gemini', {'help ' + wanted['topic']!r})"
    found = re.match(_LINE, line) if re.search(_ASKING, line) else None
    if found is None and automagic and re.match(_BARE_ASKING, line):
        found = re.match(_BARE, line)
    return found and f"{found['before']}get_ipython().run_line_magic({found['name']!r}, {found['rest'].strip()!r})"


class AwaitHook:
    """The transformation, and the two events that tell a whole cell from a piece of one.

    `complete` is given each whole cell, once it may await, to add what it likes; `ours` says whether `%%gemini` means us:
    another extension may have taken the name.
    """

    def __init__(self, shell: Any, complete: Callable[[str], str], ours: Callable[[], bool] = lambda: True) -> None:
        self.before_await: Callable[[], object] = lambda: None  # called before a cell begins that awaits because of us
        self._ours = ours
        self._shell = shell
        self._complete = complete
        self._running = 0

    def install(self) -> None:
        """Transform cells, and follow which of them run."""
        self._shell.input_transformers_cleanup.append(self.keep_from_ipython)
        self._shell.input_transformers_post.append(self.transform)
        self._shell.events.register("pre_run_cell", self._entered)
        self._shell.events.register("post_run_cell", self._left)

    def remove(self) -> None:
        """Leave cells as they are; harmless twice."""
        if self.transform in self._shell.input_transformers_post:
            self._shell.input_transformers_cleanup.remove(self.keep_from_ipython)
            self._shell.input_transformers_post.remove(self.transform)
            self._shell.events.unregister("pre_run_cell", self._entered)
            self._shell.events.unregister("post_run_cell", self._left)

    def keep_from_ipython(self, lines: list[str]) -> list[str]:
        """Keep from IPython what it would take wrongly: `%%gemini` below comments or without text, and questions.

        It refuses an empty cell by itself, and takes `%gemini ask …?` and `%gemini map?` for calls for help with the last word.
        """
        lines = _from_magic_on(lines)
        if lines and re.match(_CELL, lines[0]) and not "".join(lines[1:]).strip():
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


_QUESTION = r"(?m)^\s*(?:(?P<name>\w+)\s*=\s*)?%gemini\s+(?P<line>(?:\S+\s.*|[\w-]+)\?)\s*$"
_HELP = ("pinfo", "pinfo2")  # what `?` and `??` become


class FirstCell:
    """The questions of the cell that loads the extension, which IPython has taken for calls for help by then."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        typed = getattr(getattr(shell, "history_manager", None), "input_hist_raw", None) or [""]
        self._questions = list(re.finditer(_QUESTION, typed[-1])) if "?" in typed[-1] else []
        self._magics: dict[str, Any] = shell.magics_manager.magics["line"]
        self._help: dict[str, Any] = {}

    def listen(self) -> None:
        """Step in for calls for help until the cell ends, if it has questions."""
        if self._questions:
            self._step_in()
            self._shell.events.register("post_run_cell", self._over)

    def _step_in(self) -> None:
        self._help = {name: self._magics[name] for name in _HELP if name in self._magics}
        self._magics.update({name: partial(self._look, name) for name in self._help})

    def _look(self, name: str, about: str = "") -> None:
        """Ask what was a question; all else is help, which may be loaded only now and takes its own name again."""
        words = about.strip()
        question = next((found for found in self._questions if words and found["line"].rstrip("? ").endswith(words)), None)
        if question is None:
            self._magics.update(self._help)
            self._shell.run_line_magic(name, about)
            self._step_in()
            return
        self._questions.remove(question)
        reply = self._shell.run_line_magic("gemini", question["line"])
        if question["name"]:
            self._shell.user_ns[question["name"]] = reply

    def _over(self, *_: Any) -> None:
        self._magics.update(self._help)
        self._shell.events.unregister("post_run_cell", self._over)


WAIT = "_gemini_pending"  # the magic that the line calls
_WAITING_LINE = rf"await get_ipython\(\)\.run_line_magic\('{WAIT}', '[\w ]+'\);?\n"
_RUNS_PYTHON = ("time", "timeit", "capture", "prun")  # cell magics whose text is code
_PROMPTS = ("gemini", AWAITED)  # whose text names values in braces
_CONTROLS = ("stop", "done", "stopping", "so_far")  # what is asked of a reply that runs: such a cell waits where it reads
_BLANK = (tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def with_wait(code: str, pending: Collection[str], last: Collection[str] = (), fields: Collection[str] = ()) -> str:
    """Return the cell with a line below it that waits for those of the `pending` names that it reads, if any.

    Those of the `last` reply and map are read all the time: they are waited for where one of the `fields` is read.
    """
    names = sorted(_names_to_wait_for(code, pending, last, fields)) if pending or last else []
    if not names:
        return code
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(code).readline) if token.type not in _BLANK]
    quiet = ";" if tokens and tokens[-1].string == ";" else ""  # the last line says whether a value is shown
    return f"{code.rstrip()}\nawait get_ipython().run_line_magic('{WAIT}', '{' '.join(names)}'){quiet}\n"


def _names_to_wait_for(code: str, pending: Collection[str], last: Collection[str], fields: Collection[str]) -> set[str]:
    """Return the names that a cell reads, in the text of its magics too, unless it controls what goes by them."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    attributes: list[tuple[str, str]] = []
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                names.add(name)
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                attributes.append((name, attribute))
            case ast.Call(
                func=ast.Attribute(attr="run_cell_magic"), args=[ast.Constant(value=magic), _, ast.Constant(value=text)]
            ):
                if magic in _RUNS_PYTHON:
                    names.update(re.findall(r"\w+", str(text)))
                    attributes += re.findall(r"\b([^\W\d]\w*)\.(\w+)", str(text))
                elif magic in _PROMPTS:
                    names.update(re.findall(r"\{(\w+)", str(text)))
    read = names.intersection(pending) | {name for name, attribute in attributes if name in last and attribute in fields}
    return read - {name for name, attribute in attributes if attribute in _CONTROLS}


class WaitFirst(ast.NodeTransformer):
    """Moves the waiting line to the top of its cell."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """Move it, if it is there; nothing may stand before `from __future__ import …`."""
        match node.body:
            case [*_, ast.Expr(value=ast.Await(value=ast.Call(args=[ast.Constant(value=name), *_])))] if name == WAIT:
                future = [isinstance(line, ast.ImportFrom) and line.module == "__future__" for line in node.body]
                node.body.insert(future.index(False), node.body.pop())
                _hide_from_tracebacks()
        return node


def _hide_from_tracebacks() -> None:
    """Cut the line off the source that was kept for tracebacks a moment ago."""
    for entry in reversed(list(linecache.cache.values())):
        lines: Any = entry[2] if len(entry) > 2 else []  # noqa: PLR2004 - lazy entries are shorter
        if lines and re.fullmatch(_WAITING_LINE, lines[-1]):
            del lines[-1]
            return
