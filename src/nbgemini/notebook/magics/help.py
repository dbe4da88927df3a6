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
    "--model": ("gemini-3.8-flash", "Why is the sky blue?", "this model, for this prompt"),
    "--chat": ("tutor", "What is a prime number?", 'the chat "tutor"; without -c it is "main"'),
    "--once": ("", "Name three colours.", "no history is read or written"),
    "--out": ("reply", "Name three colours.", "the next cell can use reply.text, and waits for it"),
    "--tools": ("weather", "How is the weather in Oslo?", "may call your function weather; each call asks on its card"),
    "--approve": ("auto -t weather", "How is the weather in Oslo?", "calls run without asking"),
    "--attach": ("fig -a notes.txt", "What do you see?", "a figure and a file are sent with the prompt"),
    "--context": ("2", "Is that right?", "the last two cells and their outputs are sent with the prompt"),
    "--search": ("", "Who won yesterday?", "answers from the web, with its sources"),
    "--run-code": ("", "What is the sum of the first 50 primes?", "the model runs Python at the service"),
    "--urls": ("", "Summarise https://example.com", "the service reads the page"),
    "--system": ('"Answer as a patient teacher."', "What is a prime number?", "from now on, in this chat"),
    "--think": ("high", "Is 2^31 - 1 prime?", "think hard"),
    "--temperature": ("0.2", "Name three colours.", "few surprises"),
    "--max-tokens": ("400", "Tell me of the sea.", "a short answer"),
    "--seed": ("7", "Roll a die.", "the same choices each time, as far as the model can"),
    "--stop-at": ('"###"', "Write two sections.", "ends before this text"),
    "--schema": ("list[Planet] -o reply", "The planets, please.", "reply.parsed is a list of your Planet"),
    "--format": ("code", "Write a generator of primes.", "only code, which goes into a new cell"),
    "--wait": ("", "Name three colours.", "the cell ends when the answer does; the kernel stays responsive"),
    "--no-wait": ("", "Name three colours.", "the cell ends at once, even in unattended runs"),
    "--record": ("colours.gemini.jsonl --once", "Name three colours.", "the answer is also recorded in this cassette"),
    "--replay": ("colours.gemini.jsonl --once", "Name three colours.", "and replayed from it: no key, no network"),
    "--fresh": ("--once", "Name three colours.", "a new answer, even if %config Gemini.cache has one"),
    "--timeout": ("30", "Tell me of the sea.", "at most 30 seconds for the whole answer"),
}

MAP_EXAMPLES: dict[str, tuple[str, str]] = {  # by option: a line, and what it does
    "--model": ("-m gemini-3.8-flash df Summarise: {text}", "this model for all rows"),
    "--out": ("-o short df Summarise: {text}", "short.texts in the next cell, which waits for it"),
    "--into": ("--into summary df Summarise: {text}", 'df["summary"] has the answers'),
    "--concurrency": ("-n 50 df Summarise: {text}", "fifty rows at once, if the service allows them"),
    "--first": ("--first 2 df Summarise: {text}", "a trial of two rows; the whole map later does not pay for them again"),
    "--fresh": ("--fresh df Summarise: {text}", "new answers for all rows"),
    "--schema": ("--schema Planet df Which planet is it? {text}", f"{LAST_MAP}.to_frame() has the fields as columns"),
    "--system": ('-s "Answer in one word." df.text What is it? {text}', "one column alone"),
    "--think": ("-k low df Is it good? {text}", "think little"),
    "--temperature": ("--temperature 0.2 df Name it: {text}", "few surprises"),
    "--max-tokens": ("--max-tokens 400 df Tell more of {text}", "short answers"),
    "--seed": ("--seed 7 df Roll a die for {text}", "the same choices each time, as far as the model can"),
    "--timeout": ("--timeout 30 df Summarise: {text}", "at most 30 seconds for a row"),
    "--wait": ("-w df Summarise: {text}", "the cell ends when all rows are done"),
    "--no-wait": ("--no-wait df Summarise: {text}", "the cell ends at once, even in unattended runs"),
}

_DETAILS = {  # by command: what its own help says beyond its line in the list
    "fix": "A HINT says what you expected. It is no part of a chat, unless -c names one.",
    "explain": "Without an argument it is about the last cell. It is no part of a chat, unless -c names one.",
    "load": "Without an argument it is the current chat. NEW_NAME keeps it apart from a chat that was begun since.",
    "usage": "Without a period it is everything in the journal, by model. Waiting times are medians.",
    "export": "Without CHAT it is the current one. --thoughts writes the thoughts too (.md); --force overwrites a file.",
    "replay": "A prompt that it does not hold is an error; --live sends it on. --speed 2: twice as fast; now: no pauses.",
    "key": "You are asked for it in a field that shows nothing; no notebook saves it. Services: anthropic, openai, vertex, …",
}

_PROMPT_HEAD = """Ask Gemini; the answer streams below the cell while other cells run.

  %%gemini [OPTIONS]
  the prompt, as many lines as you like; {name} and {name.attribute} stand for values of the notebook (tables, figures, files
  too), every other brace for itself

Options:"""

_MAP_HEAD = f"""Ask one prompt for each row of a DataFrame, list or column; {LAST_MAP} has the rows and their answers, in order.

  %gemini map [OPTIONS] NAME TEMPLATE

or, with the template on the lines below, %%gemini map [OPTIONS] NAME.

In the template {{column}} stands for a value of the row, {{row}} for the whole row, every other brace for itself; a plain value
without {{row}} in the template follows it. All rows together wait when the service limits the rate. An answered row is not paid
for twice: the same line continues where it was stopped, in another kernel too. A row that fails does not stop the others.

Options:"""


def example(option: str) -> tuple[str, str]:
    """Return the cell that shows an option, and what it does."""
    rest, prompt, meaning = EXAMPLES[option]
    return f"%%gemini {build_parser().options[option].option_strings[0]} {rest}".rstrip() + f"\n{prompt}", meaning


def prompt_help() -> str:
    """Return the text of `%%gemini?`: usage, options, and an example of each."""
    examples = (example(option) for option in EXAMPLES)
    lines = [f"  {cell.splitlines()[0]:42} {meaning}" for cell, meaning in examples]
    commands = f"Commands: %gemini, {', '.join(f'%gemini {name}' for name in COMMANDS if name)} (%gemini help explains them)."
    rows = map(_option_help, build_parser().actions)
    return "\n".join([_PROMPT_HEAD, *rows, "", "Examples:", *lines, "", commands, "Settings: %config Gemini."])


def commands_help() -> str:
    """Return the text of `%gemini?` and `%gemini help`: every command in one line."""
    rows = [f"  {f'%gemini {name}':18} {command.summary}" for name, command in COMMANDS.items()]
    more = "More: %gemini help COMMAND · the options of prompts: %%gemini? · settings: %config Gemini"
    return "\n".join(["Prompts go below %%gemini; everything else is a %gemini command:", "", *rows, "", more])


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
