"""A service with keys, and an issuer that fails each of its attempts to fetch them anew."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tests.chaos.issuer import ChaosIssuer, Fault
from tests.chaos.report import Found
from tests.chaos.service import RunningService, said_by, until

COOLDOWN = 1.0
"""Seconds: `keys.cooldown` of QUICK."""
RECOVERED_WITHIN = 10.0
"""Seconds that a busy machine may take for what a quiet one does in the cooldown and a second."""

ASKS_OFTEN = {"KEYS__TTL": "1s"}
"""So that it fetches by itself, as often as the cooldown lets it."""


async def endure(
    service: RunningService,
    issuer: ChaosIssuer,
    faults: Sequence[Fault],
    found: Found,
) -> list[str]:
    """Let each attempt of a service set to ASKS_OFTEN meet the next fault, and then none.

    Returns what the service calls these failures, one after the other.
    """
    usual = await service.ask_each(issuer.tokens(50))
    began, before = now(), issuer.fetched()
    issuer.certs = list(faults)
    answers = await service.ask_until(
        lambda: issuer.fetched() - before >= len(faults), issuer.token
    )
    failures = await failed(service, len(faults))
    attempts, allowed = issuer.fetched() - before, most_attempts(now() - began)

    assert said_by(answers) == {(200, "acme"): len(answers)}
    assert attempts <= allowed
    assert issuer.open_at_once == 1
    assert await service.ready() == 200
    found.took("fresh keys after it is well", [await recover(service, issuer)])
    found.came(f"known: {len(answers)} x 200; {attempts} attempts of {allowed} allowed")
    found.took("known before", [answer.seconds for answer in usual])
    found.took("meanwhile", [answer.seconds for answer in answers])
    return failures[: len(faults)]


async def recover(service: RunningService, issuer: ChaosIssuer) -> float:
    """Heal the issuer and return how many seconds later the service has its keys by itself.

    There is a new one among them, so that it is these keys and not the old ones.
    """
    issuer.keys.rotate(keep_old=True)
    successes = len(service.events("keys_fetched"))
    issuer.heal()
    await issuer.start()
    seconds = await fetched_anew(service, successes)
    assert await service.ready() == 200
    assert (await service.ask(issuer.token())).status == 200
    return seconds


async def fetched_anew(service: RunningService, successes: int) -> float:
    """Wait for one more success than so many, and return how many seconds it took."""
    began = now()
    await until(lambda: len(service.events("keys_fetched")) > successes, within=RECOVERED_WITHIN)
    return now() - began


async def failed(service: RunningService, count: int) -> list[str]:
    """Wait until so many attempts have failed, and return how each of all did."""

    def so_many() -> bool:
        return len(service.events("keys_not_fetched")) >= count

    await until(so_many)
    return [event["result"] for event in service.events("keys_not_fetched")]


def most_attempts(seconds: float, cooldown: float = COOLDOWN) -> int:
    """Return how often the keys may be fetched in so much time."""
    return 1 + int(seconds / cooldown)


def now() -> float:
    return time.monotonic()  # noqa: TID251 - the tests' own stop-watch
