"""An IPython in this process with the extension and the offline service: for whatever needs no kernel."""

from __future__ import annotations

import atexit
import contextlib
import io
import sys

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


class Shell:
    """Runs cells and remembers what they printed and raised."""

    def __init__(self, directory):
        assert not InteractiveShell.initialized(), "a process has one IPython"
        config = Config()
        config.HistoryManager.hist_file = ":memory:"
        config.InteractiveShell.ipython_dir = str(directory)
        config.ProfileDir.location = str(directory / "profile")
        self.ip = InteractiveShell.instance(config=config)
        self.printed = ""

    def run(self, code):
        """Run a cell to its end and return what it raised, if anything."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            result = self.ip.run_cell(code, store_history=True)
        self.printed = out.getvalue()
        return result.error_before_exec or result.error_in_exec

    def line(self, code):
        """Run a cell that must fail, in one line of its own, and return the line."""
        error = self.run(code)
        assert error is not None, f"{code!r} went well: {self.printed}"
        last = self.printed.strip().splitlines()[-1]
        assert "Traceback" not in self.printed, self.printed
        return last

    @property
    def reply(self):
        return self.ip.user_ns["_gemini"]

    @property
    def asked(self):
        """The last prompt, as it was sent."""
        return "".join(part.get("text", "") for part in self.reply.exchange.asked.parts)

    def hang_up(self):
        """Close the connections: a terminal's loop runs only while a cell does, and would leave them to the collector."""
        self.run("await get_ipython()._nbgemini[1].runner.session.client.aclose()")

    def close(self):
        self.hang_up()
        self.run("%unload_ext nbgemini")
        atexit.unregister(self.ip.atexit_operations)
        self.ip.atexit_operations()
        InteractiveShell.clear_instance()
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            if hasattr(sys, name):
                delattr(sys, name)
