"""The services' own clients as sources: each is imported when it is first asked.

Those of Anthropic and OpenAI ask and name themselves; the bytes of the answer are cut by our own framer
(`with_streaming_response`), so that nothing is lost that their types don't know. Lists and whatever else there is go by REST.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import ModuleType
from typing import Any

from nbgemini._environment import hush
from nbgemini.errors import ConfigurationError
from nbgemini.services import Service
from nbgemini.transport.client import HttpClients
from nbgemini.transport.request import Request, Source
from nbgemini.transport.sdk.base import Ask, SdkCall, SdkSource
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
            return AnthropicSdkSource(service, timeouts, clients)
        case "openai" | "openai-chat":
            return OpenAiSdkSource(service, timeouts, clients)
    raise ConfigurationError(f"{service.name} has no client of its own here")


class AnthropicSdkSource(SdkSource):
    """Sends requests with `anthropic.AsyncAnthropic`."""

    package = distribution = "anthropic"
    installed_by = "'nbgemini[anthropic]'"

    def _ask_for(self, request: Request) -> Ask | None:
        return self._messages if request.path == "v1/messages" else None

    def _new_sdk(self, module: ModuleType, http_client: Any) -> Any:
        hush("anthropic")
        return module.AsyncAnthropic(
            api_key=self._key.reveal(),
            base_url=self._origin.url,
            http_client=http_client,
            max_retries=0,
            default_headers=dict(self._service.headers),
        )

    def _messages(self, sdk: Any, request: Request, call: SdkCall) -> AsyncGenerator[bytes, None]:
        return self._stream(sdk.messages, request, call, ("model", "messages", "max_tokens"))


class OpenAiSdkSource(SdkSource):
    """Sends requests with `openai.AsyncOpenAI`: Responses and Chat Completions, by their paths."""

    package = distribution = "openai"
    installed_by = "'nbgemini[openai]'"

    def _ask_for(self, request: Request) -> Ask | None:
        return {"responses": self._responses, "chat/completions": self._completions}.get(request.path)

    def _new_sdk(self, module: ModuleType, http_client: Any) -> Any:
        hush("openai")
        return module.AsyncOpenAI(
            api_key=self._key.reveal() or "none",  # servers of one's own want none, but the client does
            base_url=self._origin.url,
            http_client=http_client,
            max_retries=0,
            default_headers=dict(self._service.headers),
        )

    def _responses(self, sdk: Any, request: Request, call: SdkCall) -> AsyncGenerator[bytes, None]:
        return self._stream(sdk.responses, request, call, ("model", "input"))

    def _completions(self, sdk: Any, request: Request, call: SdkCall) -> AsyncGenerator[bytes, None]:
        return self._stream(sdk.chat.completions, request, call, ("model", "messages"))
