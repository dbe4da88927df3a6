"""Where `OfflineService` was found at first; notebooks of that time import it from here."""

from nbgemini.offline.server import OfflineService

__all__ = ["OfflineService"]
