"""How many at once: the rules hold for any history, and a service with a limit sees no storm and is kept busy."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given, strategies as st

from nbgemini.bulk.aimd import AimdLimiter


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self):
        return self.now


def new(most=16, chance=0.0):
    clock = Clock()
    return AimdLimiter(most, clock, lambda: chance), clock


def test_it_begins_with_all_places():
    ours, _ = new()
    assert ours.room(15)
    assert not ours.room(16)


def test_a_limit_halves_once_for_all_that_were_out():
    ours, clock = new()
    clock.now += 1
    for began in (100.0, 100.5, 101.0):
        ours.limited(began, 3.0)
    assert ours.places == 8
    clock.now += 4
    ours.limited(clock.now - 0.5, None)
    assert ours.places == 4


def test_what_the_service_asks_for_is_waited_by_all():
    ours, clock = new(chance=1.0)
    ours.limited(100.0, 30.0)
    assert not ours.room(0)
    assert ours.wait == pytest.approx(33.0)
    clock.now += 33.1
    assert ours.room(0)


def test_a_shorter_wait_does_not_undercut_a_longer_one():
    ours, _ = new()
    ours.limited(100.0, 30.0)
    ours.limited(100.0, 1.0)
    assert ours.wait == 30.0


def test_as_many_answers_as_places_bring_one_place_back():
    ours, _ = new()
    ours.limited(100.0, None)
    assert not ours.room(0)
    for _ in range(8):
        assert ours.places == 8
        ours.succeeded()
    assert ours.places == 9


def test_limits_in_vain_are_waited_out_longer_and_longer():
    ours, clock = new(chance=1.0)
    waits = []
    for _ in range(12):
        clock.now += ours.wait + 1
        ours.limited(clock.now, None)
        waits.append(ours.wait)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60]
    ours.succeeded()
    assert ours.wait == 0
    clock.now += 100
    ours.limited(clock.now, None)
    assert ours.wait == 1


def test_one_at_a_time_when_the_budget_is_spent():
    ours, _ = new()
    ours.drop_to_one()
    assert ours.room(0)
    assert not ours.room(1)


@given(
    st.integers(1, 50),
    st.lists(
        st.one_of(
            st.just("good"),
            st.just("alone"),
            st.tuples(st.floats(0, 5), st.one_of(st.none(), st.floats(0, 100))),
            st.floats(0, 200),
        ),
        max_size=200,
    ),
)
def test_whatever_happens_there_is_a_place_and_never_too_many(most, history):
    """One place at least, never more than allowed, no cut below the half, and every wait ends."""
    ours, clock = new(most, chance=0.5)
    for event in history:
        before, waited = ours.places, ours.wait
        match event:
            case "good":
                ours.succeeded()
                assert before <= ours.places <= before + 1
                assert ours.wait <= waited
            case "alone":
                ours.drop_to_one()
            case (age, asked):
                ours.limited(clock.now - age, asked)
                assert ours.places >= max(1, before // 2)
                assert ours.wait >= max(waited, asked or 0) - 1e-6
            case seconds:
                clock.now += seconds
        assert 1 <= ours.places <= most
        assert ours.wait <= 110
    clock.now += 111
    assert ours.room(0)


def simulated(allowed, rows=1000, most=20, seconds=0.05):
    """Ask a service that answers in `seconds` what it allows; return requests a row, and how busy it was kept."""
    clock, ends, running, inside, requests, left = Clock(), [], 0, 0, 0, rows
    ours, start = AimdLimiter(most, clock, lambda: 0.5), clock.now
    while left or running:
        while left and ours.room(running):
            left, running, requests = left - 1, running + 1, requests + 1
            fine, wait = allowed(clock.now, inside)
            inside += fine
            heapq.heappush(ends, (clock.now + (seconds if fine else 0.002), requests, fine, clock.now, wait))
        soonest = [ends[0][0]] if ends else []
        clock.now = min([*soonest, *([clock.now + ours.wait + 1e-6] if ours.wait and left else [])])
        while ends and ends[0][0] <= clock.now:
            _, _, fine, began, wait = heapq.heappop(ends)
            running -= 1
            inside -= fine
            if fine:
                ours.succeeded()
            else:
                left += 1
                ours.limited(began, wait)
    return requests / rows, clock.now - start


@pytest.mark.parametrize("most", [3, 5, 8, 15])
def test_a_service_that_allows_so_many_at_once_is_kept_busy(most):
    requests, seconds = simulated(lambda _, inside: (inside < most, None))
    assert requests < 1.25
    assert 1000 / most * 0.05 / seconds > 0.7


@pytest.mark.parametrize("rate", [10, 25, 50, 100])
def test_a_service_that_allows_so_many_a_second_is_kept_busy(rate):
    window = [0, 0]

    def allowed(now, _):
        if window[0] != int(now):
            window[:] = [int(now), 0]
        window[1] += 1
        return (True, None) if window[1] <= rate else (False, int(now) + 1 - now)

    requests, seconds = simulated(allowed)
    assert requests < 1.3
    assert 1000 / rate / seconds > 0.7
