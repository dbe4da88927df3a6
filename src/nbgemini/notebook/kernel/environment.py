"""The notebook's environment: what the front end can do, and which cell is running."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_UNSET = object()
_LAST_CELL = "_nbgemini_last_cell"


def kernel_of(shell: Any) -> Any | None:
    """Return the kernel, or None in a terminal."""
    return getattr(shell, "kernel", None)


def is_interactive(shell: Any) -> bool:
    """Whether the front end can ask its user for input: nbclient, papermill, nbconvert and nbval can't."""
    return bool(_request(shell).get("content", {}).get("allow_stdin"))


def is_watched(shell: Any) -> bool:
    """Whether somebody watches: who can be asked for input, or has clicked on a page that asks for none, like Voilà's."""
    return is_interactive(shell) or outside_cells(shell)


def is_unattended(shell: Any) -> bool:
    """Whether a kernel runs cells that nobody watches; a terminal always has its user."""
    return kernel_of(shell) is not None and not is_interactive(shell)


def may_be_cut_off(shell: Any) -> bool:
    """Whether a runner that ends a cell after a time may be at work, which keeps what was shown until then.

    nbclient, papermill and nbconvert differ from nbval, which reads no update of an output, by what they do after an error.
    """
    return bool(_request(shell).get("content", {}).get("stop_on_error"))


def runs_silently(shell: Any) -> bool:
    """Whether the code that runs is a front end's own, which looks at the user's objects, and no cell."""
    return bool(_request(shell).get("content", {}).get("silent"))


def in_colab() -> bool:
    """Whether Colab's own kernel runs this."""
    return "google.colab" in sys.modules


def cell_id(shell: Any) -> str | None:
    """Return the id of the notebook cell that runs now, if the front end names it."""
    return _request(shell).get("metadata", {}).get("cellId")


def execution_id(shell: Any) -> str:
    """Return a name for this very execution of the cell."""
    return str(_request(shell).get("header", {}).get("msg_id", ""))


def clicks_arrive_while_waiting(shell: Any) -> bool:
    """Whether widgets' messages are heard while a cell awaits: ipykernel 6 hears them only after the cell."""
    kernel = kernel_of(shell)
    return kernel is not None and hasattr(kernel, "_shell_parent")


def notebook_name(shell: Any) -> str:
    """Return the notebook's path where the front end names it (a Jupyter server, VS Code), else the working directory."""
    named = os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__vsc_ipynb_file__")
    return str(named or Path.cwd())


def user_names(shell: Any) -> Mapping[str, Any]:
    """Return the names that the user or a cell has set, without those of IPython itself (`In`, `_`, `exit`)."""
    hidden = shell.user_ns_hidden
    return {name: value for name, value in shell.user_ns.items() if hidden.get(name, _UNSET) is not value}


def note_cell(shell: Any) -> None:
    """Remember the request of the cell that runs now: what a button's callback asks later has its place below it."""
    request = current_request(shell)
    if _is_cell(request[1]):
        setattr(shell, _LAST_CELL, request)


def outside_cells(shell: Any) -> bool:
    """Whether no cell asks, but a widget's callback: the front end shows outputs of those nowhere."""
    request = current_request(shell)[1]
    return bool(request) and not _is_cell(request)


def cell_request(shell: Any) -> tuple[Any, dict[str, Any]]:
    """Return the identity and the request of the cell that runs now; in a callback, of the cell that ran last."""
    request = current_request(shell)
    return request if _is_cell(request[1]) else getattr(shell, _LAST_CELL, request)


def current_request(shell: Any) -> tuple[Any, dict[str, Any]]:
    """Return the identity and the message that the kernel works on: a cell's request, or a click."""
    kernel = kernel_of(shell)
    if kernel is None:
        return None, {}
    return kernel._parent_ident["shell"], kernel.get_parent("shell") or {}  # noqa: SLF001 - comm messages need the identity too


def _is_cell(request: Mapping[str, Any]) -> bool:
    return request.get("header", {}).get("msg_type") == "execute_request"


def _request(shell: Any) -> dict[str, Any]:
    return cell_request(shell)[1]


def hear_every_request(shell: Any) -> None:
    """Let ipykernel 7.0 to 7.3 send its replies as 7.4 does, through the stream that reads the requests.

    They send them on the stream's bare socket, which may take the one signal that ZeroMQ gives for a request that comes at that
    moment: it stays unread, and those behind it are not signalled at all. A stream looks again whenever it has sent something.
    """
    kernel = kernel_of(shell)
    manager: Any = getattr(getattr(kernel, "shell_channel_thread", None), "_manager", None)
    if kernel is not None and hasattr(manager, "_shell_socket"):
        manager._shell_socket = kernel.shell_stream  # noqa: SLF001 - it sends nothing but replies
