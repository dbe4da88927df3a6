"""Code of an answer goes into a new cell: at once where the cell still runs, else by a button that Jupyter itself serves.

A kernel can put code into a cell only with the reply to the cell that runs. Later, a button names two of JupyterLab's own
commands; Notebook 7 has them too. Invariants: nothing runs by itself; what is put is what the answer shows.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any

from nbgemini.chat.reply import Reply
from nbgemini.messages.segments import code_of
from nbgemini.notebook.kernel.environment import in_colab
from nbgemini.render.escape import harmless

_COMMANDS = ["notebook:insert-cell-below", "notebook:replace-selection"]


def put_code(shell: Any, reply: Reply) -> None:
    """Put the code of a whole answer into a new cell below the running one, or into a terminal's next prompt."""
    code = offered_code(reply, reply.text)
    if reply.state == "complete" and code:
        shell.set_next_input(harmless(code))


def offered_code(reply: Reply, text: str) -> str:
    """Return the code in an answer's text, where code was asked for: nothing but code, or a corrected cell."""
    if reply.options.format == "code":
        return code_of(text, bare=True)
    return code_of(text) if reply.purpose == "fix" else ""


def has_commands(shell: Any) -> bool:
    """Whether the front end has JupyterLab's commands: VS Code and Colab have none."""
    return "__vsc_ipynb_file__" not in shell.user_ns and not in_colab()


def button_html(code: str) -> str:
    """Return a button that puts code into a new cell below the one it stands in."""
    args = json.dumps({"commands": _COMMANDS, "args": {"text": harmless(code)}})
    return (
        f'<button data-commandlinker-command="apputils:run-all-enabled" data-commandlinker-args="{escape(args)}">'
        "Put into a new cell</button>"
    )
