"""What the soak found, counted, and written for people and machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.measures import nearest_rank

_SHOWN = 10
MOST_GROWTH = 16_000_000
"""Bytes that the memory may grow by from the middle to the end. Half of ten minutes has 45,000
requests: were 400 bytes of each kept, it would be more. The first long outage, which is behind the
middle of a short run, was seen to take 10 MB: all who wait have a connection."""
MOST_FILES_LEFT = 4
"""Descriptors more than at the start: kept connections to the issuer, and to who reads metrics."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The service's process at one moment."""

    when: str
    resident_bytes: int
    open_files: int
    cache_entries: float


@dataclass
class Tally:
    """Grows while the soak runs. Latencies are in seconds, from when a request was due.

    `steady`: of requests whose answer waits for nobody; `waiting`: of those for which the service
    may ask the issuer first; `lateness`: how late the load itself began.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    steady: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    rotations: int = 0
    outages: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    fetch_attempts: float = 0.0
    fetch_bound: float = 0.0
    log_lines: int = 0
    log_lines_dropped: float = 0.0
    exit_code: int | None = None
    exit_seconds: float = 0.0
    unfit_log_lines: int = 0

    @property
    def requests(self) -> int:
        return self.kinds.total()

    def failures(self) -> list[str]:
        """Return why the soak is no success; nothing if it is."""
        checks = {
            f"{len(self.wrong)} wrong answers": bool(self.wrong),
            f"{self.fetch_attempts:.0f} fetches, over the bound": (
                self.fetch_attempts > self.fetch_bound
            ),
            f"exit code {self.exit_code} on SIGTERM": self.exit_code != 0,
            f"{self.unfit_log_lines} log lines with a traceback or a token's beginning": (
                self.unfit_log_lines > 0
            ),
            "nothing was asked": not self.requests,
        }
        return [text for text, failed in checks.items() if failed] + self._left_behind()

    def _left_behind(self) -> list[str]:
        """Return what of the process's samples is beyond its bound. They are three."""
        if len(self.samples) != 3:
            return [f"{len(self.samples)} samples of the process, not 3"]
        start, middle, end = self.samples
        grown = end.resident_bytes - middle.resident_bytes
        files = end.open_files - start.open_files
        checks = {
            f"memory grew by {grown / 1e6:.1f} MB from the middle to the end": grown > MOST_GROWTH,
            f"{files} more open files than at the start": files > MOST_FILES_LEFT,
        }
        return [text for text, failed in checks.items() if failed]

    def as_json(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            **vars(self),
            **{name: spread(getattr(self, name)) for name in ("steady", "waiting", "lateness")},
            "samples": [asdict(sample) for sample in self.samples],
            "failures": self.failures(),
        }

    def lines(self) -> Iterable[str]:
        """Return the report for a person."""
        yield f"requests          {self.requests} in {self.seconds:.0f} s"
        yield f"rotations         {self.rotations}; outages: {_counted(self.outages)}"
        yield f"by kind           {_counted(self.kinds)}"
        yield f"by answer         {_counted(self.outcomes)}"
        yield f"wrong answers     {len(self.wrong)}"
        yield from (f"  {text}" for text in self.wrong[:_SHOWN])
        yield f"latency, steady   {_written(self.steady)}"
        yield f"latency, waiting  {_written(self.waiting)} (the service may ask the issuer first)"
        yield f"the load was late {_written(self.lateness)} (part of the latencies)"
        for it in self.samples:
            size = f"{it.resident_bytes / 1e6:.1f} MB resident, {it.open_files} open files"
            yield f"{it.when:17} {size}, {it.cache_entries:.0f} cached decisions"
        yield f"key fetches       {self.fetch_attempts:.0f} (at most {self.fetch_bound:.0f})"
        yield f"log               {self.log_lines} lines, {self.log_lines_dropped:.0f} dropped"
        yield f"SIGTERM           exit {self.exit_code} after {self.exit_seconds:.1f} s"
        yield f"result            {'; '.join(self.failures()) or 'as it should be'}"


def spread(seconds: Sequence[float]) -> dict[str, float | None]:
    """Return quantiles in milliseconds (nearest rank); None of nothing."""
    names = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {
        name: round(nearest_rank(seconds, share) * 1000, 2) if seconds else None
        for name, share in names.items()
    }


def _written(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none"
    return ", ".join(f"{name} {value} ms" for name, value in spread(seconds).items())


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"
