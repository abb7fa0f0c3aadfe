"""What is summed up of the rounds, and what ends a run."""

from __future__ import annotations

import time
from collections import Counter
from subprocess import CompletedProcess

import pytest

from hasura_kc_auth.devtools.issuer import DevIssuer
from tests.bench import speed
from tests.bench.cases import HIT, Bench, Case, check, row
from tests.bench.issuers import answering
from tests.bench.load import LoadFailed, Sample, sample_of
from tests.bench.parts import TARGETS
from tests.bench.servers import Server

SERVER = Server(1, 1)


def sample(cpu: float, latency: int = 1000, wrong: int = 0) -> Sample:
    """Return one of 1,000 requests. `wrong`: how many of them got 401 and not 200."""
    statuses = {200: 1000 - wrong, **({401: wrong} if wrong else {})}
    return Sample(cpu, 100.0, 1000, statuses, Counter({latency: 1000}), cpu)


def test_ratios_are_to_the_floor_of_the_same_round():
    """Machines get slower and faster in between: both sides of a ratio must be of one time."""
    case = Case("hit", SERVER, [b""], floor="floor")
    taken = {
        "floor": [sample(10), sample(100), sample(1000)],
        "hit": [sample(20), sample(150), sample(1400)],
    }

    got = row(case, taken)

    assert got["ratio"] == 1.5
    assert got["cpu_us"] == 150


def test_percentiles_are_over_the_answers_of_all_rounds():
    taken = {"hit": [sample(1, latency=1000), sample(1, latency=3000)]}

    got = row(Case("hit", SERVER, [b""]), taken)

    assert (got["p50_ms"], got["p99_ms"], got["p999_ms"]) == (1.0, 3.0, 3.0)
    assert got["ratio"] == 1.0


def test_another_status_ends_the_run_by_name_even_once():
    case = Case("GET hit", SERVER, [b""])
    check(case, sample(1), {})

    with pytest.raises(SystemExit, match=r"GET hit: not only 200 came, but \{200: 999, 401: 1\}"):
        check(case, sample(1, wrong=1), {})


def test_a_hit_that_was_none_ends_the_run_by_name():
    case = Case("GET hit", SERVER, [b""], counted=HIT)
    check(case, sample(1), {"hasura_kc_auth_cache_hits_total": 990.0})

    with pytest.raises(SystemExit, match="GET hit: of 1000 requests the service counted 500"):
        check(case, sample(1), {"hasura_kc_auth_cache_hits_total": 500.0})


def test_what_the_load_says_is_read():
    said = (
        'words of wrk\n{"requests":4,"seconds":2.0,"failures":0,"statuses":{"200":4},'
        '"latencies":{"70":3,"900":1}}\n'
    )

    got = sample_of(CompletedProcess([], 0, said, ""), cpu=0.0002, resident=1.0)

    assert got == Sample(50.0, 2.0, 4, {200: 4}, Counter({70: 3, 900: 1}), 1.0)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (1, '{"requests":4,"seconds":2.0,"failures":0,"statuses":{},"latencies":{}}'),
        (0, "unable to connect"),
        (0, '{"requests":4,"seconds":2.0,"failures":1,"statuses":{},"latencies":{}}'),
        (0, '{"requests":0,"seconds":2.0,"failures":0,"statuses":{},"latencies":{}}'),
    ],
)
def test_a_load_that_failed_is_no_measurement(code, said):
    with pytest.raises(LoadFailed):
        sample_of(CompletedProcess([], code, said, "why"), cpu=1.0, resident=1.0)


def test_cases_alternate_round_by_round():
    """So that a slow minute of the machine falls on all of them."""
    seen: list[tuple[int, str]] = []

    def track(work, _title):
        seen.extend((number, case.name) for number, case in work)
        return []

    bench = Bench(None, track, rounds=2)
    with pytest.raises(Exception):  # noqa: B017, PT011 - nothing was measured
        bench.measure("some", [Case("a", SERVER, []), Case("b", SERVER, [])])

    assert seen == [(0, "a"), (0, "b"), (1, "a"), (1, "b")]


def test_each_target_is_of_a_kind_of_request_that_is_measured():
    issuer = DevIssuer(time.time)  # noqa: TID251 - it signs tokens that nobody looks at
    nobody = Server(0, 0)
    with answering(issuer):
        measured = {case.name for case in speed.cases(issuer, nobody, nobody)}

    assert measured > TARGETS.keys()
