"""Real kernels: those of the interpreters named in NBGEMINI_KERNELS (paths, separated by colons), or this environment's."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import time
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

from tests.support.front_ends import PLAYED, changed_metadata, differences
from tests.support.outputs import is_live, kind_of, kinds_in

PATIENCE = 90  # seconds that a busy machine may take
OF_THE_TEST = ("GEMINI", "GOOGLE", "PYTEST_CURRENT_TEST")  # what kernels don't inherit
SPARE = []  # the kernel that starts while tests run, for the next that is started the same way, and what that is


def pytest_collection_modifyitems(items):
    for item in items:
        if "kernel" in Path(item.path).parts:
            item.add_marker(pytest.mark.kernel)


def interpreters():
    """Whose kernels are tried, as parameters that are called by the names of their environments."""
    named = [python for python in os.environ.get("NBGEMINI_KERNELS", "").split(":") if python]
    return [pytest.param(python, id=Path(python).parents[1].name) for python in named or [sys.executable]]


class Kernel:
    """A kernel and a client that sees every message.

    Whatever a test does, its log is held to two rules in the end: the metadata of a display never changes, and what stays below
    each cell is the same in all front ends.
    """

    def __init__(self, python, *, stderr=None, **environ):
        """`stderr`: a file for what the process itself complains about; `environ`: more variables."""
        self.log, self.requests = [], {}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_TEST)}
        how = {"env": {**inherited, **environ}, **({"stderr": stderr} if stderr else {})}
        self._manager, self.client = _started(python, how) or _started(python, how) or _started(python, how)
        if not environ and stderr is None:
            _launch_spare(python, how)
        PLAYED["kernels"] += 1
        self.run("import faulthandler, signal, sys\nfaulthandler.register(signal.SIGUSR1, file=sys.__stderr__)")

    def close(self):
        self._read_what_is_left()
        self.client.stop_channels()
        _ended(self._manager)
        assert changed_metadata(self.log) == []
        assert differences(self.requests, self.log) == []
        PLAYED["logs"] += 1
        PLAYED["messages"] += len(self.log)

    def _read_what_is_left(self):
        with contextlib.suppress(queue.Empty):
            while True:
                self.log.append(self.client.get_iopub_msg(timeout=0))

    def interrupt(self):
        self._manager.interrupt_kernel()

    def leave(self, how):
        """Restart or shut down as a front end does (`how`), and return the exit code of the process that ended."""
        self._manager.shutdown_wait_time = PATIENCE  # a busy machine takes longer than the 5 s after which a signal follows
        process = self._manager.provisioner.process
        getattr(self._manager, f"{how}_kernel")(now=False)
        return process.returncode

    def send(self, code, *, sits=True, cell=None):
        """Start a cell and return its id; `sits`: somebody is at the front end; `cell`: the notebook cell's id."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": sits,
            "stop_on_error": False,
        }
        message = self.client.session.msg("execute_request", content, metadata={"cellId": cell} if cell else {})
        self.client.shell_channel.send(message)
        self.requests[message["header"]["msg_id"]] = sits
        return message["header"]["msg_id"]

    def until(self, condition):
        """Collect messages until one fulfils the condition; the messages, that one last.

        A busy machine may take its time as long as something comes.
        """
        messages, deadline = [], time.monotonic() + 2 * PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            try:
                messages.append(self.client.get_iopub_msg(timeout=min(left, PATIENCE)))
            except queue.Empty:
                break
            self.log.append(messages[-1])
            if condition(messages[-1]):
                return messages
        self._manager.signal_kernel(signal.SIGUSR1)  # every thread's stack, to stderr
        time.sleep(0.5)
        raise AssertionError(f"did not come; came: {[summary(message) for message in messages][-10:]}")

    def run(self, code, **how):
        """Run a cell to its end and return all messages until then.

        Its reply is read too: until the extension is loaded, ipykernel 7.3 may not hear a request that comes with a reply.
        """
        mine = self.send(code, **how)
        messages = self.until(lambda message: is_idle(message) and parent(message) == mine)
        while parent(self.client.get_shell_msg(timeout=PATIENCE)) != mine:
            pass
        return messages

    def text(self, code):
        """Run a cell and return what it printed."""
        return "".join(message["content"]["text"] for message in self.run(code) if message["msg_type"] == "stream")


def _launched(python, how):
    manager = KernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = python
    manager.start_kernel(**how)
    return manager


def _launch_spare(python, how):
    SPARE.append((_launched(python, how), (python, how, Path.cwd())))


def _ended(manager):
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


def _started(python, how):
    """A kernel's manager and client; None if it died, as one does whose port another process took a moment before it."""
    manager, way = SPARE.pop() if SPARE else (None, None)
    if manager is not None and way != (python, how, Path.cwd()):
        _ended(manager)
        manager = None
    manager = manager or _launched(python, how)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
    except RuntimeError:
        client.stop_channels()
        _ended(manager)
        return None
    return manager, client


def pytest_sessionfinish():
    while SPARE:
        _ended(SPARE.pop()[0])


def parent(message):
    return message["parent_header"].get("msg_id")


def is_idle(message):
    return message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"


def said(message):
    """What our outputs say of themselves: chat and turn, kind, and whether they are `live` or `final`."""
    content = message["content"]
    carried, data = content.get("metadata", {}).get("nbgemini", {}), content.get("data", {})
    return {**carried, "kind": kind_of(data), "state": "live" if is_live(data) else "final"} if carried else {}


def is_final_status(message):
    return said(message).get("kind") == "status" and said(message).get("state") == "final"


def at_rest(kernel, cell, messages):
    """`messages`, and those that come until the answer of the cell is at rest, if it is not yet."""

    def is_last(message):
        return parent(message) == cell and is_final_status(message)

    return messages if any(map(is_last, messages)) else messages + kernel.until(is_last)


def complaints(messages):
    """What was said on stderr, and errors."""
    said_there = [message["content"]["text"] for message in messages if message["content"].get("name") == "stderr"]
    return said_there + [message["content"]["evalue"] for message in messages if message["msg_type"] == "error"]


def summary(message):
    content = message["content"]
    return (
        message["msg_type"],
        said(message),
        content.get("text") or content.get("evalue") or content.get("data", {}).get("text/plain"),
    )


def wire_size(messages):
    """Bytes of messages as they travel."""
    parts = ("header", "parent_header", "metadata", "content")
    text = sum(len(json.dumps(message[part], default=str)) for message in messages for part in parts)
    return text + sum(len(buffer) for message in messages for buffer in message.get("buffers", ()))


def outputs(messages, cell):
    """What the notebook file would hold for a cell: outputs in order, updates applied."""
    shown, by_display = [], {}
    for message in messages:
        kind, content = message["msg_type"], message["content"]
        if kind == "display_data" and parent(message) == cell:
            shown.append({"data": content["data"], "metadata": content["metadata"]})
            by_display[content.get("transient", {}).get("display_id")] = shown[-1]
        elif kind == "update_display_data" and content["transient"]["display_id"] in by_display:
            by_display[content["transient"]["display_id"]].update(data=content["data"], metadata=content["metadata"])
        elif kind in ("stream", "error") and parent(message) == cell:
            shown.append(
                {kind: content.get("text") or f"{content['ename']}: {content['evalue']}", "traceback": content.get("traceback")}
            )
    return shown


def kinds(shown):
    return kinds_in(shown)


@pytest.fixture(scope="session", params=interpreters())
def python(request):
    """The interpreter whose kernel is tried."""
    return request.param


@pytest.fixture(scope="module")
def kernel(python):
    """A kernel in demo mode; its client, which greets no widget as a page would, may be slow without being taken for one that can't."""
    running = Kernel(python)
    running.run("%load_ext nbgemini\n%gemini demo\nfrom nbgemini.notebook.display import canvas\ncanvas._PATIENCE = 600")
    yield running
    running.close()


@pytest.fixture
def fresh_kernel(python):
    running = Kernel(python)
    yield running
    running.close()
