"""The form of an answer is asked for where the model can give it, and refused in words where it can't."""

from __future__ import annotations

import json

import pytest

from nbgemini.chat.structured_output import with_schema_format
from nbgemini.errors import PromptError
from nbgemini.messages.turns import Declaration, Options
from nbgemini.providers.gemini.models import answer_format

JSON = {"responseMimeType": "application/json"}
TOOL = Declaration("f", "d", {})


def options(**said):
    return with_schema_format(Options(**{"model": "gemini-3.8-flash", **said}))


def test_text_is_asked_for_in_no_words():
    assert answer_format(options()) == {}
    assert options().instruction is None


def test_json_is_asked_for_with_its_schema_or_without():
    assert answer_format(options(format="json")) == JSON
    asked = answer_format(options(schema=list[int]))
    assert asked["responseMimeType"] == "application/json"
    assert '"integer"' in json.dumps(asked["responseJsonSchema"])


@pytest.mark.parametrize("offer", [{"tools": (TOOL,)}, {"search": True}, {"run_code": True}, {"urls": True}])
def test_a_model_that_gives_json_or_calls_is_asked_for_one_of_them(offer):
    assert answer_format(options(format="json", **offer)) == JSON
    with pytest.raises(PromptError, match="gemini-2.5-flash can't combine JSON with tools"):
        answer_format(options(model="gemini-2.5-flash", format="json", **offer))


def test_code_is_asked_for_behind_the_users_own_words():
    said = options(format="code", system="Be brief.").instruction
    assert said.startswith("Be brief.\n\n")
    assert len(said) > 20
