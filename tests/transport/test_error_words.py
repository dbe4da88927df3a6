"""What other services than Gemini call an error has the same classes, and a way out that is theirs."""

from __future__ import annotations

import json

import pytest

from nbgemini.errors import ApiError, AuthenticationError, RateLimitError, ServerError
from nbgemini.transport.api_errors import error_from_body, error_from_data

CLAUDE, GPT = "ANTHROPIC_API_KEY", "OPENAI_API_KEY"


def claude(code, kind, message="no"):
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return error_from_body(code, json.dumps(body).encode(), key_name=CLAUDE)


def gpt(code, kind, word, message="no"):
    body = {"error": {"message": message, "type": kind, "param": None, "code": word}}
    return error_from_body(code, json.dumps(body).encode(), key_name=GPT)


@pytest.mark.parametrize(
    ("code", "word", "kind", "passing", "way_out"),
    [
        (401, "authentication_error", AuthenticationError, False, "set ANTHROPIC_API_KEY or run %gemini key anthropic"),
        (403, "permission_error", AuthenticationError, False, "set ANTHROPIC_API_KEY or run %gemini key anthropic"),
        (402, "billing_error", ApiError, False, "check the balance of your account with the service"),
        (404, "not_found_error", ApiError, False, "%gemini models lists them"),
        (413, "request_too_large", ApiError, False, "attach less, or smaller files"),
        (429, "rate_limit_error", RateLimitError, True, "ask again in a moment; %gemini models lists other models"),
        (500, "api_error", ServerError, True, "ask again in a moment"),
        (504, "timeout_error", ServerError, True, "ask again in a moment"),
        (529, "overloaded_error", ServerError, True, "ask again in a moment"),
    ],
)
def test_the_words_of_anthropic(code, word, kind, passing, way_out):
    error = claude(code, word)
    assert (type(error), error.passing, error.code, error.status) == (kind, passing, code, word)
    assert str(error) == f"no ({code} {word}) → {way_out}"
    within = error_from_data(0, {"type": word, "message": "no"}, key_name=CLAUDE)  # in a stream, where no code is told
    assert (type(within), within.passing) == (kind, passing)
    assert str(within) == f"no ({word}) → {way_out}"


@pytest.mark.parametrize(
    ("said", "of", "passing", "way_out"),
    [
        (
            (401, "invalid_request_error", "invalid_api_key"),
            AuthenticationError,
            False,
            "set OPENAI_API_KEY or run %gemini key openai",
        ),
        ((429, "insufficient_quota", "insufficient_quota"), RateLimitError, False, "check the balance of your account"),
        ((429, "requests", "rate_limit_exceeded"), RateLimitError, True, "ask again in a moment"),
        ((404, "invalid_request_error", "model_not_found"), ApiError, False, "%gemini models lists them"),
        ((400, "invalid_request_error", "context_length_exceeded"), ApiError, False, "%gemini drop, reset or fork the chat"),
        ((500, "server_error", None), ServerError, True, "ask again in a moment"),
    ],
)
def test_the_words_of_openai(said, of, passing, way_out):
    error = gpt(*said)
    assert (type(error), error.passing, error.status) == (of, passing, said[2] or said[1])
    assert f" → {way_out}" in str(error)


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (claude, (400, "invalid_request_error", "prompt is too long: 211180 tokens > 200000 maximum")),
        (
            gpt,
            (
                400,
                "invalid_request_error",
                "context_length_exceeded",
                "This model's maximum context length is 200000 tokens. However, your messages resulted in 211180 tokens. Please reduce.",
            ),
        ),
    ],
)
def test_too_many_tokens_are_counted_whoever_says_so(of, said):
    error = of(*said)
    assert str(error).startswith("11,180 tokens too many: 211,180 were asked, the model takes 200,000 (400 ")
    assert "→ %gemini drop" in str(error)


def test_a_service_without_a_key_that_wants_one():
    assert "→ this service needs a key; set NAME_API_KEY" in str(error_from_body(401, b"", key_name=""))


def test_gemini_is_asked_for_by_one_name():
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        assert str(error_from_body(401, b"", key_name=name)).endswith(" → set GEMINI_API_KEY or run %gemini key")


def test_credit_that_has_run_out_is_not_asked_for_again():
    error = error_from_data(402, {"message": "Insufficient credits"})
    assert (error.passing, "balance of your account" in str(error)) == (False, True)


def test_a_quota_of_a_day_by_any_name_is_not_waited_for():
    error = error_from_data(429, {"message": "used up", "code": "quota_exceeded"})
    assert (error.passing, error.daily) == (False, True)
