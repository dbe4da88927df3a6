"""llmock, a server that fails on demand, in a process of its own: prints its address, and ends with its stdin."""

from __future__ import annotations

import os
import socket
import sys
import threading

import uvicorn
from llmock.main import app


def main():
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    threading.Thread(target=server.run, args=([listening],), daemon=True).start()
    while not server.started:
        threading.Event().wait(0.01)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    sys.stdin.read()
    os._exit(0)


main()
