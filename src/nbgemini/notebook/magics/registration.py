"""Registers the magics under their names; a clash with another extension is reported in one line.

`google.generativeai.notebook`, which is no longer maintained, has a `%%gemini` too, and older notebooks load it.
Invariant: unloading restores the magics that were there before, and leaves those that came later alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Owner: TypeAlias = tuple[str, str]  # kind and name

_CELL = ("cell", "gemini")


class MagicRegistration:
    """The registration of one shell's magics."""

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


def _owner_of(function: Any) -> str:
    return str(getattr(function, "__module__", "") or "another extension").removesuffix(".magics").removesuffix(".notebook")


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
