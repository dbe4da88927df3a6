"""Other services beside Gemini, in a real kernel: by the part before the colon, in one chat, with tools, in the figures."""

from __future__ import annotations

import pytest

from tests.kernel.conftest import Kernel, complaints, kinds, outputs, parent
from tests.support.kernel_cells import calls, shown, table

MODELS = (
    "gemini-3.8-flash",
    "interactions:gemini-3.8-flash",
    "anthropic:claude-offline",
    "openai:gpt-offline",
    "openai-chat:gpt-offline",
    "ollama:gpt-offline",
)
ADD = """
def add(a: int, b: int) -> int:
    \"\"\"Add two numbers.\"\"\"
    return a + b
"""


@pytest.fixture(scope="module")
def talked(python, tmp_path_factory):
    """A kernel in which one chat went from service to service, with a tool each time."""
    journal = tmp_path_factory.mktemp("providers") / "journal.sqlite3"
    kernel = Kernel(python)
    kernel.run("from tests.fakes.services import install\ninstall()")
    kernel.run(f"%load_ext nbgemini\n%gemini demo fast\n%config Gemini.journal = '{journal}'\n{ADD}")
    ask = "%%gemini --approve auto -k low -t add -m "
    kernel.turns = [
        kernel.run(f"{ask}{model}\n{calls(('add', {'a': at, 'b': 1}))}", sits=False) for at, model in enumerate(MODELS)
    ]
    yield kernel
    kernel.close()


def test_one_chat_goes_from_service_to_service_with_its_calls_and_their_answers(talked):
    for messages in talked.turns:
        assert complaints(messages) == []
        seen = kinds(outputs(messages, parent(messages[-1])))
        assert "tool_call" in seen
        assert seen[-1] == "status"
    assert talked.text("print(_gemini.provider, _gemini.turn, _gemini.state)").split() == ["ollama", "5", "complete"]


def test_each_service_is_counted_by_its_name_as_offline_and_for_nothing(talked):
    text, _ = shown(talked.run("%gemini usage today --by provider"))
    rows = table(text)
    assert {row[0] for row in rows[1:-1]} == {
        f"{model.partition(':')[0]} (offline)".replace("gemini-3.8-flash", "gemini") for model in MODELS
    }
    assert rows[-1][:2] == ["total (offline)", "6"]
    assert "$" not in text


def test_a_chat_shown_again_has_every_service_s_turns(talked):
    messages = talked.run("%gemini show")
    assert complaints(messages) == []
    assert kinds(outputs(messages, parent(messages[-1]))).count("tool_call") == len(MODELS)


@pytest.mark.parametrize(("service", "model"), [("anthropic:", "anthropic:claude-offline"), ("openai:", "openai:gpt-offline")])
def test_models_are_listed_as_they_are_named(talked, service, model):
    text = shown(talked.run(f"%gemini models {service}"))[0]
    assert model in text


def test_a_service_of_one_s_own(talked):
    talked.run("%config Gemini.services = {'mine': 'http://127.0.0.1:9/v1'}")
    assert complaints(talked.run("%%gemini --once -m mine:gpt-offline\nhello", sits=False)) == []  # in the demo all are offline
    assert talked.text("print(_gemini.provider)").strip() == "mine"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("-m antropic:x", "no service 'antropic'"),
        ("-m anthropic:claude-of", "did you mean anthropic:claude-offline"),
        ("-m openai:gpt-offline --stop-at x", "--stop-at"),
    ],
)
def test_what_can_not_be_asked_is_one_line(talked, asked, says):
    (error,) = [
        message["content"]
        for message in talked.run(f"%%gemini --once {asked}\nhello", sits=False)
        if message["msg_type"] == "error"
    ]
    assert says in error["evalue"]
    assert len(error["traceback"]) == 1
