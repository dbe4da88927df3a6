"""`python -m tests.soak [FRAMES]`: streams so many frames through one kernel and says what stayed behind; the exit code tells."""

from __future__ import annotations

import sys

from tests.soak.day import run

if __name__ == "__main__":
    sys.exit(0 if run(int(sys.argv[1]) if sys.argv[1:] else 100_000, most_mb=2.0) else 1)
