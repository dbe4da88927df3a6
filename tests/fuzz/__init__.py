"""Harnesses for whatever reads what others wrote: `make fuzz` runs them on and on, the tests replay what they begin with."""
