"""What real Gemini streams, gateways and networks were seen to do, or may do: bytes in, and what is to come of them."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import as_array
from tests.fakes.script import (
    END,
    FINE,
    JSON,
    Chunk,
    Close,
    Reset,
    Script,
    Send,
    Stall,
    Step,
    body,
    event,
    events,
    frame,
    head,
    refusal,
    stream,
    thought,
)
from tests.fakes.watched import Asked, Watched

A, B = frame("A1 "), frame("A2", finish="STOP")
PAIR = b"".join(map(event, (A, B)))
BARE = {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}
ERROR = {"error": BARE}
STOP = frame(finish="STOP")


@dataclass(frozen=True)
class Case:
    """One behaviour: `number` is its row in the table; `cut` is played once the beginning was shown."""

    number: int
    name: str
    scripts: tuple[Script, ...]
    state: str = "complete"
    text: str = "A1 A2"
    thoughts: str = ""
    error: str = ""
    kinds: str = "answer"
    requests: int = 1
    cut: Step | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    check: Callable[[Watched, Asked], bool] = lambda _chat, _asked: True

    def __str__(self) -> str:
        """Return what the test is called by."""
        return f"{self.number}-{self.name}"


def whole(number: int, name: str, data: bytes, **more: Any) -> Case:
    """Return the case of a body that comes in one piece."""
    return Case(number, name, (body(data),), **more)


def pieces(number: int, name: str, parts: list[bytes], **more: Any) -> Case:
    """Return the case of a body in such chunks."""
    return Case(number, name, ((head(), *[Chunk(part) for part in parts if part], END),), **more)


def frames(number: int, name: str, *said: Any, **more: Any) -> Case:
    """Return the case of a healthy stream of these frames."""
    return Case(number, name, (stream(*said),), **more)


def failing(number: int, name: str, *steps: Step, **more: Any) -> Case:
    """Return the case of an answer that begins well and goes on so."""
    known: dict[str, Any] = {"state": "truncated", "text": "A1 ", **more}
    return Case(number, name, ((head(), *events(A), *steps),), **known)


def refused(number: int, name: str, script: Script, error: str, **more: Any) -> Case:
    """Return the case of an answer that is none."""
    return Case(number, name, (script,), **{"state": "failed", "text": "", "kinds": "", "error": error, **more})


def calling(number: int, name: str, *parts: Any, ran: list[Any], **more: Any) -> Case:
    """Return the case of a turn with calls, each part in a chunk of its own; `ran` is what `look` was called with."""
    known: dict[str, Any] = {"text": "fine", "thoughts": "hm", "requests": 2, "kinds": "tool_call thought answer", **more}
    known["check"] = lambda chat, _asked: chat.ran == ran
    return Case(number, name, (stream(*[frame(part) for part in parts], STOP), FINE), **known)


def call(name: str = "look", signature: str = "c2ln", **more: Any) -> dict[str, Any]:
    """Return the part of a call."""
    signed = {"thoughtSignature": signature} if signature else {}
    return {"functionCall": {"name": name, **more}, **signed}


def flushed(*parts: bytes) -> list[bytes]:
    """Return gzip with a sync flush after each part."""
    packer = zlib.compressobj(wbits=31)
    return [*[packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in parts], packer.flush()]


def usage(**counts: Any) -> dict[str, Any]:
    """Return a frame that only counts."""
    return {"usageMetadata": counts}


def total(number: int) -> Callable[[Watched, Asked], bool]:
    """Expect these tokens in all."""
    return lambda _chat, asked: asked.reply.usage.total == number


def kept(*parts: Any) -> Callable[[Watched, Asked], bool]:
    """Expect that the next request sends these parts back as they came."""

    def check(chat: Watched, _asked: Asked) -> bool:
        sent = [part for content in chat.server.hits[-1].body["contents"] for part in content["parts"]]
        return all(part in sent for part in parts)

    return check


TEXTS = ['}{"[]"', "\\", '\\"', "\n", "data: {}"]
SPLIT = event(frame("é😀ü", finish="STOP"))
ZIP = head(Content_Encoding="gzip")
CONTINUED = frame("A1 ", finish="CONTINUATION")
CONTINUED["candidates"][0]["continuationToken"] = "dG9r"
CHECKPOINT = frame("A1 ")
CHECKPOINT["candidates"][0]["continuationToken"] = "dG9r"
SIGNED_TEXT, SIGNATURE, EMPTY_SIGNED = (
    {"text": "A1 ", "thoughtSignature": "dGV4dA=="},
    {"thoughtSignature": "b25seQ=="},
    {"text": "", "thoughtSignature": "ZW1wdHk="},
)
SIGNATURES = [{"text": word, "thoughtSignature": word} for word in ("a-b_c", "YQ", "not base64 at all!")]
PARTIAL = [
    {"functionCall": {"name": "look", "id": "c9", "willContinue": True}, "thoughtSignature": "c2ln"},
    {
        "functionCall": {
            "partialArgs": [{"jsonPath": "$.city", "stringValue": "Bo", "willContinue": True}],
            "willContinue": True,
        }
    },
    {"functionCall": {"partialArgs": [{"jsonPath": "$.city", "stringValue": "nn"}], "willContinue": True}},
    {"functionCall": {}},
]
OLD = {"model": "gemini-2.5-flash"}  # a family that does not ask for signatures
OTHER = {"index": 1, "content": {"parts": [{"text": "other"}]}, "finishReason": "MAX_TOKENS"}
TWO_CANDIDATES = {"candidates": [OTHER, A["candidates"][0]]}

CASES = [
    whole(1, "lf-only", event(A, b"\n\n") + event(B, b"\n\n")),
    whole(2, "cr-only", event(A, b"\r\r") + event(B, b"\r\r")),
    pieces(3, "crlf-split", re.split(rb"(?<=\r)", PAIR)),
    pieces(4, "utf8-split", [SPLIT[i : i + 1] for i in range(len(SPLIT))], text="é😀ü"),
    whole(5, "invalid-utf8", PAIR.replace(b"A1", b"A\xff1"), text="A\ufffd1 A2"),
    frames(6, "u2028", frame("a\u2028b\u2029c\x85d"), STOP, text="a\u2028b\u2029c\x85d"),
    pieces(7, "byte-by-byte", [PAIR[i : i + 1] for i in range(len(PAIR))]),
    whole(8, "multi-data-lines", PAIR.replace(b', "', b',\r\ndata: "')),
    whole(9, "no-space", PAIR.replace(b"data: ", b"data:")),
    whole(10, "comments", b": OPENROUTER PROCESSING\n\n" + PAIR + b":\n\n: bye"),
    whole(11, "event-field", b"event: message\nid: 1\nretry: 3\n" + PAIR),
    failing(11, "error-event-named", Chunk(b"event: error\r\n" + event(ERROR)), END, state="failed", error="overloaded"),
    whole(12, "done-sentinel", PAIR + b"data: [DONE]\r\n\r\n"),
    whole(13, "bom", b"\xef\xbb\xbf" + PAIR),
    whole(14, "leading-space-data", b" data: {}\r\nsurprise\r\n" + PAIR),
    whole(15, "two-events-no-blank", event(A, b"\r\n") + event(B)),
    whole(16, "no-final-blank", PAIR.rstrip()),
    whole(16, "no-final-blank-lf", PAIR.rstrip() + b"\n"),
    whole(17, "array-framing", as_array([A, B])),
    Case(17, "array-framing-as-json", (body(as_array([A, B]), kind=JSON),)),
    whole(18, "json-object-not-sse", json.dumps(frame("A1 A2", finish="STOP"), indent=2).encode()),
    whole(19, "ndjson", b"\n".join(json.dumps(item).encode() for item in (A, B))),
    whole(20, "concat-json", json.dumps(A).encode() + json.dumps(B).encode()),
    frames(21, "quotes-and-braces", *map(frame, TEXTS), STOP, text="".join(TEXTS)),
    frames(22, "big-1mb", frame("word " * 200_000), STOP, text="word " * 200_000),
    frames(23, "many-tiny", *[frame("x")] * 3000, STOP, text="x" * 3000),
    Case(24, "gzip-stream", ((ZIP, *map(Chunk, flushed(event(A), event(B))), END),)),
    Case(25, "gzip-truncated", ((ZIP, *map(Chunk, flushed(event(A), event(B))[:1]), END),), state="truncated", text="A1 "),
    failing(26, "truncated-clean", END, error="cut the answer off"),
    failing(26, "truncated-closed", Close(), error="broke"),
    failing(27, "truncated-mid-json", Chunk(event(B)[:-20]), END, error="cut the answer off"),
    failing(28, "reset-mid-chunk", Send(b"100\r\n" + event(B)[:20]), cut=Reset(), error="broke"),
    failing(29, "close-no-terminator", *events(B), Close(), state="complete", text="A1 A2"),
    failing(30, "stall", Stall(), error="no data", settings={"gap_timeout": 0.2}),
    failing(31, "error-midstream-sse", *events(ERROR), END, state="failed", error="503 UNAVAILABLE"),
    refused(31, "error-200-first", stream(ERROR), "overloaded"),
    failing(32, "error-midstream-raw", Chunk(json.dumps(ERROR, indent=2).encode()), END, state="failed", error="503"),
    failing(33, "error-midstream-raw-array", Chunk(json.dumps([ERROR], indent=2).encode()), END, state="failed", error="503"),
    refused(33, "error-in-array", body(as_array([A, ERROR])), "503", text="A1 ", kinds="answer"),
    failing(34, "error-key-not-first", *events({"responseId": "x", **ERROR}), END, state="failed", error="overloaded"),
    failing(35, "error-code-string", *events({"error": {**BARE, "code": "busy"}}), END, state="failed", error="overloaded"),
    failing(35, "error-code-missing", *events({"error": {"message": "oh"}}), END, state="failed", error="oh"),
    failing(35, "error-text", *events({"error": "oh"}), END, state="failed", error="oh"),
    refused(36, "http-429-array", (head("429 No", JSON), Chunk(json.dumps([{"error": {**BARE, "code": 429}}]).encode()), END), "429"),
    refused(36, "http-503-array-of-two", (head("503 No", JSON), Chunk(json.dumps([ERROR, ERROR]).encode()), END), "503"),
    refused(37, "http-500-html", (head("500 No", "text/html"), Chunk(b"<h1>sorry</h1>"), END), "500"),
    refused(37, "http-400-empty", (head("400 No", framing="Content-Length: 0"),), "400"),
    refused(37, "http-400-json-wrong-ct", (head("400 No"), Chunk(json.dumps({"error": {**BARE, "code": 400}}).encode()), END), "overloaded"),
    refused(38, "http-201", (head("201 Made"), Chunk(PAIR), END), "201"),
    refused(38, "http-204", (Send(b"HTTP/1.1 204 Nothing\r\n\r\n"),), "204"),
    refused(38, "redirect", (head("307 Go", framing="Content-Length: 0", Location="https://a.example/"),), "a.example"),
    refused(39, "empty-body", (head(), END), "empty"),
    refused(39, "blank-lines-only", body(b"\r\n\r\n\n\n"), "empty"),
    frames(40, "empty-object", {}, A, {}, B, {}),
    whole(40, "null-json", b"data: null\r\n\r\n" + PAIR + b"data: []\r\n\r\n"),
    frames(41, "usage-only-last", A, B, usage(promptTokenCount=3, totalTokenCount=5), check=total(5)),
    frames(42, "content-no-parts", A, {"candidates": [{"content": {"role": "model"}}]}, B),
    frames(42, "no-content-finish", frame("A1 A2"), {"candidates": [{"finishReason": "STOP"}]}),
    frames(43, "empty-part-object", frame({}, "A1 ", {}), B),
    frames(43, "text-null", frame({"text": None}, "A1 "), B),
    frames(43, "parts-null", A, {"candidates": [{"content": {"parts": None}}]}, B),
    frames(44, "two-finishes", frame("A1 ", finish="STOP"), B),
    frames(44, "stop-on-empty-first", STOP, A, B),
    frames(45, "thought-and-text-in-one", frame(thought("T"), "A1 ", "A2", finish="STOP"), thoughts="T", kinds="thought answer"),
    frames(45, "late-thought", A, frame(thought("T")), B, thoughts="T", kinds="answer thought answer"),
    frames(45, "text-before-thought", frame("A1 A2", thought("T")), STOP, thoughts="T", kinds="answer thought"),
    frames(46, "sig-only", A, frame(SIGNATURE), B, check=kept(SIGNATURE)),
    frames(46, "sig-on-text", frame(SIGNED_TEXT), B, check=kept(SIGNED_TEXT)),
    frames(46, "sig-on-empty-text", A, B, frame(EMPTY_SIGNED, finish="STOP"), check=kept(EMPTY_SIGNED)),
    frames(47, "sig-any-text", *[frame(part) for part in SIGNATURES], STOP, text="a-b_cYQnot base64 at all!", check=kept(*SIGNATURES)),
    calling(
        48, "parallel-calls",
        call(args={"city": "Bonn"}, id="1"), call(signature="", args={"city": "Köln"}, id="2"),
        ran=["Bonn", "Köln"], kinds="tool_call tool_call thought answer",
    ),
    calling(49, "fc-dup-id", *[call(args={"city": "Bonn"}, id="1")] * 107, ran=["Bonn"]),
    calling(49, "fc-dup-no-id", *[call(args={"city": "Bonn"})] * 3, ran=["Bonn"]),
    calling(50, "fc-unknown-tool", call("nowhere", args={}), ran=[]),
    calling(51, "fc-args-missing", call(), ran=["home"]),
    calling(51, "fc-args-null", call(args=None), ran=["home"]),
    calling(51, "fc-args-string", call(signature="", args='{"city": "Bonn"}'), ran=["Bonn"], options=OLD),
    calling(52, "fc-partial", *PARTIAL, ran=["Bonn"]),
    frames(53, "malformed-fc", A, {"candidates": [{"content": {}, "finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "oh"}]},
           state="truncated", text="A1 ", check=lambda _, asked: asked.reply._state.response.finish.message == "oh"),
    frames(54, "unknown-part", frame("A1 ", {"newKind": {"a": 1}}, "A2", finish="STOP"), check=kept({"newKind": {"a": 1}})),
    frames(54, "unknown-enum", A, frame("A2", finish="SOMETHING_NEW"), state="truncated"),
    frames(54, "unknown-top", A, {**B, "novelty": [1]}, check=lambda _, asked: "novelty" in asked.reply._state.response.unknown),
    frames(55, "multi-candidates", TWO_CANDIDATES, {"candidates": [OTHER]}, B),
    refused(56, "prompt-blocked", stream({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}), "PROHIBITED", state="blocked"),
    frames(57, "early-usage-drop", {**A, **usage(totalTokenCount=90)}, {**B, **usage(totalTokenCount=50)}, check=total(50)),
    frames(58, "types-wrong", {**A, **usage(totalTokenCount="90", promptTokenCount=7.0)}, B, check=total(90)),
    Case(59, "continuation", (stream(CONTINUED), stream(B)), requests=2),
    failing(59, "cont-drop", *events(CHECKPOINT), cut=Reset(), text="A1 A1 ", error="broke"),
    Case(60, "http-429", (refusal(429, {"retryDelay": "4s"}), stream(A, B)), requests=2, settings={"retries": 2},
         check=lambda chat, _: 4 <= chat.slept[0] < 5),
    frames(61, "unflagged-thought", frame("THOUGHT: secret plan. A1 "), B, text="THOUGHT: secret plan. A1 A2"),
    failing(62, "trailing-comma-json", Chunk(b'data: {"candidates": [],}\r\n\r\n'), *events(B), END, state="failed", error="character"),
]  # fmt: skip
