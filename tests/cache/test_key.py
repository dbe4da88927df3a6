"""Equal requests have one name; whatever differs in what goes out, or in who asks whom, has another."""

from __future__ import annotations

import copy
import hashlib

import msgspec
import pytest
from hypothesis import given, strategies as st

from nbgemini.cache.entry import CacheScope, cache_key, is_cacheable
from nbgemini.secrets import Secret
from nbgemini.transport.request import Request
from tests.cache.conftest import IDENTITY, asked

scalars = st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-9, 9) | st.text("aA_ éb", max_size=4)
names = st.sampled_from(["a_b", "aB", "parts", "text", "thoughtSignature", "id", "contents", "schema"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=9
)
bodies = st.dictionaries(names, values, max_size=4)
requests = st.builds(Request, st.sampled_from(["v1/m:x", "v1beta/m:x", "v1/n:x"]), bodies, st.just({"alt": "sse"}))


@given(requests)
def test_equal_requests_have_one_name(request):
    again = Request(request.path, copy.deepcopy(request.body), dict(request.query), request.method)
    assert cache_key(request, IDENTITY) == cache_key(again, IDENTITY)
    assert cache_key(request, IDENTITY) == cache_key(msgspec.structs.replace(request, reuse="fresh"), IDENTITY)


@given(requests, requests)
def test_requests_that_go_out_differently_have_two(one, other):
    """Signatures, ids, spelling and order too: they are all the model's to read."""
    same = (one.path, msgspec.json.encode(one.body)) == (other.path, msgspec.json.encode(other.body))
    assert (cache_key(one, IDENTITY) == cache_key(other, IDENTITY)) is same


CHANGES = {
    "the words": asked("Why not?"),
    "a blank": asked("Why? "),
    "the model": msgspec.structs.replace(asked(), path="v1beta/models/n:streamGenerateContent"),
    "the version": msgspec.structs.replace(asked(), path="v1/models/m:streamGenerateContent"),
    "the temperature": asked(generationConfig={"temperature": 0}),
    "another temperature": asked(generationConfig={"temperature": 0.5}),
    "the seed": asked(generationConfig={"seed": 1}),
    "the instruction": asked(systemInstruction={"parts": [{"text": "Be brief."}]}),
    "what was said before": asked(contents=[{"parts": [{"text": "Hi"}]}, {"parts": [{"text": "Why?"}]}]),
    "a file": asked(contents=[{"parts": [{"text": "Why?"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}]),
    "what is in the file": asked(
        contents=[{"parts": [{"text": "Why?"}, {"inlineData": {"mimeType": "image/png", "data": "AAAB"}}]}]
    ),
    "the type of the answer": asked(generationConfig={"responseJsonSchema": {"properties": {"a_b": {}}}}),
    "a name in that type": asked(generationConfig={"responseJsonSchema": {"properties": {"aB": {}}}}),
    "the query": msgspec.structs.replace(asked(), query={"alt": "json"}),
}


def test_whatever_changes_the_answer_changes_the_name():
    keys = {cache_key(request, IDENTITY) for request in (asked(), *CHANGES.values())}
    assert len(keys) == 1 + len(CHANGES)


@pytest.mark.parametrize(
    "change", [{"service": "other"}, {"dialect": "openai"}, {"base_url": "https://b.example"}, {"key": Secret("j" * 39)}]
)
def test_another_who_or_whom_finds_nothing(change):
    assert cache_key(asked(), IDENTITY) != cache_key(asked(), msgspec.structs.replace(IDENTITY, **change))


def test_a_service_without_keys_has_names_too():
    local = CacheScope("ollama", "openai-chat", "http://127.0.0.1:1/v1", Secret(""))
    assert len(cache_key(asked(), local)) == 64


def test_a_name_is_no_digest_of_the_key_alone():
    key = IDENTITY.key.reveal().encode()
    digests = {hashlib.new(name, key).hexdigest() for name in ("sha256", "sha3_256", "blake2s")}
    assert cache_key(asked(), IDENTITY) not in digests
    assert key not in repr(IDENTITY).encode()


@pytest.mark.parametrize(
    "request_",
    [
        Request("v1beta/models", None, {}, "GET", reuse="any"),
        Request("v1beta/models/m:embedContent", {"content": {}}),
        asked(tools=[{"functionDeclarations": []}]),
        asked(tools=[{"googleSearch": {}}]),
        asked(tools=[{"urlContext": {}}]),
        asked(tools=[{"codeExecution": {}}]),
        Request("responses", {"input": "x", "tools": [{"type": "web_search"}]}, reuse="any"),
        Request("responses", {"input": "x", "previous_response_id": "r"}, reuse="any"),
        Request("messages", {"messages": [], "mcp_servers": [{}]}, reuse="any"),
        Request("chat/completions", {"messages": [], "web_search_options": {"x": 1}}, reuse="any"),
        asked(continuationToken="t"),
    ],
)
def test_what_depends_on_more_than_the_request_is_not_kept(request_):
    assert not is_cacheable(request_)
    assert is_cacheable(asked())
    assert is_cacheable(Request("responses", {"input": "x", "tools": [], "previous_response_id": None}, reuse="any"))
