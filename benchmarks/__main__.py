"""Ratios measured side by side in one run: `make bench`, or `python -m benchmarks NAME …` for some of them.

Absolute numbers are this machine's; the ratios are the point. Each measurement runs in a process of its own against one
server process that sends prepared bytes as fast as it can, or a second after it was asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
RIVALS = ["nbgemini", "google-genai"]
LONG = ["as it comes", "google to_thread", "pool of 10"]
TOOL_RIVALS = ["nbgemini", "chatlas", "google-genai"]
GAPS = "ms longest, ms 99 %"
GROUPS = {
    "import": (["load_ext", "httpx2", "google-genai"], "ms CPU", "loading in a kernel that runs"),
    "frames": (
        ["httpx2", "nbgemini", "nbgemini-segments", "google-genai"],
        "µs CPU a frame",
        "10,000 frames of 400 bytes, in one burst",
    ),
    "lag": (RIVALS, GAPS, "gaps of a 1 ms heartbeat while 10 streams burst 500 frames each"),
    "many": (RIVALS, GAPS, "the same while 50 streams send 100 frames a second each, for 4 s"),
    "burst": (RIVALS, GAPS, "the same while one stream bursts 2,000 frames"),
    "huge": (RIVALS, GAPS, "the same while one frame of 10 MB comes"),
    "traffic": (
        ["nbgemini", "chatlas"],
        "kB, messages; the same of the next prompt",
        "what a kernel sends for a 10 kB answer in 500 pieces over 2 s, the first time with all that a page needs",
    ),
    "page": (
        ["nbgemini", "the same HTML at once", "Markdown shown anew"],
        "frames/s as it comes, with its end; % in tasks over 50 ms; ms from key to paint; ms CPU of the longest task, same two",
        "a page while an answer of 100 kB streams into it over 10 s and its reader types",
    ),
    "tools": (
        TOOL_RIVALS,
        "s async, s blocking",
        "two tools of 0.5 s in one response: from the first start to the last end",
    ),
    "beat": (TOOL_RIVALS, "ms sleeping, ms at work", "longest gap of a 10 ms heartbeat while a blocking tool takes 1 s"),
    "parallel": (
        ["nbgemini", "google-genai async", "as it comes", "google to_thread", "pool of 10", "sockets"],
        "s for 100, 300, 1,000; % exact",
        "so many requests at once, each of which the service takes 1 s for",
    ),
    "cold": (["httpx2", *RIVALS], "ms CPU", "import, client, TLS context and first request in a fresh interpreter"),
    "first": (["httpx2", "nbgemini", "google-genai"], "ms", "request to first text, warm, median of 50"),
}


def measure(group: str, who: str, url: str) -> list[float]:
    """Run one measurement in a process of its own and return its numbers, the first being what is compared."""
    run = subprocess.run(
        [sys.executable, str(HERE / "measure.py"), group, who, url],
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
        env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},  # as installed
    )
    numbers = json.loads(run.stdout.splitlines()[-1])
    return numbers if isinstance(numbers, list) else [numbers]


@contextmanager
def serving(script: str) -> Iterator[str]:
    """Run a server and yield its address."""
    server = subprocess.Popen([sys.executable, str(HERE / script)], stdout=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


def table(group: str, url: str) -> None:
    """Measure a group and print how all compare with us."""
    who, unit, what = GROUPS[group]
    print(f"\n{group}: {what}", flush=True)
    numbers = {name: min(measure(group, name, url) for _ in range(rounds(group, name))) for name in who}
    ours = numbers.get("nbgemini") or numbers["load_ext"]
    for name, number in numbers.items():
        shown = " ".join(f"{one:9.2f}" for one in number)
        ratios = " ".join(f"{theirs / one:8.2f}" for theirs, one in zip(number, ours, strict=True))
        print(f"  {name:18} {shown} {unit:20} {ratios} × nbgemini")


def rounds(group: str, name: str) -> int:
    """How often to measure: bytes don't depend on how busy the machine is, and some take long."""
    return 1 if group in ("traffic", "page") or name in LONG else 3


def main(names: list[str]) -> None:
    """Measure the groups and print one table a group."""
    with serving("server.py") as fast, serving("slow_server.py") as slow:
        for group in names or GROUPS:
            table(group, slow if group == "parallel" else fast)


if __name__ == "__main__":
    main(sys.argv[1:])
