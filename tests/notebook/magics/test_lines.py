"""Lines as they are typed, with what comes of them: options, commands, quoting, braces, order."""

from __future__ import annotations

import json

import pytest

from tests.fakes.shell import Shell

RUNS = [  # a cell; what `_gemini` is then asked and how, by attribute; or what is printed
    ("%%gemini\nhello", {"asked": "hello\n", "chat": "main", "model": "gemini-3.8-flash"}),
    ("%%gemini   \nhello", {"asked": "hello\n"}),
    ("%%gemini\n\n  two\n\nlines  ", {"asked": "\n  two\n\nlines  \n"}),
    ("%%gemini --once\nhello", {"chat": None}),
    ("%%gemini -c other\nhello", {"chat": "other"}),
    ("%%gemini --chat other\nhello", {"chat": "other"}),
    ("%%gemini --chat=other\nhello", {"chat": "other"}),
    ("%%gemini -c 'two words'\nhello", {"chat": "two words"}),
    ('%%gemini -c "it\'s"\nhello', {"chat": "it's"}),
    ("%%gemini --once -m gemini-2.5-pro\nhello", {"model": "gemini-2.5-pro"}),
    ("%%gemini -m gemini-2.5-pro --once\nhello", {"model": "gemini-2.5-pro", "chat": None}),
    ("%%gemini --once -m quick\nhello", {"model": "gemini-3.5-flash-lite"}),
    ("%%gemini --once -k low\nhello", {"think": "low"}),
    ("%%gemini --once\N{NO-BREAK SPACE}-k low\nhello", {"think": "low"}),
    ("%%gemini --once -k LOW\nhello", {"think": "low"}),
    ("%%gemini --once -k 1024 -m gemini-2.5-flash\nhello", {"think": 1024}),
    ("%%gemini --once --temperature 0\nhello", {"temperature": 0.0}),
    ("%%gemini --once --temperature=2\nhello", {"temperature": 2.0}),
    ("%%gemini --once --max-tokens 100\nhello", {"max_tokens": 100}),
    ("%%gemini --once --seed -3\nhello", {"seed": -3}),
    ("%%gemini --once --stop-at END --stop-at 'two words'\nhello", {"stop_at": ("END", "two words")}),
    ("%%gemini --once --timeout 30\nhello", {"timeout": 30.0}),
    ("%%gemini --once --search\nhello", {"search": True}),
    ("%%gemini --once --run-code\nhello", {"run_code": True}),
    ("%%gemini --once --urls\nhello", {"urls": True}),
    ("%%gemini -c sys -s 'Be brief.'\nhello", {"system": "Be brief."}),
    ("%%gemini -c sys\nand now?", {"system": "Be brief."}),
    ('%%gemini --once -s "say \\"x\\""\nhello', {"system": 'say "x"'}),
    ("%%gemini --once -o answer\nhello", {"out": "answer"}),
    ("%%gemini --once --wait\nhello", {"state": "complete"}),
    ("%%gemini --once --no-wait\nhello", {"asked": "hello\n"}),
    ("%%gemini --once\n{temperature} degrees", {"asked": "21 degrees\n"}),
    ("%%gemini --once\n{temperature:.1f} or {temperature!r}", {"asked": "21.0 or 21\n"}),
    ("%%gemini --once\n{nobody} {} {{x}} {'a': 1}", {"asked": "{nobody} {} {{x}} {'a': 1}\n"}),
    ("%%gemini --once\n{temperature + 1}", {"asked": "{temperature + 1}\n"}),
    ("%%gemini --once\n{{temperature}}", {"asked": "{{temperature}}\n"}),
    ("%%gemini --once\n{words}", {"asked": '["a", "b"]\n'}),
    ("%%gemini --once\n{temperature.real}", {"asked": "21\n"}),
    ("%%gemini --once\n$HOME !ls %cd ?", {"asked": "$HOME !ls %cd ?\n"}),
    ("%%gemini --once\n%%gemini -m x", {"asked": "%%gemini -m x\n"}),
    ("%%gemini --once\n# a comment\n-m is no option here", {"asked": "# a comment\n-m is no option here\n"}),
    ("%gemini ask hello", {"asked": "hello", "chat": "main"}),
    ("%gemini ask   two   words  ", {"asked": "two   words"}),
    ("%gemini ask -c other what?", {"asked": "what?", "chat": "other"}),
    ("%gemini ask --once -k low why -k high?", {"asked": "why -k high?", "think": "low"}),
    ("%gemini ask --once -- -m is what?", {"asked": "-m is what?"}),
    ("%gemini ask --once it's fine", {"asked": "it's fine"}),
    ('%gemini ask --once say "x"', {"asked": 'say "x"'}),
    ("%gemini ask --once {temperature}?", {"asked": "21?"}),
    ("x = %gemini ask --once hello", {"asked": "hello"}),
    ("for i in range(2):\n    %gemini ask --once hello", {"asked": "hello"}),
    ("%gemini retry", {"chat": "main"}),
    ("%gemini retry other", {"chat": "other"}),
    ("%gemini", "gemini-3.8-flash"),
    ("%gemini models", "gemini-3.8-flash"),
    ("%gemini models pro", "gemini-2.5-pro"),
    ("%gemini chats", "other"),
    ("%gemini show", "hello"),
    ("%gemini show other", "what?"),
    ("%gemini show 'two words'", "hello"),
    ("%gemini fork other branch", "-c branch continues it"),
    ("%gemini drop dropped", "the last exchange is forgotten"),
    ("%gemini stop", "nothing is running"),
    ("%gemini stop other", "nothing is running"),
    ("%gemini stop --all", "nothing is running"),
    ("%gemini reset gone", "forgotten"),
    ("%gemini journal", "outcome"),
    ("%gemini journal 1", "outcome"),
    ("%gemini usage", "gemini"),
    ("%gemini doctor", "reachable"),
    ("%gemini   chats  ", "main"),
    ("%gemini explain temperature", {"chat": None}),
    ("%gemini explain -c main temperature", {"chat": "main"}),
    ("%%gemini --help", "the answer streams below the cell"),
    ("%%gemini --once -h\nhello", "the answer streams below the cell"),
    ("%gemini help", "%gemini models"),
    ("%gemini --help", "%gemini models"),
    ("%gemini -h usage", "--by model|chat|day|provider|notebook"),
    ("%gemini usage --help", "--by model|chat|day|provider|notebook"),
    ("%gemini usage?", "--by model|chat|day|provider|notebook"),
    ("%gemini help fix", "%gemini fix [OPTIONS] [HINT]"),
    ("%gemini fix -m x --help", "%gemini fix [OPTIONS] [HINT]"),
    ("%gemini help -k", "off, minimal, low, medium, high, xhigh, max"),
    ("%gemini map", "%gemini map [OPTIONS] NAME TEMPLATE"),
    ("%gemini map?", "%gemini map [OPTIONS] NAME TEMPLATE"),
    ("%gemini map --first 2 -h", "%gemini map [OPTIONS] NAME TEMPLATE"),
    ("%%gemini map?", "%gemini map [OPTIONS] NAME TEMPLATE"),
    ("%gemini approvals", "no tool is always allowed"),
    ("%gemini show two words", "hello"),
    ("%gemini fork main 'new one'", "-c 'new one' continues it"),
    ("%gemini usage model", "gemini"),
    ("%gemini usage --by=chat", "two words"),
    ("%gemini ask --once — who?", {"asked": "— who?"}),
    ("%gemini ask --once -- —once upon a time", {"asked": "—once upon a time"}),
    ("%%gemini --once -f JSON\nhello", {"format": "json"}),
    ("%%gemini --once -t weather,weather\nhello", {"asked": "hello\n"}),
    ("%gemini ask --once -m openai/gpt-5.4-mini Why is the sky blue?", {"provider": "openai"}),
    ("%gemini ask --once hello -m gemini-2.5-pro", "⚠ -m is part of the prompt, as options go before it"),
    ("%gemini ask hello --once", "⚠ --once is part of the prompt, as options go before it"),
    ("%gemini demo fast", "offline service"),
]

REFUSED = [  # a cell, and the exact line
    ("%%gemini", "PromptError: the prompt is empty; write it below the %%gemini line, or behind %gemini ask"),
    ("%%gemini\n  ", "PromptError: the prompt is empty; write it below the %%gemini line, or behind %gemini ask"),
    (
        "%%gemini hello\nx",
        "PromptError: 'hello' is not an option; the prompt goes below the %%gemini line (in one line: %gemini ask …)",
    ),
    (
        "%%gemini -s Answer as a pirate\nx",
        "'as' is not an option, and text with spaces needs quotes; the prompt goes below the %%gemini line",
    ),
    (
        "words\n%%gemini\nhi",
        "PromptError: %%gemini begins a cell: put the code above it into a cell of its own",
    ),
    ("%%gemini map -w\nSay {row}", "usage: %gemini map [OPTIONS] NAME TEMPLATE: a DataFrame, list or column"),
    (
        "%gemini map words --first 2 Say {row}",
        "PromptError: options go before words; usage: %gemini map [OPTIONS] NAME TEMPLATE",
    ),
    (
        "%%gemini --once hello\nx",
        "PromptError: 'hello' is not an option; the prompt goes below the %%gemini line (in one line: %gemini ask …)",
    ),
    (
        "%%gemini --tem 1\nx",
        "PromptError: unknown option --tem (did you mean --temperature?); %%gemini --help lists the options",
    ),
    (
        "%%gemini --tempature 1\nx",
        "PromptError: unknown option --tempature (did you mean --temperature?); %%gemini --help lists the options",
    ),
    ("%%gemini --foo\nx", "PromptError: unknown option --foo; %%gemini --help lists the options"),
    ("%gemini foo", "PromptError: no command 'foo'; %gemini help lists them (a question: %gemini ask …)"),
    (
        "%gemini what is the capital of France?",
        "PromptError: no command 'what'; %gemini help lists them (to ask it: %gemini ask what is the capital of France?)",
    ),
    ("%gemini help foo", "PromptError: no command or option 'foo'; %gemini help lists all commands"),
    ("%gemini approvals revoke wether", "PromptError: 'wether' is not always allowed; %gemini approvals lists what is"),
    ("%%gemini -m gpt-4o\nx", "PromptError: gpt-4o is not a model of Gemini; say -m openai:gpt-4o"),
    ("%%gemini --once=yes\nx", "PromptError: --once: it takes no value; leave out 'yes'; %%gemini --help lists the options"),
    ("%%gemini -c ''\nx", "PromptError: -c/--chat: a value is missing; %%gemini --help lists the options"),
    ("%%gemini --schema=\nx", "PromptError: --schema: a value is missing; %%gemini --help lists the options"),
    ("%%gemini —once\nx", "PromptError: —once begins with a long dash → --once"),
    ("%gemini map –first 1 words Say {row}", "PromptError: –first begins with a long dash → --first"),
    ("%%gemini models", "PromptError: models is a command, in a line of its own: %gemini models"),
    ("%%gemini ask hello\nx", "PromptError: ask is a command, in a line of its own: %gemini ask hello"),
    (
        "%%gemini once\nx",
        "PromptError: 'once' is not an option (did you mean --once?); the prompt goes below the %%gemini line (in one line: %gemini ask …)",
    ),
    ("%gemini fork main -x", "PromptError: expected the name of a chat, not '-x'"),
    ("%gemini fork main 'two words'", "PromptError: there is a chat 'two words' already; %gemini reset 'two words' forgets it"),
    ("%gemini show ''", "PromptError: a name is empty in: ''"),
    ("%gemini record -x", "PromptError: usage: %gemini record FILE | off"),
    ("%gemini replay none --speed=0", "PromptError: --speed takes now or a factor (2: twice as fast as recorded), not '0'"),
    (
        "%gemini models claude",
        "PromptError: no model name contains 'claude'; %gemini models anthropic: lists those of anthropic",
    ),
    ("%gemini models ollama", "PromptError: no model name contains 'ollama'; %gemini models ollama: lists those of ollama"),
    ("%gemini models nope:", "ConfigurationError: no service 'nope' (the part before the colon in -m); there are gemini, "),
    ("%gemini export ~nobody-is-called-so/a.md", "can't write ~nobody-is-called-so/a.md: No such file or directory"),
    ("%%gemini --xyzzy\nx", "PromptError: unknown option --xyzzy; %%gemini --help lists the options"),
    ("%%gemini --output a\nx", "PromptError: unknown option --output (did you mean --out?); %%gemini --help lists the options"),
    (
        "%%gemini --image a\nx",
        "PromptError: unknown option --image (did you mean --attach?); %%gemini --help lists the options",
    ),
    ("%gemini map --image a\nx", "PromptError: unknown option --image; %gemini map --help lists the options"),
    ("%%gemini -s “Be brief”\nx", "PromptError: “Be begins with a curly quote → straight quotes, \" or '"),
    ("%%gemini -klow\nx", "PromptError: unknown option -klow (did you mean -k low?); %%gemini --help lists the options"),
    ("%%gemini -wo r\nx", "PromptError: unknown option -wo (did you mean -w -o?); %%gemini --help lists the options"),
    (
        "%gemini map -n50 words Say {row}",
        "PromptError: unknown option -n50 (did you mean -n 50?); %gemini map --help lists the options",
    ),
    ("%%gemini -c a --once\nx", "PromptError: --once: can't be combined with -c/--chat; %%gemini --help lists the options"),
    (
        "%%gemini -k off --once -m gemini-2.5-pro\nx",
        "PromptError: gemini-2.5-pro can't think 'off'; it offers: 128 to 32,768 tokens",
    ),
    (
        "%gemini stop --all main",
        "PromptError: --all stands alone; usage: %gemini stop [CHAT | --all]",
    ),
    (
        '%gemini map words["a"] Say {row}',
        "PromptError: 'words[a]' is code, and none runs here → give what it returns a name (a column: df.text); usage: %gemini map [OPTIONS] NAME TEMPLATE",
    ),
    (
        "%gemini model gemini-2.5-pro",
        "PromptError: no command 'model' (did you mean models, or %config Gemini.model = …?); %gemini help lists them (to ask it: %gemini ask model gemini-2.5-pro)",
    ),
    ("%%gemini -m\nx", "PromptError: -m/--model: a value is missing; %%gemini --help lists the options"),
    ("%%gemini --temperature 3\nx", "PromptError: --temperature: 3 is not between 0 and 2; %%gemini --help lists the options"),
    ("%%gemini --temperature hot\nx", "PromptError: --temperature: 'hot' is not a number; %%gemini --help lists the options"),
    ("%%gemini --max-tokens 0\nx", "PromptError: --max-tokens: 0 is not a positive number; %%gemini --help lists the options"),
    ("%%gemini --max-tokens x\nx", "PromptError: --max-tokens: 'x' is not a whole number; %%gemini --help lists the options"),
    ("%%gemini --seed x\nx", "PromptError: --seed: 'x' is not a whole number; %%gemini --help lists the options"),
    ("%%gemini --context x\nx", "PromptError: --context: 'x' is not a whole number; %%gemini --help lists the options"),
    (
        "%%gemini -k deep\nx",
        "PromptError: -k/--think: 'deep' is not off, minimal, low, medium, high, xhigh, max or a number of tokens; %%gemini --help lists the options",
    ),
    ("%%gemini -s 'open\nx", "PromptError: a quote is not closed in: 'open"),
    ("%%gemini -o a-b\nx", "PromptError: -o/--out: 'a-b' is not a Python name; %%gemini --help lists the options"),
    (
        "%%gemini -w --no-wait\nx",
        "PromptError: --no-wait: can't be combined with -w/--wait; %%gemini --help lists the options",
    ),
    ("%%gemini -t wether\nx", "PromptError: -t: no function 'wether' in this notebook (did you mean weather?)"),
    ("%%gemini -a wordz\nx", "PromptError: -a: no name and no file 'wordz' (did you mean words?); nothing was sent"),
    ("%%gemini --replay none.jsonl\nx", "can't read the cassette"),
    (
        "%gemini shwo",
        "PromptError: no command 'shwo' (did you mean show?); %gemini help lists them (a question: %gemini ask …)",
    ),
    ("%gemini show nobody", "PromptError: no chat 'nobody'; %gemini chats lists them"),
    ("%gemini show a b", "PromptError: expected the name of a chat, not 'a b'"),
    ("%gemini reset nobody", "PromptError: no chat 'nobody'; %gemini chats lists them"),
    ("%gemini drop nobody", "PromptError: no chat 'nobody'; %gemini chats lists them"),
    ("%gemini fork one", "PromptError: two names are needed; usage: %gemini fork CHAT NEW_NAME"),
    ("%gemini load nobody", "PromptError: no earlier session saved a chat 'nobody'; %gemini chats lists the saved ones"),
    ("%gemini journal x", "PromptError: 'x' is not a positive whole number; usage: %gemini journal [N]"),
    ("%gemini chats x", "PromptError: unexpected 'x'; usage: %gemini chats"),
    ("%gemini ask -m openai: hello", "PromptError: no model after openai: → %gemini models openai: lists them"),
    (
        "%gemini models antropic:",
        "ConfigurationError: no service 'antropic' (the part before the colon in -m); did you mean anthropic?",
    ),
    (
        "%gemini ask -m lama:3 hello",
        "ConfigurationError: no service 'lama' (the part before the colon in -m); did you mean ollama?",
    ),
    ("%gemini models zzz", "PromptError: no model name contains 'zzz'; %gemini models lists all"),
    ("%gemini demo of", "PromptError: 'of' is not understood; usage: %gemini demo [fast | off]"),
    (
        "%gemini key abc",
        "never type a key into a cell, where it would be saved; %gemini key [SERVICE] asks for that of gemini, interactions, ",
    ),
    (
        "%gemini explain wether",
        "PromptError: no object 'wether' in this notebook (did you mean weather?); to explain words: %gemini explain -- wether",
    ),
    (
        "%%gemini --once -m gemini-3.8-flsh\nx",
        "ApiError: no model 'gemini-3.8-flsh'; did you mean gemini-3.8-flash, gemini-3.7-flash, gemini-3.6-flash?",
    ),
]


def directed(**told):
    return "%%gemini --once\nhi\noffline: " + json.dumps(told)


INVALID_KEY = {"message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}
QUOTA = {"message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}
OF_THE_SERVICE = [
    (directed(status=400, error=INVALID_KEY), "AuthenticationError: API key not valid. (400 INVALID_ARGUMENT) → set GEMINI_API_KEY or run %gemini key"),
    (directed(status=403, error={"message": "No.", "status": "PERMISSION_DENIED"}), "AuthenticationError: No. (403 PERMISSION_DENIED) → set GEMINI_API_KEY or run %gemini key"),
    (directed(status=429, error=QUOTA, retry_delay="42s"), "RateLimitError: Quota exceeded. (429 RESOURCE_EXHAUSTED) → ask again in 42 s; %gemini models lists other models"),
    (directed(status=429, error=QUOTA, retry_delay="600s"), "RateLimitError: Quota exceeded. (429 RESOURCE_EXHAUSTED) → ask again in 10 min; %gemini models lists other models"),
    (directed(status=429, error={**QUOTA, "message": "RequestsPerDay"}), "RateLimitError: RequestsPerDay (429 RESOURCE_EXHAUSTED) → the daily quota resets at midnight Pacific time; %gemini models lists other models"),
    (directed(status=500, error={"message": "boom", "status": "INTERNAL"}), "ServerError: boom (500 INTERNAL) → ask again in a moment"),
    (directed(status=503, error={"message": "busy", "status": "UNAVAILABLE"}), "ServerError: busy (503 UNAVAILABLE) → ask again in a moment"),
    (directed(parts=[["answer", "a"]], finish="SAFETY", gap=0), "BlockedError: blocked"),
]  # fmt: skip


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("ipython"))
    shell.run("%load_ext nbgemini\n%gemini demo fast")
    shell.run("%config Gemini.model = 'gemini-3.8-flash'\n%config Gemini.retries = 0")
    shell.run("%config Gemini.aliases = {'quick': 'gemini-3.5-flash-lite'}")
    for chat in ("main", "other", "'two words'", "sys -s 'Be brief.'", "dropped", "gone"):
        shell.run(f"%gemini ask -w -c {chat} hello, what?")
    shell.run("temperature = 21\nwords = ['a', 'b']\ndef weather(place: str) -> str:\n    return 'rain'")
    yield shell
    shell.close()


@pytest.mark.parametrize(("cell", "meant"), RUNS, ids=[cell for cell, _ in RUNS])
def test_a_line_does_what_it_says(shell, cell, meant):
    assert shell.run(cell) is None, shell.printed
    if isinstance(meant, str):
        assert meant in shell.printed
        return
    reply, options = shell.reply, shell.reply.options
    for name, value in meant.items():
        if name == "asked":
            assert shell.asked == value
        elif name == "out":
            assert shell.ip.user_ns[value] is reply
        else:
            assert getattr(reply if name in ("chat", "state", "model", "provider") else options, name) == value
    assert shell.run("await _gemini") is None


def test_a_class_of_a_cell_is_its_source(shell):
    """Which `inspect` looks for in files only."""
    shell.run(
        "from dataclasses import dataclass\n\n@dataclass\nclass Point:\n    x: int\n\nclass Sum:\n    def of(self):\n        return 1"
    )
    shell.run("@dataclass\nclass Point:\n    y: int\n")
    assert shell.run("%%gemini --once -a Sum\nReview {Point}") is None
    assert shell.asked.partition("class ")[2].startswith("Sum:\n    def of(self):\n        return 1\n")
    assert shell.asked.endswith("Review \n\n@dataclass\nclass Point:\n    y: int\n\n")


@pytest.mark.parametrize(("cell", "line"), [*REFUSED, *OF_THE_SERVICE], ids=lambda text: text[:40])
def test_a_bad_line_is_told_in_one(shell, cell, line):
    """The last line that is printed is the error, exactly; for three whose words are others' or a path, their beginning."""
    said = shell.line(cell)
    assert said == line if line.startswith(("PromptError", "Api", "Auth", "Rate", "Server")) else line in said


def test_no_key_and_no_network(shell, monkeypatch):
    shell.hang_up()
    shell.run("%gemini demo off")
    try:
        assert "set GEMINI_API_KEY (or GOOGLE_API_KEY), run %gemini key, or try %gemini demo" in shell.line("%%gemini\nhello")
        monkeypatch.setenv("GEMINI_API_KEY", "k")
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
        assert "connection refused → is the service running on this machine?" in shell.line("%%gemini\nhello")
    finally:
        shell.hang_up()
        shell.run("%gemini demo fast")


def test_a_key_that_is_not_typed_is_one_line(shell, monkeypatch):
    def left(_):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", left)
    assert shell.line("%gemini key") == "PromptError: no key was typed; nothing changed"


def test_the_chain_is_there_afterwards(shell):
    """%tb shows all of what one line told, for a bad line, and for an answer that its cell waited for."""
    for cell, place in (("%gemini shwo", "command_of"), (OF_THE_SERVICE[0][0], "transport")):
        last = shell.line(cell)
        shell.run("%tb")
        lines = shell.printed.strip().splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert place in shell.printed
        assert last.partition(": ")[2] in lines[-1]


def test_there_are_many():
    assert len(RUNS) + len(REFUSED) + len(OF_THE_SERVICE) >= 100
    assert len(REFUSED) + len(OF_THE_SERVICE) >= 40
