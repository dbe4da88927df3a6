"""OpenAI through its official client: the only file that imports it.

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

    async def _responses(self, sdk: Any, request: Request, call: SdkCall) -> AsyncGenerator[bytes, None]:
        async for frame in self._stream(sdk.responses, request, call, ("model", "input")):
            yield frame

    async def _completions(self, sdk: Any, request: Request, call: SdkCall) -> AsyncGenerator[bytes, None]:
        async for frame in self._stream(sdk.chat.completions, request, call, ("model", "messages")):
            yield frame
