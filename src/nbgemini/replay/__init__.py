"""Recorded exchanges: written, found again by fingerprint, and played."""
