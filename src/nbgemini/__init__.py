"""Gemini in a Jupyter notebook that never freezes it."""
