"""Texts as vectors: many texts in few requests, side by side, each sent again after trouble that passes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from nbgemini._async.scheduler import FairScheduler
from nbgemini.chat.services import ServiceRegistry
from nbgemini.errors import PromptError
from nbgemini.messages.turns import user_turn
from nbgemini.providers.gemini.embeddings import AT_ONCE, embed_request, vectors_of
from nbgemini.services import split_model
from nbgemini.transport.request import Request

_SIDE_BY_SIDE = 16  # requests of one call: 1,600 texts


def validate_texts(texts: str | Iterable[str]) -> list[str]:
    """Return the texts that are to become vectors.

    Raises:
        PromptError: one is no text, or empty, which the service would refuse with all others of its request.
    """
    if not isinstance(texts, Iterable):
        raise PromptError(f"embed takes one text or several, not {type(texts).__name__}")
    found = [texts] if isinstance(texts, str) else list(texts)
    for number, text in enumerate(found):
        if not isinstance(text, str):
            raise PromptError(f"text {number} is of type {type(text).__name__}; nothing was sent")
        if not text.strip():
            raise PromptError(f"text {number} is empty; nothing was sent")
    return [text.encode("utf-8", "replace").decode() for text in found]


async def embed(
    services: ServiceRegistry, texts: str | Iterable[str], model: str, dimensions: int | None, task: str | None
) -> list[list[float]]:
    """Return one vector for each text, in their order.

    Raises:
        PromptError: a text is empty or holds a key, the task is none, or the model is another service's.
        NbGeminiError: the vectors of some texts did not come; the others are dropped with them.
    """
    found, (service, name) = validate_texts(texts), split_model(model)
    if service != "gemini":
        raise PromptError(f"{service} can't make embeddings here; use a Gemini model, such as gemini-embedding-001")
    scheduler = FairScheduler.here()
    for text in found:
        await scheduler.turn()
        services.guard(user_turn(text), None)
    endpoint, free, version = services.endpoint(model), asyncio.Semaphore(_SIDE_BY_SIDE), services.settings.version
    asked = [(embed_request(version, name, some, dimensions, task), len(some)) for some in _portions(found)]

    async def ask(request: Request, count: int) -> list[list[float]]:
        async with free:
            return vectors_of(await endpoint.fetch(request), count)

    failed: list[Exception] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(*one)) for one in asked]
    except ExceptionGroup as trouble:
        failed += trouble.exceptions
    if failed:
        raise failed[0]  # out here, where its context is not the group, of which IPython would show everything
    return [vector for task in tasks for vector in task.result()]


def _portions(texts: list[str]) -> Iterator[list[str]]:
    return (texts[start : start + AT_ONCE] for start in range(0, len(texts), AT_ONCE))
