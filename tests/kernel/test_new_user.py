"""What somebody does in the first hour, from the README and the help alone, offline: all that is shown is plain."""

from __future__ import annotations

import re

import pytest

from tests.kernel.conftest import Kernel, complaints, kinds, outputs, parent

CELLS = [
    "%load_ext nbgemini\n%gemini demo fast",
    "%%gemini\nWhy is the sky blue?",
    "import pandas as pd\nsales = pd.DataFrame({'city': ['Paris', 'Rome'], 'sold': [3, 5]})",
    "%%gemini\nWhich city sold most? {sales}",
    "from pydantic import BaseModel\nclass City(BaseModel):\n    name: str\n    sold: int",
    "%%gemini --schema list[City] -o cities\nList the cities of {sales}",
    "total = sum(sales['sould'])",
    "%gemini fix --wait",
    "%gemini usage",
]

HOUR = [  # a cell, and what it must show
    ("%load_ext nbgemini", ""),
    ("%gemini", "none → %gemini key"),
    ("%%gemini", "the prompt is empty; write it below the %%gemini line"),
    ("%%gemini\nWhy is the sky blue?", "set GEMINI_API_KEY (or GOOGLE_API_KEY), run %gemini key, or try %gemini demo"),
    ("%gemini help", "%gemini models"),
    ("%gemini help usage", "--by model|chat|day|provider|notebook"),
    ("%gemini --help", "%gemini doctor"),
    ("%gemini map?", "%gemini map [OPTIONS] NAME TEMPLATE"),
    ("%gemini map --help", "--into COLUMN"),
    ("%gemini journal -h", "%gemini journal [N]"),
    ("%%gemini --help", "off, minimal, low, medium, high, xhigh, max"),
    ("%gemini hlep", "no command 'hlep' (did you mean help?)"),
    ("%gemini foo", "no command 'foo'; %gemini help lists them"),
    ("%gemini HELP", "no command 'HELP' (did you mean help?)"),
    ("%gemini save chat.md", "no command 'save' (did you mean export?)"),
    ("%gemini --version", "nbgemini "),
    ("%gemini help export", "--thoughts writes the thoughts too"),
    ("%gemini ask", "the prompt is empty; write it below the %%gemini line, or behind %gemini ask"),
    ("%gemini ask -m", "-m/--model: a value is missing; %%gemini --help lists the options"),
    (
        "%%gemini Why is the sky blue?",
        "'Why' is not an option; the prompt goes below the %%gemini line (in one line: %gemini ask …)",
    ),
    ("%%gemini --tempreature 1\nhello", "unknown option --tempreature (did you mean --temperature?)"),
    ("%%gemini --temperature hot\nhello", "--temperature: 'hot' is not a number"),
    ("%%gemini --timeout 0\nhello", "--timeout: 0 is not between 0.001 and 1,000,000"),
    ("%%gemini -f html\nhello", "-f/--format: 'html' is not markdown, code, json or text"),
    ("%%gemini --approve yes\nhello", "--approve: 'yes' is not ask, auto, never or unguarded"),
    ("%%gemini --record a --replay b\nhello", "--replay: can't be combined with --record"),
    ("%%gemini -o class\nhello", "-o/--out: 'class' is not a Python name"),
    ("%%gemini -t weather\nhello", "-t: no function 'weather' in this notebook"),
    ("%%gemini -a nothing.png\nhello", "-a: no name and no file 'nothing.png'; nothing was sent"),
    ("%%gemini --schema Planet\nhello", "--schema: no type 'Planet' in this notebook"),
    ("%%gemini -m foo:bar\nhello", "no service 'foo' (the part before the colon in -m)"),
    ("%gemini key openaii", "no service 'openaii' (did you mean openai?)"),
    ("%gemini key ollama", "ollama needs no key"),
    ("%gemini key " + "x" * 39, "never type a key into a cell"),
    ('%config Gemini.wait = "yes"', "Gemini.wait: it can't be 'yes' → True: a cell waits for its answer."),
    (
        '%config Gemini.services = {"mine": "127.0.0.1:9000"}',
        "Gemini.services: the address of 'mine' must begin with http:// or https://",
    ),
    ("%config Gemini.think = 'huge'", "Gemini.think: 'huge' is not off, minimal, low"),
    ("%reload_ext nbgemini", "ignored a setting: Gemini.wait: it can't be 'yes'"),
    ("%%gemini --foo\nhello", "unknown option --foo; %%gemini --help lists the options"),
    ("%%gemini -k deep\nhello", "'deep' is not off, minimal, low"),
    ("%%gemini -m gpt-4o\nhello", "say -m openai:gpt-4o"),
    ("%%gemini -m openai/gpt-4o\nhello", "set OPENAI_API_KEY, run %gemini key openai"),
    ("%gemini demo fast", "offline service from here on"),
    ("%gemini doctor", "interactive: cells return at once"),
    ("%gemini", "key            none needed"),
    ("%%gemini\nWhy is the sky blue?", "## Why the sky is blue"),
    ("%gemini ask -c tutor What is a prime number?", "offline service"),
    ("%gemini chats", "tutor"),
    ("1/0", "ZeroDivisionError"),
    ("%gemini fix", "offline service"),
    ("%gemini explain len", "offline service"),
    ("%gemini explain lenn", "no object 'lenn' in this notebook"),
    ("%gemini show", "Why is the sky blue?"),
    ("rows = ['a', 'b']", ""),
    ("%gemini map rows Say {row}", "in _gemini_map"),
    ("%gemini map rows", "usage: %gemini map [OPTIONS] NAME TEMPLATE"),
    ("def weather(place: str) -> str:\n    'The weather.'\n    return 'rain'", ""),
    ("%%gemini -t weather --approve auto\nHow is the weather in Oslo?", "Tool weather"),
    ("%gemini approvals", "no tool is always allowed"),
    ("%gemini approvals revoke weather", "'weather' is not always allowed"),
    ("%gemini usage", "this one"),
    ("%gemini usage --by", "--by: a value is missing"),
    ("%gemini usage --by modle", "(did you mean model?); usage: %gemini usage"),
    ("%gemini journal", "first token"),
    ("%gemini models flash", "gemini-3.8-flash"),
    ("%gemini models nonesuch", "no model name contains 'nonesuch'"),
    ("%gemini export", "usage: %gemini export FILE"),
    ("%gemini load nothing.json", "can't read nothing.json"),
    ("%gemini record", "usage: %gemini record FILE | off"),
    ("%gemini replay --slow x", "usage: %gemini replay FILE"),
    ("%gemini cache", "there is no cache"),
    ("%gemini stop", "nothing is running"),
    ("%gemini stop tutor", "nothing is running in the chat tutor"),
    ("%gemini stop nobody", "no chat 'nobody'"),
    ("%gemini stop --al", "unknown option --al (did you mean --all?); usage: %gemini stop [CHAT | --all]"),
    ("%gemini export chat.md --thoughs", "unknown option --thoughs (did you mean --thoughts?)"),
    ("%gemini load chat.md", "only a chat that was exported as .json can be loaded, not chat.md"),
    ("%gemini replay x --speed", "--speed: a value is missing"),
    ("%gemini approvals revoke", "name a tool, or --all; usage: %gemini approvals [revoke TOOL | revoke --all]"),
    ("%gemini approvals revoke --all", "no tool was always allowed"),
    (
        "%%gemini --once\n{rows[0]} and {weathr}",
        "⚠ {rows[0]}, {weathr} name nothing here and stay as typed → did you mean {weather}?",
    ),
    ("%%gemini --once -t rows\nhello", "-t: rows is of type list"),
    ("%%gemini --once --schema rows\nhello", "--schema: rows is a value of type list, not a type"),
    ("for n in range(2):\n    %gemini ask --once Say {n}", "You asked: “Say 1”"),
    ("%%gemini --once -f json\nName a colour.", "offline service"),
    ("%gemini fork main", "usage: %gemini fork CHAT NEW_NAME"),
    ("%gemini drop", "the last exchange is forgotten"),
    ("%gemini retry", "offline service"),
    ("%gemini reset tutor", "1 exchange forgotten"),
]

INTERNAL = re.compile(
    r"_gemini_(awaited|pending)|run_(line|cell)_magic|get_ipython|nbgemini\.(notebook|chat|messages|tools|transport|providers)\b"
    r"|object at 0x|coroutine|PromptArgs|namespace|argparse|msgspec|<class|Traceback"
)
RETIRED = re.compile(
    r"\b(unasked|headless|sits there|former kernel|somebody|whoever|sent again|first text|misfit|verdict|one-shot|asked anew"
    r"|withheld|begins anew|what came|makes no|this is how|dangerous company|what stands|behind the colon|is the manual|goes on"
    r"|as whom|in all\b)",
    re.IGNORECASE,
)


def everything(shown):
    """All texts of a cell's outputs, errors as the notebook shows them."""
    texts = []
    for output in shown:
        texts += [str(text) for text in output.get("data", {}).values()] if "data" in output else []
        texts += [str(output.get("stream") or "")] + [str(line) for line in output.get("traceback") or ()]
    return "\n".join(texts)


AT_REST = """\
session = get_ipython()._nbgemini[1].session()
if session is not None:
    await session.jobs.ended([job.handle for job in session.jobs.running])
"""


@pytest.fixture(scope="module")
def hour(python, tmp_path_factory):
    """The outputs of each cell, in order, of a user who waits for each answer."""
    kernel = Kernel(python, JUPYTER_DATA_DIR=str(tmp_path_factory.mktemp("data")), NO_COLOR="1")
    try:
        cells = []
        for number, (code, _) in enumerate(HOUR):
            messages = kernel.run(code, cell=f"cell {number}")
            cells.append(parent(messages[-1]))
            kernel.run(AT_REST)
        yield [outputs(kernel.log, cell) for cell in cells]
    finally:
        kernel.close()


def test_all_that_is_shown_is_what_was_looked_for(hour):
    for (code, expected), shown in zip(HOUR, hour, strict=True):
        assert expected in everything(shown), (code, everything(shown)[:600])


def test_our_errors_are_one_line(hour):
    for (code, _), shown in zip(HOUR, hour, strict=True):
        traces = [output["traceback"] for output in shown if output.get("traceback")]
        assert all(len(trace) == 1 and "\n" not in trace[0] for trace in traces) or code == "1/0", (code, traces)


def test_no_internal_name_and_no_word_of_ours_alone_is_shown(hour):
    for (code, _), shown in zip(HOUR, hour, strict=True):
        if code == "1/0":
            continue
        text = everything(shown)
        found = INTERNAL.search(text) or RETIRED.search(text)
        assert found is None, (code, text[max(0, found.start() - 80) : found.end() + 80])


def test_a_new_session_names_the_chats_of_the_earlier_one(python, tmp_path):
    for asks in (True, False):
        kernel = Kernel(python, JUPYTER_DATA_DIR=str(tmp_path))
        try:
            kernel.run("%load_ext nbgemini\n%gemini demo fast")
            if asks:
                kernel.run("%gemini ask --wait -c tutor What is a prime number?")
                continue
            messages = kernel.run("%gemini")
            shown = everything(outputs(messages, parent(messages[-1])))
            assert re.search(r"chat tutor \(earlier session\) +1 exchange, 20\S+ \S+ → %gemini load tutor continues it", shown)
        finally:
            kernel.close()


def test_nine_cells(python, tmp_path):
    kernel = Kernel(python, JUPYTER_DATA_DIR=str(tmp_path))
    try:
        shown = []
        for number, code in enumerate(CELLS):
            messages = kernel.run(code, sits=False)
            shown.append(
                outputs(messages, next(m["parent_header"]["msg_id"] for m in messages if m["msg_type"] == "execute_input"))
            )
            assert bool(complaints(messages)) == (number == 6)
        assert kinds(shown[1]) == ["thought", "answer", "thought", "answer", "status"]
        assert "**Rome** has the highest `sold`: 5." in str(shown[3])
        assert kernel.text("print(type(cities.parsed[0]).__name__, len(cities.parsed) > 0)") == "City True\n"
        assert "total = sum(sales['sold'])" in shown[7][1]["data"]["text/plain"]
        assert "gemini-3.8-flash (offline)" in str(shown[8])
    finally:
        kernel.close()
