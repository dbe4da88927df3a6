"""A prompt that is longer than the window fails with how much is too much and the ways out."""

from __future__ import annotations

import pytest

from nbgemini.error_body import error_from_data
from nbgemini.errors import ApiError

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
