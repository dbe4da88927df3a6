"""A stand-in for the services on this machine: Gemini's protocol, and recordings of the others."""

from nbgemini.offline.server import OfflineService

__all__ = ["OfflineService"]
