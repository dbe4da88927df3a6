"""A test server that speaks the protocols of all services: the offline service, with Anthropic's, OpenAI's and Interactions' too.

What it is asked is checked against each service's rules, and `offline: {…}` directs it in every dialect.
"""

from __future__ import annotations

from nbgemini.offline import server
from tests.fakes.dialects.router import DialectRouter


class FakeServices(server.OfflineService):
    """The offline service, with a model behind each of the other protocols."""

    def __init__(self, **how):
        super().__init__(**how)
        self._router = DialectRouter(self._files.head)
        self._others = self

    async def answer(self, provider, request, to):
        await self._router.answer(provider, request, (self._count(request), next(self._ids)), to)


def install():
    """Let `%gemini demo` of this process start such a server."""
    server.OfflineService = FakeServices
