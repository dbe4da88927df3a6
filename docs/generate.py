"""Write reference/magics.md and reference/settings.md from the program itself (`make docs` and `python docs/generate.py` run it)."""

from __future__ import annotations

from argparse import Action
from collections.abc import Iterable
from pathlib import Path

from nbgemini.notebook.commands import COMMANDS
from nbgemini.notebook.commands.common import syntax
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.magics.help import EXAMPLES, MAP_EXAMPLES, example
from nbgemini.notebook.options import build_map_parser, build_parser

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py: change the help text in the source, not this page. -->"


def pages() -> dict[Path, str]:
    """Return the text of each generated page."""
    return {REFERENCE / "magics.md": _magics(), REFERENCE / "settings.md": _settings()}


def _magics() -> str:
    examples = [f"{_sentence(meaning)}:\n\n```ipython\n{cell}\n```\n" for cell, meaning in map(example, EXAMPLES)]
    commands = [f"| `{_cell(syntax(name))}` | {_cell(command.summary)} |" for name, command in COMMANDS.items()]
    maps = [f"| `%gemini map {line}` | {_cell(meaning)} |" for line, meaning in MAP_EXAMPLES.values()]
    return "\n".join(
        [
            f"# Magics\n\n{NOTE}\n",
            "In a notebook, `%%gemini?` and `%gemini?` show this help.\n",
            "## `%%gemini [options]`\n\n| option | meaning |\n|---|---|",
            *_rows(build_parser().actions),
            "\n### One example for each option\n",
            *examples,
            "## `%gemini COMMAND`\n\n| command | what it does |\n|---|---|",
            *commands,
            "\n## `%gemini map [options] NAME TEMPLATE…`\n",
            "Asks one prompt for each row. For a template of several lines, use a cell that begins with `%%gemini map [options] NAME`.\n",
            "| option | meaning |\n|---|---|",
            *_rows(build_map_parser().actions),
            "\n| example | result |\n|---|---|",
            *maps,
            "",
        ]
    )


def _settings() -> str:
    traits = sorted(Gemini.class_own_traits(config=True).items())
    return "\n".join(
        [
            f"# Settings\n\n{NOTE}\n",
            "In a notebook, `%config Gemini` lists all settings with their values, and `%config Gemini.NAME = VALUE` changes one. In",
            "Python, pass [`Settings(…)`](python-api.md#settings) to `Client`.\n",
            "## `%config Gemini`\n\n| setting | default | meaning |\n|---|---|---|",
            *(f"| `{name}` | {_default(trait)} | {_cell(trait.help)} |" for name, trait in traits),
            "\n## Environment variables\n",
            "| variable | meaning |\n|---|---|",
            "| `GOOGLE_API_KEY`, `GEMINI_API_KEY` | the key for Gemini; the first wins, as in google-genai |",
            "| `GOOGLE_GEMINI_BASE_URL` | the base URL of the Gemini API |",
            "| `GOOGLE_GENAI_API_VERSION` | the version of the Gemini API; `v1beta` by default |",
            "| `GOOGLE_CLOUD_PROJECT`, `GOOGLE_CLOUD_LOCATION` | for `vertex:` |",
            "| `ANTHROPIC_API_KEY`, `OPENAI_API_KEY`, … | keys and addresses of [other services](../how-to/other-services.md) |",
            "| `NBGEMINI_CACHE` | the cache, like the setting `cache`; use it for an address that contains a password |",
            "| `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` | proxies; requests to this machine never use one |",
            "",
        ]
    )


def _rows(actions: Iterable[Action]) -> list[str]:
    return [
        f"| `{', '.join(action.option_strings)}{' ' + str(action.metavar) if action.metavar else ''}` | {_cell((action.help or '') % {})} |"
        for action in actions
    ]


def _sentence(text: str) -> str:
    return text if "." in text.split(maxsplit=1)[0] else text[:1].upper() + text[1:]


def _default(trait: object) -> str:
    value = trait.default_value  # type: ignore[attr-defined]
    return "`{}`" if "Undefined" in repr(value) else f"`{value!r}`" if value != "" else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
