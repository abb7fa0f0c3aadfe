"""The circuit breaker, by its own rules; who uses it is tested there."""

from __future__ import annotations

import pytest

from hasura_kc_auth.core.breaker import Breaker


@pytest.fixture
def breaker():
    return Breaker(10.0)


@pytest.fixture
def opened(breaker):
    """Give one that has failed five times in a row, the last time at 100."""
    for now in range(96, 101):
        assert breaker.lets_through(now)
        breaker.failed(now)
    return breaker


def test_four_failures_in_a_row_are_let_pass(breaker):
    for _ in range(3):
        for _ in range(4):
            breaker.failed(100)
        assert breaker.lets_through(100)
        breaker.succeeded()


def test_after_five_nobody_gets_through_for_the_cooldown(opened):
    assert [opened.lets_through(now) for now in (100, 105, 109.9)] == [False] * 3


def test_then_one_gets_through_for_each_cooldown(opened):
    assert [opened.lets_through(now) for now in (110, 110, 119.9)] == [True, False, False]
    assert [opened.lets_through(now) for now in (120, 120)] == [True, False]


def test_the_cooldown_is_counted_from_the_last_failure(opened):
    assert opened.lets_through(110)
    opened.failed(113)
    assert [opened.lets_through(now) for now in (120, 122.9, 123)] == [False, False, True]


def test_one_success_closes_it(opened):
    assert opened.lets_through(110)
    opened.succeeded()
    assert all(opened.lets_through(110) for _ in range(10))
