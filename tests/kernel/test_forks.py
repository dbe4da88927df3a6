"""A child that was forked in mid-stream holds no stream open that the notebook stops, and can't wait for one that it has not."""

from __future__ import annotations

import json

import pytest

SLOW = f"offline: {json.dumps({'parts': [['answer', 'x' * 500]], 'pieces': 250, 'gap': 0.1})}"
BEGIN = "while not late.so_far.text:\n    await asyncio.sleep(0.01)\n"
GONE = """\
service = get_ipython()._nbgemini[1].runner.session.backend._service
late.stop()
for _ in range(500):
    if not service.open_streams:
        break
    await asyncio.sleep(0.01)
print(service.open_streams, late.result().state)
"""
FORKS = {
    "os.fork": "ready, go = os.pipe()\nchild = os.fork()\nif not child:\n    os.read(ready, 1)\n    os._exit(0)",
    "multiprocessing": (
        "import multiprocessing\ncontext = multiprocessing.get_context('fork')\nlet = context.Event()\n"
        "process = context.Process(target=let.wait)\nprocess.start()"
    ),
    "a subprocess": "import subprocess\nprocess = subprocess.Popen(['sleep', '60'], close_fds=False)",
}
END = {
    "os.fork": "os.write(go, b'.')\nos.waitpid(child, 0)",
    "multiprocessing": "let.set()\nprocess.join()",
    "a subprocess": "process.kill()\nprocess.wait()",
}


@pytest.mark.parametrize("way", FORKS)
@pytest.mark.parametrize("source", ["rest", "sdk"])
def test_a_child_holds_no_stopped_stream_open(kernel, way, source):
    kernel.run(f"import asyncio, os\n%config Gemini.source = '{source}'")
    kernel.run(f"%%gemini --once -o late\n{SLOW}")
    kernel.run(BEGIN)
    kernel.run(FORKS[way])
    try:
        assert kernel.text(GONE).strip() == "0 interrupted"
    finally:
        kernel.run(END[way])
        kernel.run("%config Gemini.source = 'rest'")


def test_a_child_is_told_that_the_stream_is_not_its_own(kernel):
    kernel.run("import asyncio, os")
    kernel.run(f"%%gemini --once -o late\n{SLOW}")
    kernel.run(BEGIN)
    code = """\
reading, writing = os.pipe()
child = os.fork()
if not child:
    try:
        said = globals()["la" + "te"].text
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    os.write(writing, said.encode())
    os._exit(0)
os.waitpid(child, 0)
print(os.read(reading, 1000).decode())
"""
    assert "it runs in the process that this one was forked from" in kernel.text(code)
    kernel.run("late.stop()")
