"""What good requests feel of a flood of forged ones: their latency at a fixed pace beside it."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from tempfile import NamedTemporaryFile

from hasura_kc_auth.devtools.issuer import DevIssuer
from tests.bench.calls import get
from tests.bench.cases import Bench, Case, Row, check, send_once
from tests.bench.client import write_requests
from tests.bench.issuers import answering
from tests.bench.latency import percentile
from tests.bench.load import LoadFailed, Sample, sample_of
from tests.bench.paced import Paced
from tests.bench.process import counts
from tests.bench.servers import service
from tests.bench.speed import forged_token, good_token

CONNECTIONS = (0, 1, 4, 16, 64)
"""Of the flood, each with a forged request in flight all the time."""
RATE = 250
"""Good requests a second."""
_FORGED = 100


@dataclass
class _Level:
    latencies: Counter[int] = field(default_factory=Counter)
    rates: list[float] = field(default_factory=list)


def measure(bench: Bench) -> list[Row]:
    issuer = DevIssuer(time.time)  # noqa: TID251 - tokens that a real clock accepts
    with answering(issuer), service(issuer) as server:
        good = get(good_token(issuer))
        forged = [get(forged_token(issuer)) for _ in range(_FORGED)]
        send_once(server, [good])
        levels = {number: _Level() for number in CONNECTIONS}
        work = [
            (number, Case(f"flood of {it}", server, forged, 401, 'reason="bad_signature"', x=it))
            for number in range(bench.rounds)
            for it in CONNECTIONS
        ]
        for _, case in bench.track(work, "flood"):
            _measure_one(bench, case, good, levels[case.x])
    return [_row(number, level) for number, level in levels.items()]


def _measure_one(bench: Bench, case: Case, good: bytes, level: _Level) -> None:
    with (
        closing(Paced(case.server.port, good)) as paced,
        _flooded(bench, case) as samples,
    ):
        # A flood takes some time to begin; wrk's runs end on whole seconds.
        time.sleep(0.3)
        paced.run(RATE, bench.seconds)
    if set(paced.statuses) != {200}:
        raise SystemExit(f"good beside a {case.name}: not only 200 came, but {paced.statuses}")
    level.latencies.update(paced.latencies)
    level.rates += [sample.rate for sample in samples]


@contextmanager
def _flooded(bench: Bench, case: Case) -> Iterator[list[Sample]]:
    """Keep the flood up; afterwards its sample is in the list. Raises SystemExit."""
    samples: list[Sample] = []
    if not case.x:
        yield samples
        return
    before = counts(case.server)
    with NamedTemporaryFile() as file:
        write_requests(file, case.requests)
        file.flush()
        command = bench.load.command(case.server.port, file.name, bench.seconds + 1, case.x)
        with running(command) as flood:
            yield samples
            out, err = flood.communicate()
    try:
        ended = subprocess.CompletedProcess(flood.args, flood.returncode, out, err)
        sample = sample_of(ended, cpu=0.0, resident=0.0)
    except LoadFailed as failed:
        raise SystemExit(f"{case.name}: {failed}") from failed
    grown = {name: value - before.get(name, 0) for name, value in counts(case.server).items()}
    check(case, sample, grown)
    samples.append(sample)


@contextmanager
def running(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a program beside the body: to its end, or to the first thing that the body raises."""
    with subprocess.Popen(  # noqa: S603 - our own commands
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _row(connections: int, level: _Level) -> Row:
    return {
        "x": connections,
        "forged_rate": statistics.median(level.rates) if level.rates else 0.0,
        "good": sum(level.latencies.values()),
        "p50_ms": percentile(level.latencies, 50) / 1000,
        "p99_ms": percentile(level.latencies, 99) / 1000,
        "p999_ms": percentile(level.latencies, 99.9) / 1000,
    }
