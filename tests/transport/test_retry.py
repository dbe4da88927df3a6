"""What is sent again, how often, and when: a table of errors, and bounds that hold for any of them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from nbgemini.errors import ConfigurationError, RateLimitError, ServerError, TransportError, WireError
from nbgemini.transport.api_errors import error_from_body, error_from_data, retry_after
from nbgemini.transport.retry import Attempts, RetryBudget, RetryPolicy

PER_DAY = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self):
        return self.now


def attempts(policy=None, budget=None, clock=None, chance=0.0):
    return Attempts(policy or RetryPolicy(), budget or RetryBudget(), clock or Clock(), lambda: chance)


def limited(delay=None, details=()):
    info = [{"retryDelay": delay}] if delay else []
    return error_from_data(429, {"code": 429, "message": "slow down", "details": [*info, *details]})


@pytest.mark.parametrize("code", [408, 500, 502, 503, 504, 529])
def test_trouble_of_the_service_passes(code):
    assert error_from_body(code, b"").passing


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 413, 501])
def test_what_we_did_wrong_stays_wrong(code):
    assert not error_from_body(code, b"").passing


def test_a_daily_quota_does_not_pass_however_short_the_delay():
    """Google sends a delay of seconds with quotas a day, too."""
    assert limited("4s").passing
    daily = limited("4s", [PER_DAY])
    assert daily.daily
    assert attempts().again(daily) is None


@pytest.mark.parametrize(
    "error", [ConfigurationError("no key"), WireError("not JSON"), TransportError("an expired certificate")], ids=str
)
def test_other_errors_are_not_sent_again(error):
    assert attempts().again(error) is None


def test_three_attempts_with_growing_waits():
    request, busy = attempts(), error_from_body(503, b"")
    assert [request.again(busy) for _ in range(3)] == [0.5, 1.0, None]
    assert request.made == 3


@given(st.floats(0, 1), st.integers(1, 8), st.lists(st.sampled_from([408, 429, 500, 503]), min_size=1, max_size=10))
def test_waits_and_attempts_are_bounded(chance, most, codes):
    request = attempts(RetryPolicy(attempts=most), chance=chance)
    waits = [wait for code in codes if (wait := request.again(error_from_body(code, b""))) is not None]
    assert len(waits) < most
    for number, wait in enumerate(waits):
        assert 2**number / 2 <= wait <= 2**number


@given(st.floats(0, 60), st.floats(0, 1))
def test_what_the_service_asks_for_is_never_undercut(seconds, chance):
    wait = attempts(chance=chance).again(limited(f"{seconds:.3f}s"))
    assert wait is None or float(f"{seconds:.3f}") <= wait <= 60


def test_beyond_the_cap_nothing_is_sent():
    assert attempts().again(limited("61s")) is None
    assert attempts().again(limited("1000000000s")) is None


def test_the_whole_time_is_bounded():
    clock = Clock()
    request = attempts(clock=clock)
    clock.now += 119.8
    assert request.again(error_from_body(503, b"")) is None


def test_many_requests_share_one_budget_and_success_fills_it():
    """A thousand requests in a storm cause a hundred more, not two thousand."""
    budget, busy = RetryBudget(), error_from_body(503, b"")
    sent_again = sum(attempts(budget=budget).again(busy) is not None for _ in range(1000))
    assert sent_again == 100
    lucky = attempts(budget=budget)
    lucky.succeeded()
    for _ in range(4):
        attempts(budget=budget).succeeded()
    assert lucky.again(busy) is not None


def test_a_success_after_retries_gives_back_what_they_cost():
    budget, busy = RetryBudget(tokens=10), error_from_body(503, b"")
    request = attempts(budget=budget)
    assert request.again(busy)
    assert request.again(busy)
    assert attempts(budget=budget).again(busy) is None
    request.succeeded()
    assert attempts(budget=budget).again(busy)


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("120", "", 120.0),
        ("1.5", "", 1.5),
        ("0", "", 0.0),
        ("-5", "", None),
        ("soon", "", None),
        ("", "", None),
        ("nan", "", None),
        ("inf", "", None),
        ("Wed, 21 Oct 2015 07:28:30 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", 30.0),  # our own clock has no say
        ("Wed, 21 Oct 2015 07:28:30 GMT", "", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:30 GMT", None),
    ],
)
def test_the_retry_after_header(value, date, seconds):
    assert retry_after(value, date) == seconds


def test_a_service_in_trouble_may_say_when_too():
    error = error_from_data(503, {"code": 503, "message": "overloaded", "details": [{"retryDelay": "7s"}]})
    assert isinstance(error, ServerError)
    assert error.retry_after == 7.0
    assert isinstance(limited("2s"), RateLimitError)
