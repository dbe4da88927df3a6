"""Gemini's API as the offline service speaks it."""
