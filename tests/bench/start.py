"""How long the service takes from the start of its process until it is ready."""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import suppress
from urllib.error import HTTPError
from urllib.request import urlopen

from hasura_kc_auth.devtools.issuer import DevIssuer
from tests.bench.servers import service

Row = dict[str, float | str]


async def measure(rounds: int) -> list[Row]:
    """Return medians in seconds: until it answers at all, and until it has its keys."""
    issuer = DevIssuer(time.time)  # noqa: TID251 - as its clock
    await issuer.start()
    try:
        # In a thread: the issuer answers the service's fetches meanwhile.
        starts = await asyncio.to_thread(lambda: [_start(issuer) for _ in range(rounds)])
    finally:
        await issuer.stop()
    names = ("listening", "ready")
    return [
        {"case": name, "seconds": statistics.median(times)}
        for name, times in zip(names, zip(*starts, strict=True), strict=True)
    ]


def _start(issuer: DevIssuer) -> tuple[float, float]:
    began = time.perf_counter()
    with service(issuer) as server:
        listening = time.perf_counter() - began
        while not _is_ready(server.management):
            time.sleep(0.005)
        return listening, time.perf_counter() - began


def _is_ready(management: str) -> bool:
    with suppress(HTTPError), urlopen(f"{management}/readyz") as answer:  # noqa: S310 - our own
        return bool(answer.status == 200)
    return False
