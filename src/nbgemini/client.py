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
from nbgemini.errors import ConfigurationError, PromptError
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
        """The current settings; `use` changes them."""
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
        """Ask one prompt for each row, many at once, when the result is awaited. Answered rows are never paid for twice.

        In the template, `{column}` is a value of the row and `{row}` the whole row; all other braces stay as typed. Where rows
        are plain values and the template has no `{row}`, the value follows at the end.

        Args:
            template: the prompt.
            rows: dicts, texts or other values, a table or one of its columns, or an asynchronous iterator.
            concurrency: how many rows are asked at once at most; fewer after a rate limit.
            fresh: ask all rows again, even those that an earlier run has answered.
            store: the file that keeps the answers; by default one for all maps, beside the journal.
            progress: called with a `Progress`; by default there is a progress bar, in a terminal or below the cell.
            on_row: called with each finished row, once its answer is on disk.
            options: as for `generate`.

        Raises:
            NbGeminiError: the rows or an option can't be used, or there is no key.
        """
        from nbgemini.bulk.map import MapOptions, create_map  # noqa: PLC0415 - SQLite is loaded at the first map

        asked = with_schema_format(Options(model=self.settings.model).changed({**options, "fresh": fresh}))
        how = MapOptions(concurrency=concurrency, store=store, fresh=fresh, progress=progress, on_row=on_row)
        return create_map(self.services, self._context, asked, template, rows, how)

    @deferred
    async def batch(self, /, template: str | Sequence[Any], rows: Any = None, *, title: str = "", **options: Any) -> Batch:
        """Submit one prompt for each row to Google's Batch API: half the price, answers within a day.

        Args:
            template: as for `map`; or a list of prompts, without `rows`.
            rows: as for `map`.
            title: display name of the batch.
            options: as for `generate`.

        Raises:
            PromptError: the rows or an option can't be used, or the model is not Gemini's.
            TransportError: the connection failed; the batch may have been submitted, and is not submitted again.
        """
        from nbgemini.bulk.batch import batch_context, submit_batch  # noqa: PLC0415 - for those who ask

        text, given = (template, rows) if isinstance(template, str) else ("{row}", template)
        return await submit_batch(await batch_context(self.services, options), text, given, title)

    @deferred
    async def batches(self) -> list[Batch]:
        """Return all batches of this API key, the latest first."""
        from nbgemini.bulk.batch import batch_context, batches  # noqa: PLC0415 - for those who ask

        return await batches(await batch_context(self.services, {"model": "gemini:"}))

    @deferred
    async def batch_named(self, /, name: str, rows: Sequence[Any] | None = None, **options: Any) -> Batch:
        """Return a batch that was submitted earlier, from any machine; pass the same `rows` and `schema` as then."""
        from nbgemini.bulk.batch import batch_context, batch_named  # noqa: PLC0415 - for those who ask

        return await batch_named(await batch_context(self.services, {**options, "model": "gemini:"}), name, rows)

    @deferred
    async def embed(
        self, texts: str | Iterable[str], *, model: str = EMBEDDING, dimensions: int | None = None, task: str | None = None
    ) -> list[list[float]]:
        """Return one embedding vector for each text, in order; a request holds up to 100 texts, and requests run concurrently.

        Args:
            texts: one text or many.
            model: an embedding model of Gemini.
            dimensions: length of the vectors; by default the model's own.
            task: what they are for: `retrieval query`, `retrieval document`, `semantic similarity`, `classification`,
                `clustering`, `question answering`, `fact verification`, `code retrieval query`.

        Raises:
            PromptError: a text is empty or contains a key, the task is unknown, or the model is not Gemini's.
        """
        return await embed(self.services, texts, model, dimensions, task)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self.services.aclose()

    async def __aenter__(self) -> Self:
        """Enter."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Close."""
        await self.aclose()


class Client(ManyRows):
    """Asks Gemini and other services; all its chats share connections.

    Await what an async method returns or, in code that isn't async, call `.result()`: `client.generate("…").result()`.

    Attributes:
        chats: the chats so far, by name.
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
        """Create a client; connections are opened with the first prompt.

        Args:
            settings: which services to ask, and how; by default from the environment.
            api_key: API key of Gemini; the keys of other services come from the environment.
            log: journal that records every reply.
            sleep: called with the seconds to wait before a retry.
            http_client: your own HTTP client for all requests; you close it.

        Raises:
            ConfigurationError: `settings` or `api_key` is of the wrong type.
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
        """The cache of complete answers, or None."""
        return self.services.cache

    def use(self, settings: Settings) -> None:
        """Change the settings, from the next prompt on."""
        self.services.use(_checked(settings))

    def chat(self, name: str = "main", *, tools: Any = None, approve: Approve | str | None = None, **options: Any) -> Chat:
        """Return the chat of this name; it is created if there is none.

        Args:
            name: name of the chat.
            tools: functions, MCP servers, or lists of them that the model may call from now on.
            approve: whether calls of these tools run: `auto`, `unguarded`, `never`, or a function, async or not, that takes the
                tool, the call and its number and returns a bool. With `ask`, the default, only tools marked as safe run: no
                user can be asked.
            options: as for `generate`, for all later prompts of this chat.

        Raises:
            PromptError: a function can't be a tool, or `auto` is refused for a risky combination of tools.
        """
        if not isinstance(name, str):
            raise PromptError(f"the name of a chat is text, not {type(name).__name__}; client.generate asks outside all chats")
        if approve is not None and tools is None:
            raise PromptError("approve goes with tools: name both in one call of client.chat")
        chat = self.chats.get(name)
        if chat is None:
            chat = self.chats[name] = Chat(name, self._context, Options(model=self.settings.model))
        if tools is not None:
            chat.toolbox = resolve_toolbox(tools, "ask" if approve is None else approve)
        chat.options = chat.options.changed(options)
        return chat

    def one_shot(self) -> Chat:
        """Return a chat without history, for single questions."""
        return Chat(None, self._context, Options(model=self.settings.model))

    @deferred
    async def generate(self, /, prompt: str | Turn, **options: Any) -> Reply:
        """Ask a single question, without history, and return the complete reply.

        Args:
            prompt: the text of the prompt.
            options: `model`, `system` (instruction), `think` (level or token budget), `temperature`, `max_tokens`, `seed`,
                `stop_at` (a tuple of texts), `timeout` (seconds), `schema` (the type of the answer), `format` (`markdown`,
                `code`, `json` or `text`), and true or false for `search`, `run_code`, `urls` and `fresh` (ignore the cache).

        Raises:
            NbGeminiError: the reply failed or was blocked; `error.reply` holds what had arrived.
        """
        return await self.one_shot().ask(prompt, **options)

    @deferred
    async def list_models(self, /, service: str = "gemini") -> list[Model]:
        """Return all models of a service."""
        return await self.services.list_models(service)

    @deferred
    async def count_tokens(self, /, prompt: str, *, model: str | None = None) -> int:
        """Return how many tokens `prompt` has, as the service counts them."""
        return await self.services.count_tokens(prompt, model or self.settings.model)

    @deferred
    async def record(self, /, path: str | Path | None) -> int:
        """Record all answers from now on in a cassette; return how many it already holds. None ends it."""
        return await self.services.record(path)

    @deferred
    async def replay(self, /, path: str | Path | None, *, strict: bool = True, speed: float = math.inf) -> int:
        """Answer all prompts from a cassette from now on; return how many answers it holds. None ends it.

        Args:
            path: the cassette.
            strict: whether a prompt that was not recorded is an error; if not, the live service answers it.
            speed: playback speed, where 1 is as recorded and infinity is at once.
        """
        return await self.services.replay(path, strict=strict, speed=speed)


def _checked(settings: Any) -> Settings:
    if not isinstance(settings, Settings):  # it may be a key, which no message shows
        raise ConfigurationError("Client takes Settings(…); a key is given as Client(api_key=…)")
    return settings
