"""The manuals of `%%gemini?` and `%gemini?`, and an example for every option, each of which a test runs."""

from __future__ import annotations

from nbgemini.notebook.commands import COMMANDS
from nbgemini.notebook.magics.options import build_parser

EXAMPLES: dict[str, tuple[str, str, str]] = {  # by option: the rest of its line, a prompt, and what comes of it
    "--model": ("gemini-3.8-flash", "Why is the sky blue?", "this model, for this prompt"),
    "--chat": ("tutor", "What is a prime number?", 'the chat "tutor"; without -c it is "main"'),
    "--once": ("", "Name three colours.", "no history, neither read nor written"),
    "--out": ("reply", "Name three colours.", "the next cell can use reply.text, and waits for it"),
    "--tools": ("weather", "How is the weather in Oslo?", "may call your function weather; each call asks on its card"),
    "--approve": ("auto -t weather", "How is the weather in Oslo?", "calls run unasked"),
    "--attach": ("fig -a notes.txt", "What do you see?", "a figure and a file go with the prompt"),
    "--context": ("2", "Is that right?", "the last two cells and what came of them go with the prompt"),
    "--search": ("", "Who won yesterday?", "answers from the web, with its sources"),
    "--run-code": ("", "What is the sum of the first 50 primes?", "the model runs Python at the service"),
    "--urls": ("", "Summarise https://example.com", "the service reads the page"),
    "--system": ('"Answer as a patient teacher."', "What is a prime number?", "from now on, in this chat"),
    "--think": ("high", "Is 2^31 - 1 prime?", "think hard; off, low, medium, or a number of tokens"),
    "--temperature": ("0.2", "Name three colours.", "few surprises"),
    "--max-tokens": ("400", "Tell me of the sea.", "a short answer"),
    "--seed": ("7", "Roll a die.", "the same choices each time, as far as the model can"),
    "--stop-at": ('"###"', "Write two sections.", "ends before this text"),
    "--schema": ("list[Planet] -o reply", "The planets, please.", "reply.parsed is a list of your Planet"),
    "--format": ("code", "Write a generator of primes.", "only code, which goes into a new cell"),
    "--wait": ("", "Name three colours.", "the cell ends when the answer does; the kernel goes on meanwhile"),
    "--no-wait": ("", "Name three colours.", "the cell ends at once, even where nobody sits"),
    "--record": ("colours.gemini.jsonl --once", "Name three colours.", "the answer goes into this cassette too"),
    "--replay": ("colours.gemini.jsonl --once", "Name three colours.", "and comes out of it: no key, no network"),
    "--fresh": ("--once", "Name three colours.", "a new answer, even if %config Gemini.cache has one"),
    "--timeout": ("30", "Tell me of the sea.", "at most 30 seconds for the whole answer"),
}

_HEAD = """Ask Gemini; the answer streams below the cell while other cells run.

  %%gemini [options]
  the prompt, as many lines as you like; {name} and {name.attribute} stand for values of the notebook (tables, figures, files
  too), every other brace for itself

Options:"""


def example(option: str) -> tuple[str, str]:
    """Return the cell that shows an option, and what comes of it."""
    rest, prompt, meaning = EXAMPLES[option]
    return f"%%gemini {_short(option)} {rest}".rstrip() + f"\n{prompt}", meaning


def manual() -> str:
    """Return the text of `%%gemini?`: usage, options with their meaning, and an example of each."""
    rows = [
        f"  {', '.join(action.option_strings)}{' ' + str(action.metavar) if action.metavar else ''}\n"
        f"      {(action.help or '') % {}}"
        for action in build_parser()._actions  # noqa: SLF001 - argparse has no public list of its options
    ]
    lines = ((example(option)[0].splitlines()[0], example(option)[1]) for option in EXAMPLES)
    examples = [f"  {line:42} {meaning}" for line, meaning in lines]
    commands = f"Commands: %gemini, {', '.join(f'%gemini {name}' for name in COMMANDS if name)} (%gemini? explains them)."
    return "\n".join([_HEAD, *rows, "", "Examples:", *examples, "", commands, "Settings: %config Gemini."])


def commands_manual() -> str:
    """Return the text of `%gemini?`."""
    rows = [f"  %gemini {name:8} {(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items()]
    return "\n".join(["Everything about Gemini that is not a prompt (prompts: %%gemini).", "", *rows])


def _short(option: str) -> str:
    names = next(action.option_strings for action in build_parser()._actions if option in action.option_strings)  # noqa: SLF001
    return str(names[0])
