"""A small loopback service that speaks the Gemini protocol: for demos, tests and notebooks without a key."""
