"""Colab, whose page has its user's keys: asked when a prompt wants one, off the loop; its refusals are one line."""

from __future__ import annotations

import pytest

from nbgemini.offline.server import OfflineService
from tests.kernel.conftest import Kernel, at_rest, complaints, is_idle, kinds, outputs, parent

WIDGET = "application/vnd.jupyter.widget-view+json"
KEY = "AIzaColabColabColabColabColabColab"
SETTINGS = "get_ipython()._nbgemini[1].session().client.settings"
HEART = """
import asyncio, time
beats = []
async def heart():
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.01)
beating = asyncio.ensure_future(heart())
"""


@pytest.fixture
def colab(python, tmp_path):
    """A kernel that takes itself for Colab's, without a key."""
    with OfflineService(pace=0) as service:
        running = Kernel(python, GOOGLE_GEMINI_BASE_URL=service.url, JUPYTER_DATA_DIR=str(tmp_path))
        running.run("from tests.fakes.colab import *\nuserdata = pretend()")
        assert complaints(running.run("%load_ext nbgemini\n%gemini chats")) == []
        assert running.text("print(userdata.asked)") == "[]\n"
        yield running
        running.close()


def asked(kernel):
    return kernel.text("print(*[name for name, held in userdata.asked])\nuserdata.asked.clear()").split()


def test_the_first_prompt_asks_for_the_key_beside_the_loop_and_no_other_does(colab):
    colab.run(f"userdata.secrets['GEMINI_API_KEY'], userdata.delay = {KEY!r}, 0.5\n{HEART}")
    messages = colab.run("%%gemini\nWhat is 2 + 3?")
    mine = parent(messages[-1])
    messages = at_rest(colab, mine, messages)
    assert complaints(messages) == []
    assert kinds(outputs(messages, mine)) == ["thought", "answer", "status"]
    assert colab.text("print(any(held for name, held in userdata.asked))") == "False\n"
    assert colab.text("beating.cancel()\nprint(len(beats) > 3)") == "True\n"
    assert asked(colab) == ["GOOGLE_API_KEY", "GEMINI_API_KEY"]
    assert colab.text(f"print({SETTINGS}.key.reveal())").strip() == KEY
    for cell in ("%%gemini --wait\nAnd 3 + 4?", "get_ipython().run_line_magic('gemini', 'ask --wait and 4 + 5?')"):
        assert complaints(colab.run(cell)) == []
    assert asked(colab) == []


def test_its_page_gets_no_widgets(colab):
    """It shows those it does not know only after its user has switched that on."""
    colab.run("userdata.secrets['GOOGLE_API_KEY'] = 'a good key'")
    messages = colab.run("%%gemini\nWhat is 2 + 3?")
    messages = at_rest(colab, parent(messages[-1]), messages)
    assert not [message for message in messages if message["msg_type"] == "comm_open"]
    assert not any(WIDGET in str(message["content"]) for message in messages)


@pytest.mark.parametrize(
    "cell",
    [
        "def ask():\n    get_ipython().run_cell_magic('gemini', '--wait', 'What is 2 + 3?')\nask()",
        "%%time\n%gemini ask --wait What is 2 + 3?",
        "%gemini map ['a', 'b'] Say it",
    ],
)
def test_wherever_a_prompt_stands(colab, cell):
    colab.run("userdata.secrets['GOOGLE_API_KEY'] = 'a good key'\nrows = ['a', 'b']")
    messages = colab.run(cell.replace("['a', 'b']", "--wait rows"))
    assert complaints(messages) == []
    assert asked(colab) == ["GOOGLE_API_KEY"]


@pytest.mark.parametrize(
    ("secrets", "said", "names"),
    [
        ("{}", "no API key: add a secret GEMINI_API_KEY (or GOOGLE_API_KEY) in the Secrets panel", 2),
        ("{'GOOGLE_API_KEY': ''}", "no API key: add a secret GEMINI_API_KEY", 2),
        ("{'GOOGLE_API_KEY': NotebookAccessError}", "this notebook may not have the secret GOOGLE_API_KEY → switch on", 2),
        ("{'GOOGLE_API_KEY': TimeoutException}", "its page did not answer in time → run the cell again", 1),
        ("{'GOOGLE_API_KEY': OSError}", "its page could not be asked (OSError) → run the cell again", 1),
    ],
)
def test_a_refusal_is_one_line_and_the_next_prompt_asks_again(colab, secrets, said, names):
    colab.run(f"userdata.secrets = {secrets}")
    for _ in range(2):
        (error,) = [message["content"] for message in colab.run("%%gemini\nhello") if message["msg_type"] == "error"]
        assert said in error["evalue"]
        assert error["ename"] == "ConfigurationError"
        assert len(error["traceback"]) == 1
        assert len(asked(colab)) == names
    colab.run(f"userdata.secrets = {{'GEMINI_API_KEY': {KEY!r}, 'GOOGLE_API_KEY': NotebookAccessError}}")
    assert complaints(colab.run("%%gemini --wait\nhello")) == []


def test_other_services_have_secrets_too(colab):
    (error,) = complaints(colab.run("%%gemini -m openai:gpt-5\nhello"))
    assert "add a secret OPENAI_API_KEY" in error
    assert "%gemini key openai" in error
    assert asked(colab) == ["OPENAI_API_KEY"]


@pytest.mark.parametrize(
    "known",
    [
        "%gemini demo fast",
        "import os\nos.environ['GEMINI_API_KEY'] = 'of the environment'",
        "get_ipython()._nbgemini[1].runner.session.backend.set_key('gemini', 'typed')",
    ],
)
def test_who_has_a_key_or_needs_none_is_not_asked(colab, known):
    colab.run(known)
    assert complaints(colab.run("%%gemini --wait\nhello")) == []
    assert asked(colab) == []


def test_what_the_environment_says_later_counts_more(colab):
    colab.run("userdata.secrets['GEMINI_API_KEY'] = 'of its page'")
    colab.run("%%gemini --wait\nhello")
    colab.run("import os\nos.environ['GEMINI_API_KEY'] = 'of the environment'")
    assert colab.text(f"print({SETTINGS}.key.reveal())").strip() == "of the environment"


def test_an_interrupt_ends_the_wait_for_a_key(colab):
    colab.run(
        "def get(name):\n    print('asked', flush=True)\n    time.sleep(5)\n    raise TimeoutException\nimport time\nuserdata.get = get"
    )
    mine = colab.send("%%gemini\nhello")
    messages = colab.until(lambda message: parent(message) == mine and message["msg_type"] == "stream")
    colab.interrupt()
    messages = colab.until(lambda message: parent(message) == mine and is_idle(message))
    assert complaints(messages) == ["Interrupted: the key was not found yet; nothing was sent"]
