"""Prepared answers, written by hand: true, useful, and honest about where they come from."""

from __future__ import annotations

import re

Run = tuple[str, str]

_SUM = re.compile(r"(?<!\d)(-?\d{1,15})\s{0,9}([-+*×])\s{0,9}(-?\d{1,15})(?!\d)")  # bounded: also in how long it is searched
_SIGNED = "\n\n*From nbgemini's offline service, not from Gemini.*"

_SKY: list[Run] = [
    (
        "thought",
        "**What is being asked**\n\nTwo colours, one cause: light scatters on air. I start with the blue of noon.\n\n\n",
    ),
    (
        "answer",
        "## Why the sky is blue\n\nSunlight holds all colours. On its way through the air it meets molecules far smaller than "
        "its wavelength, and these scatter short waves much more strongly than long ones (Rayleigh scattering):\n\n"
        "$$I \\propto \\lambda^{-4}$$\n\n"
        "| colour | wavelength | scattered, red = 1 |\n|---|---:|---:|\n| red | 700 nm | 1.0 |\n| green | 530 nm | 3.0 |\n"
        "| blue | 450 nm | 5.9 |\n\nSo blue light reaches your eye from every direction of the sky.\n\n",
    ),
    (
        "thought",
        "**Now the sunset**\n\nThe same law, a longer path: what is scattered away is missing from the direct beam.\n\n\n",
    ),
    (
        "answer",
        "## Why the sunset is red\n\nLow above the horizon the Sun shines through up to **38 times** more air. Most of the blue is "
        "scattered out of the beam before it reaches you; what is left is orange and red.\n\n"
        "> Violet is scattered even more than blue, but the Sun sends less of it and our eyes see it poorly." + _SIGNED,
    ),
]
_PRIMES: list[Run] = [
    ("thought", "**Choosing a way**\n\nA generator is short, needs no list, and stops when the caller does.\n\n\n"),
    (
        "answer",
        "Here is a generator of prime numbers:\n\n```python\nfrom collections.abc import Iterator\nfrom itertools import count\n\n\n"
        'def primes() -> Iterator[int]:\n    """Yield the prime numbers, smallest first."""\n    found: list[int] = []\n'
        "    for n in count(2):\n        if all(n % p for p in found if p * p <= n):\n            found.append(n)\n"
        "            yield n\n```\n\nTake the first ten with `list(islice(primes(), 10))`." + _SIGNED,
    ),
]
_FIBONACCI: list[Run] = [
    (
        "thought",
        "**Choosing a way**\n\nTwo numbers are all the state there is; a generator leaves the length to the caller.\n\n\n",
    ),
    (
        "answer",
        "Here is a generator of the Fibonacci numbers:\n\n```python\nfrom collections.abc import Iterator\n\n\n"
        'def fibonacci() -> Iterator[int]:\n    """Yield the Fibonacci numbers, from 0 on."""\n    this, following = 0, 1\n'
        "    while True:\n        yield this\n        this, following = following, this + following\n```\n\n"
        "Take the first ten with `list(islice(fibonacci(), 10))`." + _SIGNED,
    ),
]
_ASYNCIO: list[Run] = [
    ("thought", "**The core of it**\n\nOne thread, many waits: explain the loop, then tasks, then what blocks.\n\n\n"),
    (
        "answer",
        "**asyncio** lets one thread wait for many things at once.\n\n1. The *event loop* runs one task until it says `await`.\n"
        "2. While that task waits, the loop runs the others.\n3. Nothing runs in parallel, so code that never awaits holds up "
        "everything: put it into `asyncio.to_thread`." + _SIGNED,
    ),
]


def written_answer(prompts: list[str]) -> list[Run]:
    """Return the runs of thought and answer for the last of these prompts."""
    prompt = prompts[-1]
    words = set(re.findall(r"[a-z]+", prompt.lower()))
    if words & {"sky", "sunset"}:
        return _SKY
    if "my name" in prompt.lower() and (runs := _memory(prompts)):
        return runs
    if sum_ := _SUM.search(prompt):
        return _arithmetic(sum_)
    if "asyncio" in words:
        return _ASYNCIO
    return _code(prompt, words) or _default(prompts)


def _code(prompt: str, words: set[str]) -> list[Run]:
    if not words & {"python", "write", "function", "code", "generator"}:
        return []
    if "fibonacci" in words:
        return _FIBONACCI
    return _PRIMES if "primes" in words or "prime number" in prompt.lower() else []


def _memory(prompts: list[str]) -> list[Run]:
    told = [name for prompt in prompts for name in re.findall(r"[Mm]y name is (\w+)", prompt)]
    if re.search(r"[Mm]y name is \w+", prompts[-1]):
        return [("thought", "**A name**\n\nWorth remembering.\n\n\n"), ("answer", f"Nice to meet you, {told[-1]}!" + _SIGNED)]
    if "?" not in prompts[-1]:
        return []
    answer = (
        f"Your name is **{told[-1]}**; you told me earlier in this chat." if told else "You have not told me your name yet."
    )
    return [("thought", "**Looking back**\n\nIt would stand in an earlier turn.\n\n\n"), ("answer", answer + _SIGNED)]


def _arithmetic(found: re.Match[str]) -> list[Run]:
    left, sign, right = int(found[1]), found[2], int(found[3])
    result = left + right if sign == "+" else left - right if sign == "-" else left * right
    return [
        ("thought", "**Arithmetic**\n\nThis needs no model.\n\n\n"),
        ("answer", f"{left} {sign} {right} = **{result}**" + _SIGNED),
    ]


def _default(prompts: list[str]) -> list[Run]:
    exchanges = f"{len(prompts)} exchange{'' if len(prompts) == 1 else 's'}"
    before = f" Before that you asked: “{_first_line(prompts[-2])[:80]}”." if len(prompts) > 1 else ""
    answer = (
        "This is nbgemini's **offline service**, not Gemini: it speaks the same protocol, but its answers are prepared.\n\n"
        f"You asked: “{_first_line(prompts[-1])[:200]}”\n\nThis chat has {exchanges} so far.{before}\n\n"
        "For real answers set `GEMINI_API_KEY`, or run `%gemini key`."
    )
    return [("thought", "**No prepared answer**\n\nI say what I am and what I was asked.\n\n\n"), ("answer", answer)]


def _first_line(prompt: str) -> str:
    return prompt.strip().partition("\n")[0]
