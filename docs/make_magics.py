"""Write magics.md from the parser, so that the page and the program can't disagree (`python docs/make_magics.py`)."""

from __future__ import annotations

from argparse import Action
from collections.abc import Iterable
from pathlib import Path

from nbgemini.notebook.commands import COMMANDS
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.magics.help import EXAMPLES, example
from nbgemini.notebook.magics.map_help import MAP_EXAMPLES, actions
from nbgemini.notebook.magics.options import build_parser

PAGE = Path(__file__).with_name("magics.md")


def page() -> str:
    """Return the page."""
    options = _options(build_parser()._actions)  # noqa: SLF001 - argparse has no public list of its options
    maps = [f"| `%gemini map {line}` | {meaning} |" for line, meaning in MAP_EXAMPLES.values()]
    examples = [f"{meaning[:1].upper()}{meaning[1:]}:\n\n```\n{cell}\n```\n" for cell, meaning in map(example, EXAMPLES)]
    commands = [f"| `%gemini {name}` | {(run.__doc__ or '').splitlines()[0]} |" for name, run in COMMANDS.items()]
    settings = [
        f"| `{name}` | {trait.default_value!r} | {trait.help} |"
        for name, trait in sorted(Gemini.class_own_traits(config=True).items())
    ]
    return "\n".join(
        [
            "# The magics\n\nMade from the parser by `docs/make_magics.py`.\n\n## `%%gemini [options]`\n\n| option | meaning |\n|---|---|",
            *options,
            "\n### An example of each\n\nA test runs them all.\n",
            *examples,
            "## `%gemini COMMAND`\n\n| command | does |\n|---|---|",
            *commands,
            "\n## `%gemini map [options] NAME TEMPLATE…`\n\nOne prompt for each row; a template of several lines is the text of a cell `%%gemini map [options] NAME`.\n\n| option | meaning |\n|---|---|",
            *_options(actions()),
            "\n| example | what comes of it |\n|---|---|",
            *maps,
            "\n## `%config Gemini`\n\n| setting | default | meaning |\n|---|---|---|",
            *settings,
            "",
        ]
    )


def _options(actions: Iterable[Action]) -> list[str]:
    return [
        f"| `{', '.join(action.option_strings)}{' ' + str(action.metavar) if action.metavar else ''}` | {(action.help or '') % {}} |"
        for action in actions
    ]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
