"""Answers with vectors, and what else may come in their place."""

from __future__ import annotations

import json

import pytest

from nbgemini.errors import RateLimitError, WireError
from nbgemini.providers.gemini.embeddings import embed_request, vectors_of


def answer(*vectors):
    return json.dumps({"embeddings": [{"values": values} for values in vectors], "usageMetadata": {}}).encode()


def test_each_text_is_a_content_of_its_own():
    request = embed_request("v1", "tunedModels/mine", ["a", "b"], None, None)
    assert request.path == "v1/tunedModels/mine:batchEmbedContents"
    assert request.body == {
        "requests": [{"model": "tunedModels/mine", "content": {"parts": [{"text": text}]}} for text in ("a", "b")]
    }


def test_vectors_are_floats_in_their_order():
    assert vectors_of(answer([1, 0.5], [0, -1]), 2) == [[1.0, 0.5], [0.0, -1.0]]
    assert vectors_of(b'{"embeddings": []}', 0) == []


@pytest.mark.parametrize(
    "frame",
    [
        answer([1.0]),  # of two
        answer([1.0], []),
        answer([1.0], ["x"]),
        b'{"embeddings": [{"values": [NaN]}, {"values": [1]}]}',
        b"{}",
        b"[]",
        b"<html>",
        b"\xff",
    ],
)
def test_what_is_no_vector_for_each_text_is_an_error(frame):
    with pytest.raises(WireError):
        vectors_of(frame, 2)


def test_a_reported_error_keeps_its_class():
    with pytest.raises(RateLimitError):
        vectors_of(b'{"error": {"code": 429, "message": "full", "status": "RESOURCE_EXHAUSTED"}}', 1)
