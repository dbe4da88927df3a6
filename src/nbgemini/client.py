"""The way in: chats over shared connections. This is where the parts are put together."""

from __future__ import annotations

import asyncio
import difflib
import math
import os
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from nbgemini.chat import Chat, Log
from nbgemini.errors import ApiError, ConfigurationError, NbGeminiError, WireError
from nbgemini.leaks import masked, refuse_keys
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
from nbgemini.taping import Cassettes, Record, Replay, Taping, place_of, refuse_both
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
        self._taping: Taping | None = None
        self._cassettes = Cassettes()

    @property
    def taping(self) -> Taping | None:
        """What is recorded or replayed for all prompts."""
        return self._taping

    async def record(self, path: str | Path | None) -> int:
        """Record what is asked from now on into a cassette and return its size, as it may hold answers already; None ends it.

        Raises:
            ConfigurationError: it can't be written, or is being replayed.
        """
        taping = Record(place_of(path)) if path is not None else None
        refuse_both(taping, self._taping)
        size = await self._cassettes.prepare(taping.path) if taping else 0
        self._taping = taping
        await self._cassettes.written()
        return size

    async def replay(self, path: str | Path | None, *, strict: bool = True, speed: float = math.inf) -> int:
        """Answer from a cassette from now on, from its beginning, and return how many answers it holds; None ends it.

        Args:
            path: the cassette.
            strict: an answer that it does not hold is an error; else it comes from the live service.
            speed: how many times faster than it was recorded; infinity plays at once.

        Raises:
            ConfigurationError: it can't be read, or is being recorded, or the speed is none.
        """
        if not speed > 0:
            raise ConfigurationError(f"a cassette plays at a speed above 0, not {speed}")
        taping = Replay(place_of(path), strict, speed) if path is not None else None
        refuse_both(taping, self._taping)
        if taping:
            self._cassettes.rewind(taping.path)
        count = await self._cassettes.answers(taping.path) if taping else 0
        self._taping = taping
        return count

    def sending(self, taping: Taping | None) -> Sending:
        """Return how requests go out while this is recorded or replayed.

        Raises:
            ConfigurationError: there is no key, or the cassette is in use the other way.
        """
        refuse_both(taping, self._taping)
        match taping:
            case Record():
                live = self._live()
                return live.through(self._cassettes.recorded(live.source, taping, self._provider.name, self.settings.key))
            case Replay(speed=speed):
                source = self._cassettes.replayed(taping, lambda: self._live().source)
                return self._new_sending(source, lambda seconds: self._sleep(seconds / speed))
        return self._live()

    def use(self, settings: Settings) -> None:
        """Ask by other settings from the next prompt on; running streams end as they began."""
        self.settings = settings
        self.retire()
        self._provider = Gemini(settings.version)
        for chat in self.chats.values():
            chat.speak(self._provider)
            chat.prices = settings.prices

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
        await self._cassettes.written()
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
        chat.guard, chat.mask, chat.prices = self._guard, self._mask, self.settings.prices
        return chat

    def _guard(self, asked: Turn, system: str | None) -> None:
        if not self.settings.allow_secrets:
            refuse_keys(asked, system, self.settings.key)

    def _mask(self, returned: Any) -> Any:
        return returned if self.settings.allow_secrets else masked(returned, self.settings.key)

    def _live(self) -> Sending:
        settings = self.settings
        if self._sending is None:
            if not settings.key:
                raise ConfigurationError(_NO_KEY)
            source = RestSource(settings.base_url, settings.key, limits=_limits(settings))
            self._sending = self._new_sending(source, self._sleep)
        return self._sending

    def _new_sending(self, source: Source, sleep: Sleep) -> Sending:
        settings = self.settings
        policy = Policy(attempts=settings.retries + 1)
        return Sending(source, policy, streams=settings.max_streams, sleep=sleep, version=settings.version)

    def _connect(self) -> Sending:
        return self.sending(self._taping)

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
        all_ = [frame async for frame in frames]
    if not all_:
        raise WireError("the service sent an empty answer → ask again")
    return all_[0]
