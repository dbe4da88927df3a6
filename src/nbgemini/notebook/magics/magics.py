"""`%%gemini` and `%gemini` as IPython knows them; everything behind the names is imported at the first use.

Each magic has two names; a fifth one waits for pending variables. IPython calls `gemini` where the result can't be awaited;
the await hook rewrites whole cells to call `_gemini_awaited`, whose coroutine the cell then awaits.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from IPython.core.magic import Magics, magics_class, no_var_expand

from nbgemini.notebook.config import Gemini
from nbgemini.notebook.kernel.cell_transforms import AWAITED, WAIT, with_wait
from nbgemini.notebook.kernel.environment import runs_silently
from nbgemini.notebook.magics.registration import MagicRegistration
from nbgemini.notebook.prompt.watchers import LastError, LastPicture


@magics_class
class GeminiMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: Any, config: Gemini) -> None:
        """Register nothing yet; the extension does."""
        super().__init__(shell)
        self._shell: Any = shell
        self._settings = config
        self._made: Any = None
        self._pictures = LastPicture(shell)
        self._errors = LastError(shell)
        self.registration = MagicRegistration(
            shell,
            {
                ("cell", "gemini"): self.cell,
                ("line", "gemini"): self.line,
                ("cell", AWAITED): self.cell_awaited,
                ("line", AWAITED): self.line_awaited,
                ("line", WAIT): self.wait_for,
            },
        )

    @property
    def runner(self) -> Any:
        """What does the work, made at the first use: %load_ext must stay quick."""
        if self._made is None:
            session = import_module("nbgemini.notebook.session").Session(
                self._shell, self._settings, self._pictures, self._errors
            )
            self._made = import_module("nbgemini.notebook.magics.runner").MagicRunner(session)
        return self._made

    def session(self) -> Any:
        """Return the session; None before the first use."""
        return None if self._made is None else self._made.session

    def register(self) -> None:
        """Give the shell the names."""
        self._pictures.install()
        self._errors.install()
        self.registration.register()

    def unregister(self) -> None:
        """Take them back and stop what runs."""
        self._pictures.remove()
        self._errors.remove()
        self.registration.unregister()
        if self._made is not None:
            self._made.session.close()

    @no_var_expand
    def cell(self, line: str, cell: str) -> Any:
        """Ask Gemini."""
        return self.runner.cell(line, cell)

    @no_var_expand
    def line(self, line: str) -> Any:
        """Do what is not a prompt."""
        return self.runner.line(line)

    @no_var_expand
    def cell_awaited(self, line: str, cell: str) -> Any:
        """Return the coroutine of a cell."""
        return self.runner.cell_awaited(line, cell)

    @no_var_expand
    def line_awaited(self, line: str) -> Any:
        """Return the coroutine of a line."""
        return self.runner.line_awaited(line)

    @no_var_expand
    def wait_for(self, line: str) -> Any:
        """Return the coroutine that waits for the replies with these names."""
        return self.runner.wait_for(line.split())

    def complete(self, code: str) -> str:
        """Let a cell that reads a pending reply or map wait for it."""
        if self._made is None or runs_silently(self._shell):
            return code
        session = self._made.session
        return with_wait(code, session.pending, session.last, import_module("nbgemini.notebook.session").FINAL_FIELDS)


# IPython asks an object's `getdoc` first: the help is made from the parser when it is read.
GeminiMagics.cell.getdoc = lambda: import_module("nbgemini.notebook.magics.help").prompt_help()  # type: ignore[attr-defined]
GeminiMagics.line.getdoc = lambda: import_module("nbgemini.notebook.magics.help").commands_help()  # type: ignore[attr-defined]
