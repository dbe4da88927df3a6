"""A short day, with loose bounds: `make soak` has the long one."""

from __future__ import annotations

from tests.soak.day import run


def test_ten_thousand_frames_leave_next_to_nothing_behind():
    assert run(10_000, most_mb=8.0)
