"""What a reply means for its row and for the map, as values: no clock, no service, no loop."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nbgemini.bulk.scheduler import LONGEST, BackOff, Failed, RetryAfter, RowDone, StopAll, SystemicFailureDetector, row_outcome
from nbgemini.errors import (
    ApiError,
    AuthenticationError,
    BlockedError,
    ConfigurationError,
    RateLimitError,
    ServerError,
    TransportError,
)
from nbgemini.transport.retry import Attempts, RetryBudget, RetryPolicy


def row(*, limited_since=None, attempts=3):
    return SimpleNamespace(
        limited_since=limited_since, attempts=Attempts(RetryPolicy(attempts), RetryBudget(), lambda: 0.0, lambda: 1.0)
    )


def meaning(error, *, shown=(), now=0.0, **of_row):
    return row_outcome(SimpleNamespace(error=error, segments=shown), row(**of_row), now)


def with_(error, **facts):
    for name, value in facts.items():
        setattr(error, name, value)
    return error


def test_an_answer_is_done():
    assert meaning(None) == meaning(None, shown=["text"]) == RowDone()


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("no"),
        ConfigurationError("no such service"),
        ApiError("no such model", code=404),
        ApiError("switched off", code=403, status="PERMISSION_DENIED"),
        with_(RateLimitError("today's quota", code=429), daily=True),
        with_(RateLimitError("later", code=429), retry_after=LONGEST + 1),
    ],
)
def test_what_every_row_would_meet_stops_all(error):
    assert meaning(error) == StopAll(error)


@pytest.mark.parametrize("error", [RateLimitError("slow", code=429), ServerError("busy", code=503), ApiError("busy", code=529)])
def test_a_limit_lets_all_rows_wait_for_ten_minutes_at_most(error):
    assert meaning(error) == BackOff(None)
    assert meaning(error, now=1000.0, limited_since=1000.0 - LONGEST) == BackOff(None)
    assert meaning(error, now=1000.0, limited_since=999.0 - LONGEST) == Failed()
    error.retry_after = 30.0
    assert meaning(error, now=1000.0, limited_since=1000.0 - LONGEST + 30) == BackOff(30.0)
    assert meaning(error, now=1000.0, limited_since=1000.0 - LONGEST + 29) == Failed()


def test_other_transient_errors_send_the_row_again_as_often_as_the_policy_says():
    broken = TransportError("the connection broke", passing=True)
    assert meaning(broken) == RetryAfter(1.0)
    assert meaning(with_(ServerError("oops", code=500), passing=True, retry_after=5.0)) == RetryAfter(5.5)
    assert meaning(broken, attempts=1) == Failed()


@pytest.mark.parametrize("error", [BlockedError("no"), ApiError("wrong", code=400), TransportError("for good")])
def test_what_does_not_pass_is_the_row_s_own(error):
    assert meaning(error) == Failed()


@pytest.mark.parametrize("error", [RateLimitError("slow", code=429), TransportError("it broke", passing=True)])
def test_what_has_begun_to_be_answered_is_not_sent_again(error):
    assert meaning(error, shown=["text"]) == Failed()


def test_asking_what_a_reply_means_changes_nothing():
    budget = RetryBudget(tokens=5)
    one = SimpleNamespace(limited_since=None, attempts=Attempts(RetryPolicy(), budget, lambda: 0.0, lambda: 1.0))
    reply = SimpleNamespace(error=TransportError("it broke", passing=True), segments=())
    assert {row_outcome(reply, one, 0.0) for _ in range(10)} == {RetryAfter(1.0)}
    assert one.attempts.made == 1
    assert budget.spend()


def test_many_failures_in_the_same_words_without_an_answer_are_one_of_all():
    detector, error = SystemicFailureDetector(), ApiError("bad option", code=400)
    assert [detector.detects(error) for _ in range(10)] == [False] * 9 + [True]
    detector.succeeded()
    assert not any(detector.detects(error) for _ in range(100)), "rows of one kind may stand together"
    broken = TransportError("nobody there", passing=True)
    assert [detector.detects(broken) for _ in range(10)] == [False] * 9 + [True], "the network is not of one kind"
