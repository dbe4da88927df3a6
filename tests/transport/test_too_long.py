"""A prompt that is longer than the window fails with how much is too much and the ways out."""

from __future__ import annotations

import pytest

from nbgemini.errors import ApiError, RateLimitError
from nbgemini.transport.api_errors import error_from_data

SAID = "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576)."


@pytest.mark.parametrize("said", [SAID, SAID.replace("(", "").replace(")", "")])
def test_too_many_tokens_are_counted_and_the_ways_out_are_named(said):
    error = error_from_data(400, {"message": said, "status": "INVALID_ARGUMENT"})
    assert type(error) is ApiError
    assert str(error) == (
        "151,717 tokens too many: 1,200,293 were asked, the model takes 1,048,576 (400 INVALID_ARGUMENT)"
        " → %gemini drop, reset or fork the chat, or -m a model with a larger window (%gemini models)"
    )
    assert not error.passing


def test_a_message_that_only_resembles_it_stays_as_it_is():
    for said in ("The input token count exceeds the maximum.", f"The input token count ({'9' * 16}) exceeds the maximum"):
        assert str(error_from_data(400, {"message": said})) == f"{said} (400)"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "This endpoint's maximum context length is 4000 tokens. However, you requested about 5000 tokens (4000 of text input).",
            1000,
        ),
        ("This model's maximum context length is 4000 tokens. However, you requested 5000 tokens (1 in the messages).", 1000),
        ("This model's maximum prompt length is 4000 but the request contains 5000 tokens.", 1000),
        ("prompt too long; exceeded max context length by 12 tokens", 12),
        ("too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs.", 11326),
        ("Prompt contains 5000 tokens and 0 draft tokens, too large for model with 4000 maximum context length", 1000),
        ("prompt token count of 5000 exceeds the limit of 4000", 1000),
        ("request (5000 tokens) exceeds the available context size (4000 tokens), try increasing it", 1000),
        ("Trying to keep the first 5000 tokens when context the overflows. It has context length of only 4000 tokens", 1000),
        ("The decoder prompt (length 5000) is longer than the maximum model length of 4000.", 1000),
        ("Requested token count exceeds the model's maximum context length of 4000 tokens. You requested a total of 5000 tokens", 1000),
        ("Input length (5000) exceeds model's maximum context length (4000).", 1000),
        ("The input (5000 tokens) is longer than the model's context length (4000 tokens).", 1000),
        ("prompt is too long: 5,000 tokens > 4,000 maximum", 1000),
        ("Unable to submit request because the input token count is 5000 but model only supports up to 4000.", 1000),
        ("prompt token count (5000) cannot exceed 4000", 1000),
        ("The provided prompt is 5000 tokens long, but the maximum supported sequence length is just 4000!", 1000),
    ],
)  # fmt: skip
def test_too_many_are_counted_in_all_words(said, told):
    for code in (400, 413, 500):
        error = error_from_data(code, {"message": said, "type": "api_error"})
        assert (type(error), error.passing) == (ApiError, False)
        assert str(error).startswith(f"{told:,} tokens too many")
        assert "→ %gemini drop" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        {"message": "Your input exceeds the context window of this model. Please adjust your input and try again."},
        {"message": "Input is too long for requested model."},
        {"message": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"},
        {"message": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096."},
        {"message": "the request exceeds the available context size. try increasing the context size"},
        {"message": "Please reduce the length of the messages or completion."},
        {"message": "Range of input length should be [1, 129024]"},
        {"message": "litellm.ContextWindowExceededError: OpenAIException - no"},
        {"message": "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000"},
        {"message": "Request body too large for gpt-4o model. Max size: 8000 tokens."},
        {"message": "Prompt exceeds max length"},
        {"message": "Total number of tokens exceeds the model's limit of 8192"},
        {"message": "no", "code": "too_many_prompt_tokens"},
        {"message": "no", "type": "exceed_context_size_error"},
        {"message": "no", "code": "tokens_limit_reached"},
        {"message": "no", "code": "model_max_prompt_tokens_exceeded"},
        {"message": "no", "type": "ContextWindowExceededError"},
        {"message": "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 7000"},
    ],
)
def test_what_is_too_long_has_its_way_out_without_a_count(error):
    made = error_from_data(400, error)
    assert (type(made), made.passing) == (ApiError, False)
    assert str(made).endswith("→ %gemini drop, reset or fork the chat, or -m a model with a larger window (%gemini models)")


@pytest.mark.parametrize(
    "said",
    [
        "Rate limit reached for m on tokens per minute (TPM): Limit 6000, Used 5000, Requested 2000. Try again in 6s.",
        "max_tokens is too large: 200000. This model supports at most 4096 completion tokens",
        "Invalid 'name': string too long.",
        "The context is wrong.",
    ],
)
def test_what_only_resembles_it_is_not(said):
    assert "%gemini drop" not in str(error_from_data(400, {"message": said}))


def test_a_count_that_contradicts_itself_is_not_told():
    made = str(error_from_data(400, {"message": "prompt is too long: 5 tokens > 9 maximum"}))
    assert made.startswith("prompt is too long: 5 tokens > 9 maximum (400) → %gemini drop")


def test_a_quota_stays_one():
    error = error_from_data(
        429, {"message": "Request too large for m: Limit 6000, Requested 7000", "code": "rate_limit_exceeded"}
    )
    assert (type(error), error.passing, "%gemini drop" in str(error)) == (RateLimitError, False, True)
