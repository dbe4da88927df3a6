"""Tab in a real kernel: options, their values, commands, chats and names, wherever the cursor is."""

from __future__ import annotations

import queue
import time

import pytest

from tests.kernel.conftest import PATIENCE, Kernel, parent


@pytest.fixture(scope="module")
def kernel(python, tmp_path_factory):
    running = Kernel(python)
    directory = tmp_path_factory.mktemp("files")
    running.run(
        f"%load_ext nbgemini\n%gemini demo fast\nimport os, json; os.chdir({str(directory)!r}); open('data.csv', 'w').close()"
    )
    running.run("open('my notes.txt', 'w').close()\nimport pandas; orders = pandas.DataFrame({'Review Text': ['a']})")
    running.run("class Holder:\n    def call(self): ...\nholder = Holder()")
    running.run("%%gemini -w -c 'my chat'\nhello")
    running.run("temperature = 21\ntable = [1]\ndef weather(place): ...\nclass Answer: ...")
    running.run("%config Gemini.aliases = {'fast': 'gemini-3.5-flash-lite'}")
    running.run("%%gemini -w -c tutor -o reply\nhello")
    yield running
    running.close()


def tab(kernel, text):
    """What Tab offers where text has a |, as the whole words that it would make."""
    at = text.index("|")
    code = text.replace("|", "")
    asked = kernel.client.complete(code, at)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            reply = kernel.client.get_shell_msg(timeout=1)
        except queue.Empty:
            continue
        if parent(reply) == asked:
            content = reply["content"]
            assert content["status"] == "ok"
            return [code[content["cursor_start"] : at], content["matches"]]
    raise AssertionError("no reply")


CASES = [
    ("%%gemini |", "", ["-m", "--model", "--chat", "--wait", "--timeout"]),
    ("%%gemini --te|", "--te", ["--temperature"]),
    ("%%gemini --te|\nthe prompt\n", "--te", ["--temperature"]),
    ("%%gemini --once -|c\nprompt", "-", ["-c", "--seed"]),
    ("%%gemini -m |", "", ["fast", "gemini-3.8-flash"]),
    ("%%gemini -m fa|", "fa", ["fast"]),
    ("%%gemini --model=fa|", "fa", ["fast"]),
    ("%%gemini --once -c t|", "t", ["tutor"]),
    ("%%gemini -t we|", "we", ["weather"]),
    ("%%gemini -t weather,we|", "we", ["weather"]),
    ("%%gemini -a ta|", "ta", ["table"]),
    ("%%gemini -a da|", "da", ["data.csv"]),
    ("%%gemini -a p|", "p", ["plot"]),
    ("%gemini map ta|", "ta", ["table"]),
    ("%gemini map --in|", "--in", ["--into"]),
    ("%gemini map -n 5 table Say {|", "", ["row"]),
    ("%%gemini -k |", "", ["off", "low", "medium", "high"]),
    ("%%gemini --approve |", "", ["ask", "auto", "never", "unguarded"]),
    ("%%gemini -o rep|", "rep", ["reply"]),
    ("%%gemini --replay d|", "d", ["data.csv"]),
    ("%%gemini\nHow warm is {tem|", "tem", ["temperature"]),
    ("%%gemini\nHow warm is {tem|}?\nTell me.", "tem", ["temperature"]),
    ("%%gemini --once\nabc\n\n  {json.du|", "json.du", ["json.dumps"]),
    ("%gemini mo|", "mo", ["models"]),
    ("%gemini |", "", ["ask", "fix", "explain", "models", "stop"]),
    ("x = 1\n%gemini sh|\ny = 2", "sh", ["show"]),
    ("x = %gemini as|", "as", ["ask"]),
    ("%gemini show t|", "t", ["tutor"]),
    ("%gemini reset t|", "t", ["tutor"]),
    ("%gemini fork t|", "t", ["tutor"]),
    ("%gemini stop --|", "--", ["--all"]),
    ("%gemini stop t|", "t", ["tutor"]),
    ("%gemini demo |", "", ["fast", "off"]),
    ("%gemini ask --te|", "--te", ["--temperature"]),
    ("%gemini ask -c t|", "t", ["tutor"]),
    ("%gemini ask -c tutor is it {tem|", "tem", ["temperature"]),
    ("%gemini fix --o|", "--o", ["--once", "--out"]),
    ("%gemini explain wea|", "wea", ["weather"]),
    ("%gemini explain json.du|", "json.du", ["json.dump", "json.dumps"]),
    ("%gemini models fa|", "fa", ["fast"]),
    ("%%gemini -s 'be brief' --te|", "--te", ["--temperature"]),
    ("%%gemini map orders\nSay {Re|", "Re", ["Review Text"]),
    ("%%gemini map or|", "or", ["orders"]),
    ("%%gemini -a orders.sh|", "orders.sh", ["orders.shape"]),
    ("%%gemini -t holder.ca|", "holder.ca", ["holder.call"]),
    ("%%gemini --schema list[Ans|", "Ans", ["Answer"]),
    ("%gemini export chat.md --|", "--", ["--thoughts", "--force"]),
    ("%gemini load d|", "d", ["data.csv"]),
]

IN_QUOTES = [  # what has a blank in it, in whatever way its beginning was typed
    ("%%gemini -c my|", "my", "'my chat'"),
    ("%%gemini -c 'my ch|", "'my ch", "'my chat'"),
    ('%gemini show "my|', '"my', "'my chat'"),
    ("%%gemini -a my|", "my", "'my notes.txt'"),
    ("%%gemini -a 'my n|", "'my n", "'my notes.txt'"),
]


@pytest.mark.parametrize("jedi", [True, False], ids=["jedi", "no-jedi"])
@pytest.mark.parametrize(("text", "typed", "offered"), CASES)
def test_tab(kernel, text, typed, offered, jedi):
    kernel.run(f"%config IPCompleter.use_jedi = {jedi}")
    found, matches = tab(kernel, text)
    assert found == typed
    assert set(offered) <= set(matches), matches
    if typed:
        assert all(match.startswith(typed) for match in matches), matches


@pytest.mark.parametrize(("text", "typed", "whole"), IN_QUOTES)
def test_what_has_blanks_is_offered_in_quotes(kernel, text, typed, whole):
    assert tab(kernel, text) == [typed, [whole]]


@pytest.mark.parametrize("text", ["%%gemini --nope|", "%gemini show nobody|", "%gemini usage --by=m|", "%%gemini -m nope|"])
def test_where_nothing_fits_nothing_else_is_offered(kernel, text):
    typed, matches = tab(kernel, text)
    assert matches == [typed]


@pytest.mark.parametrize(
    "text",
    ["%%gemini\nno names here: {|{tem", "%%gemini\nplain words tem|", "%gemini ask plain words tem|", "a = tem|", "{tem|"],
)
def test_elsewhere_nothing_of_ours(kernel, text):
    assert not set(tab(kernel, text)[1]) & {"--once", "ask", "tutor"}


@pytest.mark.parametrize(
    "text",
    ["%%gemini -s 'open|", "%%gemini -c=|", "%%gemini --=|", "%gemini show 'x y|", "%%gemini\n{a.b.c.|", "%%gemini\n{nobody.|"],
)
def test_nothing_fails(kernel, text):
    """`tab` asserts that the reply is "ok"; nothing is said on stderr either."""
    mine = tab(kernel, text)
    assert isinstance(mine[1], list)
    said = kernel.run("pass")
    assert not [message for message in said if message["msg_type"] == "stream"]


def test_models_of_the_service_are_learned_beside(kernel):
    """The first Tab offers what the prices name; what the service lists is there soon after."""
    tab(kernel, "%%gemini -m |")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (
            kernel.text(
                "print(get_ipython()._nbgemini[1].session().windows.names(get_ipython()._nbgemini[1].session().client) != [])"
            )
            == "True\n"
        ):
            break
    assert "gemini-3.8-flash" in tab(kernel, "%%gemini -m |")[1]


def test_models_of_another_service_need_its_key_or_its_name(python):
    """They are offered with their prefix, as -m takes them."""
    kernel = Kernel(python)
    try:
        kernel.run("%load_ext nbgemini\n%config Gemini.journal = 'off'\n%gemini stop")
        names = tab(kernel, "%%gemini -m |")[1]
        assert "gemini-3.8-flash" in names
        assert not [name for name in names if name.startswith(("openai", "anthropic", "gpt", "claude"))]
        assert "openai:" in tab(kernel, "%%gemini -m op|")[1]
        assert "openai:gpt-5.4-mini" in tab(kernel, "%%gemini -m openai:|")[1]
        kernel.run("import os\nos.environ['ANTHROPIC_API_KEY'] = 'k'")
        names = tab(kernel, "%%gemini -m |")[1]
        assert "anthropic:claude-sonnet-5" in names
        assert not [name for name in names if name.startswith("openai")]
    finally:
        kernel.close()


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("%gemini help us|", "usage"),
        ("%gemini help --th|", "--think"),
        ("%gemini approvals re|", "revoke"),
        ("%gemini usage --by no|", "notebook"),
        ("%gemini key anth|", "anthropic"),
    ],
)
def test_words_of_commands(kernel, text, offered):
    assert offered in tab(kernel, text)[1]


def test_nothing_is_evaluated(kernel):
    kernel.run(
        "class Trap:\n    ran = 0\n    @property\n    def value(self):\n        Trap.ran += 1\n        return self\ntrap = Trap()"
    )
    tab(kernel, "%%gemini\n{trap.|")
    tab(kernel, "%%gemini\n{trap.value.|")
    tab(kernel, "%gemini explain trap.value.|")
    assert kernel.text("print(Trap.ran)") == "0\n"
