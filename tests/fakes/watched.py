"""A chat with a fault server, and one prompt to it with all that the invariants are about kept for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from nbgemini import Client, Settings
from nbgemini.chat.chat import Chat
from nbgemini.chat.reply import Reply
from nbgemini.messages.segments import Change
from nbgemini.secrets import Secret
from tests.fakes.fault_server import FaultServer, Hit
from tests.fakes.script import FINE, Script

CANARY = "AIzaCANARYcanaryCANARYcanaryCANARYcanary"
MODEL = "gemini-3.8-flash"


@dataclass
class Asked:
    """One prompt, what came of it, and what was seen on the way."""

    reply: Reply
    prompt: str
    changes: list[Change] = field(default_factory=list)
    states: list[str] = field(default_factory=list)  # whenever something changed
    notices: list[Any] = field(default_factory=list)  # what it waited for, whenever something changed
    ends: int = 0  # how often it was said to be over
    requests: int = 0
    stored_first: bool = True  # the prompt was in the transcript whenever a request arrived

    def apply(self, changes: list[Change]) -> None:
        """See what changed."""
        self.changes += changes
        self.states.append(self.reply.state)
        self.notices += [self.reply.notice] if self.reply.notice else []

    def ended(self) -> None:
        """See the end."""
        self.ends += 1


@dataclass
class Watched:
    """One chat with one scripted server."""

    server: FaultServer
    client: Client
    chat: Chat
    logged: list[str]
    tasks: set[asyncio.Task[Any]]  # those that were there before
    slept: list[float]  # seconds between attempts; they are not spent

    def offer(self, *tools: Callable[..., Any]) -> None:
        """Offer functions, each call of which somebody allows."""

        async def allow(*_: object) -> bool:
            return True

        self.client.chat(tools=tools, approve=allow)

    async def ask(self, prompt: str = "why?", **options: Any) -> Asked:
        """Ask, and watch until it is over, whatever the end."""
        asked = self.begin(prompt, **options)
        await self.chat.drive(asked.reply, asked.apply)
        return asked

    def begin(self, prompt: str = "why?", **options: Any) -> Asked:
        """Begin a prompt that is driven later."""
        asked = Asked(self.chat.begin(prompt, **options), prompt)
        asked.reply.when_done(asked.ended)

        def hit(_: Hit) -> None:
            asked.requests += 1
            stored = [exchange.asked.parts[-1]["text"] for exchange in self.chat.transcript]
            asked.stored_first &= prompt in stored

        self.server.on_hit = hit
        return asked


@asynccontextmanager
async def watched(*scripts: Script, after: Script = FINE, url: str = "", **settings: Any) -> AsyncGenerator[Watched, None]:
    """Serve the scripts to a chat; nothing is sent twice unless `retries` says so. `url`: of what stands between the two."""
    tasks = asyncio.all_tasks()
    async with FaultServer() as server:
        server.play(*scripts, after=after)
        known = Settings(**{"key": Secret(CANARY), "base_url": url or server.url, "model": MODEL, "retries": 0, **settings})
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            await asyncio.sleep(0)

        with _log() as logged:
            async with Client(known, sleep=sleep) as client:
                yield Watched(server, client, client.chat(), logged, tasks, slept)


class _Keep(logging.Handler):
    def __init__(self) -> None:
        super().__init__(1)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {record.args!r} {record.exc_info!r}")


@contextmanager
def _log() -> Iterator[list[str]]:
    """Keep all that those who see the key log."""
    keep = _Keep()
    loggers = [logging.getLogger(name) for name in ("nbgemini", "httpx2", "httpcore2", "asyncio", "google_genai")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(keep)
        logger.setLevel(1)
    try:
        yield keep.lines
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
            logger.removeHandler(keep)
