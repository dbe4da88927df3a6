"""A small loopback service that speaks as Gemini, Anthropic and OpenAI do: for demos, tests and notebooks without a key."""

from nbgemini.offline.server import OfflineService

__all__ = ["OfflineService"]
