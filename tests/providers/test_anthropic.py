"""Anthropic's dialect beyond the contract: what a request says, the service's own tools, turns that pause, models, files."""

from __future__ import annotations

import base64
import datetime as dt
import json
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from pydantic import Field

from nbgemini import Client, Settings
from nbgemini.chat.structured_output import answer_schema
from nbgemini.errors import PromptError
from nbgemini.messages.events import (
    Citation,
    Citations,
    CodeResult,
    ExecutedCode,
    Finish,
    Page,
    PartReceived,
    Passage,
    ToolCall,
)
from nbgemini.messages.turns import Declaration, Options, Schema, Turn, Usage, user_turn
from nbgemini.providers.anthropic.codec import AnthropicCodec
from nbgemini.providers.anthropic.models import supported_schema
from nbgemini.providers.base import Model
from nbgemini.providers.common.parts import parts_to_events
from nbgemini.services import services_from
from tests.conftest import golden_bytes
from tests.fakes.raw import END, RawServer, chunk, head
from tests.support.provider_talk import Talk, decoded, golden, leaves, marked, written

NEW, OLD = "claude-sonnet-5-5", "claude-haiku-4-5"
ADAPTIVE = {"type": "adaptive", "display": "summarized"}
anthropic = AnthropicCodec()


def body(*turns, model=NEW, **options):
    return anthropic.encode(turns or [user_turn("hi")], Options(model=model, **options)).body


def model_turn(*parts):
    return Turn("model", parts)


def said(*parts):
    """The blocks of a model's turn."""
    return body(user_turn("hi"), model_turn(*parts), user_turn("and?"))["messages"][1]["content"]


def asked(*parts):
    """The blocks of a user's turn."""
    return body(Turn("user", parts))["messages"][0]["content"]


def own(block, **part):
    return {**(part or {"text": ""}), "origin": {"provider": "anthropic", "block": block}}


# What a request says


def test_a_request_says_what_the_options_say():
    request = anthropic.encode(
        [user_turn("hi")], Options(model=OLD, system="short", temperature=0.5, max_tokens=9, stop_at=("X",), think="off")
    )
    assert (request.path, request.query, request.method) == ("v1/messages", {}, "POST")
    assert request.body == {
        "stream": True,
        "model": OLD,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "system": "short",
        "thinking": {"type": "disabled"},
        "max_tokens": 9,
        "temperature": 0.5,
        "stop_sequences": ["X"],
    }


@pytest.mark.parametrize(
    ("model", "think", "thinking", "effort"),
    [
        (NEW, None, ADAPTIVE, None),
        (NEW, "low", ADAPTIVE, "low"),
        (NEW, "max", ADAPTIVE, "max"),
        (NEW, "off", {"type": "between_tools"}, None),
        ("claude-opus-5", "off", {"type": "disabled"}, None),
        ("claude-opus-5-5", "high", ADAPTIVE, "high"),
        ("claude-fable-5-1", None, ADAPTIVE, None),
        ("claude-opus-4-8", None, None, None),
        ("claude-opus-4-8", "medium", ADAPTIVE, "medium"),
        ("claude-sonnet-4-6", "high", ADAPTIVE, "high"),
        ("claude-sonnet-4-6", 2000, {"type": "enabled", "budget_tokens": 2000}, None),
        (OLD, None, None, None),
        (OLD, "high", {"type": "enabled", "budget_tokens": 16384}, None),
        (OLD, 1024, {"type": "enabled", "budget_tokens": 1024}, None),
        (OLD, 0, {"type": "disabled"}, None),
        ("claude-opus-9", None, None, None),
        ("claude-opus-9", "low", ADAPTIVE, "low"),
        ("unheard-of", 5000, {"type": "enabled", "budget_tokens": 5000}, None),
    ],
)
def test_thinking_is_said_in_the_words_the_model_takes(model, think, thinking, effort):
    sent = body(model=model, think=think)
    assert sent.get("thinking") == thinking
    assert sent.get("output_config") == ({"effort": effort} if effort else None)


@pytest.mark.parametrize(
    ("model", "options", "reason"),
    [
        ("claude-opus-5-5", {"think": "off"}, "claude-opus-5-5 always thinks; it offers: low, medium, high, xhigh, max"),
        (NEW, {"think": 2000}, "a level of thinking, not a budget; it offers: off, low, medium, high, xhigh, max"),
        (NEW, {"think": "minimal"}, "can't think 'minimal'; it offers: off, low"),
        (OLD, {"think": 100}, "can't think 100 tokens; it offers: off, minimal, low, medium, high, xhigh, a budget from 1,024"),
        (OLD, {"think": "max"}, "can't think 'max'"),
        (OLD, {"think": 4000, "max_tokens": 3000}, "thinking takes 4,000 of 3,000 --max-tokens"),
        (NEW, {"temperature": 1.0}, "takes no --temperature; leave it out"),
        (OLD, {"temperature": 0.1, "think": "low"}, "takes no --temperature while it thinks"),
        (OLD, {"temperature": 1.5}, "takes a --temperature from 0 to 1"),
        (NEW, {"seed": 7}, "does not support --seed"),
        (NEW, {"tools": (Declaration("a.b", "", {}),)}, "A-Z a-z 0-9 _ - in the name of a tool, not 'a.b'"),
    ],
)
def test_what_a_model_does_not_take_is_refused_in_one_line(model, options, reason):
    with pytest.raises(PromptError, match="^.*$") as raised:
        body(model=model, **options)
    assert reason in str(raised.value)


def test_the_longest_answer_has_to_be_said():
    assert body()["max_tokens"] == 64_000
    assert body(model=OLD)["max_tokens"] == 32_000
    assert body(model="unheard-of")["max_tokens"] == 8_192
    assert body(model=OLD, think=40_000)["max_tokens"] == 48_192
    assert body(max_tokens=7)["max_tokens"] == 7


def test_tools_are_offered_in_its_words():
    nothing, add = Declaration("now", "The time.", {}), Declaration("add", "Add.", {"properties": {"a": {"type": "integer"}}})
    sent = body(tools=(nothing, add), search=True, run_code=True, urls=True)["tools"]
    assert sent == [
        {"name": "now", "description": "The time.", "input_schema": {"type": "object", "properties": {}}},
        {"name": "add", "description": "Add.", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}},
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "web_fetch_20250910", "name": "web_fetch", "citations": {"enabled": True}},
        {"type": "code_execution_20250825", "name": "code_execution"},
    ]
    assert "citations" not in body(urls=True, format="json")["tools"][0]


# In which form to answer


@dataclass
class Leg:
    to: str
    hours: Annotated[int, Field(ge=1, description="How long.")] = 1


@dataclass
class Trip:
    legs: list[Leg]
    mood: Literal["calm", "wild"] | None = None


def test_a_type_is_what_the_service_holds_the_answer_to():
    sent = body(schema=answer_schema(Trip), think="low")
    form = sent["output_config"]["format"]
    assert sent["output_config"]["effort"] == "low"
    assert form["type"] == "json_schema"
    assert form["schema"]["additionalProperties"] is False
    assert form["schema"]["required"] == ["legs"]
    leg = form["schema"]["properties"]["legs"]["items"]
    assert leg["properties"]["hours"] == {"type": "integer", "description": "How long. (minimum: 1)"}
    assert leg["required"] == ["to"]
    assert "system" not in sent


def test_a_date_keeps_its_format_and_an_unknown_one_is_told():
    said_ = body(schema=answer_schema(dict[str, dt.date]))
    assert "output_config" not in said_, "a map has no fixed fields"
    leaf = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    named = {"$ref": "#/$defs/Leaf", "$defs": {"Leaf": leaf}}
    assert supported_schema(named) == {**named, "$defs": {"Leaf": {**leaf, "additionalProperties": False}}}
    assert supported_schema({"type": "string", "format": "date"}) == {"type": "string", "format": "date"}
    assert supported_schema({"type": "string", "format": "byte"}) == {"type": "string", "description": '(format: "byte")'}
    assert supported_schema({"oneOf": [{"type": "null"}, {"type": "string"}]}) == {
        "anyOf": [{"type": "null"}, {"type": "string"}]
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "array", "prefixItems": [{"type": "integer"}]},
        {"type": "array", "items": True},
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"next": {"$ref": "#/$defs/A"}}}}},
    ],
)
def test_what_the_service_has_no_words_for_is_asked_for_in_the_prompt(schema):
    sent = body(system="Be kind.", schema=Schema("T", schema, str))
    assert "output_config" not in sent
    assert sent["system"].startswith("Be kind.\n\nAnswer with one JSON value and nothing else")
    assert sent["system"].endswith(f"It must fit this JSON Schema: {json.dumps(schema)}")


def test_json_without_a_type_and_code_are_asked_for_in_the_prompt():
    assert body(format="json")["system"].endswith("no code fence.")
    assert body(format="code")["system"].startswith("Answer with code only")


# Files


def test_files_become_its_blocks():
    text = base64.b64encode("héllo".encode()).decode()
    assert asked({"inlineData": {"mimeType": "image/png", "data": "AA=="}}, {"text": "what?"}) == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
        {"type": "text", "text": "what?"},
    ]
    assert asked({"inlineData": {"mimeType": "application/pdf", "data": "AA=="}}) == [
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}}
    ]
    assert asked({"inlineData": {"mimeType": "text/csv", "data": text}}) == [
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "héllo"}}
    ]
    (empty,) = asked({"inlineData": {"mimeType": "text/plain", "data": "A"}})
    assert empty["source"]["data"] == " "
    for mime, kind in (("image/webp", "image"), ("application/pdf", "document")):
        file = {"fileData": {"mimeType": mime, "fileUri": "https://files.example/a"}}
        assert asked(file) == [{"type": kind, "source": {"type": "url", "url": "https://files.example/a"}}]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"inlineData": {"mimeType": "audio/mp3", "data": ""}}, "takes text, PDF, JPEG, PNG, GIF and WebP, not audio/mp3"),
        ({"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"}}, "attach it again"),
        ({"fileData": {"fileUri": "gs://bucket/a", "mimeType": "image/png"}}, "attach it again"),
        ({"fileData": {"fileUri": "https://files.example/a", "mimeType": "text/plain"}}, "not text/plain by its address"),
        ({"fileData": {"fileUri": "https://files.example/a"}}, "not file of an unknown kind by its address"),
        ({"inlineData": {"mimeType": 3}}, "not 3"),
    ],
)
def test_what_it_can_not_take_is_refused_in_one_line_but_told_of_earlier_prompts(part, reason):
    with pytest.raises(PromptError, match="^Anthropic .*$") as raised:
        asked(part)
    assert reason in str(raised.value)
    first, *_ = body(Turn("user", (part,)), model_turn({"text": "so"}), user_turn("and?"))["messages"]
    assert first["content"][0]["text"].startswith("(attached: ")


# Turns


def answered(call, response, **more):
    return {"functionResponse": {**call, "response": response, **more}}


def test_answers_to_calls_stand_first_and_say_whether_they_failed():
    one, two = {"id": "a", "name": "f"}, {"id": "b", "name": "g"}
    picture = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    sound = {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}}
    results = Turn(
        "user",
        (
            {"text": "and then?"},
            answered(one, {"output": "fine"}, parts=[picture, sound]),
            answered(two, {"error": "no"}),
        ),
    )
    calls = model_turn({"functionCall": {**one, "args": {"x": 1}}}, {"functionCall": {**two, "args": None}})
    _, called, back = body(user_turn("hi"), calls, results)["messages"]
    assert called["content"] == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}},
    ]
    first, second, text = back["content"]
    assert first == {
        "type": "tool_result",
        "tool_use_id": "a",
        "content": [
            {"type": "text", "text": "fine"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
            {"type": "text", "text": "(attached: audio/wav, which this model can't take)"},
        ],
    }
    assert second == {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "no"}], "is_error": True}
    assert text == {"type": "text", "text": "and then?"}


def test_calls_without_ids_of_its_kind_get_some_and_those_without_answers_stay_away():
    calls = model_turn(
        {"functionCall": {"name": "f.g", "args": {}}},
        {"functionCall": {"name": "f.g", "args": {}}},
        {"functionCall": {"id": "x:1", "name": "h", "args": {}}},
        {"functionCall": {"id": "lost", "name": "h", "args": {}}},
        {"functionCall": "junk"},
    )
    results = Turn(
        "user",
        (
            answered({"name": "f.g"}, {"output": 1}),
            answered({"name": "f.g"}, {"output": 2}),
            answered({"id": "x:1", "name": "h"}, {"output": {"a": 1}}),
            answered({"id": "nobody", "name": "h"}, {}),
        ),
    )
    _, called, back = body(user_turn("hi"), calls, results)["messages"]
    assert [(block["id"], block["name"]) for block in called["content"]] == [("call_1", "f_g"), ("call_2", "f_g"), ("x_1", "h")]
    assert [block["tool_use_id"] for block in back["content"]] == ["call_1", "call_2", "x_1"]
    assert [block["content"][0]["text"] for block in back["content"]] == [
        '{"output": 1}',
        '{"output": 2}',
        '{"output": {"a": 1}}',
    ]


def test_the_roles_alternate_even_where_a_turn_has_nothing_for_it():
    sent = body(user_turn("a"), model_turn({"text": "hm", "thought": True}, {"text": " "}), user_turn("b"))["messages"]
    assert sent == [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]


def test_what_other_models_ran_and_drew_goes_back_in_words():
    parts = (
        {"text": "So: "},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"inlineData": {"mimeType": "image/png", "data": ""}},
        {"inlineData": {"mimeType": "audio/wav", "data": ""}},
        {"newThing": 1},
    )
    texts = [block["text"] for block in said(*parts)]
    assert texts == ["So: ", "\n```python\n1\n```\n", "\n```\n1\n```\n", "(A picture.)", "(Sound.)"]


def test_what_it_rests_on_goes_back_in_place_of_the_bare_text():
    cited = {"type": "text", "text": "b", "citations": [{"url": "https://x.example"}]}
    assert said({"text": "a"}, {"text": "b"}, own(cited), {"text": "c"}) == [
        {"type": "text", "text": "a"},
        cited,
        {"type": "text", "text": "c"},
    ]
    assert said({"text": "b"}, own(cited), {"text": "b"}, own(cited)) == [cited, cited]
    assert said(own(cited), own({"type": "text", "text": ""})) == [cited]


def test_uses_of_the_services_own_tools_go_back_with_their_results_or_not_at_all():
    use = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    result = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    assert said(own(use), own(result), {"text": "a"}) == [use, result, {"type": "text", "text": "a"}]
    assert said(own(use), {"text": "a"}) == said(own(result), {"text": "a"}) == [{"type": "text", "text": "a"}]
    strange = own({"type": "server_tool_use", "id": ["s1"]}), own({"type": "web_search_tool_result", "tool_use_id": {}})
    assert said(*strange, {"text": "a"}) == [{"type": "text", "text": "a"}]


def test_a_result_of_the_services_own_tools_may_come_a_round_later():
    use = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    result = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    call = {"functionCall": {"id": "a", "name": "f", "args": {}}}
    first = (user_turn("hi"), model_turn(own(use), call), Turn("user", (answered({"id": "a", "name": "f"}, {}),)))
    during = body(*first)["messages"]
    after = body(*first, model_turn(own(result), {"text": "so"}), user_turn("and?"))["messages"]
    assert during[1]["content"][0] == after[1]["content"][0] == use
    assert after[3]["content"][0] == result


def test_thinking_goes_back_within_its_turn_only():
    thinking = own({"type": "thinking", "thinking": "hm", "signature": "s"}, text="", thought=True, thoughtSignature="s")
    call = {"functionCall": {"id": "a", "name": "f", "args": {}}}
    round_ = (model_turn(thinking, call), Turn("user", (answered({"id": "a", "name": "f"}, {}),)))
    _, during, _ = body(user_turn("hi"), *round_)["messages"]
    _, after, *_ = body(user_turn("hi"), *round_, model_turn({"text": "so"}), user_turn("and?"))["messages"]
    assert [block["type"] for block in during["content"]] == ["thinking", "tool_use"]
    assert [block["type"] for block in after["content"]] == ["tool_use"]


# What the service's own tools say


def test_a_search_shows_what_is_cited_and_all_of_it_goes_back_in_place():
    talk = Talk("anthropic").ask("Where?", golden("anthropic", "search")).end()
    assert talk.texts == [("answer", "I'll look.Zürich lies on the Zürichsee.")]
    lake = Citation("https://lake.example/", "The lake")
    start = len("I'll look.Zürich lies ".encode())
    assert talk.incoming.citations == Citations(
        (lake,), (Passage(start, start + len("on the Zürichsee".encode()), "on the Zürichsee", (0,)),), ("lake zürich",)
    )
    content = talk.following()["messages"][1]["content"]
    assert [block["type"] for block in content] == ["text", "server_tool_use", "web_search_tool_result", "text", "text", "text"]
    assert content[1]["input"] == {"query": "lake zürich"}
    assert content[1]["caller"] == {"type": "direct"}
    assert [block["text"] for block in content if block["type"] == "text"] == [
        "I'll look.",
        "Zürich lies ",
        "on the Zürichsee",
        ".",
    ]
    sent = [json.loads(frame) for frame in golden("anthropic", "search")]
    assert marked("SIGNED", sent) == marked("SIGNED", content)
    assert talk.incoming.citations in parts_to_events(talk.exchange.parts)


def test_code_that_ran_is_shown_and_goes_back_in_place():
    talk = Talk("anthropic").ask("Count.", golden("anthropic", "code")).end()
    assert [event for event in talk.events if isinstance(event, ExecutedCode | CodeResult)] == [
        ExecutedCode("ls | wc -l", "bash"),
        CodeResult("3\n"),
        ExecutedCode("1/0", "python"),
        CodeResult("ZeroDivisionError", ok=False),
    ]
    assert talk.incoming.citations.pages == (Page("https://gone.example/", "url not accessible"),)
    body_ = talk.following()
    assert [block["type"] for block in body_["messages"][1]["content"]][:4] == [
        "server_tool_use",
        "bash_code_execution_tool_result",
        "server_tool_use",
        "code_execution_tool_result",
    ]
    assert "container" not in body_, "with the next prompt it may be gone"
    shown = [event for event in parts_to_events(talk.exchange.parts) if isinstance(event, ExecutedCode | CodeResult)]
    assert len(shown) == 4


def test_the_place_where_code_ran_is_found_again_within_the_turn():
    place = {"text": "", "origin": {"provider": "anthropic", "container": "container_1"}}
    call = {"functionCall": {"id": "a", "name": "f", "args": {}}}
    sent = body(user_turn("hi"), model_turn(place, call), Turn("user", (answered({"id": "a", "name": "f"}, {}),)))
    assert sent["container"] == "container_1"


def start(block, *deltas, index=0):
    yield {"type": "content_block_start", "index": index, "content_block": block}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def events(*frames):
    return decoded("anthropic", written(frames))


@pytest.mark.parametrize(
    ("content", "result"),
    [
        ({"error_code": "execution_time_exceeded"}, CodeResult("execution_time_exceeded", ok=False, late=True)),
        ({"error_code": "unavailable"}, CodeResult("unavailable", ok=False)),
        ({"type": "text_editor_code_execution_view_result", "content": "x = 1"}, CodeResult("x = 1")),
        ("junk", CodeResult("")),
    ],
)
def test_what_came_of_code(content, result):
    block = {"type": "code_execution_tool_result", "tool_use_id": "s", "content": content}
    assert events(*start(block))[1] == result


def test_an_edit_of_a_file_is_code():
    asked_ = {"command": "create", "path": "a.py", "file_text": "x = 1"}
    use = {"type": "server_tool_use", "id": "s", "name": "text_editor_code_execution", "input": asked_}
    assert events(*start(use))[1] == ExecutedCode("create a.py\nx = 1", "text")


def test_blocks_that_begin_with_all_of_it_and_words_that_are_newer():
    strange = {"type": "newer"}
    whole = [
        *start({"type": "thinking", "thinking": "hm", "signature": "s"}, strange),
        *start({"type": "text", "text": "so", "citations": [{"url": "https://a.example"}, {"document_title": "b"}]}, strange),
        *start({"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}, strange),
        *start({"type": "server_tool_use", "name": "web_search", "input": "junk"}, strange),
        *start({"type": "web_fetch_tool_result", "content": []}),
        *start({"type": "text", "text": "x", "citations": [{"document_title": "no address"}]}),
        {"type": "content_block_stop", "index": 9},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lost"}},
        {"type": "message_start", "message": {"container": {"id": "c1"}}},
        {"type": "message_delta"},
        ["junk"],
        {"error": "plain words"},
    ]
    talk = Talk("anthropic").ask("Go.", written(whole))
    assert talk.texts == [("thought", "hm"), ("answer", "so"), ("answer", "x")]
    assert talk.incoming.unknown == {"delta newer": 4, "delta of no block": 2}
    assert [event for event in talk.events if isinstance(event, ToolCall)] == [ToolCall("f", {"a": 1}, "1")]
    assert talk.incoming.citations.sources == (Citation("https://a.example"),)
    with pytest.raises(Exception, match="plain words"):
        talk.incoming.raise_fault()


def test_an_unknown_block_goes_back_if_all_of_it_is_known():
    talk = Talk("anthropic").ask("Go.", golden("anthropic", "unknown")).end()
    content = talk.following()["messages"][1]["content"]
    assert content[0] == {"type": "hologram", "sealed": "SIGNED05", "size": 3}
    assert "melody" not in [block["type"] for block in content]
    assert set(talk.incoming.unknown) == {
        "event weather_report",
        "block hologram",
        "block melody",
        "delta notes_delta",
        "delta emphasis_delta",
        "weather",
    }


def test_a_thought_that_nobody_may_read_goes_back_and_a_call_may_have_no_arguments():
    talk = Talk("anthropic").ask("When?", golden("anthropic", "redacted"))
    (call,) = talk.incoming.calls()
    assert call == ToolCall("now", {}, "toolu_CALL3")
    talk.incoming.add_results([])
    assert [part.get("thoughtSignature") for part in talk.exchange.past[0].parts] == ["SIGNED10", None]
    assert talk.segments == [("tool_call", "")]


def test_thousands_of_citations_are_not_told_anew_with_each_of_them():
    text = {"type": "text", "text": "a", "citations": [{"url": "https://a.example"}]}
    for kind in ("text", "use", "read"):
        blocks = [
            {
                "text": text,
                "use": {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": f"q{n}"}},
                "read": {"type": "web_fetch_tool_result", "tool_use_id": "s", "content": {"url": f"https://{n}.example"}},
            }[kind]
            for n in range(1_200)
        ]
        reports = [
            event for event in events(*[frame for block in blocks for frame in start(block)]) if type(event) is Citations
        ]
        assert len(reports) == 1_000


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish("complete", "end_turn")),
        ("stop_sequence", Finish("complete", "stop_sequence")),
        ("model_context_window_exceeded", Finish("truncated", "model_context_window_exceeded")),
        ("unheard_of", Finish("truncated", "unheard_of")),
        ("refusal", Finish("blocked", "refusal", "")),
    ],
)
def test_how_an_answer_ends(reason, finish):
    assert events({"type": "message_delta", "delta": {"stop_reason": reason, "stop_details": None}})[-1] == finish


def test_a_refusal_says_what_the_service_says():
    talk = Talk("anthropic").ask("Do.", golden("anthropic", "blocked")).end()
    assert str(talk.error).endswith("or -m another model (refusal; cyber; This could do harm.)")


def test_a_count_written_as_text_counts_and_one_that_makes_no_sense_does_not():
    (report,) = events(
        {
            "type": "message_delta",
            "usage": {"input_tokens": "7", "output_tokens": 4, "cache_read_input_tokens": -3, "output_tokens_details": []},
        }
    )
    assert report.usage == Usage(7, 0, 4, 0, 0, 11)


# Models and counting


def test_models_come_in_pages():
    request = anthropic.list_request()
    assert (request.path, request.query, request.method) == ("v1/models", {"limit": "1000"}, "GET")
    assert anthropic.list_request("m1").query == {"limit": "1000", "after_id": "m1"}
    entry = {
        "id": "claude-a",
        "display_name": "A",
        "max_input_tokens": 1000000,
        "max_tokens": 128000,
        "capabilities": {"thinking": {"supported": True}},
    }
    page = {"data": [entry, {"id": "b"}], "has_more": True, "last_id": "b"}
    models, following = anthropic.decode_models(json.dumps(page).encode())
    assert models == [Model("claude-a", "A", "", 1000000, 128000, thinking=True), Model("b")]
    assert following == "b"
    assert anthropic.decode_models(json.dumps({**page, "has_more": False}).encode())[1] == ""
    assert anthropic.decode_models(b"[]") == ([], "")


def test_tokens_are_counted_by_the_service():
    request = anthropic.count_request([user_turn("hi")], NEW)
    assert request.path == "v1/messages/count_tokens"
    assert request.body == {"model": NEW, "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}
    assert (anthropic.decode_count(b'{"input_tokens": 9}'), anthropic.decode_count(b"[]")) == (9, 0)


# Over the wire


def played(what):
    return [head(), chunk(golden_bytes(f"anthropic_{what}")), END]


def settings_for(url, model=NEW):
    environ = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url}
    return Settings(services=services_from(environ), model=f"anthropic:{model}")


async def test_a_turn_that_pauses_goes_on_from_what_it_has_said():
    async with RawServer(played("paused"), played("paused"), played("interleaved")) as server:
        async with Client(settings_for(server.url)) as client:
            reply = await client.generate("Where is it?")
        assert reply.state == "complete"
        assert reply.text.endswith("First answer.Second answer.")
        assert reply.usage.output == 21 + 21 + 12
        sent = [json.loads(body)["messages"] for _, body in server.requests]
        assert [len(messages) for messages in sent] == [1, 2, 2]
        kinds = [block["type"] for block in sent[2][1]["content"]]
        assert kinds == ["thinking", "text", "server_tool_use"] * 2
        assert marked("SIGNED", sent[1]) == {"SIGNED09"}
        assert b"x-api-key: k" in server.requests[0][0].lower()


@pytest.mark.parametrize("what", ["interleaved", "tools", "search", "code", "redacted", "truncated"])
async def test_the_official_client_reads_the_same_bytes_the_same_way(what):
    import anthropic as official

    async with RawServer(played(what)) as server:
        async with official.AsyncAnthropic(api_key="k", base_url=server.url, max_retries=0) as client:
            async with client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as stream:
                message = await stream.get_final_message()
    talk = Talk("anthropic").ask("hi", golden("anthropic", what))
    blocks = [block.to_dict() for block in message.content]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    thought = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    assert "".join(said_ for kind, said_ in talk.texts if kind == "answer") == text
    assert "".join(said_ for kind, said_ in talk.texts if kind == "thought") == thought
    calls = [(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    assert [(event.id, event.name, event.args) for event in talk.events if isinstance(event, ToolCall)] == calls
    signed = [block.get("signature") or block.get("data") for block in blocks if "thinking" in block["type"]]
    parts = [event.part for event in talk.events if isinstance(event, PartReceived)]
    assert [part["thoughtSignature"] for part in parts if "thoughtSignature" in part] == signed
    usage, ours = message.usage, talk.incoming.usage
    assert ours.input == usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
    assert (ours.output + ours.thought, ours.cached) == (usage.output_tokens, usage.cache_read_input_tokens)
    assert ours.thought == (usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else 0)
    assert (talk.incoming.model, talk.incoming.response_id) == (message.model, message.id)
    if what == "tools":
        talk.answer()
    sent = talk.end().following() if what != "redacted" else {"messages": []}
    ours = [leaf for leaf in leaves(sent) if isinstance(leaf, str)]
    assert all(block["text"] in "".join(ours) for block in blocks if block["type"] == "text")


async def test_a_whole_talk_with_tools_against_a_service_that_checks_it(service):
    asked_ = []

    def weather(city: str) -> str:
        """Tell the weather."""
        asked_.append(city)
        return "sunny"

    async with Client(settings_for(service.url)) as client:
        chat = client.chat(tools=[weather], approve="auto")
        first = await chat.ask("what is 2 + 3", think="low")
        reply = await chat.ask("call weather(city='Rome') and call weather(city='Oslo')")
        last = await chat.ask("what is 1 + 1", system="Be short.")
    assert [said_.state for said_ in (first, reply, last)] == ["complete"] * 3
    assert "5" in first.text
    assert first.thoughts
    assert asked_ == ["Rome", "Oslo"]
    assert not reply._state.response.unknown


def test_text_and_reading_again_agree():
    talk = Talk("anthropic").ask("hi", golden("anthropic", "interleaved")).end()
    again = [event.text for event in parts_to_events(talk.exchange.parts) if getattr(event, "text", "")]
    assert "".join(again) == "First thought.First answer.Second thought.Second answer."
