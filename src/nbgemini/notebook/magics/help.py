"""The help of `%%gemini` and `%gemini`, with an example of every option; a test runs each example."""

from __future__ import annotations

import sys
from argparse import Action
from importlib.metadata import version

from nbgemini.errors import PromptError, nearest
from nbgemini.notebook.commands import COMMANDS, VERSION_FLAG
from nbgemini.notebook.commands.common import syntax
from nbgemini.notebook.options import LAST_MAP, build_map_parser, build_parser

EXAMPLES: dict[str, tuple[str, str, str]] = {  # by option: the rest of its line, a prompt, and what it does
    "--model": ("gemini-3.8-flash", "Why is the sky blue?", "ask this model"),
    "--chat": ("tutor", "What is a prime number?", 'continue the chat "tutor" (default: "main")'),
    "--once": ("", "Name three colours.", "ask without history"),
    "--out": ("reply", "Name three colours.", "use reply.text in the next cell, which waits for it"),
    "--tools": ("weather", "How is the weather in Oslo?", "let the model call your function weather, after your approval"),
    "--approve": ("auto -t weather", "How is the weather in Oslo?", "run the calls without asking"),
    "--attach": ("fig -a notes.txt", "What do you see?", "send a figure and a file too"),
    "--context": ("2", "Is that right?", "send the last two cells and their output too"),
    "--search": ("", "Who won yesterday?", "search the web, and list the sources"),
    "--run-code": ("", "What is the sum of the first 50 primes?", "let the model run Python code at the service"),
    "--urls": ("", "Summarise https://example.com", "let the service read the page"),
    "--system": ('"Answer as a patient teacher."', "What is a prime number?", "set the system instruction of this chat"),
    "--think": ("high", "Is 2^31 - 1 prime?", "think longer"),
    "--temperature": ("0.2", "Name three colours.", "more predictable wording"),
    "--max-tokens": ("400", "Tell me about the sea.", "a short answer"),
    "--seed": ("7", "Roll a die.", "more repeatable answers"),
    "--stop-at": ('"###"', "Write two sections.", "stop before this text"),
    "--schema": ("list[Planet] -o reply", "List the planets.", "get a list of Planet objects in reply.parsed"),
    "--format": ("code", "Write a generator of primes.", "get only code, for a new cell"),
    "--wait": ("", "Name three colours.", "wait for the answer; the kernel stays responsive"),
    "--no-wait": ("", "Name three colours.", "return at once, even in unattended runs"),
    "--record": ("colours.gemini.jsonl --once", "Name three colours.", "also record the answer in this cassette"),
    "--replay": ("colours.gemini.jsonl --once", "Name three colours.", "replay it, without key or network"),
    "--fresh": ("--once", "Name three colours.", "ask again, even if the answer is in the cache"),
    "--timeout": ("30", "Tell me about the sea.", "stop after 30 seconds"),
}

MAP_EXAMPLES: dict[str, tuple[str, str]] = {  # by option: a line, and what it does
    "--model": ("-m gemini-3.8-flash df Summarise: {text}", "ask this model"),
    "--out": ("-o short df Summarise: {text}", "use short.texts in the next cell, which waits for it"),
    "--into": ("--into summary df Summarise: {text}", 'put the answers into df["summary"]'),
    "--concurrency": ("-n 50 df Summarise: {text}", "ask up to 50 rows at once"),
    "--first": ("--first 2 df Summarise: {text}", "try two rows; a later run of all rows reuses their answers"),
    "--fresh": ("--fresh df Summarise: {text}", "ask all rows again"),
    "--schema": (
        "--schema Planet df Which planet is it? {text}",
        "get objects; to_frame() has their fields as columns",
    ),
    "--system": ('-s "Answer in one word." df.text What is it? {text}', "use one column, with a system instruction"),
    "--think": ("-k low df Is it good? {text}", "think less"),
    "--temperature": ("--temperature 0.2 df Name it: {text}", "more predictable wording"),
    "--max-tokens": ("--max-tokens 400 df Tell me more about {text}", "short answers"),
    "--seed": ("--seed 7 df Roll a die for {text}", "more repeatable answers"),
    "--timeout": ("--timeout 30 df Summarise: {text}", "at most 30 seconds per row"),
    "--wait": ("-w df Summarise: {text}", "wait until all rows are done"),
    "--no-wait": ("--no-wait df Summarise: {text}", "return at once, even in unattended runs"),
}

_DETAILS = {  # by command: what its own help says beyond its line in the list
    "fix": "HINT is what you expected or suspect. Question and answer are part of no chat unless -c names one.",
    "explain": "Without an argument: the last cell. Question and answer are part of no chat unless -c names one.",
    "load": "Without CHAT it loads the current one. NEW_NAME is needed if a chat of that name has begun in this session.",
    "usage": "Default: everything in the journal, by model. Waiting times are medians.",
    "export": "Without CHAT it writes the current one. --thoughts writes the thoughts too (.md); --force overwrites a file.",
    "replay": "An unrecorded prompt is an error; --live sends it to the live service. --speed 2: twice as fast; now: at once.",
    "key": "You type it into a hidden field; it is not saved in the notebook. Services: anthropic, openai, …",
}

_PROMPT_HEAD = """Ask Gemini; the answer streams below the cell while other cells run.

  %%gemini [OPTIONS]
  the prompt, as many lines as you like

{name} and {name.attribute} are placeholders for values of the notebook: text, tables, figures, files. All other braces stay as
typed.

Options:"""

_MAP_HEAD = f"""Ask one prompt for each row of a DataFrame, list or column. The rows with their answers are in {LAST_MAP}.

  %gemini map [OPTIONS] NAME TEMPLATE

or, with the template on the lines below, %%gemini map [OPTIONS] NAME.

In the template, {{column}} is a value of the row, {{row}} the whole row; all other braces stay as typed. Where rows are plain
values and the template has no {{row}}, the value follows at the end. When the service limits the rate, all rows wait. Answered
rows are never paid for twice: run the same line again to continue a stopped map, even in another kernel. A row that fails does
not stop the others.

Options:"""


def example(option: str) -> tuple[str, str]:
    """Return the cell that shows an option, and what it does."""
    rest, prompt, meaning = EXAMPLES[option]
    return f"%%gemini {build_parser().options[option].option_strings[0]} {rest}".rstrip() + f"\n{prompt}", meaning


def prompt_help() -> str:
    """Return the text of `%%gemini?`: usage, options, and an example of each."""
    examples = (example(option) for option in EXAMPLES)
    lines = [f"  {cell.splitlines()[0]:45} {meaning}" for cell, meaning in examples]
    commands = f"Commands: %gemini, {', '.join(f'%gemini {name}' for name in COMMANDS if name)} (%gemini help explains them)."
    rows = map(_option_help, build_parser().actions)
    return "\n".join([_PROMPT_HEAD, *rows, "", "Examples:", *lines, "", commands, "Settings: %config Gemini."])


def commands_help() -> str:
    """Return the text of `%gemini?` and `%gemini help`: every command in one line."""
    rows = [f"  {f'%gemini {name}':18} {command.summary}" for name, command in COMMANDS.items()]
    more = "More: %gemini help COMMAND · the options of prompts: %%gemini? · settings: %config Gemini"
    return "\n".join(["A prompt is a %%gemini cell; everything else is a %gemini command:", "", *rows, "", more])


def map_help() -> str:
    """Return the help of `%gemini map`."""
    lines = [f"  %gemini map {line:55} {meaning}" for line, meaning in MAP_EXAMPLES.values()]
    rows = map(_option_help, build_map_parser().actions)
    return "\n".join([_MAP_HEAD, *rows, "", "Examples:", *lines, "", "In Python: await client.map(template, rows, …)"])


def topic_help(topic: str) -> str:
    """Return the help of a command, of an option of prompts, or of all commands."""
    topic = topic.strip().removeprefix("%gemini").strip()
    if topic == VERSION_FLAG:
        return f"nbgemini {version('nbgemini')}"
    options = build_parser().options
    if not topic:
        return commands_help()
    if topic == "map":
        return map_help()
    if topic in options:
        option = options[topic]
        cells = [f"\n\n  %%gemini {name} {EXAMPLES[name][0]}".rstrip() for name in option.option_strings if name in EXAMPLES]
        return _option_help(option) + "".join(cells)
    if topic not in COMMANDS:
        raise PromptError(
            f"no command or option {topic!r}{nearest(topic, [*COMMANDS, *options])}; %gemini help lists all commands"
        )
    if topic == "ask":
        return prompt_help()
    takes_options = "[OPTIONS]" in syntax(topic)
    options_text = "Options: those of a prompt, see %%gemini?" if takes_options else ""
    return "\n\n".join(filter(None, (syntax(topic), COMMANDS[topic].summary, _DETAILS.get(topic), options_text)))


def show_help(topic: str) -> None:
    """Print the help of a topic."""
    sys.stdout.write(f"{topic_help(topic)}\n")


def _option_help(option: Action) -> str:
    value = f" {option.metavar}" if option.metavar else f" {'|'.join(option.choices)}" if option.choices else ""
    return f"  {', '.join(option.option_strings)}{value}\n      {(option.help or '') % {}}"
