"""Many requests at once, each of which the service takes a second to answer: who is waited for, the service or the client?"""

from __future__ import annotations

import asyncio
import json
import math
import time
from concurrent.futures import ThreadPoolExecutor

MODEL = "gemini-3.8-flash"
COUNTS = (100, 300, 1000)
FEW = ("google to_thread", "pool of 10")  # they would take minutes for more than the first hundred


async def parallel(who, url):
    """Seconds for each count of requests of one second, and the share of answers that echo their own question, in percent."""
    return await timed(ASKERS[who](url), COUNTS[:1] if who in FEW else COUNTS)


async def timed(ask_all, counts):
    seconds, exact = [], 0
    await ask_all(["question 7 at once"])
    for count in counts:
        questions = [f"question {number}" for number in range(count)]
        began = time.perf_counter()
        answers = await ask_all(questions)
        seconds.append(time.perf_counter() - began)
        exact += sum(answer == f"answer to {question}" for question, answer in zip(questions, answers, strict=True))
    return [*seconds, *[math.nan] * (len(COUNTS) - len(counts)), 100 * exact / sum(counts)]


def nbgemini(url):
    from nbgemini import Client, Settings
    from nbgemini.secrets import Secret

    client = Client(Settings(key=Secret("k"), base_url=url, model=MODEL))

    async def ask(question):
        return (await client.generate(question)).text

    return gathering(ask)


def google_client(url, **options):
    from google import genai
    from google.genai.types import HttpOptions

    return genai.Client(api_key="k", http_options=HttpOptions(base_url=url, **options))


def google_async(url):
    import httpx2  # as it comes, it has 100 connections

    return google_gathering(url, async_client_args={"limits": httpx2.Limits(max_connections=None)})


def google_gathering(url, **options):
    client = google_client(url, **options)  # held: it closes what it opened when nobody does

    async def ask(question):
        stream = await client.aio.models.generate_content_stream(model=MODEL, contents=question)
        return "".join([chunk.text or "" async for chunk in stream])

    return gathering(ask)


def google_to_thread(url):
    ask = google_sync(url)
    return gathering(lambda question: asyncio.to_thread(ask, question))


def google_pool(url):
    ask, pool = google_sync(url), ThreadPoolExecutor(10)

    async def ask_all(questions):
        return await asyncio.to_thread(lambda: list(pool.map(ask, questions)))

    return ask_all


def google_sync(url):
    client = google_client(url)

    def ask(question):
        return "".join(chunk.text or "" for chunk in client.models.generate_content_stream(model=MODEL, contents=question))

    return ask


def sockets(url):
    """Bytes to bytes, without a library: what the server and the machine themselves take."""
    host, _, port = url.removeprefix("http://").partition(":")
    idle = []

    async def ask(question):
        reader, writer = idle.pop() if idle else await asyncio.open_connection(host, port)
        body = json.dumps({"contents": [{"role": "user", "parts": [{"text": question}]}]}).encode()
        writer.write(b"POST /v1beta/models/x HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        answer = await reader.readuntil(b"0\r\n\r\n")
        idle.append((reader, writer))
        frames = [json.loads(line[6:]) for line in answer.splitlines() if line.startswith(b"data: ")]
        return "".join(frame["candidates"][0]["content"]["parts"][0]["text"] for frame in frames)

    return gathering(ask)


def gathering(ask):
    async def ask_all(questions):
        return await asyncio.gather(*map(ask, questions))

    return ask_all


ASKERS = {
    "sockets": sockets,
    "nbgemini": nbgemini,
    "google-genai async": google_async,
    "as it comes": google_gathering,
    "google to_thread": google_to_thread,
    "pool of 10": google_pool,
}
