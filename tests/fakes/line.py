"""A model at the other end of a line: it says what a test lets it say, and takes no request that Google would refuse.

Stricter than Google in what is ours alone: roles alternate, no part is empty, answers carry the ids of their calls, and what was
said goes back exactly as it was said.
"""

from __future__ import annotations

import asyncio
import itertools
import json

from nbgemini.offline.models import family
from nbgemini.offline.thought_signatures import sign
from nbgemini.offline.validation import validate
from nbgemini.replay.fingerprint import normalized

STREAM_ENDS = object()


def said(part):
    """One spelling of a part."""
    return json.dumps(part, sort_keys=True)


class Voice:
    """One answer under way: what is pushed here comes as frames, with ids and signatures where the family has them."""

    def __init__(self, line, prompt):
        self.line = line
        self.prompt = prompt
        self.waits = asyncio.Queue()
        self.tickets = set()  # of its calls
        self.well = False  # whether it ends as it should
        self.half = False  # whether a call has begun that has not ended
        self._called = self._thought = self._signed = self._spoke = False
        self._last_call = None

    def push(self, *parts, **candidate):
        content = {"content": {"parts": list(parts), "role": "model"}} if parts else {}
        frame = {"candidates": [{**content, "index": 0, **candidate}], "modelVersion": self.line.model, "responseId": "r"}
        self.waits.put_nowait(json.dumps(frame).encode())

    def thought(self, text):
        self._thought = True
        return {"text": text, "thought": True}

    def answer(self, text):
        self._spoke = True
        kind = self.line.family
        first = kind.signs and not kind.signs_last and self._thought and not (self._signed or self._called)
        return self._sign({"text": text}) if first else self.line.noted(self, {"text": text}, must=False)

    def call(self, name, args):
        self._last_call = self._begun({"name": name, "args": args})
        return self._last_call

    def copy(self):
        """The last call once more, as models have been seen to send it: without its signature."""
        return {"functionCall": self._last_call["functionCall"]} if self._last_call else {}

    def streamed(self, name, args):
        """The pieces of a call."""
        call = self._begun({"name": name, "args": args})
        named = {key: value for key, value in call["functionCall"].items() if key != "args"}
        (key, value), *_ = args.items()
        piece = {"jsonPath": f"$.{key}", "numberValue": value}
        return [
            {**call, "functionCall": {**named, "willContinue": True}},
            {"functionCall": {"partialArgs": [piece], "willContinue": True}},
            {"functionCall": {}},
        ]

    def code(self, source):
        part = {"executableCode": {"language": "PYTHON", "code": source}}
        return self._sign(part) if self.line.family.signs_last else self.line.noted(self, part, must=False)

    def last(self):
        """What the family says last; of an answer that said nothing else, not even that need go back."""
        if self.line.family.signs_last and not self._called:
            return self._sign({"text": ""}, must=self._spoke)
        return {"text": ""}

    def _begun(self, call):
        call = {**({"id": f"call_{next(self.line.ids)}"} if self.line.family.ids else {}), **call}
        self.tickets |= {call["args"]["ticket"]}
        part = {"functionCall": call}
        first, self._called = not self._called, True
        return self._sign(part) if first and self.line.family.signs else self.line.noted(self, part)

    def _sign(self, part, *, must=True):
        self._signed = True
        return self.line.noted(self, sign(part), must=must)


class Line:
    """A source for any number of chats with one model."""

    def __init__(self, model):
        self.model = model
        self.family = family(model)
        self.ids = itertools.count()
        self.voices = []  # that may say more
        self.said = set()  # parts, ever
        self.must_go_back = {}  # of each prompt
        self.broken = set()  # tickets of answers that did not end well
        self._cut = {}

    def not_to_run(self):
        """The tickets of answers that are not whole, or never will be."""
        return self.broken.union(*(voice.tickets for voice in self.voices if not voice.well))

    def noted(self, voice, part, *, must=True):
        self.said.add(said(part))
        if must:
            self.must_go_back[voice.prompt].add(said(part))
        return part

    async def frames(self, request):
        voice = self._answering(request.body)
        self.voices.append(voice)
        try:
            while (frame := await voice.waits.get()) is not STREAM_ENDS:
                if isinstance(frame, BaseException):
                    raise frame
                yield frame
        finally:
            self.voices.remove(voice)
            if not voice.well:
                self.broken |= voice.tickets

    def _answering(self, body):
        self.check(body)
        token = body.get("continuationToken")
        texts = [part["text"] for part in body["contents"][-1]["parts"] if "text" in part]
        last_prompt = next(c for c in reversed(body["contents"]) if c["role"] == "user" and "text" in c["parts"][-1])
        prompt = last_prompt["parts"][-1]["text"]
        if token:
            voice = self._cut[token]
            voice.waits = asyncio.Queue()
            self.broken -= voice.tickets
            return voice
        if texts:  # asked for the first time, or again
            self.must_go_back[prompt] = set()
        return Voice(self, prompt)

    def cut_in_two(self, voice):
        """Say that more comes on request."""
        token = f"token {next(self.ids)}"
        self._cut[token] = voice
        voice.push(finishReason="CONTINUATION", continuationToken=token)
        voice.waits.put_nowait(STREAM_ENDS)

    def check(self, body):
        """Fail unless the request is one that the service would take, and faithful."""
        body = normalized(json.loads(json.dumps(body)))
        validate(body, self.model)
        contents = body["contents"]
        assert [content["role"] for content in contents] == [("user", "model")[n % 2] for n in range(len(contents))]
        for before, content in itertools.pairwise([{"parts": ()}, *contents]):
            calls = [part["functionCall"].get("id") for part in before["parts"] if "functionCall" in part]
            answers = [part["functionResponse"].get("id") for part in content["parts"] if "functionResponse" in part]
            assert calls == answers
            for part in content["parts"]:
                assert part != {"text": ""}
                assert not part.get("thought") or "thoughtSignature" in part
                assert ("functionCall" not in part and "thoughtSignature" not in part) or said(part) in self.said

    async def aclose(self):
        pass

    def retire(self):
        pass
