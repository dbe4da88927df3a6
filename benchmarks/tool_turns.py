"""Turns with two tools, asked for by the offline service: how long the tools take together, and what the loop feels of it."""

from __future__ import annotations

import asyncio
import json
import time

NAP = 0.5  # seconds
LONG = 1.0
BEAT = 0.01


class Tools:
    """What the model may call; each notes when it worked."""

    def __init__(self):
        self.began, self.ended = [], []

    def spent(self):
        """Seconds from the first tool's beginning to the last one's end."""
        assert len(self.ended) == len(self.began) > 0
        return max(self.ended) - min(self.began)

    def functions(self):
        """Plain functions: not every library takes methods."""

        async def nap(n: int) -> str:
            """Take a nap."""
            self.began.append(time.perf_counter())
            await asyncio.sleep(NAP)
            self.ended.append(time.perf_counter())
            return f"rested {n}"

        def doze(n: int) -> str:
            """Doze."""
            self.began.append(time.perf_counter())
            time.sleep(NAP)
            self.ended.append(time.perf_counter())
            return f"rested {n}"

        def sleep(n: int) -> str:
            """Sleep long."""
            self.began.append(time.perf_counter())
            time.sleep(LONG)
            self.ended.append(time.perf_counter())
            return f"rested {n}"

        def burn(n: int) -> int:
            """Work hard."""
            self.began.append(time.perf_counter())
            while time.perf_counter() < self.began[-1] + LONG:
                n += 1
            self.ended.append(time.perf_counter())
            return n % 2

        return {"nap": nap, "doze": doze, "sleep": sleep, "burn": burn}


def calling(name, count):
    """A prompt for which the model calls a function so many times in one response."""
    calls = [["call", name, {"n": n}] for n in range(count)]
    return f"offline: {json.dumps({'parts': [['frame', *calls]], 'gap': 0})}"


def asker(who, url):
    """A coroutine function that asks with one function offered."""
    if who == "nbgemini":
        from nbgemini import Client, Settings
        from nbgemini.secrets import Secret

        client = Client(Settings(key=Secret("k"), base_url=url, model="gemini-3.8-flash"))

        async def ask(prompt, function):
            chat = client.chat(function.__name__, tools=[function], approve="auto")
            assert (await chat.ask(prompt)).state == "complete"

    elif who == "chatlas":
        import chatlas

        options = {"http_options": {"base_url": url}}

        async def ask(prompt, function):
            chat = chatlas.ChatGoogle(model="gemini-3.8-flash", api_key="k", kwargs=options)
            chat.register_tool(function)
            await (await chat.chat_async(prompt, echo="none")).get_content()

    else:
        from google import genai
        from google.genai.types import HttpOptions

        client = genai.Client(api_key="k", http_options=HttpOptions(base_url=url))

        async def ask(prompt, function):
            config = {"tools": [function]}
            await client.aio.models.generate_content(model="gemini-3.8-flash", contents=prompt, config=config)

    return ask


async def tools(who, url):
    """Seconds that two async tools take together, and two that block."""
    ask = asker(who, url)
    return [await spent(ask, "nap"), await spent(ask, "doze")]


async def spent(ask, name):
    mine = Tools()
    await ask(calling(name, 2), mine.functions()[name])
    return mine.spent()


async def beat(who, url):
    """The longest gap of a heartbeat, in milliseconds, while a tool sleeps and while one burns CPU."""
    ask = asker(who, url)
    await ask(calling("nap", 1), Tools().functions()["nap"])  # what is loaded at the first use is not the tool's
    return [await longest_gap(ask, "sleep"), await longest_gap(ask, "burn")]


async def longest_gap(ask, name):
    gaps = []

    async def heartbeat():
        last = time.perf_counter()
        while True:
            await asyncio.sleep(BEAT)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    beating = asyncio.create_task(heartbeat())
    await ask(calling(name, 1), Tools().functions()[name])
    await asyncio.sleep(BEAT)
    beating.cancel()
    return max(gaps) * 1000
