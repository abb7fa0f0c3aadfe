"""What may come around a rotation or an outage: each tolerance is exact, and ends."""

from __future__ import annotations

from math import inf

import pytest

from tests.soak.timeline import Outage, Timeline, Times

TIMES = Times(
    ttl=20, cooldown=10, timeout=1, max_stale=100, cache_ttl=5, leeway=0, read_timeout=5, slack=0
)
RETRY = 11.0
"""Seconds: the cooldown x 1.1."""
REFRESHED = 17.0 + 1.0
"""Seconds: 80 % of the ttl from the end of an attempt, and the next attempt."""


@pytest.fixture
def keys() -> Timeline:
    """Give the timeline of an issuer that was well since long ago."""
    timeline = Timeline(TIMES)
    timeline.publish("old", -1000.0)
    return timeline


def may_have(keys: Timeline, kid: str, at: float, remembered: float = 0.0) -> bool:
    return keys.may_have_key(kid, at, at, remembered=remembered)


def may_lack(keys: Timeline, kid: str, at: float) -> bool:
    return keys.may_lack_key(kid, at, at)


class TestPublished:
    def test_a_key_of_old_is_there_and_nothing_else_may_come(self, keys):
        assert may_have(keys, "old", 0.0)
        assert not may_lack(keys, "old", 0.0)
        assert not keys.may_be_unusable(0.0, 0.0)

    def test_a_key_that_nobody_publishes_is_unknown_and_nothing_else(self, keys):
        assert not may_have(keys, "never", 0.0)
        assert may_lack(keys, "never", 0.0)

    def test_a_new_key_may_be_unknown_for_one_cooldown(self, keys):
        keys.publish("new", 0.0)
        assert may_have(keys, "new", 0.0)
        assert may_lack(keys, "new", RETRY - 0.1)
        assert not may_lack(keys, "new", RETRY)

    def test_once_proven_it_is_never_unknown_again(self, keys):
        keys.publish("new", 0.0)
        keys.saw_key("new", 2.0)
        assert may_lack(keys, "new", 1.9)  # sent before that was known
        assert not may_lack(keys, "new", 2.0)

    def test_a_refresh_in_the_background_brings_it_as_well(self, keys):
        keys.publish("new", 0.0)
        keys.outages.append(Outage(REFRESHED))
        assert not may_lack(keys, "new", REFRESHED + 5.0)
        keys.outages[0] = Outage(REFRESHED - 0.5)
        assert may_lack(keys, "new", REFRESHED + 5.0)

    def test_an_outage_delays_it_until_one_cooldown_after_its_end(self, keys):
        keys.publish("new", 0.0)
        keys.outages.append(Outage(5.0, 40.0))
        assert may_lack(keys, "new", 40.0 + RETRY - 0.1)
        assert not may_lack(keys, "new", 40.0 + RETRY)

    def test_an_outage_that_begins_while_the_answer_is_waited_for_delays_it_as_well(self, keys):
        keys.publish("new", 0.0)
        keys.outages.append(Outage(15.5, 16.0))
        assert not keys.may_lack_key("new", 15.0, 15.4)
        assert keys.may_lack_key("new", 15.0, 15.6)

    def test_before_it_is_published_it_is_unknown(self, keys):
        keys.publish("new", 10.0)
        assert not may_have(keys, "new", 9.0)
        assert may_lack(keys, "new", 9.0)


class TestWithdrawn:
    def test_it_may_be_there_until_the_next_refresh_and_what_it_decided_for_cache_ttl(self, keys):
        keys.withdraw("old", 0.0)
        assert may_have(keys, "old", REFRESHED - 0.1)
        assert not may_have(keys, "old", REFRESHED)
        assert may_have(keys, "old", REFRESHED + 4.9, remembered=5.0)
        assert not may_have(keys, "old", REFRESHED + 5.0, remembered=5.0)

    def test_it_may_be_gone_at_once_and_stays_so(self, keys):
        keys.saw_key("old", -10.0)
        keys.withdraw("old", 0.0)
        assert not may_lack(keys, "old", -0.1)
        assert may_lack(keys, "old", 0.0)
        assert may_lack(keys, "old", 1000.0)

    def test_once_missed_only_what_is_remembered_is_left(self, keys):
        keys.saw_key("old", -10.0)
        keys.withdraw("old", 0.0)
        keys.saw_no_key("old", 3.0)
        assert may_have(keys, "old", 2.9)
        assert not may_have(keys, "old", 3.0)
        assert may_have(keys, "old", 7.9, remembered=5.0)
        assert not may_have(keys, "old", 8.0, remembered=5.0)

    def test_unknown_before_it_was_ever_proven_says_nothing(self, keys):
        keys.withdraw("old", 0.0)
        keys.saw_no_key("old", 3.0)
        assert may_have(keys, "old", 4.0)

    def test_an_outage_keeps_it(self, keys):
        keys.withdraw("old", 0.0)
        keys.outages.append(Outage(10.0, 50.0))
        assert may_have(keys, "old", 50.0 + RETRY + 0.9)
        assert not may_have(keys, "old", 50.0 + RETRY + 1.0)

    def test_so_do_two(self, keys):
        keys.withdraw("old", 0.0)
        keys.outages += [Outage(10.0, 20.0), Outage(25.0, 30.0)]
        assert may_have(keys, "old", 30.0 + RETRY + 0.9)
        assert not may_have(keys, "old", 30.0 + RETRY + 1.0)

    def test_one_that_was_over_before_does_not(self, keys):
        keys.outages.append(Outage(-100.0, -50.0))
        keys.withdraw("old", 0.0)
        assert not may_have(keys, "old", REFRESHED)


class TestUnusable:
    def test_not_before_max_stale(self, keys):
        keys.outages.append(Outage(0.0))
        assert not keys.may_be_unusable(100.0 - REFRESHED - 0.1, 100.0 - REFRESHED - 0.1)
        assert keys.may_be_unusable(100.0 - REFRESHED, 100.0 - REFRESHED)
        assert keys.may_be_unusable(0.0, 100.0)

    def test_then_no_key_is_used_and_none_is_unknown(self, keys):
        keys.outages.append(Outage(0.0))
        assert may_have(keys, "old", 100.9)
        assert not may_have(keys, "old", 101.0)
        assert may_have(keys, "old", 105.9, remembered=5.0)
        assert not may_have(keys, "old", 106.0, remembered=5.0)
        assert may_lack(keys, "never", 100.9)
        assert not may_lack(keys, "never", 101.0)

    def test_after_its_end_for_one_cooldown_and_a_fetch(self, keys):
        keys.outages.append(Outage(0.0, 200.0))
        assert keys.may_be_unusable(200.0 + RETRY + 0.9, 200.0 + RETRY + 0.9)
        assert not keys.may_be_unusable(200.0 + RETRY + 1.0, 200.0 + RETRY + 1.0)
        assert keys.may_be_unusable(200.0 + RETRY + 0.9, 300.0)
        assert keys.may_be_unusable(150.0, 300.0)

    def test_several_short_outages_make_it_unusable_if_no_fetch_fits_between(self, keys):
        keys.outages += [Outage(at, at + 4.0) for at in range(0, 200, 10)]
        assert keys.may_be_unusable(150.0, 150.0)
        keys.outages[10:12] = []  # 100 to 120: well for long enough
        assert not keys.may_be_unusable(150.0, 150.0)

    def test_from_the_start_until_it_is_well(self, keys):
        keys.outages.append(Outage(-inf, 10.0))
        assert keys.may_be_unusable(0.0, 0.0)
        assert keys.may_be_unusable(10.0 + RETRY, 10.0 + RETRY)
        assert not keys.may_be_unusable(10.0 + RETRY + 1.0, 10.0 + RETRY + 1.0)


def test_the_soaks_own_times_leave_room_for_no_more_than_is_said():
    """An attempt ends before the next may begin, and a well issuer's keys are never too old."""
    times = Times()
    assert times.attempt <= times.retry
    assert times.refresh + times.attempt < times.max_stale
