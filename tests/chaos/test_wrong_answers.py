"""The issuer answers, but wrongly: errors, garbage, cut connections, redirects, far too much.

Each case has a service and an issuer of its own, and they all wait for their cooldowns together.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.chaos.enduring import ASKS_OFTEN, endure
from tests.chaos.issuer import ChaosIssuer, Fault, chaos_issuer, status
from tests.chaos.report import Found
from tests.chaos.service import serving
from tests.keycloak.publishing import ok, reset

HUGE = b'{"keys": []' + b" " * 11 * 1024**2 + b"}"
TOO_LARGE = "the answer is larger than 256 KiB"


def errors(_issuer: ChaosIssuer) -> list[Fault]:
    return [status(it) for it in ("500 Oh", "503 Busy", "404 Where")]


def garbage(issuer: ChaosIssuer) -> list[Fault]:
    html = ok(b"<html>maintenance</html>", "Content-Type: text/html")
    cut = ok(issuer.document("certs"))[:-200]
    return [b"\x16\x03\x01\x00\xff garbage", html, ok(b""), cut]


def resets(issuer: ChaosIssuer) -> list[Fault]:
    half = ok(issuer.document("certs"))[:500]

    async def reset_within(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(half)
        await writer.drain()
        await reset(reader, writer)

    return [reset, reset_within]


def redirects(issuer: ChaosIssuer) -> list[Fault]:
    where = f"Location: {issuer.url_of('canary')}"
    return [status("302 Found", where), status("307 Temporary Redirect", where)]


def floods(_issuer: ChaosIssuer) -> list[Fault]:
    return [ok(HUGE), ok(gzip.compress(HUGE), "Content-Encoding: gzip")]


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    `failures`: what the service calls them. `grown`: bytes of memory more, at its peak.
    """

    found: Found
    failures: list[str]
    grown: int
    redirected: int
    details: set[str]


CASES: dict[str, Callable[[ChaosIssuer], list[Fault]]] = {
    "F6": errors,
    "F7": garbage,
    "F8": resets,
    "F9": redirects,
    "F10": floods,
}


async def outcome_of(fault: str) -> Outcome:
    found = Found(fault, "", "")
    async with chaos_issuer() as issuer, serving(issuer.issuer, **ASKS_OFTEN) as service:
        await service.ask_each(issuer.tokens(50))
        before = service.resident_bytes(peak=True)
        failures = await endure(service, issuer, CASES[fault](issuer), found)
        return Outcome(
            found,
            failures,
            service.resident_bytes(peak=True) - before,
            issuer.fetched("canary"),
            {it["detail"] for it in service.events("keys_not_fetched")},
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcomes() -> dict[str, Outcome | BaseException]:
    """Run all cases at one time, and give what came of each."""
    runs = await asyncio.gather(*map(outcome_of, CASES), return_exceptions=True)
    return dict(zip(CASES, runs, strict=True))


@pytest.fixture
def outcome(found: Found, outcomes: dict[str, Outcome | BaseException]) -> Outcome:
    """Give what came of the test's fault, where all was as it should be."""
    outcome = outcomes[found.fault]
    if isinstance(outcome, BaseException):
        raise outcome
    found.facts += outcome.found.facts
    found.times += outcome.found.times
    return outcome


@pytest.mark.fault(
    "F6",
    "the issuer answers 500, 503, 404",
    expected="known keys 200; at most one attempt in a cooldown; recovers by itself",
)
def test_an_issuer_that_fails_costs_nobody_with_a_known_key_anything(outcome):
    assert outcome.failures == ["status"] * 3


@pytest.mark.fault(
    "F7",
    "the answer is garbage, HTML, empty, cut short",
    expected="known keys 200; no traceback; recovers by itself",
)
def test_garbage_does_not_replace_good_keys(outcome):
    assert outcome.failures == ["invalid"] * 4


@pytest.mark.fault(
    "F8",
    "the connection is reset after the question, and within the answer",
    expected="known keys 200; at most one attempt in a cooldown; recovers by itself",
)
def test_a_reset_does_not_replace_good_keys(outcome):
    assert outcome.failures == ["connect", "invalid"]


@pytest.mark.fault(
    "F9",
    "the issuer redirects (302, 307) to where its keys are",
    expected="not followed; known keys 200",
)
def test_a_redirect_is_not_followed(outcome, found):
    assert outcome.failures == ["status"] * 2
    assert outcome.redirected == 0
    found.came("followed 0 times")


@pytest.mark.fault(
    "F10",
    "the answer has 11 MB, as it is and packed into 11 KB",
    expected="given up at 256 KiB; memory flat; known keys 200",
)
def test_a_huge_answer_is_not_read(outcome, found):
    assert outcome.failures == ["invalid"] * 2
    assert outcome.details == {TOO_LARGE}
    assert outcome.grown < len(HUGE) / 2
    found.came(f"peak of memory {outcome.grown / 1e6:.1f} MB more")
