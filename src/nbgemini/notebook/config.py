"""The settings that `%config Gemini` lists, as traitlets; a wrong value is refused in one line."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from traitlets import Bool, CaselessStrEnum, Dict, Float, Int, TraitError, Unicode, Union, observe, validate
from traitlets.config import Configurable

from nbgemini._environment import HOST
from nbgemini.errors import ConfigurationError

_OF_TRAITLETS = ("The ", "Values of", "Keys of", "Elements of")  # the beginnings of its messages, which speak of traits


def _refusal(trait: Any, problem: str) -> TraitError:
    """Return an error after which traitlets undoes the change; %config shows it as it is."""
    return TraitError(f"Gemini.{trait.name}: {problem} → {trait.help}")


@contextmanager
def _refusing(proposal: Any) -> Iterator[None]:
    """Refuse what others find wrong inside."""
    try:
        yield
    except (ConfigurationError, argparse.ArgumentTypeError) as error:
        raise _refusal(proposal["trait"], str(error)) from None


class Gemini(Configurable):
    """The settings of %%gemini; an empty setting means the default of the environment or the service."""

    model = Unicode("", help="Model to ask; empty: gemini-flash-latest.")
    aliases = Dict(
        key_trait=Unicode(), value_trait=Unicode(), help='Short names of models for -m: {"fast": "gemini-3.5-flash-lite"}.'
    )
    chat = Unicode("main", help="Chat of all prompts without -c.")
    think = Union(
        [Unicode(), Int()],
        default_value="",
        help="How much to think: off, low, medium, high … or a token budget; empty: the model's default.",
    )
    system = Unicode("", help="System instruction of new chats.")
    format = CaselessStrEnum(
        ["markdown", "code", "json", "text"],
        default_value="markdown",
        help="Format of answers without -f: markdown, code, json or text.",
    )
    approve = CaselessStrEnum(
        ["ask", "auto", "never"],
        default_value="ask",
        help="When tool calls may run. ask: after your approval. auto: without asking. never: not at all.",
    )
    wait = Union(
        [Bool(), CaselessStrEnum(["auto"])],
        default_value="auto",
        help="True: a cell waits for its answer. False: it returns at once. auto: it waits in unattended runs.",
    )
    widgets = Bool(default_value=True, help="Stream through widgets. False: as plain HTML, updated a few times a second.")
    live = Bool(default_value=True, help="False: show an answer only when it is complete, for consoles that can't update it.")
    show_duration = Bool(
        default_value=True,
        help="False: hide durations in outputs, so that two runs of a notebook can be compared.",
    )
    latex = Bool(
        default_value=True,
        help="Save answers with headings, lists, tables, formulas or code also as LaTeX, for LaTeX and PDF by nbconvert.",
    )
    updates_per_second = Float(10.0, min=0.1, help="How often the display of one answer is updated at most.")
    connect_timeout = Float(10.0, min=0.001, help="Seconds to wait for a connection.")
    write_timeout = Float(60.0, min=0.001, help="Seconds to wait for the service to accept the next piece of a request.")
    first_timeout = Float(120.0, min=0.001, help="Seconds to wait for the first byte of an answer.")
    gap_timeout = Float(120.0, min=0.001, help="Seconds without any data after which a stream counts as broken.")
    content_timeout = Float(
        300.0, min=0.001, help="Seconds without content after which a stream that still sends data counts as broken."
    )
    retries = Int(2, min=0, help="How often a request is retried after a transient failure; 0: never.")
    max_streams = Int(1000, min=1, help="Concurrency limit: how many requests are open at once; further requests wait.")
    services = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help='Your own services that speak Chat Completions: {"mine": "http://127.0.0.1:9000/v1"} for -m mine:MODEL.',
    )
    source = CaselessStrEnum(
        ["rest", "sdk"],
        default_value="rest",
        help="What sends requests. rest: nbgemini itself. sdk: the services' own clients (google-genai, anthropic, openai).",
    )
    allow_secrets = Bool(default_value=False, help="True: send prompts even if they contain what looks like an API key.")
    journal = Unicode(
        "auto",
        help="File that records prompts and answers. auto: nbgemini/journal.sqlite3 in Jupyter's data directory. off: none.",
    )
    cache = Unicode(
        "",
        help="Cache of complete answers, so that the same prompt is not paid for twice: off, memory, sqlite, sqlite:PATH, "
        "redis://HOST:PORT/DB. Empty: the value of NBGEMINI_CACHE, else off.",
    )
    cache_hours = Float(168.0, min=0.001, help="How many hours an answer stays in the cache.")
    prices = Unicode("", help="JSON file of prices; empty: the package's own list, whose date %gemini models shows.")

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a setting, or raise ConfigurationError: the value is wrong; nothing is changed."""
        try:
            super().__setattr__(name, value)
        except TraitError as error:
            if str(error).startswith(_OF_TRAITLETS):
                error = _refusal(self.traits()[name], f"it can't be {repr(value)[:80]}")
            raise ConfigurationError(" ".join(str(error).split())) from None

    @observe("show_duration", "latex")
    def _tell_host(self, _change: Any) -> None:
        HOST.durations, HOST.latex = self.show_duration, self.latex

    @validate("chat")
    def _check_chat(self, proposal: Any) -> str:
        return str(proposal["value"]) or "main"

    @validate(
        "updates_per_second",
        "connect_timeout",
        "write_timeout",
        "first_timeout",
        "gap_timeout",
        "content_timeout",
        "cache_hours",
    )
    def _check_number(self, proposal: Any) -> float:
        if not math.isfinite(proposal["value"]):
            raise _refusal(proposal["trait"], f"it can't be {proposal['value']}")
        return float(proposal["value"])

    @validate("think")
    def _check_think(self, proposal: Any) -> str:
        from nbgemini.notebook.options import think_level  # noqa: PLC0415 - %load_ext stays quick

        with _refusing(proposal):
            return str(think_level(str(proposal["value"]))) if proposal["value"] != "" else ""

    @validate("cache")
    def _check_cache(self, proposal: Any) -> str:
        from nbgemini.cache.cache import check_cache_setting  # noqa: PLC0415 - same

        with _refusing(proposal):
            check_cache_setting(proposal["value"] or "off")
        return str(proposal["value"]).strip()

    @validate("services")
    def _check_services(self, proposal: Any) -> dict[str, str]:
        from nbgemini.services import compatible  # noqa: PLC0415 - same

        with _refusing(proposal):
            for name, address in proposal["value"].items():
                compatible(name, address, {})
        return dict(proposal["value"])

    @validate("prices")
    def _check_prices(self, proposal: Any) -> str:
        from nbgemini._storage import user_path  # noqa: PLC0415 - same
        from nbgemini.prices import read_prices  # noqa: PLC0415 - same

        if not proposal["value"].strip():
            return ""
        path = user_path(proposal["value"]).resolve()
        with _refusing(proposal):
            read_prices(path)
        return str(path)


for _setting in Gemini.class_own_traits().values():
    _setting.tag(config=True)


def settings_of(shell: Any) -> Gemini:
    """Return the settings that the shell's configuration holds; a wrong one is reported and dropped, so that loading succeeds.

    It comes from a configuration file, or from a %config line that was refused: IPython keeps its value all the same.
    """
    try:
        return Gemini(parent=shell)
    except Exception:  # noqa: BLE001 - what is no setting's fault is raised again at the end
        section = shell.config.Gemini
    for name, value in list(section.items()):
        try:
            setattr(Gemini(), name, value)
        except ConfigurationError as error:
            del section[name]
            sys.stdout.write(f"ignored a setting: {error}\n")
    sys.stdout.flush()
    return Gemini(parent=shell)
