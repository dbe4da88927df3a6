"""A model that must call calls, one that must not doesn't, and what makes no sense is refused, in every protocol."""

from __future__ import annotations

import anthropic
import openai
import pytest

from tests.fakes.dialects.base import chosen
from tests.support.raw_requests import ask, path, prompt

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}
PLACE = {"type": "OBJECT", "properties": {"place_name": {"type": "STRING"}, "unit": {"type": "STRING", "enum": ["C", "F"]}}}
DECLARED = [
    {"name": "get-weather", "parametersJsonSchema": SCHEMA},
    {"name": "ns.look:up", "parameters": PLACE},
    {"name": "nothing"},
]


def asking(text="hi", **config):
    return prompt(text, tools=[{"functionDeclarations": DECLARED}], toolConfig={"functionCallingConfig": config})


def calls(answer):
    return [(part["functionCall"]["name"], part["functionCall"]["args"]) for part in answer.parts if "functionCall" in part]


@pytest.mark.parametrize(
    ("config", "call"),
    [
        ({"mode": "ANY"}, ("get-weather", {"city": "city 1", "days": 1})),
        ({"mode": 2}, ("get-weather", {"city": "city 1", "days": 1})),
        ({"mode": "ANY", "allowedFunctionNames": ["ns.look:up"]}, ("ns.look:up", {"place_name": "place_name 1", "unit": "C"})),
        ({"mode": "any", "allowed_function_names": ["nothing"]}, ("nothing", {})),
    ],
)
async def test_a_model_that_must_call_calls_with_arguments_of_the_types(service, config, call):
    assert calls(await ask(service, path(), asking(**config))) == [call]


async def test_it_must_call_after_an_answer_too(service):
    first = await ask(service, path(), asking(mode="ANY"))
    part = next(part for part in first.parts if "functionCall" in part)
    answered = {"functionResponse": {"name": "get-weather", "id": part["functionCall"]["id"], "response": {"r": 1}}}
    body = asking(mode="ANY")
    body["contents"] += [{"role": "model", "parts": [part]}, {"role": "user", "parts": [answered]}]
    assert len(calls(await ask(service, path(), body))) == 1
    body["toolConfig"] = {}
    assert calls(await ask(service, path(), body)) == []


@pytest.mark.parametrize(
    ("text", "name", "args"),
    [
        ("call get-weather(city='Rome')", "get-weather", {"city": "Rome"}),
        ("call ns.look:up(place_name='x')", "ns.look:up", {"place_name": "x"}),
    ],
)
async def test_a_name_may_have_hyphens_points_and_colons(service, text, name, args):
    assert calls(await ask(service, path(), asking(text))) == [(name, args)]
    assert calls(await ask(service, path(), asking(text, mode="ANY"))) == [(name, args)]
    assert calls(await ask(service, path(), asking(text, mode="NONE"))) == []


TEXT = {"type": "string"}
TYPED = {
    "getWeather": {"city": TEXT, "unit": {**TEXT, "enum": ["celsius", "fahrenheit"]}},
    "forecast": {"city": TEXT, "sky": {**TEXT, "enum": ["day", "night"]}},
    "distance": {"start": TEXT, "end": TEXT},
    "read_file": {"path": TEXT},
}


@pytest.mark.parametrize(
    ("text", "name", "args"),
    [
        ("weather in paris", "getWeather", {"city": "paris"}),
        ("what's the weather like in new york today?", "getWeather", {"city": "new york"}),
        ("is the weather nice in Oslo, in fahrenheit?", "getWeather", {"city": "Oslo", "unit": "fahrenheit"}),
        ("weather paris", "getWeather", {"city": "paris"}),
        ("weather: paris", "getWeather", {"city": "paris"}),
        ("WEATHER IN PARIS", "getWeather", {"city": "PARIS"}),
        ("weather in rome, celsius or fahrenheit", "getWeather", {"city": "rome"}),
        ("why is the weather so bad?", "", {}),
        ("tell me about the weather", "", {}),
        ("forecast for Paris", "", {}),
        ("forecast for Paris and London", "", {}),
        ("forecast for Paris at night", "forecast", {"city": "Paris", "sky": "night"}),
        ("the distance between paris and rome", "distance", {"start": "paris", "end": "rome"}),
        ("distance from London to rome", "distance", {"start": "London", "end": "rome"}),
        ("distance to rome", "", {}),
        ("read the file notes.txt", "read_file", {"path": "notes.txt"}),
    ],
)
async def test_a_function_that_is_mentioned_is_called_with_what_is_said(service, text, name, args):
    required = [
        {"type": "object", "properties": fields, "required": [key for key in fields if key != "unit"]}
        for fields in TYPED.values()
    ]
    declared = [{"name": key, "parametersJsonSchema": schema} for key, schema in zip(TYPED, required, strict=True)]
    answer = await ask(service, path(), prompt(text, tools=[{"functionDeclarations": declared}]))
    assert calls(answer) == ([(name, args)] if name else [])
    assert name or "A tool is called once your prompt names it, with its values" in answer.text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (asking(mode="SOME"), "function_calling_config.mode"),
        (asking(mode="AUTO", allowedFunctionNames=["nothing"]), "should only be set when the mode is ANY"),
        (asking(mode="ANY", allowedFunctionNames=["missing"]), "missing is not in function_declarations"),
        (prompt("hi", toolConfig={"functionCallingConfig": {"mode": "ANY"}}), "set without function_declarations"),
    ],
)
async def test_a_choice_that_makes_no_sense_is_refused(service, body, message):
    answer = await ask(service, path(), body)
    assert (answer.status, message in answer.body.decode()) == (400, True)


async def test_other_protocols_have_a_choice_too(service):
    said = [{"role": "user", "content": "hi"}]
    tool = {"name": "get-weather", "description": "", "parameters": SCHEMA}
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{service.url}/v1", max_retries=0) as client:
        for choice in ("required", {"type": "function", "function": {"name": "get-weather"}}):
            asked = {"model": "gpt-offline", "messages": said, "tools": [{"type": "function", "function": tool}]}
            chat = await client.chat.completions.create(**asked, tool_choice=choice)
            (call,) = chat.choices[0].message.tool_calls
            assert (call.function.name, call.function.arguments) == ("get-weather", '{"city": "city 1", "days": 1}')
        none = await client.chat.completions.create(**asked, tool_choice="none")
        assert none.choices[0].message.tool_calls is None
        offered = [{"type": "function", "strict": False, **tool}]
        made = await client.responses.create(model="gpt-offline", input="hi", tools=offered, tool_choice="required")
        assert [item.name for item in made.output if item.type == "function_call"] == ["get-weather"]
    async with anthropic.AsyncAnthropic(api_key="k", base_url=service.url, max_retries=0) as client:
        tools = [{"name": "get-weather", "input_schema": SCHEMA}]
        asked = {"model": "claude-offline", "messages": said, "max_tokens": 500, "tools": tools}
        made = await client.messages.create(**asked, tool_choice={"type": "tool", "name": "get-weather"})
        assert [block.input for block in made.content if block.type == "tool_use"] == [{"city": "city 1", "days": 1}]


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (None, {}),
        ("auto", {}),
        ({"type": "auto"}, {}),
        (7, {}),
        ("none", {"mode": "NONE"}),
        ({"type": "tool", "name": "f"}, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        ({"mode": "any", "name": None}, {"mode": "ANY"}),
    ],
)
def test_what_a_choice_means(choice, config):
    assert chosen(choice).get("functionCallingConfig", {}) == config
