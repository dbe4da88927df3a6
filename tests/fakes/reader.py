"""What a machine needs of a notebook: its session, and a reader for each reply."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from nbgemini import Client, Settings
from nbgemini.chat.endpoint import Endpoint
from nbgemini.journal import Journal
from nbgemini.messages.events import ToolCallGrowing
from nbgemini.messages.segments import SegmentDelta, SegmentStart, SegmentUpdate
from nbgemini.notebook.jobs import Jobs
from nbgemini.secrets import Secret
from nbgemini.transport.retry import Retry


def contents(segments):
    """What was shown, with what came of calls; but for calls that never became whole: nobody needs them later."""
    kept = [s for s in segments if not isinstance(s.content, ToolCallGrowing)]
    return [(s.kind, s.text, getattr(s.content, "response", None)) for s in kept]


class Talk:
    """One reply, as its reader and its tools see it."""

    def __init__(self, line, chat, reply):
        self.line, self.chat, self.reply = line, chat, reply
        self.said = set()  # what must go back if it ends well
        self.shown = []  # kind, text and content of each segment
        self.ends = 0
        self.task = None
        self.checked = False
        reply.when_done(self.ended)

    def ended(self):
        self.ends += 1
        self.said |= self.line.must_go_back.get(self.reply.exchange.asked.parts[-1]["text"], set())

    def open(self):
        """Show nothing."""

    def apply(self, changes):
        for change in changes:
            match change:
                case SegmentStart():
                    assert change.index == len(self.shown)
                    self.shown.append([change.kind, "", change.content])
                case SegmentDelta():
                    self.shown[change.index][1] += change.text
                case SegmentUpdate():
                    self.shown[change.index][2] = change.content

    async def finish(self):
        """Show no more."""


class Kernel:
    """What a session of the notebook holds, with a line in place of the network."""

    def __init__(self, line, path):
        self.journal = Journal(path, "a.ipynb")
        self.client = Client(Settings(key=Secret("k"), base_url="http://localhost", model=line.model), log=self)
        self.client.services.endpoints.put("gemini", Endpoint.over(line, retry=Retry(sleep=lambda _: asyncio.sleep(0))))
        self.config = SimpleNamespace(chat="main")
        self.jobs = Jobs()
        self.shell = SimpleNamespace()

    def follow(self, reply):
        self.journal.follow(reply)

    async def saved(self):
        assert self.journal.flush()
        await asyncio.sleep(0)
