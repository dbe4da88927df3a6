"""A reply and a map wherever objects are shown: sanitised, whole, and as far as they have come."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from nbgemini._environment import HOST
from nbgemini.chat.reply import Reply
from nbgemini.client import Client
from nbgemini.render.latex import verbatim
from nbgemini.secrets import Secret
from nbgemini.settings import Settings
from tests.fakes.services import FakeServices
from tests.render.checker import faults

ANSWER = "# Head\n\n- **b** <script>alert(1)</script>"
DIRECTIVE = f"offline: {json.dumps({'parts': [['thought', 'Hm.'], ['answer', ANSWER]]})}"
ALONE = """
import asyncio, sys
from nbgemini import Client, Settings
from nbgemini.secrets import Secret
async def main():
    async with Client(Settings(key=Secret("k"), base_url=URL, model="gemini-3.8-flash")) as client:
        reply = await client.generate("hello")
        table = await client.map("Say {word}", [{"word": "a"}])
        print(reply._mime_()[0], "offline" in reply._repr_html_(), table._mime_()[0], "IPython" in sys.modules)
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def service():
    with FakeServices(pace=0) as running:
        yield running


@pytest.fixture
async def client(service):
    async with Client(Settings(key=Secret("k"), base_url=service.url, model="gemini-3.8-flash")) as made:
        yield made


async def test_a_reply_is_shown_whole_and_sanitised(client):
    reply = await client.generate(DIRECTIVE)
    html = reply._repr_html_()
    assert reply._mime_() == ("text/html", html)
    assert html.index("nbgemini-thought") < html.index("<h1>Head</h1>") < html.index("nbgemini-status")
    assert faults(html) == []
    shown = reply._repr_mimebundle_(include=None, exclude=None)
    assert shown["text/html"] == html
    assert r"\section*{Head}" in shown["text/latex"]
    assert verbatim("Thought") not in shown["text/latex"]
    assert "text/plain" not in shown  # repr says that


async def test_one_that_was_not_asked_yet_runs_or_failed_says_so(client):
    chat = client.chat("main")
    reply = chat.begin("offline: " + json.dumps({"status": 400}))
    assert "waiting" in reply._repr_html_()
    await chat.drive(reply)
    assert reply.state == "failed"
    assert "⚠" in reply._repr_html_()
    assert faults(reply._repr_html_()) == []


async def test_a_map_too(client):
    table = await client.map("Say {word}", [{"word": "<b>"}, {"word": "c"}])
    kind, html = table._mime_()
    assert (kind, html) == ("text/html", table._repr_html_())
    assert html.count("<tr>") == 3
    assert "<b>" not in html.replace("<b></b>", "")


async def test_a_tool_that_took_its_time_where_no_durations_are_wanted(client, monkeypatch):
    def slow() -> int:
        """Wait."""
        import time

        time.sleep(0.1)
        return 1

    chat = client.chat("tools", tools=[slow], approve="auto")
    reply = await chat.ask("offline: " + json.dumps({"parts": [["call", "slow", {}]]}))
    assert " s" in reply._repr_html_().partition("Tool <b>slow</b>")[2].partition("</summary>")[0]
    monkeypatch.setattr(HOST, "durations", False)
    html = reply._repr_html_()
    assert "Tool <b>slow</b> · done" in html
    assert f"{reply.seconds:.1f} s" not in html
    assert "text/latex" in reply._repr_mimebundle_()


async def test_a_reply_that_nobody_can_show_is_its_words(client, monkeypatch):
    reply = client.chat("words").begin("hello")
    monkeypatch.setattr(Reply, "page", None)
    assert (reply._repr_html_(), reply._repr_mimebundle_(), reply._mime_()) == (None, {}, ("text/plain", repr(reply)))


def test_without_ipython(service):
    run = subprocess.run(
        [sys.executable, "-c", f"URL = {service.url!r}\n{ALONE}"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.stdout.split(), run.stderr) == (["text/html", "True", "text/html", "False"], "")
