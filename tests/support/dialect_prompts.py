"""What the tests of the dialects share: prompts with directives, and the tool that they call."""

from __future__ import annotations

import json

SUM = "what is 2 + 3"
CALLS = "call weather(city='Rome') and call weather(city='Oslo')"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
SAID = [["thought", "let me see"], ["answer", "first."], ["call", "weather", {"city": "Rome"}]]


def told(**directive):
    return f"offline: {json.dumps(directive)}"


def sunny(city):
    return f"sunny in {city}"
