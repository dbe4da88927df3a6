"""The list of model families is what its readers take it for, and the longest beginning of a name counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nbgemini.providers
from nbgemini.providers.anthropic.models import ClaudeFamily
from nbgemini.providers.common.models import family_of
from nbgemini.providers.gemini.models import GeminiFamily
from nbgemini.providers.openai.common import GptFamily

KINDS = {"gemini": GeminiFamily, "anthropic": ClaudeFamily, "openai": GptFamily}
LISTED = json.loads((Path(nbgemini.providers.__file__).parent / "models.json").read_bytes())


@pytest.mark.parametrize(("provider", "kind"), KINDS.items())
def test_every_family_has_known_fields_of_the_right_types(provider, kind):
    for start, fields in LISTED[provider].items():
        family = family_of(start, provider, kind)
        assert fields.keys() <= set(kind.__struct_fields__)
        assert json.loads(json.dumps({name: getattr(family, name) for name in fields})) == fields


@pytest.mark.parametrize(
    ("provider", "model", "fields"),
    [
        ("gemini", "gemini-2.5-flash-lite-preview", {"lowest": 512, "highest": 24576}),
        ("anthropic", "claude-sonnet-5-5-20261101", {"off": "between_tools"}),
        ("openai", "gpt-5-chat-latest", {"efforts": ()}),
        ("openai", "gpt-5.9", {"efforts": ("minimal", "low", "medium", "high")}),
    ],
)
def test_the_longest_beginning_counts(provider, model, fields):
    assert family_of(model, provider, KINDS[provider]) == KINDS[provider](**fields)


@pytest.mark.parametrize(("provider", "kind"), KINDS.items())
def test_another_name_has_no_family(provider, kind):
    assert family_of("llama3.3:70b", provider, kind) is None
