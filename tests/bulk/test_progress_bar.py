"""The bar of a map: in a terminal only, one line that is rewritten, and its last line stays."""

from __future__ import annotations

import io
import os
import pty
import sys

import pytest

from nbgemini.bulk.progress import Progress
from nbgemini.bulk.progress_bar import Bar, progress_bar


def test_without_a_terminal_there_is_none(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert progress_bar() is None


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_in_a_terminal_the_last_line_stays(monkeypatch):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        shown = progress_bar()
        assert isinstance(shown, Bar)
        shown(Progress(total=10, done=3, failed=1, places=4, seconds=2.0))
        shown(Progress(total=10, done=9, failed=1, seconds=5.0, over=True))
        text = ""
        while "5.0 s" not in text:  # a terminal gives what it has
            text += os.read(ours, 100_000).decode()
    os.close(ours)
    assert "3 of 10 rows · 1 failed · 4 at once · about 3 s left" in text
    assert "9 of 10 rows · 1 failed · 5.0 s" in text


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress(total=1000, done=312, failed=3, stored=40, running=20, cost=0.0272, seconds=27.5, places=20),
         "312 of 1,000 rows · 40 from an earlier run · 3 failed · 20 at once · $0.0272 of about $0.0957 · about 69 s left"),
        (Progress(total=2000, done=10, seconds=60, places=1, wait=11.2),
         "10 of 2,000 rows · 1 at once · rate limit: continues in 12 s · about 3.3 h left"),
        (Progress(done=7, seconds=3.0, places=5), "7 rows · 5 at once"),
        (Progress(total=1, done=1, seconds=0.04, over=True), "1 row · 0.0 s"),
        (Progress(total=8, done=3, interrupted=5, seconds=600.0, over=True), "3 of 8 rows · 5 not finished · 600.0 s"),
        (Progress(total=0, over=True), "0 rows · 0.0 s"),
        (Progress(total=100, done=50, seconds=1000.0, places=2), "50 of 100 rows · 2 at once · about 17 min left"),
    ],
)  # fmt: skip
def test_the_line_says_how_far_it_is_and_what_is_left(progress, line):
    assert progress.line() == line
