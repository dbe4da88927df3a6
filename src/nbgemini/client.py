"""Chats, maps, batches and vectors over shared connections: where the parts are put together."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from nbgemini._async.deferred import deferred
from nbgemini.chat.chat import Chat, ChatContext, Log
from nbgemini.chat.embeddings import embed
from nbgemini.chat.reply import Reply
from nbgemini.chat.services import ServiceRegistry
from nbgemini.chat.status_text import page_of
from nbgemini.chat.structured_output import with_schema_format
from nbgemini.errors import ConfigurationError
from nbgemini.messages.turns import Options, Turn
from nbgemini.settings import Settings
from nbgemini.tools.resolve import resolve_toolbox
from nbgemini.tools.toolbox import Approve
from nbgemini.transport.retry import Sleep

if TYPE_CHECKING:
    import httpx2

    from nbgemini.bulk.batch import Batch
    from nbgemini.bulk.progress import Progress
    from nbgemini.bulk.table import MapResult, MapRow
    from nbgemini.cache.cache import Cache
    from nbgemini.providers.base import Model


Reply.page = staticmethod(page_of)
EMBEDDING = "gemini-embedding-001"  # makes vectors unless another model is named


class ManyRows:
    """What a client asks for many rows or texts at once: maps, batches and vectors.

    Attributes:
        services: the endpoints of the services that were asked.
    """

    services: ServiceRegistry
    _context: ChatContext

    @property
    def settings(self) -> Settings:
        """Where and as whom it asks; change them with `use`."""
        return self.services.settings

    def map(  # noqa: PLR0913 - each a thing of its own
        self,
        template: str,
        rows: Any,
        *,
        concurrency: int = 20,
        fresh: bool = False,
        store: str | Path | None = None,
        progress: Callable[[Progress], object] | bool | None = None,
        on_row: Callable[[MapRow], object] | None = None,
        **options: Any,
    ) -> MapResult:
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
        from nbgemini.bulk.map import MapOptions, create_map  # noqa: PLC0415 - SQLite is loaded at the first map

        asked = with_schema_format(Options(model=self.settings.model).changed({**options, "fresh": fresh}))
        how = MapOptions(concurrency=concurrency, store=store, fresh=fresh, progress=progress, on_row=on_row)
        return create_map(self.services, self._context, asked, template, rows, how)

    @deferred
    async def batch(self, /, template: str | Sequence[Any], rows: Any = None, *, title: str = "", **options: Any) -> Batch:
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
        from nbgemini.bulk.batch import batch_context, submit_batch  # noqa: PLC0415 - for those who ask

        text, given = (template, rows) if isinstance(template, str) else ("{row}", template)
        return await submit_batch(await batch_context(self.services, options), text, given, title)

    @deferred
    async def batches(self) -> list[Batch]:
        """Return all batches that the service knows, the latest first."""
        from nbgemini.bulk.batch import batch_context, batches  # noqa: PLC0415 - for those who ask

        return await batches(await batch_context(self.services, {"model": "gemini:"}))

    @deferred
    async def batch_named(self, /, name: str, rows: Sequence[Any] | None = None, **options: Any) -> Batch:
        """Return a batch that was submitted before, here or elsewhere; `rows` and `schema` are as they were given then."""
        from nbgemini.bulk.batch import batch_context, batch_named  # noqa: PLC0415 - for those who ask

        return await batch_named(await batch_context(self.services, {**options, "model": "gemini:"}), name, rows)

    @deferred
    async def embed(
        self, texts: str | Iterable[str], *, model: str = EMBEDDING, dimensions: int | None = None, task: str | None = None
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
        return await embed(self.services, texts, model, dimensions, task)

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self.services.aclose()

    async def __aenter__(self) -> Self:
        """Enter."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Close."""
        await self.aclose()


class Client(ManyRows):
    """Chats over shared connections, with Gemini or another service; everything that waits is async.

    What an async method returns can also be run by code that is not async: `client.generate("…").result()`.

    Attributes:
        chats: the named conversations begun so far.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        api_key: str | None = None,
        log: Log | None = None,
        sleep: Sleep = asyncio.sleep,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        """Use `settings`; what they leave open is the environment's. Nothing is opened before the first prompt.

        Args:
            settings: where and as whom to ask.
            api_key: Gemini's; another service's belongs into the environment or `Settings(services=…)`.
            log: writes every reply down: a journal.
            sleep: waits so many seconds before a request is sent again.
            http_client: sends all requests, instead of one of our own for each event loop; it is not closed here.

        Raises:
            ConfigurationError: these are no settings, or this is no key.
        """
        settings = _checked(Settings() if settings is None else settings)
        if api_key is not None:
            settings = msgspec.structs.replace(settings, key=api_key)
        self.chats: dict[str, Chat] = {}
        self.services = services = ServiceRegistry(settings, sleep, http_client)
        self._context = ChatContext(
            services.endpoint, services.guard, services.mask, lambda: self.settings.prices, log, self.aclose
        )

    @property
    def cache(self) -> Cache | None:
        """Where whole answers are kept; None if nowhere."""
        return self.services.cache

    def use(self, settings: Settings) -> None:
        """Ask by other settings from the next prompt on; running streams end as they began."""
        self.services.use(_checked(settings))

    def chat(self, name: str = "main", *, tools: Any = None, approve: Approve | str = "ask", **options: Any) -> Chat:
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
            chat = self.chats[name] = Chat(name, self._context, Options(model=self.settings.model))
        if tools is not None:
            chat.toolbox = resolve_toolbox(tools, approve)
        chat.options = chat.options.changed(options)
        return chat

    def one_shot(self) -> Chat:
        """Return a conversation that remembers nothing."""
        return Chat(None, self._context, Options(model=self.settings.model))

    @deferred
    async def generate(self, /, prompt: str | Turn, **options: Any) -> Reply:
        """Ask once, without history, and return the whole answer.

        Raises:
            NbGeminiError: it failed or was blocked; `error.reply` holds what had arrived.
        """
        return await self.one_shot().ask(prompt, **options)

    @deferred
    async def list_models(self, /, service: str = "gemini") -> list[Model]:
        """Return the models of a service, all pages."""
        return await self.services.list_models(service)

    @deferred
    async def count_tokens(self, /, prompt: str, *, model: str | None = None) -> int:
        """Return how many tokens the service counts in `prompt`."""
        return await self.services.count_tokens(prompt, model or self.settings.model)

    @deferred
    async def record(self, /, path: str | Path | None) -> int:
        """Record what is asked from now on into a cassette; return its size, as it may hold answers already. None ends it."""
        return await self.services.record(path)

    @deferred
    async def replay(self, /, path: str | Path | None, *, strict: bool = True, speed: float = math.inf) -> int:
        """Answer from a cassette from now on, from its beginning, and return how many answers it holds; None ends it.

        Args:
            path: the cassette.
            strict: an answer that it does not hold is an error; else it comes from the live service.
            speed: how many times faster than it was recorded; infinity plays at once.
        """
        return await self.services.replay(path, strict=strict, speed=speed)


def _checked(settings: Any) -> Settings:
    if not isinstance(settings, Settings):  # it may be a key, which no message shows
        raise ConfigurationError("Client takes Settings(…); a key is given as Client(api_key=…)")
    return settings
