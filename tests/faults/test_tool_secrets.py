"""A tool that returns keys: its reader, the model and the record see which kind it was, and the answer goes on."""

from __future__ import annotations

import json
import os

import msgspec
import pytest

from nbgemini import Client
from nbgemini.journal import Journal
from nbgemini.render.mimebundle import bundle
from nbgemini.tools.decorator import tool
from nbgemini.tools.toolbox import Toolbox, allow_all, refuse_all
from tests.canary import CANARY, found_in, found_under
from tests.corpus.keys import KEYS

DIRECTIVE = {"parts": [["call", "environment", {}]], "gap": 0}
PROMPT = f"offline: {json.dumps(DIRECTIVE)}"


def environment() -> dict[str, str]:
    """Return all variables."""
    return {"PATH": "/bin", **os.environ}


@tool(name="environment")
def failing():
    """Fail."""
    raise RuntimeError(f"could not log in with {CANARY} and {KEYS['aws']}")


@pytest.fixture
def journal(tmp_path):
    one = Journal(tmp_path / "journal.sqlite3", "a.ipynb")
    yield one
    one.close()


@pytest.fixture
async def asking(settings, journal, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", CANARY)
    monkeypatch.setenv("OTHER", f"a {KEYS['github']} of another service")
    async with Client(settings, log=journal) as client:
        yield client


async def ask(client, function, approve=allow_all):
    reply = client.chat().begin(PROMPT, toolbox=Toolbox([function], approve))
    await client.chat().drive(reply)
    assert reply.state == "complete"
    assert "The tools have answered" in reply.text
    return reply


def asked_again(service):
    """What the model was told, in the last request."""
    return json.dumps([part for content in service.requests[-1].body["contents"] for part in content["parts"]])


def everywhere(reply, service, journal, tmp_path):
    """All that was shown, sent and written."""
    assert journal.flush()
    shown = [json.dumps(bundle(segment)) for segment in reply.segments]
    written = [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    return "\n".join([*shown, *written, asked_again(service), repr(vars(reply)), json.dumps(reply.exchange.parts)])


@pytest.mark.parametrize("function", [environment, pytest.param(failing, id="failing")])
async def test_what_a_tool_returns_holds_no_key(asking, service, journal, tmp_path, function):  # F17
    reply = await ask(asking, function)
    told = everywhere(reply, service, journal, tmp_path)
    assert found_in(told) == []
    assert found_under(tmp_path) == []
    assert not [kind for kind in ("github", "aws") if KEYS[kind] in told]
    assert "your own API key, hidden by nbgemini" in asked_again(service)
    assert (await asking.chat().ask("and now?")).state == "complete"  # what goes back is valid


async def test_a_refused_tool_tells_nothing(asking, service, journal, tmp_path):  # F17
    reply = await ask(asking, environment, refuse_all)
    assert "hidden by nbgemini" not in everywhere(reply, service, journal, tmp_path)
    assert "/bin" not in asked_again(service)


async def test_who_insists_lets_keys_through(asking, service, settings):  # F17
    asking.use(msgspec.structs.replace(settings, allow_secrets=True))

    @tool(name="environment")
    def token() -> str:
        """Return a token."""
        return KEYS["github"]

    await ask(asking, token)
    assert KEYS["github"] in asked_again(service)
