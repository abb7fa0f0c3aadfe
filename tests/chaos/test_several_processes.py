"""Several processes before one issuer. There are no workers by design: a replica is a process."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from tests.chaos.service import said_by, serving

PROCESSES = 4
SECONDS = 2.0


@pytest.mark.fault(
    "F36",
    "4 processes (no workers by design), unknown keys asked for at all of them",
    expected="at most 4 fetches a cooldown, one of each",
)
async def test_each_process_has_one_cooldown(issuer, found):
    async with AsyncExitStack() as stack:
        services = [
            await stack.enter_async_context(serving(issuer.issuer)) for _ in range(PROCESSES)
        ]
        before, began, answers = issuer.fetched(), time.perf_counter(), []
        while time.perf_counter() - began < SECONDS:
            rounds = [service.ask_each(issuer.unknown(5), at_once=True) for service in services]
            for answered in await asyncio.gather(*rounds):
                answers += answered
        took, fetched = time.perf_counter() - began, issuer.fetched() - before
        known = [await service.ask(issuer.token()) for service in services]

    assert said_by(answers) == {(401, "unknown_key"): len(answers)}
    assert said_by(known) == {(200, "acme"): PROCESSES}
    assert PROCESSES <= fetched <= PROCESSES * (1 + took)  # the cooldown is a second
    found.answered("unknown", answers)
    found.came(f"{fetched} fetches in {took:.1f} s")
