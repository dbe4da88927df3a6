"""What ran, when, with what usage and outcome, and what was asked and came: one SQLite file that all kernels share."""

from nbgemini.journal.journal import Journal

__all__ = ["Journal"]
