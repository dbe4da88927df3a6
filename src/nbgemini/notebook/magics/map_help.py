"""The manual of `%gemini map`, made from its parser, and an example of every option, each of which a test runs."""

from __future__ import annotations

import argparse

from nbgemini.notebook.magics.map_options import OUT, build_map_parser

MAP_EXAMPLES: dict[str, tuple[str, str]] = {  # by option: a line, and what comes of it
    "--model": ("-m gemini-3.8-flash df Summarise: {text}", "this model for all rows"),
    "--out": ("-o short df Summarise: {text}", "short.texts in the next cell, which waits for it"),
    "--into": ("--into summary df Summarise: {text}", 'df["summary"] has the answers'),
    "--concurrency": ("-n 50 df Summarise: {text}", "fifty rows at once, if the service lets them"),
    "--first": ("--first 2 df Summarise: {text}", "a trial of two rows; the whole map later does not pay for them again"),
    "--fresh": ("--fresh df Summarise: {text}", "new answers for all rows"),
    "--schema": ("--schema Planet df Which planet is it? {text}", f"{OUT}.to_frame() has the fields as columns"),
    "--system": ('-s "Answer in one word." df.text What is it? {text}', "one column alone"),
    "--think": ("-k low df Is it good? {text}", "think little"),
    "--temperature": ("--temperature 0.2 df Name it: {text}", "few surprises"),
    "--max-tokens": ("--max-tokens 400 df Tell more of {text}", "short answers"),
    "--seed": ("--seed 7 df Roll a die for {text}", "the same choices each time, as far as the model can"),
    "--timeout": ("--timeout 30 df Summarise: {text}", "at most 30 seconds for a row"),
    "--wait": ("-w df Summarise: {text}", "the cell ends when all rows have"),
    "--no-wait": ("--no-wait df Summarise: {text}", "the cell ends at once, even where nobody sits"),
}

_HEAD = f"""Ask one prompt for each row of a DataFrame, list or column; the rows come in {OUT}, in their order.

  %gemini map [options] NAME TEMPLATE…

or, with a template of several lines below it, %%gemini map [options] NAME.

In the template {{column}} stands for a value of the row, {{row}} for the row itself, every other brace for itself; a plain
value that no {{row}} stands for follows the template. Limits of the service are waited out by all rows together. A row that has
its answer is not paid twice: the same line goes on where it was stopped, in another kernel too. A row that fails is its own
affair.

Options:"""


def actions() -> list[argparse.Action]:
    """Return the options."""
    return [action for action in build_map_parser()._actions if action.help != argparse.SUPPRESS]  # noqa: SLF001 - no public list


def manual() -> str:
    """Return the text that `%gemini map` shows without anything behind it."""
    rows = [
        f"  {', '.join(action.option_strings)}{' ' + str(action.metavar) if action.metavar else ''}\n"
        f"      {(action.help or '') % {}}"
        for action in actions()
    ]
    examples = [f"  %gemini map {line:55} {meaning}" for line, meaning in MAP_EXAMPLES.values()]
    return "\n".join([_HEAD, *rows, "", "Examples:", *examples, "", "In Python: await client.map(template, rows, …)", ""])
