"""The journal of one kernel, opened and closed as %config Gemini.journal says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbgemini._storage.sqlite import default_path
from nbgemini.chat.reply import Reply
from nbgemini.journal import Journal
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.kernel.environment import notebook_name


class KernelJournal:
    """Writes the replies of a client to the journal, if there is one."""

    def __init__(self, shell: Any, config: Gemini) -> None:
        """Open nothing before it is needed."""
        self._shell = shell
        self._config = config
        self._open: Journal | None = None

    @property
    def current(self) -> Journal | None:
        """The journal that %config asks for; None if it asks for none."""
        wanted = self._config.journal
        path = default_path("journal.sqlite3") if wanted == "auto" else Path(wanted).expanduser()
        if self._open is not None and (wanted == "off" or path != self._open.path):
            self.close()
        if self._open is None and wanted != "off":
            self._open = Journal(path, notebook_name(self._shell))
        return self._open

    def follow(self, reply: Reply) -> None:
        """Write a reply from now on to its end."""
        if (journal := self.current) is not None:
            journal.follow(reply)

    async def saved(self) -> None:
        """Return when everything up to now is written."""
        if (journal := self.current) is not None:
            await journal.saved()

    def close(self) -> None:
        """Close the journal once the replies that were stopped just now are written to their ends."""
        journal, self._open = self._open, None
        if journal is not None:
            journal.retire()
