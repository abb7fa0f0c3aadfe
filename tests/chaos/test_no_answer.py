"""The issuer does not answer: not there, slow, silent, without an address, moved."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.enduring import (
    ASKS_OFTEN,
    COOLDOWN,
    failed,
    most_attempts,
    now,
    recover,
)
from tests.chaos.issuer import Late, chaos_issuer
from tests.chaos.service import said_by, serving, until

UNDECIDED = (503, "keys_unavailable")
LONG_COOLDOWN = 3.0
WAITS_LONG = {"KEYS__COOLDOWN": "3s", "KEYS__TIMEOUT": "1500ms"}
"""So that a busy machine, too, answers some known keys while unknown ones wait for a fetch."""


@pytest.mark.fault(
    "F1",
    "the issuer is down when the service starts",
    expected="alive and not ready; 503; ready by itself (within 2.1 s is reported)",
)
async def test_without_its_issuer_it_starts_and_waits(issuer, found):
    tokens = issuer.tokens(50)
    await issuer.stop()
    began = now()
    async with serving(issuer.issuer, ready=False) as service:
        answers = await service.ask_each(tokens)
        assert (await failed(service, 2))[:2] == ["connect"] * 2
        assert len(service.events("keys_not_fetched")) <= most_attempts(now() - began)
        assert ((await service.manage("/livez"))[0], await service.ready()) == (200, 503)
        seconds = await recover(service, issuer)
        after = await service.ask_each(tokens)

    assert said_by(answers) == {UNDECIDED: 50}
    assert said_by(after) == {(200, "acme"): 50}
    found.came("/livez 200, /readyz 503")
    found.answered("tokens", answers)
    found.came("after it is up: all 200")
    found.took("ready after it is up", [seconds])


@pytest.mark.fault(
    "F2",
    "the issuer goes down while the keys are warm",
    expected="known keys 200 as ever; ready; the age of the keys is seen",
)
async def test_without_its_issuer_known_keys_are_as_good_as_ever(issuer, found):
    async with serving(issuer.issuer, **ASKS_OFTEN) as service:
        usual = await service.ask_each(issuer.tokens(50))
        await issuer.stop()
        began = now()
        answers = await service.ask_until(
            lambda: len(service.events("keys_not_fetched")) >= 2, issuer.token
        )
        elapsed = now() - began
        failures = await failed(service, 2)
        age = await service.metric("jwks_age_seconds")
        status, states = await service.manage("/readyz")
        seconds = await recover(service, issuer)
        age_after = await service.metric("jwks_age_seconds")

    assert said_by(answers) == {(200, "acme"): len(answers)}
    assert set(failures) == {"connect"}
    assert len(failures) <= most_attempts(elapsed)
    assert (status, states["status"]) == (200, "ready")
    assert states["issuers"][issuer.issuer]["last_failure"] == "no connection to the address"
    assert age > COOLDOWN  # older than `keys.ttl` lets them get while all is well
    assert age_after < age
    found.came(f"known: {len(answers)} x 200; /readyz 200; jwks_age_seconds {age:.0f}")
    found.took("known before", [answer.seconds for answer in usual])
    found.took("meanwhile", [answer.seconds for answer in answers])
    found.took("fresh keys after it is up", [seconds])


@pytest.mark.long
@pytest.mark.fault(
    "F3",
    "the issuer stays down for longer than `keys.max_stale` (3 s here)",
    expected="503, for remembered decisions after `cache.ttl`; not ready; recovers by itself",
)
async def test_beyond_max_stale_nobody_gets_in(issuer, found):
    settings = {**ASKS_OFTEN, "KEYS__MAX_STALE": "3s", "CACHE__TTL": "1s"}
    remembered = issuer.token()
    async with serving(issuer.issuer, **settings) as service:
        await issuer.stop()
        began = now()
        answers = await service.ask_until(lambda: now() - began > 3.6, issuer.token)
        before = [answer.status for answer in answers]
        assert (await service.ask(remembered)).status == 503
        late = await service.ask_each(issuer.tokens(20))
        not_ready = await service.ready()
        seconds = await recover(service, issuer)
        after = await service.ask(remembered)

    assert before == sorted(before)  # 200 until it is over, then 503 and nothing else
    assert set(before) == {200, 503}
    assert said_by(late) == {UNDECIDED: 20}
    assert (not_ready, after.status) == (503, 200)
    found.came("first 200, from max_stale on 503 keys_unavailable; /readyz 503")
    found.took("keys again after it is up", [seconds])


@pytest.mark.fault(
    "F4",
    "the issuer answers after 10 s",
    expected="known keys 200 as ever; unknown ones 401 within the timeout; one fetch at a time",
)
async def test_a_slow_issuer_delays_nobody_whose_key_is_known(issuer, found):
    async with serving(issuer.issuer, **WAITS_LONG) as service:
        await service.cool_down(LONG_COOLDOWN)
        issuer.certs = Late(10.0)
        await _wait_for_nothing(service, issuer, found)
    assert issuer.fetched() > 1  # beside the one of the start
    assert issuer.open_at_once == 1


@pytest.mark.long
@pytest.mark.fault(
    "F5",
    "the issuer accepts the connection and never reads",
    expected="known keys 200 as ever; unknown ones 401 within the timeout; one fetch at a time",
)
async def test_a_silent_issuer_delays_nobody_whose_key_is_known(issuer, found):
    async with serving(issuer.issuer, **WAITS_LONG) as service:
        await service.cool_down(LONG_COOLDOWN)
        await issuer.go_deaf()
        await _wait_for_nothing(service, issuer, found)


async def _wait_for_nothing(service, issuer, found):
    """Ask under known and unknown keys while the issuer lets the service wait."""
    tokens, strange = issuer.tokens(100), issuer.unknown(40)
    began = now()
    unknown = asyncio.create_task(service.ask_each(strange[:20], at_once=True))
    known = await service.ask_each(tokens[:3])
    assert not unknown.done()  # so these were answered while the fetch was waited for
    known += await service.ask_each(tokens[3:])
    refused = await unknown
    later = await service.ask_each(strange[20:])

    assert said_by(known) == {(200, "acme"): 100}
    assert said_by(refused) == said_by(later) == {(401, "unknown_key"): 20}
    assert max(answer.seconds for answer in refused) < 9  # before the issuer would have answered
    assert set(await failed(service, 1)) == {"timeout"}
    # Beside the one of the start. Did the later ones wait too, there would be one in each timeout.
    attempts = await service.metric("jwks_fetches_total") - 1
    assert 1 <= attempts <= most_attempts(now() - began, LONG_COOLDOWN)
    found.answered("known", known)
    found.answered("unknown", refused)
    found.answered("unknown, in the cooldown", later)
    found.came(f"{attempts:.0f} fetch for all of them")


@pytest.mark.long
@pytest.mark.fault(
    "F18",
    "the issuer is at `idp.invalid`, which no resolver knows",
    expected="the start is not held up; alive and not ready; 503",
)
async def test_a_name_that_the_system_does_not_know_is_as_no_issuer(issuer, found):
    """By the system's own resolver, whatever it makes of it."""
    unknown = "https://idp.invalid/realms/made"
    began = now()
    async with serving(unknown, ready=False) as service:
        listening = now() - began
        answers = await service.ask_each([issuer.token(iss=unknown) for _ in range(20)])
        failures = await failed(service, 2)
        states = ((await service.manage("/livez"))[0], await service.ready())

    assert said_by(answers) == {UNDECIDED: 20}
    assert set(failures) <= {"connect", "timeout"}
    assert len(failures) <= most_attempts(now() - began)
    assert states == (200, 503)
    found.came("/livez 200, /readyz 503")
    found.answered("tokens", answers)
    found.took("listening after the start", [listening])


@pytest.mark.long
@pytest.mark.fault(
    "F18",
    "the issuer's name has no address; looking it up hangs",
    expected="the start is not held up; alive and not ready; 503; ready once it has an address",
)
async def test_without_an_address_it_starts_and_waits(found, tmp_path):
    """The name is looked up by the file of tests.chaos.named, everything else is as ever."""
    hosts = tmp_path / "hosts"
    async with chaos_issuer(name="idp.invalid") as issuer:
        tokens = issuer.tokens(20)
        hosts.write_text("idp.invalid -\n")
        began = now()
        async with named(issuer, hosts, ready=False) as service:
            listening = now() - began
            nowhere = await service.ask_each(tokens)
            assert await failed(service, 1) == ["connect"]
            hosts.write_text("idp.invalid hangs\n")
            assert (await failed(service, 2))[-1] == "timeout"
            hanging = await service.ask_each(tokens)
            states = ((await service.manage("/livez"))[0], await service.ready())
            hosts.write_text("idp.invalid 127.0.0.1\n")
            seconds = await recover(service, issuer)

    assert said_by(nowhere) == said_by(hanging) == {UNDECIDED: 20}
    assert states == (200, 503)
    found.came("/livez 200, /readyz 503")
    found.answered("tokens", [*nowhere, *hanging])
    found.took("listening after the start", [listening])
    found.took("ready after it has one", [seconds])


@pytest.mark.long
@pytest.mark.fault(
    "F19",
    "the issuer's name gets another address, and the old one goes",
    expected="the next fetch goes to the new address; nothing is pinned",
)
async def test_it_follows_the_issuer_to_another_address(found, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("idp.test 127.0.0.2\n")
    async with (
        chaos_issuer(name="idp.test", host="127.0.0.2") as old,
        chaos_issuer(name="idp.test", host="127.0.0.3", port=old.port) as new,
        named(old, hosts, **ASKS_OFTEN) as service,
    ):
        new.keys = old.keys
        assert new.issuer == old.issuer
        assert new.fetches == []
        hosts.write_text("idp.test 127.0.0.3\n")
        await old.stop()
        began = now()
        await until(lambda: new.fetched() > 0)
        seconds = now() - began
        failures = len(service.events("keys_not_fetched"))
        new.keys.rotate(keep_old=False)
        await service.cool_down()
        answers = await service.ask_each(new.tokens(20))

    assert failures <= 1  # which was under way when the old address went
    assert said_by(answers) == {(200, "acme"): 20}
    found.answered("tokens of the new address", answers)
    found.came(f"{failures} attempts failed")
    found.took("first fetch there", [seconds])


def named(issuer, hosts, **settings):
    """Run the service for an issuer whose name this file gives an address."""
    return serving(
        issuer.issuer,
        program=("-m", "tests.chaos.named", str(hosts)),
        INSECURE_TRANSPORT="true",  # a name is not loopback
        **settings,
    )
