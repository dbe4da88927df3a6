"""Whatever is wrong in a request is said as Google says it."""

from __future__ import annotations

import base64

import pytest

from tests.support.raw_requests import ANSWER, CALL, USER, ask, connect, model, path, prompt, read, request

TARGETS = [path(), path(method="streamGenerateContent"), path(method="generateContent")]


def talk(**more):
    return {"contents": [USER], **more}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"contents": "hi"}, "Invalid value at 'contents' (repeated field), \"hi\""),
        ({"contents": {"parts": [{"text": "hi"}]}}, "Invalid value at 'contents' (repeated field), "),
        ({"contents": [None]}, "Invalid value at 'contents[0]' (TYPE_MESSAGE), null"),
        ({"contents": [{"role": 5, "parts": [{"text": "hi"}]}]}, "Invalid value at 'contents[0].role' (TYPE_STRING), 5"),
        ({"contents": [{"parts": {"text": "hi"}}]}, "Invalid value at 'contents[0].parts' (repeated field), "),
        ({"contents": [{"parts": ["hi"]}]}, "Invalid value at 'contents[0].parts[0]' (TYPE_MESSAGE), \"hi\""),
        ({"contents": [{"parts": [{"text": 5}]}]}, "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), 5"),
        ({"contents": [{"parts": [{"text": None}]}]}, "required oneof field 'data'"),
        ({"contents": [{"parts": None}]}, "parts must not be empty"),
        (talk(generationConfig="x"), "Invalid value at 'generation_config' (TYPE_MESSAGE), \"x\""),
        (talk(generationConfig={"temperature": "hot"}), "Invalid value at 'generation_config.temperature' (TYPE_DOUBLE), "),
        (talk(generationConfig={"thinkingConfig": []}), "'generation_config.thinking_config' (TYPE_MESSAGE), []"),
        (talk(generationConfig={"thinkingConfig": {"include_thoughts": "x"}}), "include_thoughts' (TYPE_BOOL), "),
        (talk(generationConfig={"thinkingConfig": {"x": 1}}), "Unknown name \"x\" at 'generation_config.thinking_config'"),
        (talk(tools={}), "Invalid value at 'tools' (repeated field), {}"),
        (talk(tools=["x"]), "Invalid value at 'tools[0]' (TYPE_MESSAGE), \"x\""),
        (talk(tools=[{"nope": {}}]), "Unknown name \"nope\" at 'tools[0]'"),
        (talk(tools=[{"functionDeclarations": [{"name": []}]}]), "'tools[0].function_declarations[0].name' (TYPE_STRING), []"),
        (talk(systemInstruction="x"), "Invalid value at 'system_instruction' (TYPE_MESSAGE), \"x\""),
        ({"contents": [USER, model({"functionCall": "f"}), ANSWER]}, 'parts[0].function_call\' (TYPE_MESSAGE), "f"'),
        (
            {"contents": [USER, model(CALL), {"parts": [{"functionResponse": {}}]}]},
            "function_response.name: Name cannot be empty",
        ),
    ],
)
async def test_a_wrong_shape_is_an_invalid_argument(service, body, message):
    for target in TARGETS:
        answer = await ask(service, target, body)
        error = (answer.json[0] if isinstance(answer.json, list) else answer.json)["error"]
        assert (answer.status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
        assert message in error["message"]


async def test_the_shapes_of_a_count_are_checked_too(service):
    for body in ({"contents": 5}, {"generateContentRequest": "x"}, {"contents": [{"parts": [{"text": []}]}]}, {"nope": 1}):
        answer = await ask(service, path(method="countTokens"), body)
        assert (answer.status, answer.json["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "body",
    [
        talk(generationConfig={"temperature": "0.5", "maxOutputTokens": "12", "thinkingConfig": {"thinkingBudget": "-1"}}),
        talk(generationConfig=None, tools=None, systemInstruction=None),
        talk(systemInstruction={"parts": {"text": "be brief"}}),
        {"contents": [{"role": None, "parts": [{"text": "hi", "thought": None}]}]},
        {"contents": [{"parts": [{"text": "hi", "somethingNew": {"x": 1}}]}]},
    ],
)
async def test_what_proto_json_allows_is_taken(service, body):
    assert (await ask(service, path(), body)).status == 200


def token(number):
    return base64.b64encode(str(number).encode()).decode().replace("=", "%3D").replace("+", "%2B")


@pytest.mark.parametrize(
    "query",
    [
        "pageSize=-1",
        "pageSize=x",
        "pageSize=1_0",
        "pageSize=%D9%A1",
        f"pageSize={'9' * 5000}",
        "pageToken=!",
        "pageToken=abc",
        "pageToken=%ED%A0%80",
        *(f"pageToken={token(number)}" for number in (-1, 0, 99999, " 5", "5_0", "x", "5.0")),
    ],
)
async def test_a_page_that_is_none_is_an_invalid_argument(service, query):
    answer = await ask(service, f"/v1/models?{query}", method="GET")
    assert (answer.status, answer.json["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("target", ["//[", "//[x/v1/models", "/v1/models/%5B", "*", "/v1//", "http://[/v1/models/x"])
async def test_a_strange_address_is_not_found(service, target):
    answer = await ask(service, target, prompt("x"))
    assert (answer.status, answer.json["error"]["status"]) == (404, "NOT_FOUND")


async def test_a_proxys_spelling_of_an_address_is_understood(service):
    assert (await ask(service, f"{service.url}{path()}", prompt("x"))).status == 200


async def test_a_refused_request_does_not_end_its_connection(service):
    reader, writer = await connect(service)
    for body, status in (({"contents": 5}, 400), (prompt("offline: {"), 200), (prompt("offline: {}x{}"), 400), (b"{", 400)):
        writer.write(request(path(), body))
        assert (await read(reader)).status == status
    writer.close()


async def test_a_cache_is_refused_as_a_key_without_billing_is_refused_one(service):
    answer = await ask(service, "/v1beta/cachedContents", {"model": "models/gemini-3.8-flash", "contents": [USER]})
    assert answer.status == 400
    assert answer.json["error"]["message"] == "Cached content is too small. total_token_count=1, min_total_token_count=1024"
    long = {"contents": [{"role": "user", "parts": [{"text": "word " * 2000}]}]}
    answer = await ask(service, "/v1beta/cachedContents", long)
    assert (answer.status, answer.json["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert (await ask(service, "/v1beta/cachedContents", {"contents": 5})).status == 400
    assert (await ask(service, "/v1beta/cachedContents", None, method="GET")).json == {}
    for method in ("GET", "PATCH", "DELETE"):
        answer = await ask(service, "/v1beta/cachedContents/abc", None, method=method)
        assert (answer.status, answer.json["error"]["message"]) == (403, "CachedContent not found (or permission denied)")
    answer = await ask(service, path(method="generateContent"), talk(cachedContent="cachedContents/abc"))
    assert (answer.status, answer.json["error"]["status"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("key", ["k", None])
@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/"),
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/completions"),
        ("GET", "/v1beta"),
        ("POST", "/v1beta/nothing"),
        ("GET", "/v2/models"),
        ("POST", "/api/chat"),
        ("GET", "/favicon.ico"),
    ],
)
async def test_an_unknown_route_is_not_found_with_or_without_a_key(service, method, target, key):
    answer = await ask(service, target, {} if method == "POST" else None, method=method, key=key)
    assert (answer.status, answer.json["error"]["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_model_is_asked_by_post_alone(service, method):
    assert (await ask(service, path(method="generateContent"), talk(), method=method)).status == 404
