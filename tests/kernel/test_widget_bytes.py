"""How many bytes a widget of ours sends to a page."""

from __future__ import annotations

import json
import sys

from tests.kernel.conftest import Kernel, wire_size


def test_bytes_of_a_widget_in_a_real_kernel():
    kernel = Kernel(sys.executable)
    try:
        kernel.run("from nbgemini.notebook.display.widget import Live, accordion")
        kernel.run("first = Live('status', snapshot=dict)")
        alone = kernel.run("answer = Live('answer', snapshot=dict)")
        both = kernel.run("thought = accordion('Thinking…', Live('thought', snapshot=dict))")
        delta = kernel.run("answer.tell(lambda: [['t', 'x' * 100]])")
    finally:
        kernel.close()
    sizes = {"alone": comm_bytes(alone), "in an accordion": comm_bytes(both), "delta of 100": comm_bytes(delta)}
    print(json.dumps(sizes))
    assert sizes["alone"] <= 1_700
    assert sizes["in an accordion"] <= 3_000
    assert sizes["delta of 100"] <= 800


def comm_bytes(messages):
    return wire_size([message for message in messages if message["msg_type"].startswith("comm_")])
