"""What %load_ext nbgemini does and undoes.

Invariants: loading imports neither the HTTP library nor google-genai nor pydantic; loading twice is loading once; unloading
stops what runs and leaves the shell as it was.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from nbgemini._async.readers import register_reader_finder, unregister_reader_finder
from nbgemini.errors import AUDIENCE, ConfigurationError
from nbgemini.formatting import LOOKS
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.kernel.cell_transforms import AwaitHook, FirstCell, WaitFirst
from nbgemini.notebook.kernel.environment import hear_every_request
from nbgemini.notebook.kernel.running_cells import Cells
from nbgemini.notebook.magics.completion_matcher import CompletionMatcher
from nbgemini.notebook.magics.magics import GeminiMagics

_ATTRIBUTE = "_nbgemini"


def load_extension(shell: Any) -> None:
    """Register the magics, the settings and the await hook."""
    if hasattr(shell, _ATTRIBUTE):
        return
    hear_every_request(shell)
    config = _settings_of(shell)
    LOOKS.durations, LOOKS.latex = config.show_duration, config.latex
    AUDIENCE.magics = True
    magics = GeminiMagics(shell, config)
    hook = AwaitHook(shell, magics.complete, lambda: magics.registration.active)
    hook.before_await = lambda: session.gui.make_way() if (session := magics.session()) else None
    wait_first = WaitFirst()
    completer = CompletionMatcher(shell, config, magics.session)
    shell.configurables.append(config)
    magics.register()
    hook.install()
    FirstCell(shell).listen()
    completer.install()
    shell.ast_transformers.append(wait_first)

    cells = Cells(shell)
    cells.install()
    register_reader_finder(cells.reader)
    LOOKS.map_bar = lambda: import_module("nbgemini.notebook.display.map_progress").cell_bar(shell)
    setattr(shell, _ATTRIBUTE, (config, magics, hook, wait_first, completer, cells))


def _settings_of(shell: Any) -> Gemini:
    """Return the settings that the shell's configuration holds; a wrong one is reported and dropped, so that loading succeeds.

    It comes from a configuration file, or from a %config line that was refused: IPython keeps its value all the same.
    """
    try:
        return Gemini(parent=shell)
    except ConfigurationError:
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
    if not hasattr(shell, _ATTRIBUTE):
        return
    config, magics, hook, wait_first, completer, cells = getattr(shell, _ATTRIBUTE)
    LOOKS.durations = LOOKS.latex = True
    AUDIENCE.magics = False
    LOOKS.map_bar = None
    unregister_reader_finder(cells.reader)
    cells.remove()
    hook.remove()
    completer.remove()
    magics.unregister()
    shell.ast_transformers.remove(wait_first)
    shell.configurables.remove(config)
    delattr(shell, _ATTRIBUTE)
