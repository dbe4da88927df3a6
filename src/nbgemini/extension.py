"""What %load_ext nbgemini does and undoes.

Invariants: loading imports neither the HTTP library nor google-genai nor pydantic; loading twice is loading once; unloading
stops what runs and leaves the shell as it was.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from importlib import import_module
from typing import Any

from nbgemini._environment import HOST
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.kernel.cell_transforms import AwaitHook, FirstCell, WaitFirst
from nbgemini.notebook.kernel.environment import hear_every_request
from nbgemini.notebook.kernel.running_cells import Cells
from nbgemini.notebook.magics.magics import CompletionMatcher, GeminiMagics

_ATTRIBUTE = "_nbgemini"


def load_extension(shell: Any) -> None:
    """Register the magics, the settings and the await hook."""
    if hasattr(shell, _ATTRIBUTE):
        return
    undo = ExitStack()
    hear_every_request(shell)
    config = _settings_of(shell)
    shell.configurables.append(config)
    undo.callback(shell.configurables.remove, config)
    magics = GeminiMagics(shell, config)
    hook = AwaitHook(shell, magics.complete, lambda: magics.registration.active)
    hook.before_await = lambda: session.gui.make_way() if (session := magics.session()) else None
    cells = Cells(shell)
    for part in (magics, hook, CompletionMatcher(shell, config, magics.session), cells):
        part.install()
        undo.callback(part.remove)
    FirstCell(shell).listen()
    wait_first = WaitFirst()
    shell.ast_transformers.append(wait_first)
    undo.callback(shell.ast_transformers.remove, wait_first)

    HOST.magics, HOST.durations, HOST.latex, HOST.reader = True, config.show_duration, config.latex, cells.reader
    HOST.map_bar = lambda: import_module("nbgemini.notebook.display.map_progress").cell_bar(shell)
    undo.callback(HOST.leave)
    setattr(shell, _ATTRIBUTE, (config, magics, undo))


def _settings_of(shell: Any) -> Gemini:
    """Return the settings that the shell's configuration holds; a wrong one is reported and dropped, so that loading succeeds.

    It comes from a configuration file, or from a %config line that was refused: IPython keeps its value all the same.
    """
    try:
        return Gemini(parent=shell)
    except Exception:  # noqa: BLE001 - what is no setting's fault is raised again at the end
        from nbgemini.errors import ConfigurationError  # noqa: PLC0415 - %load_ext stays quick

        section = shell.config.Gemini
    for name, value in list(section.items()):
        try:
            setattr(Gemini(), name, value)
        except ConfigurationError as error:
            del section[name]
            sys.stdout.write(f"ignored a setting: {error}\n")
    sys.stdout.flush()
    return Gemini(parent=shell)


def unload_extension(shell: Any) -> None:
    """Undo all of it."""
    if hasattr(shell, _ATTRIBUTE):
        *_, undo = getattr(shell, _ATTRIBUTE)
        undo.close()
        delattr(shell, _ATTRIBUTE)
