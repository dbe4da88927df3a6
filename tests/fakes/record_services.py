"""Records what `%gemini demo` plays for other services than Gemini: python -m tests.fakes.record_services.

The answers are those of the test server in each protocol; each says that it is no model's. The recordings are found by what was
asked last, so each prompt is recorded once, and each call of a tool with its result.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from msgspec import structs

from nbgemini import Client
from nbgemini.offline.recordings import BUNDLED, last_asked, models_request
from nbgemini.replay.cassette import end_line, frame_line, opening_line, read_cassette
from nbgemini.settings import offline_settings
from tests.fakes.services import FakeServices

MODELS = {
    "anthropic": "anthropic:claude-offline",
    "openai": "openai:gpt-offline",
    "openai-chat": "openai-chat:gpt-offline",
    "interactions": "interactions:gemini-3.8-flash",
}
PROMPTS = (
    "Why is the sky blue, but the sunset red?",
    "Why is the sky blue?",
    "what is 20 + 3",
    "what is 2 + 2",
    "what is 2 + 3",
    "what is 7 + 7",
    "What is asyncio?",
    "Write a Python generator of prime numbers.",
    "Write a Python generator of the Fibonacci numbers.",
)
SUMS = ((20, 3), (4, 5), (1, 1), (2, 3))
STEP = 0.12  # seconds between frames


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def recorded(client, service, path):
    """The frames of each answer, with the body of its request."""
    await client.record(path)
    for provider, model in MODELS.items():
        for prompt in PROMPTS:
            await client.generate(prompt, model=model, think="low")
        for a, b in SUMS:
            await client.chat(f"{provider} {a} {b}", tools=[add], approve="auto").ask(
                f"Please call add(a={a}, b={b}).", model=model, think="low"
            )
        if provider != "interactions":
            await client.list_models(provider)
    await client.record(None)
    return list(zip(read_cassette(path), service.requests, strict=True))


def lines(answers):
    for number, (recording, request) in enumerate(answers):
        provider, name = recording.provider, f"{number:03}"
        listed = request.method == "GET"
        yield opening_line(name, provider, models_request(provider) if listed else last_asked(provider, request.body))
        for place, (_, frame) in enumerate(recording.frames, 1):
            yield frame_line(name, 0 if listed else place * STEP, frame)
        assert recording.end == "complete", (provider, request.body, recording.trouble)
        yield end_line(name, 0 if listed else len(recording.frames) * STEP, "complete")


async def main():
    with FakeServices(pace=0) as service, tempfile.TemporaryDirectory() as folder:
        settings = structs.replace(offline_settings(service.url), model=MODELS["anthropic"])
        async with Client(settings) as client:
            answers = await recorded(client, service, Path(folder) / "all.gemini.jsonl")
    BUNDLED.write_bytes(b"".join(lines(answers)))
    print(f"{BUNDLED}: {len(answers)} answers, {BUNDLED.stat().st_size:,} bytes")


if __name__ == "__main__":
    asyncio.run(main())
