"""The other protocols that the offline service speaks: what each refuses, and how it writes the same answers."""
