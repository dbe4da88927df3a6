"""A service that says whatever a corpus holds, in every kind of part; and a beacon that notes who calls home."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain

from nbgemini.render.streaming_markdown import to_html
from tests.corpus import PAYLOADS

_TOGETHER = 8  # payloads in one segment
_OUTPUTS = 44  # of a cell: JupyterLab hides those beyond 50
_PIECES = 6  # frames a segment comes in
_HOST = re.compile(rb"\r\nHost: ([^\r]+)")
_GREETING = re.compile(rb"\x00\x00\x00.\x00.\x00\x00(.)(?=[\w.-]{4})", re.DOTALL)  # where TLS names the server: its length
_MAKERS = (".google.com", ".googleapis.com", ".gstatic.com")
_SENTINEL = "zzsentinelzz"


def acts():
    """Lists of what to say to one prompt each: (kind, content) after (kind, content)."""
    said = chain.from_iterable([("thought", text), ("answer", text)] for text in _texts())
    scenes = [list(batch) for batch in _batched(said, _OUTPUTS)]
    scenes.append([("call", payload) for payload in PAYLOADS[::12]])
    scenes.append([(kind, payload) for payload in PAYLOADS[::20] for kind in ("code", "code_result", "media")])
    scenes.append([("answer", "sources"), ("citations", PAYLOADS)])
    scenes += [[("answer", "before"), ("model", payload), ("fault", payload)] for payload in _FEW]
    scenes += [[("status", payload)] for payload in _FEW]
    return [*scenes, [("blocked", _FEW[0])]]


_FEW = [
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "![x](https://evil.example/e.png) [x](javascript:alert(1)) \x1b]0;x\x07",
]


def _batched(items, size):
    items = list(items)
    return [items[start : start + size] for start in range(0, len(items), size)]


def _texts():
    """The payloads as few texts: those that leave nothing open and define nothing stand together."""
    alone = [
        payload for payload in PAYLOADS if "]:" in payload or f"<p>{_SENTINEL}</p>" not in to_html(f"{payload}\n\n{_SENTINEL}")
    ]
    together = [payload for payload in PAYLOADS if payload not in alone]
    return ["\n\n".join(batch) for batch in _batched(together, _TOGETHER)] + alone


def frames(act):
    """The frames of an act."""
    for kind, content in act:
        yield from _frames(kind, content)
    yield {"candidates": [{"content": {"parts": [{"text": " "}]}, "finishReason": "STOP"}], "modelVersion": "m"}


def _frames(kind, content):
    match kind:
        case "thought" | "answer":
            size = -(-len(content) // _PIECES)
            flag = {"thought": True} if kind == "thought" else {}
            return [_parts({"text": content[at : at + size], **flag}) for at in range(0, len(content), size)]
        case "citations":
            webs = [{"web": {"uri": uri, "title": text}} for text in content for uri in (text, f"https://evil.example/{text}")]
            return [{"candidates": [{"groundingMetadata": {"groundingChunks": webs}}]}]
        case _:
            return [_FRAME[kind](content)]


def _media(content):
    return _parts({"inlineData": {"mimeType": content, "data": base64.b64encode(content.encode("utf-8", "replace")).decode()}})


def _parts(*parts):
    return {"candidates": [{"content": {"parts": parts, "role": "model"}}]}


_FRAME = {
    "call": lambda text: _parts({"functionCall": {"name": text, "args": {text: [text]}}}),
    "code": lambda text: _parts({"executableCode": {"language": text, "code": text}}),
    "code_result": lambda text: _parts({"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "output": text}}),
    "media": _media,
    "model": lambda text: {"modelVersion": text, "responseId": text},
    "fault": lambda text: {"error": {"code": 503, "message": text, "status": text}},
    "blocked": lambda text: {"candidates": [{"finishReason": "SAFETY", "finishMessage": text}]},
}


class Villain:
    """Plays act n to the prompt "act n", on loopback, for as long as the context lasts."""

    def __init__(self, script):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def _handler(script):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            act = script[int(re.search(r"act (\d+)", body)[1])]
            if "functionResponse" in body:
                act = [("answer", "that was all")]
            refusal = next((content for kind, content in act if kind == "status"), None)
            self.send_response(400 if refusal else 200)
            self.end_headers()
            if refusal:
                self.wfile.write(json.dumps({"error": {"code": 400, "message": refusal, "status": refusal}}).encode())
                return
            for frame in frames(act):
                self.wfile.write(f"data: {json.dumps(frame)}\r\n\r\n".encode())
                self.wfile.flush()

        def log_message(self, *_):
            pass

    return Handler


class Beacon:
    """Accepts every connection and notes what it hears first: a request's host, or the name in a TLS greeting."""

    def __init__(self):
        self.heard = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    @property
    def names(self):
        """The hosts that were called and are not the browser's maker's, which Chromium itself calls."""
        hosts = [_called(heard) for heard in self.heard]
        return [host for host in hosts if not host.endswith(_MAKERS)]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._socket.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                with suppress(OSError):
                    self.heard.append(connection.recv(4096))


def _called(heard):
    """The name of who was to be reached."""
    if found := _HOST.search(heard):
        return found[1].decode()
    found = _GREETING.search(heard)
    return heard[found.end() :][: ord(found[1])].decode("latin-1") if found else "nobody"
