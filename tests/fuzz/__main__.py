"""`python -m tests.fuzz SECONDS [HARNESS …]`: runs each harness so long; what fails is left in .fuzz/HARNESS.

With atheris (the dependency group `fuzz`) the fuzzer sees which way the program took, without it inputs change at random.
An input that failed belongs into tests/fuzz/corpus/HARNESS, with the mending.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

KEPT = Path(".fuzz")


def main(seconds, names):
    """Run each harness in a process of its own; return how many failed."""
    from tests.fuzz.harnesses import HARNESSES

    failed = 0
    for name in names or HARNESSES:
        print(f"--- {name}, {seconds} s", flush=True)
        failed += subprocess.run([sys.executable, "-m", "tests.fuzz", "--one", seconds, name], check=False).returncode != 0
    print(f"{failed} of {len(names or HARNESSES)} harnesses failed")
    return failed


def one(seconds, name):
    """Run one harness in this process."""
    (KEPT / name).mkdir(parents=True, exist_ok=True)
    try:
        import atheris
    except ImportError:
        at_random(seconds, name)
        return
    with atheris.instrument_imports(include=["nbgemini"], enable_loader_override=False):
        from tests.fuzz.harnesses import HARNESSES
    begin(name)
    folder = str(KEPT / name)
    limits = [f"-max_total_time={seconds}", "-timeout=20", "-max_len=4096", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([name, *limits, f"-artifact_prefix={folder}/failed-", folder], HARNESSES[name])
    atheris.Fuzz()


def begin(name):
    """Put what the harness begins with beside what earlier runs found."""
    from tests.fuzz.seeds import seeds

    for number, data in enumerate(seeds(name)):
        (KEPT / name / f"begin-{number}").write_bytes(data)


def at_random(seconds, name):
    """Change what the harness begins with at random, until the time is over."""
    from tests.fuzz.harnesses import HARNESSES
    from tests.fuzz.mutation import mutated
    from tests.fuzz.seeds import seeds

    begun, chance, runs, over = list(seeds(name)), random.Random(), 0, time.monotonic() + float(seconds)
    while time.monotonic() < over:
        data = mutated(begun, chance)
        try:
            HARNESSES[name](data)
        except BaseException:
            (KEPT / name / f"failed-{runs}").write_bytes(data)
            raise
        runs += 1
    print(f"{runs} runs at random (no atheris here)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        sys.exit(1 if main(sys.argv[1] if sys.argv[1:] else "60", sys.argv[2:]) else 0)
