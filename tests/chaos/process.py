"""More to do with a service's process: to stop it, to look at what Prometheus gets."""

from __future__ import annotations

import signal

from tests.chaos.service import RunningService


async def stop(service: RunningService, within: float = 10.0) -> int:
    """Send SIGTERM and return the exit code."""
    service.signal(signal.SIGTERM)
    return await service.ended(within)


async def series(service: RunningService) -> int:
    """Return how many of its own time series the service has, a histogram's buckets as one."""
    found = {
        (sample.name, tuple(it for it in sample.labels.items() if it[0] != "le"))
        for sample in await service.samples()
    }
    return len(found)
