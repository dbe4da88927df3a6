"""What each harness begins with: recorded streams, hostile texts, and what has failed before (corpus/HARNESS/*)."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

from tests.conftest import as_array, golden_bytes, golden_frames, golden_names
from tests.corpus import PAYLOADS

CORPUS = Path(__file__).parent / "corpus"
_ERROR = {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}
_RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s"}


def seeds(harness):
    """The inputs of a harness, in a fixed order."""
    kept = CORPUS / harness
    failed = [path.read_bytes() for path in sorted(kept.iterdir())] if kept.exists() else []
    return [*failed, *globals()[f"_{harness}"]()]


def _framer():
    for name in golden_names():
        body = golden_bytes(name)
        yield from (body, body.replace(b"\r\n", b"\n"), body.replace(b"\r\n", b"\r"), as_array(golden_frames(name)), body[:-9])


def _http_response():
    ok, packed = b"HTTP/1.1 200 OK\r\n", gzip.compress(b"data: {}\r\n\r\n" * 9)
    chunked = ok + b"Transfer-Encoding: chunked\r\n"
    yield chunked + b"\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nt: u\r\n\r\n"
    yield chunked + b"Content-Encoding: gzip\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed)
    yield ok + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(b"hello")
    yield ok + b"Content-Length: 5\r\n\r\nhello"
    yield b"HTTP/1.1 103 Early\r\nA: b\r\n c\r\n\r\nHTTP/1.0 204\n\n"
    yield from (
        b"",
        b"\r\n\r\n",
        ok + b"\r\nhello",
        b"HTTP/1.1 101 Go\r\n\r\n",
        b"SSH-2.0-x\r\n",
        ok + b"Content-Length: x\r\n\r\n",
    )


def _gemini():
    for name in golden_names():
        for frame in golden_frames(name):
            yield json.dumps(frame).encode()
    yield from (
        b'{"candidates": [{"content": {"parts": [{"text": "\\ud83d"}]}}]}',
        b"[" * 100_000,
        b'{"a": ' * 500,
        b"\xff\xfe",
    )


def _tool_args():
    yield b'0f\n1{"a": \n1[1, 2]}\n5'
    yield b'0f\n3$.a[0].b="x"\n3$.a[1]=2\n\xb3$.t="y"\n5'
    yield b'0f\n2{"a": 1}\n5\n4f\n4f'
    yield b"0f         c1\n3$['it\\'s'][\"q\\\"\"]=null\n5\n0f         c1\n5"


def _markdown():
    return (payload.encode("utf-8", "replace") for payload in PAYLOADS)


def _cassette():
    asked = {"of": "models/m:generateContent", "prompt": "hi", "turns": ["0"]}
    opening = json.dumps({"cassette": 1, "answer": "a", "provider": "gemini", "request": "r", "asked": asked}).encode() + b"\n"
    frame = {"answer": "a", "t": 0.1, "frame": {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}}
    end = {"answer": "a", "t": 0.2, "end": "error", "error": {"kind": "ServerError", "message": "no (503)", "code": 503}}
    yield opening
    yield opening + json.dumps(frame).encode() + b"\n" + json.dumps(end).encode() + b"\n"
    yield opening + b'{"answer": "a", "t": 0.1, "base64": "eyJh"}\n{"answer": "a", "t": 0.2, "end": "left"}'
    yield from (b"", b"[]", b"1\n", b"\xff", opening + b"{}", opening + b"[" * 100_000)


def _recording():
    yield from _cassette()
    opening = next(_cassette())
    yield (
        opening + opening.replace(b'"a"', b'"b"', 1) + b'{"answer":"b","t":1,"frame":[1]}\n{"answer":"a","t":1e6,"frame":{"a":'
    )
    yield (
        opening
        + b'{"answer":"a","t":2,"end":"error","error":{"kind":"RateLimitError","message":"slow","retry_after":3,"daily":true}}'
    )


def _partial_json():
    yield from (
        b'{"name": "Ada", "born": 1815, "tags": ["a\\u00e9", "\\ud83d\\ude00"], "x": {"y": [true, null, -1.5e-3]}} rest',
        b"[]",
    )
    yield from ('["é😀", ""]'.encode(), b"[[[[[[", b'{"a":{"b":{', b'"\\', b" \n{ }\t", b"-", b"tru", b"[1,]", b"\xff[1")


def _error_body():
    texts = [
        {"error": {**_ERROR, "details": [_RETRY]}},
        [{"error": _ERROR}],
        {"error": "x"},
        {"error": {"code": "9" * 5000}},
        [],
    ]
    yield from (b"\x01" + json.dumps(text).encode() for text in texts)
    yield from (b"\x64<html>no", b"", b"\x01" + b"[" * 100_000, b"\x01" + b"9" * 5000)
