"""The way in: chats over shared connections. This is where the parts are put together."""

from __future__ import annotations

import asyncio
import difflib
import os
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import msgspec

from nbgemini.chat import Chat, Log
from nbgemini.errors import ApiError, ConfigurationError, NbGeminiError, WireError
from nbgemini.leaks import refuse_keys
from nbgemini.offering import offered_toolbox
from nbgemini.providers.gemini import Gemini
from nbgemini.providers.protocol import Model
from nbgemini.reply import Reply
from nbgemini.request import Request
from nbgemini.retry import Policy
from nbgemini.sending import Sending, Sleep
from nbgemini.settings import Settings, from_environment
from nbgemini.sources.protocol import Source
from nbgemini.sources.rest import Limits, RestSource
from nbgemini.toolbox import Approve
from nbgemini.turns import Options, Turn, user_turn

_NO_KEY = "no API key: set GEMINI_API_KEY (or GOOGLE_API_KEY), run %gemini key, or try %gemini demo, which needs none"
_NOT_FOUND = 404


class Client:
    """Chats with Gemini over one pool of connections; everything that waits is async.

    Attributes:
        settings: where and as whom it asks; change them with `use`.
        chats: the named conversations begun so far.
    """

    def __init__(self, settings: Settings | None = None, *, log: Log | None = None, sleep: Sleep = asyncio.sleep) -> None:
        """Use `settings`, or what the environment says. Nothing is opened, and no key is needed, before the first prompt.

        `log` writes every reply down: a journal. `sleep` waits so many seconds before a request is sent again.
        """
        self.settings = settings or from_environment(os.environ)
        self.chats: dict[str, Chat] = {}
        self._provider = Gemini(self.settings.version)
        self._sleep = sleep
        self._sending: Sending | None = None
        self._log = log

    def use(self, settings: Settings) -> None:
        """Ask by other settings from the next prompt on; running streams end as they began."""
        self.settings = settings
        self.retire()
        self._provider = Gemini(settings.version)
        for chat in self.chats.values():
            chat.speak(self._provider)

    def chat(
        self,
        name: str = "main",
        *,
        tools: Any = None,
        approve: Approve | str = "ask",
        **options: Any,
    ) -> Chat:
        """Return the conversation `name`, begun now if there is none.

        Args:
            name: what it is called.
            tools: functions, tools, MCP servers, or lists of them, offered to the model from now on.
            approve: `auto`, `unguarded`, `never`, or an async function of tool, call and its number that says whether it runs.
                With `ask` only what is marked as safe runs: there is nobody to ask here.
            options: how it answers from now on.

        Raises:
            PromptError: a function can't be declared, or `auto` may not be said about these tools.
        """
        chat = self.chats.get(name)
        if chat is None:
            chat = self.chats[name] = self._new_chat(name)
        if tools is not None:
            chat.toolbox = offered_toolbox(tools, approve)
        chat.options = msgspec.structs.replace(chat.options, **options)
        return chat

    def one_shot(self) -> Chat:
        """Return a conversation that remembers nothing."""
        return self._new_chat(None)

    async def generate(self, prompt: str | Turn, **options: Any) -> Reply:
        """Ask once, without history, and return the whole answer.

        Raises:
            NbGeminiError: it failed or was blocked; `error.reply` holds what had arrived.
        """
        return await self.one_shot().ask(prompt, **options)

    async def list_models(self) -> list[Model]:
        """Return the models of the service, all pages."""
        models: list[Model] = []
        page = ""
        while True:
            found, page = self._provider.decode_models(await self._fetch(self._provider.list_request(page)))
            models += found
            if not page:
                return models

    async def count_tokens(self, prompt: str, *, model: str | None = None) -> int:
        """Return how many tokens the service counts in `prompt`."""
        request = self._provider.count_request([user_turn(prompt)], model or self.settings.model)
        return self._provider.decode_count(await self._fetch(request))

    async def explain(self, error: NbGeminiError, model: str) -> str:
        """Return the error's line; for a model the service does not know, with the nearest names."""
        if isinstance(error, ApiError) and error.code == _NOT_FOUND:
            try:
                names = [entry.name for entry in await self.list_models() if entry.answers]
            except NbGeminiError:
                return str(error)
            near = difflib.get_close_matches(model, names, n=3, cutoff=0.4)
            return f"no model {model!r}; " + (
                f"did you mean {', '.join(near)}?" if near else "%gemini models lists what there is"
            )
        return str(error)

    def retire(self) -> None:
        """Close the connections as soon as the running streams have ended; the next prompt opens others."""
        sending, self._sending = self._sending, None
        if sending:
            sending.source.retire()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        if self._sending:
            await self._sending.source.aclose()

    async def __aenter__(self) -> Self:
        """Enter."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Close."""
        await self.aclose()

    def _new_chat(self, name: str | None) -> Chat:
        options = Options(model=self.settings.model)
        chat = Chat(name, self._provider, self._connect, options, self._log)
        chat.guard = self._guard
        return chat

    def _guard(self, asked: Turn, system: str | None) -> None:
        if not self.settings.allow_secrets:
            refuse_keys(asked, system, self.settings.key)

    def _connect(self) -> Sending:
        settings = self.settings
        if self._sending is None:
            if not settings.key:
                raise ConfigurationError(_NO_KEY)
            source = RestSource(settings.base_url, settings.key, limits=_limits(settings))
            policy = Policy(attempts=settings.retries + 1)
            self._sending = Sending(source, policy, streams=settings.max_streams, sleep=self._sleep, version=settings.version)
        return self._sending

    async def _fetch(self, request: Request) -> bytes:
        """Return the one frame of an answer that does not stream; trouble that passes is waited out."""
        sending = self._connect()
        attempts = sending.attempts()
        while True:
            try:
                return await _first_frame(sending.source, request)
            except NbGeminiError as error:
                wait = attempts.again(error)
                if wait is None:
                    raise
            await sending.sleep(wait)


def _limits(settings: Settings) -> Limits:
    return Limits(
        connect=settings.connect_timeout,
        write=settings.write_timeout,
        first=settings.first_timeout,
        gap=settings.gap_timeout,
        content=settings.content_timeout,
    )


async def _first_frame(source: Source, request: Request) -> bytes:
    async with aclosing(source.frames(request)) as frames:
        async for frame in frames:
            return frame
    raise WireError("the service sent an empty answer → ask again")
