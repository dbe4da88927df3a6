"""What %load_ext nbgemini does and undoes.

Invariants: loading imports neither the HTTP library nor google-genai nor pydantic; loading twice is loading once; unloading
stops what runs and leaves the shell as it was.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from importlib import import_module
from typing import Any

from nbgemini._environment import HOST
from nbgemini.notebook.kernel.cell_transforms import AwaitHook, FirstCell, WaitFirst
from nbgemini.notebook.kernel.environment import hear_every_request
from nbgemini.notebook.kernel.running_cells import Cells
from nbgemini.notebook.magics.magics import CompletionMatcher, GeminiMagics

_ATTRIBUTE = "_nbgemini"


class LazySettings:
    """The settings of a shell, made when first asked for: making their class would be a quarter of what %load_ext takes."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    @cached_property
    def loaded(self) -> Any:
        """The settings."""
        return import_module("nbgemini.notebook.config").settings_of(self._shell)

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # by which %config lists and completes them
        return type(self.loaded)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loaded, name)


def load_extension(shell: Any) -> None:
    """Register the magics, the settings and the await hook."""
    if hasattr(shell, _ATTRIBUTE):
        return
    undo = ExitStack()
    hear_every_request(shell)
    settings = LazySettings(shell)
    shell.configurables.append(settings)
    undo.callback(shell.configurables.remove, settings)
    magics = GeminiMagics(shell, settings)
    hook = AwaitHook(shell, magics.complete, lambda: magics.registration.active)
    hook.before_await = lambda: session.gui.make_way() if (session := magics.session()) else None
    cells = Cells(shell)
    for part in (magics, hook, CompletionMatcher(shell, settings, magics.session), cells):
        part.install()
        undo.callback(part.remove)
    FirstCell(shell).listen()
    wait_first = WaitFirst()
    shell.ast_transformers.append(wait_first)
    undo.callback(shell.ast_transformers.remove, wait_first)
    HOST.magics, HOST.reader = True, cells.reader
    HOST.map_bar = lambda: import_module("nbgemini.notebook.display.map_progress").cell_bar(shell)
    undo.callback(HOST.leave)
    setattr(shell, _ATTRIBUTE, (settings, magics, undo))
    if "Gemini" in list(shell.config):  # a Config says of any section that it has it, so its names are looked through
        settings.loaded  # noqa: B018 - a wrong setting is reported now


def unload_extension(shell: Any) -> None:
    """Undo all of it."""
    if hasattr(shell, _ATTRIBUTE):
        *_, undo = getattr(shell, _ATTRIBUTE)
        undo.close()
        delattr(shell, _ATTRIBUTE)
