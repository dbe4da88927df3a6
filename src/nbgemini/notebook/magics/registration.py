"""The magics' names in the shell: who had them before, and who takes them later; a clash is told in one line.

`google.generativeai.notebook`, which is no longer maintained, has a `%%gemini` too, and older notebooks load it.
Invariant: unloading gives back what was there, and takes nothing from whoever came later.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Owner: TypeAlias = tuple[str, str]  # kind and name

_CELL = ("cell", "gemini")


class Names:
    """The names of one shell's magics."""

    def __init__(self, shell: Any, ours: Mapping[Owner, Callable[..., Any]]) -> None:
        """Know what belongs under which name, by kind."""
        self._shell = shell
        self._magics = shell.magics_manager.magics
        self._ours = ours
        self._former: dict[Owner, Any] = {}
        self._told = False

    @property
    def ours(self) -> bool:
        """Whether `%%gemini` means us."""
        return bool(self._magics["cell"].get("gemini") == self._ours[_CELL])

    def take(self) -> None:
        """Register all names, and say so if somebody else had them."""
        self._former = {owner: self._magics[owner[0]][owner[1]] for owner in self._ours if owner[1] in self._magics[owner[0]]}
        for (kind, name), function in self._ours.items():
            self._shell.register_magic_function(function, kind, name)
        if _CELL in self._former:
            _tell(f"%%gemini is nbgemini's from here on; {_whose(self._former[_CELL])}'s is {self._other_name()}")
        self._shell.events.register("post_run_cell", self._look)

    def give_back(self) -> None:
        """Leave the names that are still ours to whoever had them before."""
        self._shell.events.unregister("post_run_cell", self._look)
        for (kind, name), function in self._ours.items():
            if self._magics[kind].get(name) == function:
                del self._magics[kind][name]
                if (kind, name) in self._former:
                    self._magics[kind][name] = self._former[kind, name]

    def _look(self, *_: Any) -> None:
        """Say it, once, when somebody else has taken the name."""
        if self._told or self.ours:
            self._told = self._told and not self.ours
            return
        self._told = True
        _tell(f"%%gemini is {_whose(self._magics['cell'].get('gemini'))}'s from here on; %reload_ext nbgemini takes it back")

    def _other_name(self) -> str:
        """Return how to get at the magic that had our name."""
        whose = _whose(self._former[_CELL])
        names = [name for name, function in self._magics["cell"].items() if _whose(function) == whose]
        return f"%%{names[0]}" if names else "back after %unload_ext nbgemini"


def _whose(function: Any) -> str:
    return str(getattr(function, "__module__", "") or "somebody").removesuffix(".magics").removesuffix(".notebook")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
