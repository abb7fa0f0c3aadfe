"""The soak itself: the service, the issuer, what befalls it, and the load, for so long."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from math import ceil, inf
from random import Random
from typing import Any

from hasura_kc_auth.devtools.issuer import Fault
from tests.chaos.service import RunningService, serving, until
from tests.soak.judge import Judge
from tests.soak.load import Load
from tests.soak.questions import Questions
from tests.soak.realm import Realm, monotonic
from tests.soak.tally import MOST_FILES_LEFT, Sample, Tally
from tests.soak.timeline import Outage, Timeline, Times

_FAULTS = (Fault.DOWN, Fault.HANGING, Fault.ERROR, Fault.GARBAGE)
_LONG_EACH = 5
"""In the second of so many periods the outage is longer than `keys.max_stale`."""

CLOSED_WITHIN = 10.0
"""Seconds in which the service must have closed the connections whose clients have gone."""

Show = Callable[[float, Tally], None]
"""(seconds since the beginning, what was found so far)"""


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate`: requests a second; `period`: seconds from one rotation of keys to the next.

    `settings`: of the service, over the soak's own; for tests that want it to be wrong.
    """

    seconds: float
    rate: float
    seed: int
    period: float = 60.0
    times: Times = field(default_factory=Times)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def rotations(self) -> int:
        return ceil(self.seconds / self.period)


async def soak(plan: Plan, show: Show = lambda _seconds, _tally: None) -> Tally:
    """Run it, and return what was found."""
    tally, timeline = Tally(), Timeline(plan.times)
    realm = Realm(Random(plan.seed), timeline, plan.rotations)
    await realm.start()
    # The service begins without its issuer.
    await realm.fail(Fault.DOWN)
    timeline.outages[0] = Outage(-inf)
    began = monotonic()
    settings = {**realm.settings(), **plan.settings}
    try:
        async with serving(realm.issuer.issuer, ready=False, **settings) as service:
            run = _Run(plan, realm, service, tally, show)
            await run.all()
            await _look_back(service, tally, monotonic() - began, plan.times)
            await _end(service, tally)
    finally:
        await realm.issuer.stop()
    return tally


class _Run:
    """What goes on at the same time."""

    def __init__(
        self, plan: Plan, realm: Realm, service: RunningService, tally: Tally, show: Show
    ) -> None:
        self._plan = plan
        self._realm = realm
        self._service = service
        self._tally = tally
        self._show = show
        # Not to be told apart from any other soak of this seed, however long its requests take.
        self._random = Random(plan.seed)
        self._questions = Questions(realm, Random(plan.seed + 1))
        judge = Judge(realm.timeline)
        self._load = Load(service.webhook, judge, tally, plan.times)
        self._asking: set[asyncio.Task[None]] = set()
        self._began = monotonic()

    async def all(self) -> None:
        await self._sample("at the start")
        befalling = [asyncio.create_task(it) for it in (self._turn_keys(), self._break_issuer())]
        watching = asyncio.create_task(self._watch())
        try:
            await self._ask()
        finally:
            await self._stop(befalling)
        await asyncio.gather(
            *self._asking, return_exceptions=True
        )  # `_ended` notes what they raise
        await watching
        self._tally.seconds = monotonic() - self._began
        await self._load.close()
        await self._without_clients()
        await self._sample("at the end")

    async def _until(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, self._began + seconds - monotonic()))

    # The load

    async def _ask(self) -> None:
        due = 0.0
        while due < self._plan.seconds:
            due += self._random.expovariate(self._plan.rate)
            # Made before it is due: signing a token is the load's own work.
            question = self._questions.next()
            manner = self._random.random()
            await self._until(due)
            if manner < 0.985:
                self._begin(self._load.ask(question, self._began + due))
            elif manner < 0.99:
                self._begin(self._load.ask_slowly(question))
            elif manner < 0.999:
                self._begin(self._load.leave(question, self._random))
            else:
                self._begin(self._load.stall(question))

    def _begin(self, asking: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(asking)
        self._asking.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._load.note_error("failed", error)

    async def _stop(self, befalling: Sequence[asyncio.Task[None]]) -> None:
        """Cancel them. If one has failed before, not all befell that should have: no success."""
        for task in befalling:
            task.cancel()
        for outcome in await asyncio.gather(*befalling, return_exceptions=True):
            if isinstance(outcome, Exception):
                self._load.note_error("the issuer failed", outcome)

    async def _watch(self) -> None:
        """Show how far it is, and take a sample in the middle."""
        steps = max(2, ceil(self._plan.seconds))
        for step in range(1, steps):
            await self._until(step * self._plan.seconds / steps)
            self._show(monotonic() - self._began, self._tally)
            if step == steps // 2:
                await self._sample("in the middle")

    async def _without_clients(self) -> None:
        """Wait until the service has closed its ends of the load's connections, if it does."""
        most = self._tally.samples[0].open_files + MOST_FILES_LEFT
        with suppress(TimeoutError):
            await until(lambda: self._service.open_files() <= most, within=CLOSED_WITHIN)

    async def _sample(self, when: str) -> None:
        service = self._service
        entries = await service.metric("cache_entries")
        self._tally.samples.append(
            Sample(when, service.resident_bytes(), service.open_files(), entries)
        )

    # What befalls the issuer

    async def _turn_keys(self) -> None:
        """Turn the key in each period; the old one stays published for a third of it."""
        for number in range(self._plan.rotations):
            await self._until((number + 0.25) * self._plan.period)
            self._realm.rotate()
            self._tally.rotations += 1
            await self._until((number + 0.25 + 1 / 3) * self._plan.period)
            self._realm.withdraw_old()

    async def _break_issuer(self) -> None:
        """Mend it after its first seconds; then one outage in each period."""
        period, random = self._plan.period, Random(self._plan.seed + 2)
        await self._until(0.05 * period)
        await self._realm.mend()
        self._tally.outages["down at the start"] += 1
        for number, fault in zip(count(), cycle(_FAULTS), strict=False):
            long = number % _LONG_EACH == 1
            length = (
                1.8 * self._plan.times.max_stale if long else random.uniform(3, 12) / 60 * period
            )
            await self._until((number + random.uniform(0.15, 0.3 if long else 0.75)) * period)
            await self._realm.fail(fault)
            await asyncio.sleep(length)
            await self._realm.mend()
            self._tally.outages[f"{fault}, long" if long else str(fault)] += 1


async def _look_back(service: RunningService, tally: Tally, elapsed: float, times: Times) -> None:
    """Read the service's own counts. `elapsed`: seconds since before its start."""
    tally.fetch_attempts = await service.metric("jwks_fetches_total")
    tally.fetch_bound = 1 + elapsed // times.cooldown
    tally.log_lines_dropped = await service.metric("log_lines_dropped_total")


async def _end(service: RunningService, tally: Tally) -> None:
    began = monotonic()
    service.signal(signal.SIGTERM)
    with suppress(TimeoutError):
        tally.exit_code = await service.ended()
    tally.exit_seconds = monotonic() - began
    lines = service.log_text().splitlines()
    tally.log_lines = len(lines)
    tally.unfit_log_lines = sum("Traceback" in line or "eyJ" in line for line in lines)
