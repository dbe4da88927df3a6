"""Many long turns through one real kernel, everything shown and written down; what is left of them is counted after each."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from tests.fakes.services import FakeServices
from tests.kernel.conftest import Kernel, at_rest

FRAMES = 1000  # of a turn
AT_ONCE = """
from nbgemini.notebook.display import widget
widget._GRACE = 0  # else widgets of the last minute answer pages that are still opening, and are counted
"""

COUNT = """
import asyncio, comm, gc, json, os, threading
from ipywidgets.widgets.widget import _instances
def count():
    gc.collect()
    return json.dumps({
        "mb": int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")),
        "comms": len(comm.get_comm_manager().comms),
        "widgets": len(_instances),
    })
"""
NOW_AND_THEN = {"files": 2, "threads": 2}  # open while a count is made, or begun late by a pool; one an answer would be many
# A short prompt, since IPython keeps every input; the answer has headings, a list, a table and code, one frame a character.
PROMPT = '%%gemini\nWhy is the sky blue?\noffline: {"pieces": 800, "gap": 0.001}'


def run(frames, most_mb):
    """Stream so many frames; print what was counted, and return whether nothing stayed behind."""
    with tempfile.TemporaryDirectory() as folder, FakeServices(pace=0) as service:
        environ = {"GOOGLE_GEMINI_BASE_URL": service.url, "GEMINI_API_KEY": "k", "JUPYTER_DATA_DIR": folder}
        kernel = Kernel(sys.executable, **environ)
        try:
            kernel.run("%load_ext nbgemini")
            kernel.run(AT_ONCE)
            kernel.run(COUNT)
            counts = [_turn(kernel, service, number) for number in range(frames // FRAMES)]
        finally:
            kernel.close()
        written = (Path(folder) / "nbgemini" / "journal.sqlite3").stat().st_size
    return _verdict(counts, most_mb, written)


def _turn(kernel, service, number):
    """Ask in a chat of ten turns that is forgotten then, and count once the answer is at rest."""
    cell = kernel.send(PROMPT)
    at_rest(kernel, cell, [])
    service.requests.clear()
    if number % 10 == 9:
        kernel.run("%gemini reset")
    counted = json.loads(kernel.text("print(count())"))
    print(number, counted, flush=True)
    return counted


def _verdict(counts, most_mb, written):
    late = counts[len(counts) // 5 :]
    slope = statistics.linear_regression(range(len(late)), [count["mb"] for count in late]).slope * len(late)
    ends = late[: len(late) // 3], late[-(len(late) // 3) :]
    grown = {name: _usual(ends[1], name) - _usual(ends[0], name) for name in late[0] if name != "mb"}
    print(f"{len(counts) * FRAMES} frames: memory {slope:+.2f} MB over the last 80 %, of {late[-1]['mb']:.0f} MB; {grown}")
    print(f"the journal holds {written / 1e6:.1f} MB")
    return slope <= most_mb and not any(difference > NOW_AND_THEN.get(name, 0) for name, difference in grown.items())


def _usual(counts, name):
    return statistics.median_low(count[name] for count in counts)
