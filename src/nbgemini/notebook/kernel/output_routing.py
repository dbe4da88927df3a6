"""Outputs find their cell: what a stream publishes goes below the cell that started it, whichever cell runs now.

A kernel labels each message with the header of the request it belongs to. ipykernel 7 keeps that header in context
variables: a copied context with the cell's header in it does the labelling. ipykernel 6 keeps one header for the whole
kernel: it is swapped and put back within one call, with no await between.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from IPython.core.displaypub import CapturingDisplayPublisher

from nbgemini._environment import HOST
from nbgemini.notebook.kernel.environment import cell_request, current_request, kernel_of
from nbgemini.tools.stdout import PRINTED

T = TypeVar("T")


class Route(Protocol):
    """A way for a call's outputs to reach the cell it was captured in."""

    def run(self, call: Callable[[], T]) -> T:
        """Call with the outputs going to the captured cell; nothing in `call` may await."""
        ...


class Straight:
    """No kernel: outputs go to the terminal."""

    def run(self, call: Callable[[], T]) -> T:
        """Just call."""
        return call()


class _InContext:
    """ipykernel 7: run in a copy of a context that holds the cell's header."""

    def __init__(self, shell: Any, publisher: Any, ident: Any, parent: dict[str, Any]) -> None:
        self._shell, self._publisher = shell, publisher
        self._context = contextvars.copy_context()
        self._context.run(_set_context_parent, shell, publisher, ident, parent)

    def run(self, call: Callable[[], T]) -> T:
        with _published_by(self._shell, self._publisher):
            return self._context.copy().run(call)  # a context can't be entered twice at once


class _Swapped:
    """ipykernel 6: put the cell's header in place for the time of the call."""

    def __init__(self, shell: Any, publisher: Any, ident: Any, parent: dict[str, Any]) -> None:
        self._shell, self._publisher, self._kernel = shell, publisher, shell.kernel
        self._here = ident, parent

    def run(self, call: Callable[[], T]) -> T:
        before = self._kernel._parent_ident["shell"], self._kernel.get_parent("shell")  # noqa: SLF001 - there is no other way
        with _published_by(self._shell, self._publisher):
            try:
                self._turn(*self._here)
                return call()
            finally:
                self._turn(*before)

    def _turn(self, ident: Any, parent: dict[str, Any]) -> None:
        """Put a header in place; what was printed before goes out under the one that was there, also before ipykernel 6.29."""
        for out in _print_streams():
            if not hasattr(out, "_buffers"):  # one for each header
                out.flush()
        self._kernel.set_parent(ident, parent, "shell")


class Routes:
    """Captures the routes of one shell's cells."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._publisher = shell.display_pub

    @property
    def captured(self) -> bool:
        """Whether the outputs of the cell that runs now are captured (%%capture) instead of shown."""
        return isinstance(self._shell.display_pub, CapturingDisplayPublisher)

    def capture(self, *, inside_output: bool = False) -> Route:
        """Return the route to the cell that runs now; call it in the magic, before anything is awaited.

        What a callback asks goes below the cell that ran last; `inside_output`, an Output widget takes it in, which listens to
        what belongs to the click.
        """
        if not self.captured:
            self._publisher = self._shell.display_pub
        kernel = kernel_of(self._shell)
        if kernel is None:
            return Straight()
        request = (current_request if inside_output else cell_request)(self._shell)
        return (_InContext if hasattr(kernel, "_shell_parent") else _Swapped)(self._shell, self._publisher, *request)


class PrintCapture:
    """Lets what tools print go to their cards: the kernel's streams first offer each text to the call that runs there.

    The streams stay where and what they are, so that others may capture, replace and restore them at any time. IPython 9 puts a
    `write` of its own into them for each cell and takes it out again, and with it ours: it is looked after before each call.
    """

    def __init__(self) -> None:
        self._active = True
        HOST.before_call = self.install

    def install(self) -> None:
        """Take over the `write` of the streams that print to the notebook now, unless it is ours already."""
        for stream in _print_streams():
            if hasattr(stream, "pub_thread") and not self._is_ours(stream):
                stream.write = partial(self._write, stream.write)

    def remove(self) -> None:
        """Give the streams their `write` back."""
        self._active = False
        HOST.before_call = None
        for stream in filter(self._is_ours, _print_streams()):
            (stream.write,) = stream.write.args

    def _is_ours(self, stream: Any) -> bool:
        return getattr(stream.write, "func", None) == self._write

    def _write(self, write: Callable[[str], T], text: str) -> T | int:
        printed = PRINTED.get() if self._active else None
        return len(text) if printed is not None and isinstance(text, str) and printed.write(text) else write(text)


def _print_streams() -> tuple[Any, Any]:
    return sys.stdout, sys.stderr


@contextmanager
def _published_by(shell: Any, publisher: Any) -> Iterator[None]:
    """Let nothing be captured by another cell that happens to capture its own outputs."""
    before, shell.display_pub = shell.display_pub, publisher
    try:
        yield
    finally:
        shell.display_pub = before


def _set_context_parent(shell: Any, publisher: Any, ident: Any, parent: dict[str, Any]) -> None:
    kernel = shell.kernel  # which comm messages ask, not the shell
    kernel._shell_parent.set(parent)  # noqa: SLF001
    kernel._shell_parent_ident.set(ident)  # noqa: SLF001
    if hasattr(shell, "set_thread_parent"):
        with _published_by(shell, publisher):
            shell.set_thread_parent(parent)
        return
    from jupyter_client.session import extract_header  # noqa: PLC0415

    shell._parent_header.set(parent)  # noqa: SLF001
    for outlet in (shell.displayhook, publisher, sys.stdout, sys.stderr):
        variable = getattr(outlet, "_parent_header", None)
        if isinstance(variable, contextvars.ContextVar):
            variable.set(extract_header(parent))
