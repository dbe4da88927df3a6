"""A conversation: its transcript, and one reply for each prompt.

Invariants: a prompt is stored before its request leaves; prompts to one chat follow each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, nullcontext
from functools import partial
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from nbgemini._async.deferred import deferred
from nbgemini._async.readers import refuse_deadlock
from nbgemini.chat.endpoint import Endpoint
from nbgemini.chat.reply import Reply
from nbgemini.chat.rounds import LoopContext, RequestLoop
from nbgemini.chat.state import ReplyState
from nbgemini.chat.structured_output import schema_for, with_schema_format
from nbgemini.errors import PromptError
from nbgemini.messages.events import Event, ToolProgress, ToolRun
from nbgemini.messages.segments import Change, Segment, Segmenter
from nbgemini.messages.transcript import KERNEL_ENDED, Exchange, Transcript
from nbgemini.messages.turns import Options, Turn, user_turn
from nbgemini.prices import Prices, bundled_prices
from nbgemini.prompts.secret_scan import redact_secrets, reject_secrets
from nbgemini.providers.common.parts import parts_to_events
from nbgemini.replay.session import Taping
from nbgemini.services import split_model
from nbgemini.tools.toolbox import Toolbox


class Log(Protocol):
    """What writes replies down: a journal."""

    def follow(self, reply: Reply) -> None:
        """Write a reply down from now on."""
        ...

    async def saved(self) -> None:
        """Return once what came so far is written."""
        ...


_ALONE: nullcontext[None] = nullcontext()  # one-shots follow nobody


async def _nothing() -> None:
    """Close nothing."""


class ChatContext(Struct, frozen=True):
    """What all chats of a client share.

    Attributes:
        endpoint: returns the endpoint of a model, recorded or replayed; asked at every prompt, so that it may change.
        guard: raises PromptError for a prompt (and a system instruction) that must not leave.
        mask: takes keys out of what a tool returned.
        prices: returns what costs are computed by.
        log: writes replies down.
        aclose: closes the connections of the running loop.
    """

    endpoint: Callable[[str, Taping | None], Endpoint]
    guard: Callable[[Turn, str | None], None] = reject_secrets
    mask: Callable[[Any], Any] = redact_secrets
    prices: Callable[[], Prices] = bundled_prices
    log: Log | None = None
    aclose: Callable[[], Awaitable[None]] = _nothing


class Chat:
    """One conversation.

    Attributes:
        name: name of the chat; None without history.
        options: default options of its prompts.
        transcript: all prompts and answers so far.
        toolbox: the tools that its prompts offer by default.
    """

    def __init__(self, name: str | None, context: ChatContext, options: Options) -> None:
        self.name = name
        self.options = options
        self.transcript = Transcript()
        self.toolbox = Toolbox()
        self._context = context
        self._loops: dict[Reply, RequestLoop] = {}  # of replies that are not over
        in_line = _ALONE if name is None else asyncio.Lock()
        self._loop_context = LoopContext(self.transcript, in_line, self._holds_up, self._saved, context.mask)

    def begin(  # noqa: PLR0913 - each a thing of its own
        self,
        prompt: str | Turn,
        *,
        cell: str | None = None,
        toolbox: Toolbox | None = None,
        taping: Taping | None = None,
        purpose: str = "prompt",
        retries: int = 0,
        **changes: Any,
    ) -> Reply:
        """Store a prompt and return its reply, which streams once it is driven.

        Args:
            prompt: text, or a whole turn with parts.
            cell: the notebook cell's id; a cell run again replaces its exchange.
            toolbox: the functions offered to the model for this prompt; the chat's own by default.
            taping: what is recorded or replayed of it; what the client records or replays by default.
            purpose: what it is asked for, in a word, for the journal.
            retries: how often it was asked before, if its caller retries.
            changes: options that differ for this prompt; `schema` may be any type, and `model` may name another service's.

        Raises:
            PromptError: the prompt is empty or holds a key, or an option means nothing to the model.
            ConfigurationError: there is no such service, or no key for it.
            ToolError: a tool asks the chat that waits for it.
        """
        refuse_deadlock(self)
        asked = user_turn(prompt)
        toolbox = self.toolbox if toolbox is None else toolbox
        options = with_schema_format(msgspec.structs.replace(self.options.changed(changes), tools=toolbox.declarations))
        self._refuse(asked, options)
        endpoint, (service, model) = self._context.endpoint(options.model, taping), split_model(options.model)
        options = msgspec.structs.replace(options, model=model)
        endpoint.codec.encode([asked], options)  # refuses here what the model can't take, before anything is stored
        number, exchange = self.transcript.ask(asked, cell) if self.name else (0, Exchange(asked))
        exchange.state = "waiting"
        state = ReplyState(exchange, options, endpoint.codec, prices=self._context.prices(), offline=endpoint.offline)
        state.chat, state.turn, state.provider, state.purpose, state.retries = self.name, number, service, purpose, retries
        reply = Reply(state)
        self._loops[reply] = RequestLoop(state, reply, toolbox, endpoint, self._loop_context)
        reply.when_done(partial(self._loops.pop, reply, None))
        if self._context.log:
            self._context.log.follow(reply)
        return reply

    def _refuse(self, asked: Turn, options: Options) -> None:
        """Refuse an empty prompt, one that must not leave, and one to no model."""
        if not any(part.get("text", "x").strip() for part in asked.parts):
            raise PromptError("the prompt is empty; write it below the %%gemini line, or behind %gemini ask")
        self._context.guard(asked, options.system)
        service, model = split_model(options.model)
        if not model:
            raise PromptError(f"no model after {service}: → %gemini models {service}: lists them")

    def __repr__(self) -> str:
        """Show the name and how much was said."""
        return f"<Chat {self.name!r}, prompts so far: {len(self.transcript)}>"

    def segments(self, exchange: Exchange) -> list[Segment]:
        """Return the answer of an exchange as segments, from its parts."""
        segmenter = Segmenter()
        for turn in exchange.past:
            segmenter.feed(parts_to_events(turn.parts))
        segmenter.feed(parts_to_events(exchange.parts))
        if exchange.note == KERNEL_ENDED:
            segmenter.feed(_unknown_ends(segmenter.runs))
        if exchange.state not in ("running", "waiting"):
            segmenter.close()  # else its calls go on
        return segmenter.segments

    @deferred
    async def ask(self, /, prompt: str | Turn, **changes: Any) -> Reply:
        """Ask and return the complete reply; `changes` are options as for `Client.generate`, for this prompt only.

        Raises:
            NbGeminiError: the reply failed or was blocked; `error.reply` holds what had arrived.
        """
        reply = self.begin(prompt, **await self._prepared(changes))
        await self.drive(reply)
        return await reply

    async def stream(self, prompt: str | Turn, **changes: Any) -> AsyncGenerator[Event, None]:
        """Ask and yield events as they arrive; leaving the loop early stops the stream and keeps what arrived.

        Raises:
            NbGeminiError: the reply failed or was blocked.
        """
        reply = self.begin(prompt, **await self._prepared(changes))
        loop = self._loops[reply]
        try:
            async with aclosing(loop.steps()) as steps:
                async for events, _ in steps:
                    for event in events:
                        yield event
        finally:
            loop.give_up()  # nothing, unless it was left early or its time was over
        await reply

    def will_drive(self, reply: Reply) -> None:
        """Let what reads the reply wait for it from now on, as the running loop is about to drive it."""
        self._loops[reply].start()

    async def drive(self, reply: Reply, apply: Callable[[list[Change]], None] = lambda _: None) -> None:
        """Stream the reply to its end in the calling task, handing every change to `apply`.

        If `apply` fails, the stream goes on without it: what comes is in the reply and the transcript. Stopping the reply ends
        this quietly; cancelling the calling task stops the reply and goes on cancelling.
        """
        await self._loops[reply].drive(apply)

    async def aclose(self) -> None:
        """Close the connections of the running loop, which other chats of the client share."""
        await self._context.aclose()

    async def _prepared(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Return what differs for a prompt, with servers asked for their tools and the schema read, off the loop."""
        schema = await schema_for(changes.get("schema", self.options.schema))
        return {"toolbox": await self.toolbox.refreshed(), **changes, "schema": schema}

    def _holds_up(self, wanted: object) -> bool:
        return self.name is not None and (wanted is self or wanted in self._loops)

    async def _saved(self) -> None:
        if self._context.log:
            await self._context.log.saved()


def _unknown_ends(runs: Iterable[Segment]) -> Iterator[Event]:
    """Say of calls that a killed kernel left unanswered all there is to say; nothing runs them again."""
    words = {"error": "the kernel ended; whether it had begun, and what it had done by then, is not known"}
    for number, segment in enumerate(runs):
        if isinstance(segment.content, ToolRun) and not segment.content.over:
            yield ToolProgress(number, ToolRun(segment.content.call, "stopped", words))
