"""`%%gemini`, `%gemini` and Tab as IPython knows them; everything behind them is imported at the first use.

Each magic has two names; a fifth one waits for pending variables. IPython calls `gemini` where the result can't be awaited;
the await hook rewrites whole cells to call `_gemini_awaited`, whose coroutine the cell then awaits.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any, TypeAlias, cast

from IPython.core import completer as ipython
from IPython.core.magic import no_var_expand

from nbgemini.notebook.kernel.cell_transforms import AWAITED, WAIT, with_wait
from nbgemini.notebook.kernel.environment import runs_silently
from nbgemini.notebook.kernel.running_cells import LastError, LastPicture

Owner: TypeAlias = tuple[str, str]  # kind and name

_CELL = ("cell", "gemini")
_COMPLETIONS = "completions"  # the method that offers them before IPython 8.6


class MagicRegistration:
    """Registers one shell's magics under their names; a clash with another extension is reported in one line.

    `google.generativeai.notebook`, which is no longer maintained, has a `%%gemini` too, and older notebooks load it.
    Invariant: unloading restores the magics that were there before, and leaves those that came later alone.
    """

    def __init__(self, shell: Any, ours: Mapping[Owner, Callable[..., Any]]) -> None:
        """Register nothing yet; `ours` holds the functions by kind and name."""
        self._shell = shell
        self._magics = shell.magics_manager.magics
        self._ours = ours
        self._former: dict[Owner, Any] = {}
        self._reported = False

    @property
    def active(self) -> bool:
        """Whether `%%gemini` is ours."""
        return bool(self._magics["cell"].get("gemini") == self._ours[_CELL])

    def register(self) -> None:
        """Register all names, and report whose name was taken over."""
        self._former = {owner: self._magics[owner[0]][owner[1]] for owner in self._ours if owner[1] in self._magics[owner[0]]}
        for (kind, name), function in self._ours.items():
            self._shell.register_magic_function(function, kind, name)
        if _CELL in self._former:
            _print_line(f"%%gemini is nbgemini's from here on; {_owner_of(self._former[_CELL])}'s is {self._other_name()}")
        self._shell.events.register("post_run_cell", self._check)

    def unregister(self) -> None:
        """Restore the former owners of the names that are still ours."""
        self._shell.events.unregister("post_run_cell", self._check)
        for (kind, name), function in self._ours.items():
            if self._magics[kind].get(name) == function:
                del self._magics[kind][name]
                if (kind, name) in self._former:
                    self._magics[kind][name] = self._former[kind, name]

    def _check(self, *_: Any) -> None:
        """Report once that another extension has taken the name."""
        if self._reported or self.active:
            self._reported = self._reported and not self.active
            return
        self._reported = True
        _print_line(
            f"%%gemini is {_owner_of(self._magics['cell'].get('gemini'))}'s from here on; %reload_ext nbgemini takes it back"
        )

    def _other_name(self) -> str:
        """Return how the magic that had our name can be called now."""
        whose = _owner_of(self._former[_CELL])
        names = [name for name, function in self._magics["cell"].items() if _owner_of(function) == whose]
        return f"%%{names[0]}" if names else "back after %unload_ext nbgemini"


def _manual(name: str) -> str:
    """Return a help text, which is made from the parser when it is read."""
    return str(getattr(import_module("nbgemini.notebook.magics.help"), name)())


def _owner_of(function: Any) -> str:
    return str(getattr(function, "__module__", "") or "another extension").removesuffix(".magics").removesuffix(".notebook")


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class GeminiMagics:
    """The magics of one shell."""

    def __init__(self, shell: Any, settings: Any) -> None:
        self._shell = shell
        self._settings = settings
        self._made: Any = None
        self._pictures = LastPicture(shell)
        self._errors = LastError(shell)
        magics = {
            ("cell", "gemini"): self._magic("cell", "prompt_help"),
            ("line", "gemini"): self._magic("line", "commands_help"),
            ("cell", AWAITED): self._magic("cell_awaited"),
            ("line", AWAITED): self._magic("line_awaited"),
            ("line", WAIT): self._magic("wait_for"),
        }
        self.registration = MagicRegistration(shell, magics)

    def _magic(self, method: str, manual: str = "") -> Callable[..., Any]:
        """Return the magic that a method of the runner does; `manual` is the function that returns its help."""

        @no_var_expand
        def magic(*texts: str) -> Any:
            return getattr(self.runner, method)(*texts)

        if manual:
            vars(magic)["getdoc"] = partial(_manual, manual)  # what IPython asks first
        return cast("Callable[..., Any]", magic)

    @property
    def runner(self) -> Any:
        """What does the work, made at the first use."""
        if self._made is None:
            session = import_module("nbgemini.notebook.session").Session(
                self._shell, self._settings.loaded, self._pictures, self._errors
            )
            self._made = import_module("nbgemini.notebook.magics.runner").MagicRunner(session)
        return self._made

    def session(self) -> Any:
        """Return the session; None before the first use."""
        return None if self._made is None else self._made.session

    def install(self) -> None:
        """Give the shell the names."""
        self._pictures.install()
        self._errors.install()
        self.registration.register()

    def remove(self) -> None:
        """Take them back and stop what runs."""
        self._pictures.remove()
        self._errors.remove()
        self.registration.unregister()
        if self._made is not None:
            self._made.session.close()

    def complete(self, code: str) -> str:
        """Let a cell that reads a pending reply or map wait for it."""
        if self._made is None or runs_silently(self._shell):
            return code
        session = self._made.session
        return with_wait(code, session.pending, session.last, import_module("nbgemini.notebook.session").FINAL_FIELDS)


class CompletionMatcher:
    """Joins our completions to those of one shell: as a matcher, or before IPython 8.6 in the place of its method."""

    def __init__(self, shell: Any, settings: Any, session: Callable[[], Any]) -> None:
        """`session` returns the session, or None while nothing was asked: it is not made for a Tab."""
        self._completer = shell.Completer
        self._parts = shell, settings, session
        self._offers: Any = None
        self._matcher = self._new_matcher() if hasattr(ipython, "context_matcher") else None

    def install(self) -> None:
        """Offer completions from now on."""
        if self._matcher is not None:
            self._completer.custom_matchers.append(self._matcher)
        else:
            setattr(self._completer, _COMPLETIONS, self._completions)

    def remove(self) -> None:
        """Offer nothing any more; harmless twice."""
        if self._matcher is None:
            vars(self._completer).pop(_COMPLETIONS, None)
        elif self._matcher in self._completer.custom_matchers:
            self._completer.custom_matchers.remove(self._matcher)

    def _offered(self, text: str, row: int, column: int) -> tuple[str, list[str]]:
        """Return what is being typed at a place in a cell, and the whole words of ours that it may become."""
        if "gemini" not in text:
            return "", []
        if self._offers is None:
            self._offers = import_module("nbgemini.notebook.magics.completion").Completer(*self._parts)
        offered: tuple[str, list[str]] = self._offers.offered(text, row, column)
        return offered

    def _new_matcher(self) -> Any:
        @ipython.context_matcher(identifier="nbgemini", priority=1000)  # before jedi, which then need not run
        def match(context: Any) -> dict[str, Any]:
            typed, words = self._offered(context.full_text, context.cursor_line, context.cursor_position)
            found = [ipython.SimpleCompletion(word, type="nbgemini") for word in words]
            return {"completions": found, "suppress": True, "matched_fragment": typed, "ordered": True}

        return match

    def _completions(self, text: str, offset: int) -> Iterator[Any]:
        """Return ours where something of ours is typed, or else IPython's: that would run properties to see what they have."""
        before = text[:offset].split("\n")
        typed, words = self._offered(text, len(before) - 1, len(before[-1]))
        if not typed and not words:
            return getattr(type(self._completer), _COMPLETIONS)(self._completer, text, offset)
        return iter([ipython.Completion(offset - len(typed), offset, word, type="nbgemini") for word in words])
