"""Measuring kinds of requests in alternating rounds, and summing the rounds up."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tests.bench.client import Client
from tests.bench.latency import percentile
from tests.bench.load import CONNECTIONS, Load, LoadFailed, Sample
from tests.bench.process import counts, total
from tests.bench.servers import Server

Row = dict[str, float | str]
Item = TypeVar("Item")


class Track(Protocol):
    """Goes through work with a progress bar."""

    def __call__(self, work: Sequence[Item], title: str) -> Iterable[Item]: ...


HIT = "cache_hits_total"
MISS = "cache_misses_total"
_ENOUGH = 0.99


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request. `expect`: the only status that may come.

    `counted`: which of the service's own counts must go up by it, a part of the metric's line;
    `before`: sent once before each measurement; `floor`: the case that its ratio is to; `x`: where
    it stands on a curve, whose name is `line`.
    """

    name: str
    server: Server
    requests: Sequence[bytes]
    expect: int = 200
    counted: str = ""
    before: Sequence[bytes] = ()
    floor: str = ""
    connections: int = CONNECTIONS
    line: str = ""
    x: int = 0


@dataclass(frozen=True, slots=True)
class Bench:
    """How to measure. `track`: goes through work with a progress bar; `tokens`: for memory."""

    load: Load
    track: Track
    rounds: int
    seconds: float = 1.0
    tokens: int = 1_000_000

    def measure(self, title: str, cases: Sequence[Case]) -> list[Row]:
        """Return a row for each case: medians over the rounds. Raises SystemExit."""
        work = [(number, case) for number in range(self.rounds) for case in cases]
        samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
        hits: dict[str, list[float]] = {case.name: [] for case in cases}
        for _, case in self.track(work, title):
            sample, share = self._sample(case)
            samples[case.name].append(sample)
            hits[case.name].append(share)
        return [
            {**row(case, samples), "hit_share": statistics.median(hits[case.name])}
            for case in cases
        ]

    def _sample(self, case: Case) -> tuple[Sample, float]:
        """Return what was measured, and which share of the requests hit the cache."""
        send_once(case.server, case.before)
        before = counts(case.server)
        try:
            sample = self.load.run(
                case.server, case.requests, seconds=self.seconds, connections=case.connections
            )
        except LoadFailed as failed:
            raise SystemExit(f"{case.name}: {failed}") from failed
        after = counts(case.server)
        grown = {name: value - before.get(name, 0) for name, value in after.items()}
        check(case, sample, grown)
        # wrk does not count the answers that come after its time.
        return sample, min(1.0, total(grown, HIT) / sample.requests)


def send_once(server: Server, requests: Sequence[bytes]) -> None:
    """Send each of them once."""
    client = Client(server.port, min(CONNECTIONS, max(1, len(requests))))
    client.run(iter(requests))
    client.close()


def check(case: Case, sample: Sample, grown: dict[str, float]) -> None:
    """Raise SystemExit with the case's name if it was not what it should have been."""
    if set(sample.statuses) != {case.expect}:
        raise SystemExit(f"{case.name}: not only {case.expect} came, but {sample.statuses}")
    counted = total(grown, case.counted)
    # The first request on each connection may find the cache as another case has left it.
    if case.counted and counted < _ENOUGH * sample.requests - case.connections:
        raise SystemExit(
            f"{case.name}: of {sample.requests} requests the service counted {counted:.0f} as "
            f"{case.counted}"
        )


def row(case: Case, samples: dict[str, list[Sample]]) -> Row:
    """Sum the rounds up: medians; percentiles over the answers of all rounds together."""
    taken = samples[case.name]
    floor = samples.get(case.floor, taken)
    latencies: Counter[int] = Counter()
    for sample in taken:
        latencies.update(sample.latencies)
    ratios = [mine.cpu / base.cpu for mine, base in zip(taken, floor, strict=True)]
    return {
        "case": case.name,
        "line": case.line,
        "x": case.x,
        "cpu_us": statistics.median(sample.cpu for sample in taken),
        "ratio": statistics.median(ratios),
        "rate": statistics.median(sample.rate for sample in taken),
        "p50_ms": percentile(latencies, 50) / 1000,
        "p99_ms": percentile(latencies, 99) / 1000,
        "p999_ms": percentile(latencies, 99.9) / 1000,
        # The first round goes up along a curve; later ones see what the longest has left.
        "resident_mb": taken[0].resident,
    }
