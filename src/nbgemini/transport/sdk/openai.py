"""OpenAI through its official client: the only file that imports it.

The client asks and names itself; the bytes of the answer are cut by our own framer (`with_streaming_response`), so nothing that
its types don't know is lost. Lists and whatever else there is go by REST.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nbgemini._environment import hush
from nbgemini.transport.request import Request
from nbgemini.transport.sdk.base import Asked, LentSource

if TYPE_CHECKING:
    import httpx2


class OpenAiSdkSource(LentSource):
    """Sends requests with `openai.AsyncOpenAI`: Responses and Chat Completions, by their paths."""

    package = distribution = "openai"
    installed_by = "'nbgemini[openai]'"

    def _way(self, request: Request) -> Callable[[Any, Request, Asked], AsyncGenerator[bytes, None]] | None:
        return {"responses": self._responses, "chat/completions": self._completions}.get(request.path)

    def _made(self, module: ModuleType, pool: httpx2.AsyncClient) -> Any:
        hush("openai")
        return module.AsyncOpenAI(
            api_key=self._key.reveal() or "none",  # servers of one's own want none, but the client does
            base_url=self._origin.url,
            http_client=pool,
            max_retries=0,
            default_headers=dict(self._service.headers),
        )

    async def _responses(self, sdk: Any, request: Request, asked: Asked) -> AsyncGenerator[bytes, None]:
        async for frame in self.streamed(sdk.responses, request, asked, ("model", "input")):
            yield frame

    async def _completions(self, sdk: Any, request: Request, asked: Asked) -> AsyncGenerator[bytes, None]:
        async for frame in self.streamed(sdk.chat.completions, request, asked, ("model", "messages")):
            yield frame
