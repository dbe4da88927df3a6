"""Answers to keep, every kind of store, and a Redis server of the tests' own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from nbgemini.cache import Cache, open_cache
from nbgemini.cache.entry import CacheScope
from nbgemini.cache.redis import RedisStore
from nbgemini.providers.gemini.codec import GeminiCodec
from nbgemini.secrets import Secret
from nbgemini.transport.request import Request
from tests.fakes.raw import text_frame

DECODE = GeminiCodec().decoder()
ANSWER = [json.dumps(text_frame("It is ")).encode(), json.dumps(text_frame("blue.", finish="STOP")).encode()]
IDENTITY = CacheScope("gemini", "gemini", "https://a.example", Secret("k" * 39))


def asked(text="Why?", **more):
    body = {"contents": [{"parts": [{"text": text}]}], **more}
    return Request("v1beta/models/m:streamGenerateContent", body, {"alt": "sse"}, reuse="any")


class Server:
    """A Redis server in a folder of its own, on a port that nobody had."""

    def __init__(self, folder, *options):
        self._folder, self._options = folder, options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self):
        command = [which(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        self._process = subprocess.Popen([*command, *self._options], stdout=subprocess.PIPE, text=True)
        for line in self._process.stdout:
            if "Ready to accept connections" in line:
                return
        raise AssertionError("the server did not start")

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def which():
    """Where the server is; where all tests must run, it may not be missing."""
    found = shutil.which("redis-server")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("redis-server is missing: make setup-servers")
    return found or pytest.skip("redis-server is not installed (make setup-servers)")


@contextmanager
def server(*options):
    with tempfile.TemporaryDirectory(prefix="nbgemini-redis-") as folder:
        one = Server(Path(folder), *options)
        try:
            yield one
        finally:
            with suppress(ValueError):
                one.stop()


@pytest.fixture
def redis(monkeypatch):
    """A server that is worth waiting for, however busy the machine."""
    monkeypatch.setattr(RedisStore, "patience", 30.0)
    with server() as one:
        yield one


@pytest.fixture
def told():
    return []


@pytest.fixture(params=["memory", "sqlite", "redis"])
def setting(request, tmp_path):
    """Each store in turn."""
    if request.param == "redis":
        return request.getfixturevalue("redis").url
    return f"sqlite:{tmp_path / 'deep' / 'cache.sqlite3'}" if request.param == "sqlite" else "memory"


@pytest.fixture
async def cache(setting, told):
    one = open_cache(setting, tell=told.append)
    assert isinstance(one, Cache)
    yield one
    await one.aclose()
