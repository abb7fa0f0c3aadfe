"""Percentiles, and what a closed loop leaves out."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.bench.latency import corrected, percentile

HUNDRED = Counter(range(1, 101))


@pytest.mark.parametrize(("per_cent", "value"), [(50, 50), (99, 99), (99.9, 100), (100, 100)])
def test_a_percentile_is_the_latency_that_so_many_did_not_exceed(per_cent, value):
    assert percentile(HUNDRED, per_cent) == value


def test_how_often_a_latency_came_counts():
    assert percentile({7: 98, 900: 2}, 98) == 7
    assert percentile({900: 2, 7: 98}, 98.1) == 900


def test_without_latencies_there_is_no_percentile():
    with pytest.raises(ValueError, match="no latencies"):
        percentile({}, 99)


def test_requests_that_were_due_during_a_long_wait_are_counted():
    """As wrk does: not the wait of one interval, which is the loop's own pace."""
    assert corrected({10: 5, 45: 1}, 10) == {10: 5, 45: 1, 35: 1, 25: 1, 15: 1}
    assert corrected({20: 3}, 10) == {20: 3}


def test_nothing_is_added_without_an_interval():
    assert corrected({45: 1}, 0) == {45: 1}
