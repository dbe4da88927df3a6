"""docs/how-to/other-services.md says what each service supports: its table is what the codecs do, and its services are those that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Declaration, Options, Schema, Turn
from nbgemini.providers.base import codec_of
from nbgemini.services import KNOWN

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "other-services.md").read_text(encoding="utf-8")
NEWEST = {
    "gemini": "gemini-3.8-flash",
    "interactions": "gemini-3.8-flash",
    "anthropic": "claude-sonnet-5-5",
    "openai": "gpt-5.6",
    "openai-chat": "gpt-5.6",
}
TOOL = Declaration("f", "Do.", {"type": "object", "properties": {"a": {"type": "integer"}}})
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
OPTIONS = {
    "-t": {"tools": (TOOL,)},
    "-k low": {"think": "low"},
    "--schema": {"schema": Schema("T", OBJECT, str)},
    "-f json": {"format": "json"},
    "--search": {"search": True},
    "--run-code": {"run_code": True},
    "--urls": {"urls": True},
    "--temperature": {"temperature": 0.5},
    "--seed": {"seed": 1},
    "--stop-at": {"stop_at": ("x",)},
}
FILES = {".png": "image/png", ".pdf": "application/pdf", ".wav": "audio/wav", ".mp4": "video/mp4"}


def rows():
    """Every row of the table of what each takes: what is taken, service, and what the page says."""
    lines = PAGE.split("## What each service supports")[1].split("## One chat")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    head = cells[0][1:]
    return [(row[0], service, said) for row in cells[2:] for service, said in zip(head, row[1:], strict=True)]


def asked(what):
    (code,) = re.findall(r"`(.+?)`", what)
    kind = FILES.get(f".{code.rpartition('.')[2]}")
    file = ({"inlineData": {"mimeType": kind, "data": "AAAA"}},) if kind else ()
    return Turn("user", ({"text": "x"}, *file)), {} if kind else OPTIONS[code]


@pytest.mark.parametrize(("what", "service", "said"), rows())
def test_the_table_says_what_the_codecs_take(what, service, said):
    turn, options = asked(what)
    try:
        codec_of(service, "v1beta").encode([turn], Options(model=NEWEST[service], **options))
    except PromptError:
        assert said == "no"
    else:
        assert said == "yes"


def test_every_service_has_its_line():
    table = PAGE.split("## What each service supports")[0]
    assert {name for name in re.findall(r"`([a-z-]+)`", table) if name in KNOWN} == set(KNOWN)
    for service in KNOWN.values():
        assert all(name in table for name in (*service.key_names, *service.url_names))
