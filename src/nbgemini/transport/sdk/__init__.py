"""The services' own clients as sources: which one carries the requests of which dialect; each is imported when it is needed."""

from __future__ import annotations

from nbgemini.errors import ConfigurationError
from nbgemini.services import Service
from nbgemini.transport.base import Source
from nbgemini.transport.client import HttpClients
from nbgemini.transport.timeouts import Timeouts

HAVE_CLIENTS = ("gemini", "anthropic", "openai", "openai-chat")


def official(service: Service, timeouts: Timeouts, clients: HttpClients, project: str = "", location: str = "") -> Source:
    """Return the service's own client; `project` and `location` are Google Cloud's, for Vertex.

    Raises:
        ConfigurationError: there is none, or its package is missing.
    """
    match service.dialect:
        case "gemini":
            from nbgemini.transport.sdk.google import GoogleSdkSource  # noqa: PLC0415 - google-genai takes 400 ms

            return GoogleSdkSource(service, timeouts, clients, vertex=service.cloud, project=project, location=location)
        case "anthropic":
            from nbgemini.transport.sdk.anthropic import AnthropicSdkSource  # noqa: PLC0415 - an extra

            return AnthropicSdkSource(service, timeouts, clients)
        case "openai" | "openai-chat":
            from nbgemini.transport.sdk.openai import OpenAiSdkSource  # noqa: PLC0415 - an extra

            return OpenAiSdkSource(service, timeouts, clients)
    raise ConfigurationError(f"{service.name} has no client of its own here")
