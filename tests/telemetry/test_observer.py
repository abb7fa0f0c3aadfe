"""One call for each decision: the metric, the log line and what is kept agree."""

from __future__ import annotations

import json
from math import inf

import pytest

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.session import Session
from hasura_kc_auth.telemetry.denials import Denial, RecentDenials
from hasura_kc_auth.telemetry.logs import DenialLog, LineWriter, open_log
from hasura_kc_auth.telemetry.metrics import DecisionCounts
from hasura_kc_auth.telemetry.observer import DecisionObserver
from tests.conftest import LONG, Output
from tests.made_tokens import ISSUER, NOW


class Observed:
    """An observer, its counts, and what it logged."""

    def __init__(self) -> None:
        self._output = Output()
        self.writer = LineWriter(self._output)
        log = open_log(self.writer, "info", "json")
        self.counts = DecisionCounts()
        self.recent = RecentDenials(lambda: NOW)
        self.observer = DecisionObserver(
            self.counts, self.recent, DenialLog(log, lambda _sum_up: None), log
        )

    def lines(self):
        self.writer.close(LONG)
        lines = [json.loads(line) for line in self._output.written.splitlines()]
        return [{name: line[name] for name in line if name != "timestamp"} for line in lines]


@pytest.fixture
def observed():
    observed = Observed()
    yield observed
    observed.writer.close()


def test_an_allowed_request_is_counted_and_not_logged(observed):
    observed.observer.allowed(Session(ISSUER, 0, inf, inf, None, b"{"), 0.002)
    assert observed.counts.allowed == {ISSUER: 1}
    assert observed.counts.durations["allow"].total == 0.002
    assert list(observed.recent.newest_first()) == []
    assert observed.lines() == []


def test_a_refused_one_is_counted_kept_and_logged(observed):
    denied = Denied(Code.NO_ORG, "a constant sentence", issuer=ISSUER)
    observed.observer.refused(denied, "request-1", 0.002)
    assert observed.counts.refused == {(Code.NO_ORG, ISSUER): 1}
    assert observed.counts.durations["deny"].total == 0.002
    assert list(observed.recent.newest_first()) == [Denial(NOW, Code.NO_ORG, ISSUER, "request-1")]
    assert observed.lines() == [
        {
            "event": "denied",
            "level": "info",
            "reason": "no_org",
            "issuer": ISSUER,
            "detail": "a constant sentence",
            "request_id": "request-1",
        }
    ]


def test_what_is_not_known_of_it_is_left_out(observed):
    observed.observer.refused(Denied(Code.NO_CREDENTIALS), None, 0.0)
    assert observed.lines() == [{"event": "denied", "level": "info", "reason": "no_credentials"}]


def test_requests_in_flight_are_those_begun_and_not_ended(observed):
    observed.observer.begun()
    observed.observer.begun()
    observed.observer.ended()
    assert observed.counts.in_flight == 1


def test_a_mistake_of_ours_is_logged_by_its_kind_and_place(observed):
    def stumble():
        return {}["a secret"]

    try:
        stumble()
    except KeyError as error:
        denied = observed.observer.failed(error)
    assert (denied.code, denied.issuer) == (Code.INTERNAL_ERROR, None)
    (line,) = observed.lines()
    name, _, number = line.pop("where").rpartition(":")
    assert name.endswith("stumble")
    assert number.isdigit()
    assert line == {"event": "internal_error", "level": "error", "error": "KeyError"}


def test_a_mistake_without_a_place_is_logged_by_its_kind(observed):
    observed.observer.failed(ValueError("a secret"))
    assert observed.lines() == [
        {"event": "internal_error", "level": "error", "error": "ValueError", "where": None}
    ]
