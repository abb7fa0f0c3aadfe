"""Latencies as a histogram: microseconds -> how many requests took them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

Latencies = Mapping[int, int]


def percentile(latencies: Latencies, per_cent: float) -> int:
    """Return the latency that so many of all requests did not exceed (nearest rank), in µs.

    Raises ValueError if there are none.
    """
    rank = math.ceil(sum(latencies.values()) * per_cent / 100)
    seen = 0
    for value, count in sorted(latencies.items()):
        seen += count
        if seen >= rank:
            return value
    raise ValueError("no latencies")


def corrected(latencies: Latencies, expected: int) -> Counter[int]:
    """Add the requests that a closed loop did not send while it waited for a slow answer.

    As wrk does it (and HdrHistogram before it): after a latency far above `expected`, the mean
    time between two requests of a connection in µs, those that were due meanwhile are counted with
    the time that they would have waited.
    """
    result = Counter(latencies)
    for value, count in latencies.items():
        waited = value - expected
        while waited > expected > 0:
            result[waited] += count
            waited -= expected
    return result
