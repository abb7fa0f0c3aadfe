"""The process is ended, killed, started again; its clock is set."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.service import RunningService, said_by, serving, until
from tests.web.wire import connected, get

CLIENTS = 32
GRACE = 10.0
"""Seconds: what is left to the service between SIGTERM and its end."""


@pytest.mark.fault(
    "F25",
    "SIGTERM while 32 clients ask on kept connections",
    expected="every request answered 200, each client asked to go, exit 0 within 10 s",
)
async def test_sigterm_under_load_fails_no_request(issuer, found):
    async with serving(issuer.issuer, WEBHOOK__DRAIN="1s") as service:
        token = issuer.token()
        counts = [0] * CLIENTS
        clients = [
            asyncio.create_task(_ask_until_told_to_go(service.webhook, token, counts, number))
            for number in range(CLIENTS)
        ]
        await until(lambda: min(counts) > 5)
        service.signal(signal.SIGTERM)
        began = time.perf_counter()
        statuses = [status for client in clients for status in await client]
        code = await service.ended(GRACE)
        took = time.perf_counter() - began

    assert set(statuses) == {200}
    assert code == 0
    found.came(f"all 200, all {CLIENTS} were told to go; exit 0")
    found.took("exit, with a drain of 1 s,", [took])


async def _ask_until_told_to_go(url: str, token: str, counts: list[int], number: int) -> list[int]:
    """Ask and ask, as a load balancer would; a reset or an end without notice is an error."""
    statuses: list[int] = []
    async with connected(url) as wire:
        while True:
            answer = await wire.ask(get(f"Authorization: Bearer {token}"))
            statuses.append(answer.status)
            counts[number] += 1
            if answer.headers.get("Connection", "").lower() == "close":
                return statuses


@pytest.mark.fault(
    "F26",
    "SIGKILL, and a start on the same ports",
    expected="the same token gets the same answer again (to be ready within 2 s is reported)",
)
async def test_after_sigkill_it_serves_again(issuer, found):
    token = issuer.token()
    async with serving(issuer.issuer) as service:
        first = await service.ask(token)
        ports = {
            "WEBHOOK__PORT": service.webhook.rpartition(":")[2].rstrip("/"),
            "MANAGEMENT__PORT": service.management.rpartition(":")[2],
        }
        service.signal(signal.SIGKILL)
        killed = await service.ended()
    began = time.perf_counter()
    async with serving(issuer.issuer, **ports) as service:
        again = await service.ask(token)
        took = time.perf_counter() - began

    assert killed == -signal.SIGKILL
    assert first.status == again.status == 200
    assert _variables(first.body) == _variables(again.body)
    found.came("200 with the same variables")
    found.took("from the start to that answer", [took])


def _variables(body: object) -> dict[str, object]:
    assert isinstance(body, dict)
    return {name: value for name, value in body.items() if name != "Cache-Control"}


# --- the clock is set


@pytest.fixture
def faketime(tmp_path: Path) -> tuple[dict[str, str], Callable[[str], None]]:
    """Give variables for a process whose wall clock can be set, and what sets it ("+3600")."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        reason = "libfaketime is not installed (Debian: faketime)"
        if os.environ.get("HASURA_KC_AUTH_TEST_REQUIRE_FAKETIME") == "1":  # noqa: TID251
            pytest.fail(reason)
        pytest.skip(reason)
    shift = tmp_path / "shift"
    shift.write_text("+0\n")
    variables = {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(shift),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    return variables, lambda text: _replace(shift, text)


def _replace(file: Path, text: str) -> None:
    """Write at once: the process reads the file at every look at its clock."""
    new = file.with_suffix(".new")
    new.write_text(f"{text}\n")
    new.replace(file)


@pytest.mark.fault(
    "F27",
    "the wall clock is set an hour on and an hour back while it runs",
    expected="`exp` and `iat` by the new clock, cached or not; fetches and cooldown as ever",
)
@pytest.mark.parametrize(
    ("seconds", "refusal"),
    [(3600, "expired"), (-3600, "not_yet_valid")],
    ids=["an hour on", "an hour back"],
)
async def test_a_clock_that_is_set(issuer, found, faketime, seconds, refusal):
    variables, set_clock = faketime
    cached = issuer.token()
    async with serving(
        issuer.issuer, variables=variables, KEYS__TTL="1s", KEYS__MAX_STALE="10s"
    ) as service:
        before = await service.ask_each([cached, cached])
        set_clock(f"{seconds:+}")
        after = await service.ask_each([cached, issuer.token()])
        now = int(time.time()) + seconds  # noqa: TID251 - what the service reads
        fresh = await service.ask(issuer.token(exp=now + 300, iat=now))
        fetched, took = await _fetched_in(2.0, service, issuer)
        set_clock("+0")
        back = await service.ask(cached)

    assert said_by([*before, back]) == {(200, "acme"): 3}
    assert said_by(after) == {(401, refusal): 2}
    assert fresh.status == 200
    assert fresh.body["Cache-Control"] in {f"max-age={left}" for left in range(295, 301)}
    assert 1 <= fetched <= 1 + took  # one a second: neither none any more nor one after the other
    found.came(f"401 {refusal}, cached or not; new tokens 200; set back: 200")
    found.came(f"one fetch in a cooldown ({fetched} in {took:.1f} s)")


@pytest.mark.long
@pytest.mark.fault(
    "F27",
    "the wall clock runs at twice its speed",
    expected="a token ends at its `exp` by that clock, cached or not",
)
async def test_a_clock_that_drifts(issuer, found, faketime):
    variables, set_clock = faketime
    set_clock("+0 x2")
    async with serving(issuer.issuer, variables=variables, LEEWAY="0s") as service:
        token = issuer.token(exp=int(time.time()) + 16)  # noqa: TID251 - what the service reads
        before = await service.ask(token)
        began = time.perf_counter()
        await until(lambda: _is_refused(service, token), within=25.0)
        took = time.perf_counter() - began

    assert before.status == 200
    assert took < 10
    found.came("200, and in half of the time 401 expired")


async def _is_refused(service: RunningService, token: str) -> bool:
    answer = await service.ask(token)
    assert answer.said in {"acme", "expired"}
    return answer.said == "expired"


async def _fetched_in(seconds: float, service: RunningService, issuer) -> tuple[int, float]:
    """Return how many fetches there are while unknown keys are asked for, and in what time."""
    before, began = issuer.fetched(), time.perf_counter()
    while time.perf_counter() - began < seconds:
        refused = await service.ask_each(issuer.unknown(5))
        assert {answer.said for answer in refused} == {"unknown_key"}
        await asyncio.sleep(0.05)
    return issuer.fetched() - before, time.perf_counter() - began
