"""Bad input gets one line that names the fault and the way out; the cell fails; nothing is lost."""

from __future__ import annotations

import pytest

from tests.kernel.conftest import PATIENCE, Kernel, is_final_status, outputs, parent


@pytest.fixture(scope="module")
def keyless(python):
    running = Kernel(python)
    running.run("%load_ext nbgemini")
    yield running
    running.close()


def error_of(messages):
    errors = [message["content"] for message in messages if message["msg_type"] == "error"]
    assert len(errors) == 1
    assert len(errors[0]["traceback"]) == 1
    assert "\n" not in errors[0]["traceback"][0]
    return errors[0]["traceback"][0]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%%gemini\nhello", ["no API key", "GEMINI_API_KEY", "%gemini key", "%gemini demo"]),
        ("%%gemini\n   ", ["prompt is empty"]),
        ("%%gemini --tempature 1\nhello", ["--tempature", "did you mean --temperature"]),
        ("%%gemini --temperature hot\nhello", ["--temperature", "hot"]),
        ("%%gemini -k deep\nhello", ["--think", "deep", "low"]),
        ("%%gemini hello\nhello", ["hello", "below"]),
        ('%%gemini -s "open\nhello', ["quote"]),
        ("%%gemini -o not-a-name\nhello", ["not-a-name", "Python name"]),
        ("%%gemini -w --no-wait\nhello", ["--no-wait", "--wait"]),
        ("%gemini modles", ["modles", "did you mean models"]),
        ("%gemini show nobody", ["nobody", "%gemini chats"]),
        ("%gemini key AIzaSomething", ["never type a key into a cell"]),
        ("%gemini ask", ["prompt is empty"]),
    ],
)
def test_one_line_and_a_failed_cell(keyless, cell, words):
    line = error_of(keyless.run(cell))
    assert all(word in line for word in words), line


@pytest.mark.parametrize("how", ["--wait", ""])
def test_an_unknown_model_names_its_neighbours(kernel, how):
    mine = kernel.send(f"%%gemini --once {how} -m gemini-3.8-flsh\nhello")
    messages = kernel.until(is_final_status)
    if how:
        messages += kernel.until(lambda message: message["msg_type"] == "error")
        assert "did you mean gemini-3.8-flash" in error_of(messages)
    else:
        assert "did you mean gemini-3.8-flash" in str(outputs(messages, mine)[-1]["data"]["text/plain"])


def test_a_refused_connection_says_so_and_the_chat_goes_on(fresh_kernel):
    fresh_kernel.run("%load_ext nbgemini\nimport os, socket\nfree = socket.socket(); free.bind(('127.0.0.1', 0))")
    fresh_kernel.run(
        "os.environ['GOOGLE_GEMINI_BASE_URL'] = f'http://127.0.0.1:{free.getsockname()[1]}'; os.environ['GEMINI_API_KEY'] = 'k'"
    )
    messages = fresh_kernel.run("%%gemini --wait\nMy name is Ada.", cell="c1")
    assert "connection refused" in error_of(messages)
    fresh_kernel.run("%gemini demo")
    fresh_kernel.run("%%gemini --wait\nMy name is Ada.", cell="c1")
    fresh_kernel.run("%%gemini --wait\nWhat is my name?", cell="c2")
    assert fresh_kernel.text("print('Ada' in _gemini.text, _gemini.turn)").strip() == "True 1"


def test_the_key_is_nowhere_but_in_the_header(fresh_kernel):
    """A canary key in the environment appears in no message, not even in a verbose traceback."""
    canary = "AIzaCANARYcanaryCANARYcanaryCANARYcanary"
    messages = fresh_kernel.run(
        f"import os; os.environ['GEMINI_API_KEY'] = {canary[:10]!r} + {canary[10:]!r}\n%load_ext nbgemini"
    )
    messages += fresh_kernel.run("%xmode Verbose\nos.environ['GOOGLE_GEMINI_BASE_URL'] = 'http://127.0.0.1:9'")
    for code in (
        "%%gemini -w\nhello",
        "%gemini",
        "%gemini doctor",
        "%tb",
        "_gemini",
        "_gemini.error.__context__, _gemini.error.__cause__",
        "%config Gemini",
    ):
        messages += fresh_kernel.run(code)
    assert canary not in str([message["content"] for message in messages])


def test_the_manual_has_every_option(kernel):
    kernel.send("%%gemini?")
    reply = kernel.client.get_shell_msg(timeout=PATIENCE)
    while not reply["content"].get("payload"):
        reply = kernel.client.get_shell_msg(timeout=PATIENCE)
    text = reply["content"]["payload"][0]["data"]["text/plain"]
    for option in (
        "--model",
        "--chat",
        "--once",
        "--out",
        "--system",
        "--think",
        "--temperature",
        "--max-tokens",
        "--seed",
        "--stop-at",
        "--wait",
        "--no-wait",
        "--timeout",
        "Examples",
    ):
        assert option in text
    assert parent(reply)
