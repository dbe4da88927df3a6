"""The way in: chats over shared connections. This is where the parts are put together."""

from __future__ import annotations

import asyncio
import difflib
import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec

from nbgemini._async.scheduler import Pace
from nbgemini.cache.cache import Cache
from nbgemini.cache.config import Caches
from nbgemini.chat.chat import Chat, Log
from nbgemini.chat.endpoint import Sending, Sleep, fetch
from nbgemini.chat.reply import Reply
from nbgemini.chat.services import Connections
from nbgemini.chat.structured_output import formed, schema_for
from nbgemini.errors import ApiError, ConfigurationError, NbGeminiError, PromptError
from nbgemini.messages.turns import Options, Turn, user_turn
from nbgemini.prompts.secret_scan import masked, refuse_keys
from nbgemini.providers.base import Counting, Model
from nbgemini.replay.session import Cassettes, Record, Replay, Taping, place_of, refuse_both
from nbgemini.services import Service, split_model
from nbgemini.settings import Settings, from_environment
from nbgemini.tools.resolve import offered_toolbox
from nbgemini.tools.toolbox import Approve

if TYPE_CHECKING:
    from nbgemini.bulk.batch import Batch, Manner
    from nbgemini.bulk.progress import Progress
    from nbgemini.bulk.table import Mapped, Row


class Reach:
    """The ways to all services, shared by whatever is asked.

    Attributes:
        settings: where and as whom it asks; change them with `use`.
        connections: the ways to the services that were asked.
    """

    def __init__(self, settings: Settings, sleep: Sleep) -> None:
        """Open nothing yet."""
        self.settings = settings
        self._sleep = sleep
        self._caches = Caches()
        self.connections = Connections(settings, sleep, self._caches)
        self._taping: Taping | None = None
        self._cassettes = Cassettes()

    @property
    def cache(self) -> Cache | None:
        """Where whole answers are kept; None if nowhere.

        Raises:
            ConfigurationError: the setting means nothing, or needs a package that is not installed.
        """
        return self._caches.of(self.settings.cache, self.settings.cache_seconds)

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

    def sending(self, model: str, taping: Taping | None = None) -> Sending:
        """Return how requests go out to a model, while this is recorded or replayed, or what is by default.

        Raises:
            ConfigurationError: there is no such service, no key for it, or the cassette is in use the other way.
        """
        refuse_both(taping, self._taping)
        ways, (name, _) = self.connections, split_model(model)
        match taping or self._taping:
            case Record() as record:
                live, key = ways.to(name), ways.service(name).key
                return live.through(self._cassettes.recorded(live.source, record, live.provider.name, key))
            case Replay(speed=speed) as replay:
                source = self._cassettes.replayed(replay, lambda: ways.to(name).source)
                return ways.through(source, ways.service(name), lambda seconds: self._sleep(seconds / speed))
        return ways.to(name)

    def lacking(self, model: str, taping: Taping | None = None) -> Service | None:
        """Return the service of a model if a request to it would be refused for want of a key; a cassette needs none.

        Raises:
            ConfigurationError: there is no such service.
        """
        if isinstance(taping or self._taping, Replay):
            return None
        service = self.connections.service(split_model(model)[0])
        return service if service.lacks_key else None

    def use(self, settings: Settings) -> None:
        """Ask by other settings from the next request on."""
        self.settings = settings
        self.retire()
        self.connections = Connections(settings, self._sleep, self._caches)

    async def list_models(self, service: str = "gemini") -> list[Model]:
        """Return the models of a service, all pages.

        Raises:
            NbGeminiError: there is no such service, no key for it, or no answer.
        """
        models: list[Model] = []
        page, sending = "", self.sending(f"{service}:")
        while True:
            request = sending.provider.list_request(page)
            found, page = sending.provider.decode_models(await fetch(sending, request))
            models += found
            if not page:
                return models

    async def count_tokens(self, prompt: str, *, model: str | None = None) -> int:
        """Return how many tokens the service counts in `prompt`.

        Raises:
            PromptError: the service counts nothing.
        """
        sending, (service, name) = self.sending(model or self.settings.model), split_model(model or self.settings.model)
        if not isinstance(sending.provider, Counting):
            raise PromptError(f"{service} can't count tokens ahead of a prompt; Gemini and Anthropic can")
        request = sending.provider.count_request([user_turn(prompt)], name)
        return sending.provider.decode_count(await fetch(sending, request))

    def retire(self) -> None:
        """Close the connections as soon as the running streams have ended; the next prompt opens others."""
        self.connections.retire()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._cassettes.written()
        await self.connections.aclose()
        await self._caches.aclose()

    async def __aenter__(self) -> Self:
        """Enter."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Close."""
        await self.aclose()


_NOT_FOUND = 404


def _page_of(reply: Reply) -> dict[str, str]:
    from nbgemini.chat.page import page_of  # noqa: PLC0415 - where somebody looks at one

    return page_of(reply)


Reply.page = staticmethod(_page_of)


class Client(Reach):
    """Chats over shared connections, with Gemini or another service; everything that waits is async.

    Attributes:
        chats: the named conversations begun so far.
    """

    def __init__(self, settings: Settings | None = None, *, log: Log | None = None, sleep: Sleep = asyncio.sleep) -> None:
        """Use `settings`, or what the environment says. Nothing is opened, and no key is needed, before the first prompt.

        `log` writes every reply down: a journal. `sleep` waits so many seconds before a request is sent again.
        """
        super().__init__(settings or from_environment(os.environ), sleep)
        self.chats: dict[str, Chat] = {}
        self._log = log

    def use(self, settings: Settings) -> None:
        """Ask by other settings from the next prompt on; running streams end as they began."""
        super().use(settings)
        for chat in self.chats.values():
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

    def map(  # noqa: PLR0913 - each a thing of its own
        self,
        template: str,
        rows: Any,
        *,
        concurrency: int = 20,
        fresh: bool = False,
        store: str | Path | None = None,
        progress: Callable[[Progress], object] | bool | None = None,
        on_row: Callable[[Row], object] | None = None,
        **options: Any,
    ) -> Mapped:
        """Return a table that asks `template` for each of `rows` when it is awaited; no row that has its answer is paid twice.

        `{column}` stands for a value of the row, `{row}` for the row itself, every other brace for itself. Where rows are plain
        values and the template has no `{row}`, the value follows the template after an empty line.

        Args:
            template: the prompt.
            rows: dicts, texts or any values, a DataFrame or Series, or an asynchronous iterator.
            concurrency: how many are asked at once at most; fewer after the service set a limit.
            fresh: ask also for rows that an earlier run has paid for.
            store: the file of answers; by default one for all maps, beside the journal.
            progress: called with how far it is; by default a bar in a terminal, and below a cell once the extension is loaded.
            on_row: called with each row that is over, once its answer is on disk.
            options: as for `generate`: `model`, `schema`, `system` …

        Raises:
            NbGeminiError: these are no rows, an option means nothing to the model, or there is no key.
        """
        from nbgemini.bulk import How, Manner, planned  # noqa: PLC0415 - SQLite is loaded at the first map

        asked = formed(msgspec.structs.replace(Options(model=self.settings.model), **options, fresh=fresh))
        sending, address = self.sending(asked.model), self.connections.service(split_model(asked.model)[0]).base_url
        once = sending.once()  # and the same to the end, whatever is set meanwhile
        chat = self._equipped(Chat(None, lambda _model, _taping: once, asked))
        keeps: str | Path | Literal[False] | None = False if isinstance(self.taping, Replay) else store
        how = How(concurrency=concurrency, store=keeps, fresh=fresh, progress=progress, on_row=on_row)
        return planned(Manner(chat, sending, asked, address, self._log), template, rows, how)

    async def batch(self, template: str | Sequence[Any], rows: Any = None, *, title: str = "", **options: Any) -> Batch:
        """Submit one prompt for each row as a batch for Google's Batch API: half the price, an answer within a day.

        Args:
            template: as for `map`; or the prompts themselves, without `rows`.
            rows: as for `map`.
            title: what the batch is called in lists.
            options: as for `generate`: `model`, `schema`, `system` …

        Raises:
            PromptError: these are no rows, an option means nothing to the model, or it is another service's.
            TransportError: nobody knows whether the batch was taken; it is not submitted again.
        """
        from nbgemini.bulk.batch import submit  # noqa: PLC0415 - for those who ask

        text, given = (template, rows) if isinstance(template, str) else ("{row}", template)
        return await submit(await self._batching(options), text, given, title)

    async def batches(self) -> list[Batch]:
        """Return all batches that the service knows, the latest first."""
        from nbgemini.bulk.batch import batches  # noqa: PLC0415 - for those who ask

        return await batches(await self._batching({"model": "gemini:"}))

    async def batch_named(self, name: str, rows: Sequence[Any] | None = None, **options: Any) -> Batch:
        """Return a batch that was submitted before, here or elsewhere; `rows` and `schema` are as they were given then."""
        from nbgemini.bulk.batch import batch_named  # noqa: PLC0415 - for those who ask

        return await batch_named(await self._batching({**options, "model": "gemini:"}), name, rows)

    async def embed(
        self,
        texts: str | Iterable[str],
        *,
        model: str = "gemini-embedding-001",
        dimensions: int | None = None,
        task: str | None = None,
    ) -> list[list[float]]:
        """Return one vector for each text, in their order: a hundred in a request, requests side by side.

        Args:
            texts: one text or many.
            model: one of Gemini's that embeds.
            dimensions: how long the vectors are to be; by default as long as the model makes them.
            task: what they are for: `retrieval query`, `retrieval document`, `semantic similarity`, `classification`,
                `clustering`, `question answering`, `fact verification`, `code retrieval query`.

        Raises:
            PromptError: a text is empty or holds a key, the task is none, or the model is another service's.
        """
        from nbgemini.chat.embeddings import embed, listed  # noqa: PLC0415 - for those who ask

        found, (service, name) = listed(texts), split_model(model)
        if service != "gemini":
            raise PromptError(f"{service} makes no vectors here; Gemini's models do, such as gemini-embedding-001")
        pace = Pace.here()
        for text in found:
            await pace.ready()
            self._guard(user_turn(text), None)
        return await embed(self.sending(model), found, (self.settings.version, name, dimensions, task))

    async def explain(self, error: NbGeminiError, model: str) -> str:
        """Return the error's line; for a model the service does not know, with the nearest names."""
        if isinstance(error, ApiError) and error.code == _NOT_FOUND:
            service, wanted = split_model(model)
            try:
                names = [entry.name for entry in await self.list_models(service) if entry.answers]
            except NbGeminiError:
                return str(error)
            near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
            own = "" if service == "gemini" else f"{service}:"
            return f"no model {model!r}; " + (
                f"did you mean {', '.join(own + name for name in near)}?" if near else "%gemini models lists what there is"
            )
        return str(error)

    async def _batching(self, options: dict[str, Any]) -> Manner:
        from nbgemini.bulk.batch import Manner  # noqa: PLC0415 - for those who ask

        schema, model = await schema_for(options.get("schema")), options.get("model") or self.settings.model
        service, bare = split_model(model)
        if service != "gemini":
            raise PromptError(f"only Gemini's Batch API is known here; client.map asks {service}'s models now")
        asked = msgspec.structs.replace(Options(model=bare), **{**options, "schema": schema, "model": bare})
        return Manner(self.sending(model), self.settings.version, asked, self.settings.prices, self._guard)

    def _new_chat(self, name: str | None) -> Chat:
        return self._equipped(Chat(name, self.sending, Options(model=self.settings.model), self._log))

    def _equipped(self, chat: Chat) -> Chat:
        chat.guard, chat.mask, chat.prices = self._guard, self._mask, self.settings.prices
        return chat

    def _guard(self, asked: Turn, system: str | None) -> None:
        if not self.settings.allow_secrets:
            refuse_keys(asked, system, self.settings.keys)

    def _mask(self, returned: Any) -> Any:
        return returned if self.settings.allow_secrets else masked(returned, self.settings.keys)
