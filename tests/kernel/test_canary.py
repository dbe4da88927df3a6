"""A kernel that works with a key writes it nowhere: no output, no saved notebook, no history, not in its verbose tracebacks."""

from __future__ import annotations

import json
import os

import nbformat
import pytest

from tests.canary import CANARY, found_in, found_under
from tests.kernel.conftest import Kernel, outputs, parent

ERROR = json.dumps({"status": 400, "error": {"message": "no", "details": [{"reason": "API_KEY_INVALID"}]}})
ERRORS = ("AuthenticationError", "TimeoutError", "TransportError", "ConfigurationError", "AttributeError", "TypeError")
CELLS = [
    "%load_ext nbgemini",
    "%xmode Verbose",
    "import logging\nlogging.basicConfig(level=1)",
    "%%gemini --wait -o reply\nWhy is the sky blue?",
    "%gemini",
    "%gemini doctor",
    "%gemini journal",
    "%config Gemini",
    "from nbgemini import Client\nclient = Client()\nclient, client.settings, vars(client), client.settings.key, dir(client.settings.key)",
    "await client.generate('hello')",
    f"%%gemini --wait\noffline: {ERROR}",
    f"await client.generate('offline: ' + {ERROR!r})",
    "%tb",
    "import pickle\npickle.dumps(client.settings)",
    "client.settings.key.nothing",
    "def f(settings, client):\n    key = settings.key\n    return client.nothing\nf(client.settings, client)",
    "import copy\ncopy.deepcopy(client)",
    "task = client.chat().begin('offline: {\"stall\": 1}')\ntask.result(timeout=0.01)",
    "await client.generate('x', nonsense=1)",
    "import msgspec\nclient.use(msgspec.structs.replace(client.settings, base_url='http://127.0.0.1:9'))\nawait client.generate('x')",
    "client.use(msgspec.structs.replace(client.settings, base_url='http://a.example'))\nawait client.generate('x')",
    "%whos",
    "%unload_ext nbgemini",
]


@pytest.fixture
def kernel_with_a_key(python, service, tmp_path):
    environ = {"GEMINI_API_KEY": CANARY, "GOOGLE_GEMINI_BASE_URL": service.url}
    environ |= {
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JPY_SESSION_NAME": "a.ipynb",
    }
    with (tmp_path / "stderr.log").open("wb") as stderr:
        running = Kernel(python, stderr=stderr, **environ)
        yield running
        running.leave("shutdown")
        running.close()


def test_no_cell_shows_the_key_and_no_file_keeps_it(kernel_with_a_key, tmp_path):
    book, said = nbformat.v4.new_notebook(), []
    for source in CELLS:
        messages = kernel_with_a_key.run(source)
        said.append(json.dumps(messages, default=str))
        cell = parent(messages[-1])
        book.cells.append(nbformat.v4.new_code_cell(source, metadata={"outputs": outputs(messages, cell)}))
    nbformat.write(book, tmp_path / "saved.ipynb")
    errors = "".join(said)
    assert [name for name in ERRORS if name not in errors] == []
    assert not found_in(errors)
    assert os.environ.get("GEMINI_API_KEY") is None
    assert (tmp_path / "data" / "nbgemini" / "journal.sqlite3").exists()
    assert found_under(tmp_path) == []


def test_a_key_in_a_prompt_is_refused_in_one_line(kernel_with_a_key, service):
    kernel_with_a_key.run("%load_ext nbgemini")
    before = len(service.requests)
    messages = kernel_with_a_key.run(f"%%gemini --wait\nwhy does ghp_{'a1B2c3D4e5F6' * 3} not work?")
    (error,) = [message["content"] for message in messages if message["msg_type"] == "error"]
    assert error["ename"] == "PromptError"
    assert "GitHub" in error["evalue"]
    assert "a1B2c3" not in "".join(error["traceback"])
    assert len(service.requests) == before
    kernel_with_a_key.run("%config Gemini.allow_secrets = True")
    kernel_with_a_key.run(f"%%gemini --wait\nwhy does ghp_{'a1B2c3D4e5F6' * 3} not work?")
    assert len(service.requests) == before + 1
