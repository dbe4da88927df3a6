"""Servers that others wrote, each in a process of its own: `make real` installs them beside, and names their Python here."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from nbgemini import Client, Settings
from nbgemini.secrets import Secret
from nbgemini.services import Service, services_from

KEY = "sk-real-servers-want-one"
HERE = Path(__file__).parent
INTERPRETER = os.environ.get("NBGEMINI_REAL", "")


def pytest_collection_modifyitems(items):
    for item in items:
        if "real" in Path(item.path).parts:
            item.add_marker(pytest.mark.real)
            if not INTERPRETER:
                item.add_marker(pytest.mark.skip(reason="make real"))


@contextmanager
def running(script, *args):
    """The address that a server prints; it ends with its stdin."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GEMINI", "GOOGLE", "PYTHON"))}
    command = [INTERPRETER, str(HERE / script), *args]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**environ, "NBGEMINI_REAL_KEY": KEY},
    )
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), url
        yield url
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def llama():
    """llama.cpp's own server with a small model, whose answers are as long as they may be."""
    with running("llama.py", "endless") as url:
        yield url


@pytest.fixture
def ending_llama():
    """The same server, where the model says when its answer ends."""
    with running("llama.py") as url:
        yield url


@pytest.fixture(scope="session")
def llmock():
    """A server that fails on demand, and judges who asked."""
    with running("mock.py") as url:
        yield url


def services(url, **dialects):
    """Services at one place, by name, beside those that are known."""
    known = {
        "anthropic": {"header": "x-api-key", "scheme": "", "headers": {"anthropic-version": "2023-06-01"}},
    }
    return services_from({}) | {
        name: Service(name, dialect, f"{url}{path}", Secret(KEY), **known.get(dialect, {}))
        for name, (dialect, path) in dialects.items()
    }


@pytest.fixture
async def client(llama):
    spoken = services(llama, chat=("openai-chat", "/v1"), responses=("openai", "/v1"), messages=("anthropic", ""))
    async with Client(Settings(services=spoken)) as asking:
        yield asking


async def told(url, path, **json):
    """What a server says of itself; with a body, after being told."""
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as direct:
        answer = await (direct.post(f"{url}{path}", json=json) if json else direct.get(f"{url}{path}"))
        answer.raise_for_status()
        return answer.json()
