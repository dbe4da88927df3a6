"""A stand-in for `google.colab` as far as its secrets go, by the documentation of `userdata`: what `get` returns and raises.

The real one sends its page a message and polls for the answer, in whichever thread it was called; this one waits as long.
"""

from __future__ import annotations

import sys
import threading
import time
import types


class SecretNotFoundError(Exception):
    """There is no such secret."""


class NotebookAccessError(Exception):
    """The notebook may not have it."""


class TimeoutException(Exception):  # noqa: N818 - its real name
    """No page answered."""


class Userdata(types.ModuleType):
    """`google.colab.userdata`."""

    SecretNotFoundError = SecretNotFoundError
    NotebookAccessError = NotebookAccessError
    TimeoutException = TimeoutException

    def __init__(self):
        super().__init__("google.colab.userdata")
        self.secrets = {}  # by name: a text, or what is raised
        self.asked = []  # names, and whether the main thread was held up
        self.delay = 0.0

    def get(self, name):
        """Return a secret."""
        self.asked.append((name, threading.current_thread() is threading.main_thread()))
        time.sleep(self.delay)
        said = self.secrets.get(name, SecretNotFoundError)
        if isinstance(said, str):
            return said
        raise said(f"the secret {name}")


def pretend():
    """Let this process be Colab's kernel, and return its `userdata`."""
    colab, userdata = types.ModuleType("google.colab"), Userdata()
    colab.userdata = userdata
    sys.modules.update({"google.colab": colab, "google.colab.userdata": userdata})
    return userdata
