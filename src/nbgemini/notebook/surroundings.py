"""What kind of place the notebook runs in: who listens, and which cell is speaking."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_UNSET = object()


def kernel_of(shell: Any) -> Any | None:
    """Return the kernel, or None in a terminal."""
    return getattr(shell, "kernel", None)


def someone_sits_there(shell: Any) -> bool:
    """Whether the front end can ask its reader: nbclient, papermill, nbconvert and nbval can't."""
    kernel = kernel_of(shell)
    return bool(kernel is not None and _request(kernel).get("content", {}).get("allow_stdin"))


def may_be_cut_off(shell: Any) -> bool:
    """Whether a runner that ends a cell after a time may be at work, which keeps what was shown until then.

    nbclient, papermill and nbconvert are told from nbval, which reads no change of an output, by what they do after an error.
    """
    kernel = kernel_of(shell)
    return kernel is not None and bool(_request(kernel).get("content", {}).get("stop_on_error"))


def runs_silently(shell: Any) -> bool:
    """Whether the code that runs is a front end's own, which looks at the user's objects, and no cell."""
    kernel = kernel_of(shell)
    return kernel is not None and bool(_request(kernel).get("content", {}).get("silent"))


def takes_our_widgets() -> bool:
    """Whether the front end shows widgets it does not know by heart: Colab does only after its user has switched that on."""
    return "google.colab" not in sys.modules


def cell_id(shell: Any) -> str | None:
    """Return the id of the notebook cell that runs now, if the front end names it."""
    kernel = kernel_of(shell)
    return _request(kernel).get("metadata", {}).get("cellId") if kernel is not None else None


def execution_id(shell: Any) -> str:
    """Return a name for this very execution of the cell."""
    kernel = kernel_of(shell)
    return _request(kernel).get("header", {}).get("msg_id", "") if kernel is not None else ""


def clicks_arrive_while_waiting(shell: Any) -> bool:
    """Whether widgets' messages are heard while a cell awaits: ipykernel 6 hears them only after the cell."""
    kernel = kernel_of(shell)
    return kernel is not None and hasattr(kernel, "_shell_parent")


def code_title(shell: Any, file: str) -> str:
    """Return what a file of code is called: `In[3]` if it is a cell, whose file nobody knows."""
    found = shell.compile.format_code_name(file)
    return str(found[1]) if found else file


def notebook_name(shell: Any) -> str:
    """Return the notebook's path where the front end tells it (a Jupyter server, VS Code), else the working directory."""
    told = os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__vsc_ipynb_file__")
    return str(told or Path.cwd())


def visible(shell: Any) -> Mapping[str, Any]:
    """Return the names that the user or a cell has set: what IPython itself put there (`In`, `_`, `exit`) is not meant."""
    hidden = shell.user_ns_hidden
    return {name: value for name, value in shell.user_ns.items() if hidden.get(name, _UNSET) is not value}


def _request(kernel: Any) -> dict[str, Any]:
    return kernel.get_parent("shell") or {}
