"""Anthropic through its official client: the only file that imports it.

The client asks and names itself; the bytes of the answer are cut by our own framer (`with_streaming_response`), so nothing that
its types don't know is lost. Lists and whatever else there is go by REST.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import ModuleType
from typing import Any

from nbgemini._environment import hush
from nbgemini.transport.request import Request
from nbgemini.transport.sdk.base import Ask, SdkCall, SdkSource

_ARGUMENTS = ("model", "messages", "max_tokens")  # which the client wants by name; all else goes as it is


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

    async def _messages(self, sdk: Any, request: Request, call: SdkCall) -> AsyncGenerator[bytes, None]:
        async for frame in self._stream(sdk.messages, request, call, _ARGUMENTS):
            yield frame
