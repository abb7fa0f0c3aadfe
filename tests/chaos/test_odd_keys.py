"""The issuer publishes: bad keys among good ones, doubled, weak, none, others; discovery lies."""

from __future__ import annotations

import pytest
from joserfc.jwk import RSAKey

from hasura_kc_auth.devtools.tokens import SigningKeys
from tests.chaos.enduring import ASKS_OFTEN, RECOVERED_WITHIN, failed, recover
from tests.chaos.service import said_by, serving, until
from tests.core.test_keys import weak_rsa
from tests.keycloak.publishing import ok

ALLOWED = (200, "acme")
UNKNOWN = (401, "unknown_key")
FORGED = (401, "bad_signature")
UNDECIDED = (503, "keys_unavailable")

MALFORMED = [
    "no object",
    {"kty": "RSA"},
    {"kty": "RSA", "kid": "a", "use": "sig", "n": "?", "e": "AQAB"},
    {"kty": "EC", "kid": "b", "use": "sig", "crv": "P-0", "x": "AA", "y": "AA"},
    {"kty": ["RSA"], "kid": "c", "n": 1, "e": None},
    {"kty": "RSA", "kid": {"d": 1}, "use": "sig", "n": "AQAB", "e": "AQAB"},
]


def signing_key(issuer):
    """Return the key that the issuer signs with, as it is published."""
    return issuer.document("certs")["keys"][-1]


def signed_by_another(issuer, kid):
    """Return a token that claims a key id of the issuer's, signed by somebody else's key."""
    other = SigningKeys()
    own, issuer.keys = issuer.keys, other
    other._published[-1] = RSAKey.import_key(  # noqa: SLF001 - somebody else keeps no rules
        {**other._published[-1].as_dict(private=True), "kid": kid}  # noqa: SLF001
    )
    token, jwk = issuer.token(), signing_key(issuer)
    issuer.keys = own
    return token, jwk


@pytest.mark.fault(
    "F11",
    "malformed keys among good ones",
    expected="the good key verifies; ready",
)
async def test_a_malformed_key_does_no_harm_to_the_others(issuer, found):
    document = issuer.document("certs")
    issuer.certs = ok({"keys": [*MALFORMED[:3], *document["keys"], *MALFORMED[3:]]})
    async with serving(issuer.issuer) as service:
        answers = await service.ask_each(issuer.tokens(20))
        assert await service.ready() == 200

    assert said_by(answers) == {ALLOWED: 20}
    found.answered(f"{len(MALFORMED)} malformed keys", answers)


@pytest.mark.long
@pytest.mark.fault(
    "F12",
    "two keys with one kid, one of them an attacker's",
    expected="the set is refused, the old one kept; no token of the attacker's gets in",
)
async def test_a_doubled_kid_makes_the_set_unusable(issuer, found):
    good = signing_key(issuer)
    forged, bad = signed_by_another(issuer, good["kid"])
    async with serving(issuer.issuer, **ASKS_OFTEN) as service:
        issuer.certs = [ok({"keys": [good, bad]}), ok({"keys": [bad, good]})]
        answers = await service.ask_until(lambda: issuer.fetched() >= 3, issuer.token)
        failures = await failed(service, 2)
        forgeries = await service.ask_each([forged] * 5)
        cold = [await _asked_cold(issuer, token) for token in (forged, issuer.token())]

    assert said_by(answers) == {ALLOWED: len(answers)}
    assert set(failures) == {"invalid"}
    assert said_by(forgeries) == {FORGED: 5}
    assert said_by(cold) == {UNDECIDED: 2}
    found.came(f"known: {len(answers)} x 200")
    found.answered("forged", forgeries)
    found.answered("a service that starts with that set", cold)


async def _asked_cold(issuer, token):
    async with serving(issuer.issuer, ready=False) as service:
        return await service.ask(token)


@pytest.mark.fault(
    "F13",
    "an RSA key of 1024 bits among the published",
    expected="never used: its tokens are 401, others 200",
)
async def test_a_weak_key_is_not_used(issuer, found):
    document = issuer.document("certs")
    weak = {**signing_key(issuer), **weak_rsa(1024), "kid": "weak"}
    issuer.certs = ok({"keys": [weak, *document["keys"]]})
    claiming, _ = signed_by_another(issuer, "weak")
    async with serving(issuer.issuer) as service:
        refused = await service.ask(claiming)
        answers = await service.ask_each(issuer.tokens(5))

    assert (refused.status, refused.said) == UNKNOWN
    assert said_by(answers) == {ALLOWED: 5}
    found.answered("under the weak key", [refused])
    found.answered("under the good one", answers)


@pytest.mark.long
@pytest.mark.fault(
    "F14",
    "the issuer publishes no key, then only others",
    expected="none: the old ones are kept; others: they are taken, old tokens 401",
)
async def test_an_empty_set_is_no_set_and_another_one_is(issuer, found):
    old = issuer.tokens(3)
    async with serving(issuer.issuer, **ASKS_OFTEN) as service:
        issuer.certs = [ok({"keys": []}), ok({"keys": [issuer.document("certs")["keys"][0]]})]
        empty = await service.ask_until(lambda: issuer.fetched() >= 3, issuer.token)
        assert (await failed(service, 2))[:2] == ["invalid"] * 2
        issuer.keys.rotate(keep_old=False)
        issuer.heal()
        await until(lambda: len(service.events("keys_fetched")) >= 2)
        others = await service.ask_each([issuer.token()])
        gone = await service.ask_each(old)

    assert said_by(empty) == {ALLOWED: len(empty)}
    assert said_by(others) == {ALLOWED: 1}
    assert said_by(gone) == {UNKNOWN: 3}
    found.came(f"empty, or an encryption key alone: {len(empty)} x 200")
    found.answered("others, new token", others)
    found.answered("others, old tokens", gone)


@pytest.mark.long
@pytest.mark.fault(
    "F15",
    "discovery names another issuer, no jwks_uri, keys at another origin",
    expected="not used; not ready; 503; recovers by itself",
)
async def test_a_lying_discovery_is_not_used(issuer, found):
    truth, canary = issuer.document("discovery"), issuer.url_of("canary")
    issuer.discovery = [
        ok({**truth, "issuer": f"{issuer.issuer}/"}),
        ok({"issuer": issuer.issuer}),
        ok({**truth, "jwks_uri": canary.replace("127.0.0.1", "localhost")}),
    ]
    async with serving(issuer.issuer, ready=False) as service:
        assert (await failed(service, 3))[:3] == ["invalid"] * 3
        answers = await service.ask_each(issuer.tokens(5))
        status = await service.ready()
        asked = issuer.fetched("certs"), issuer.fetched("canary")
        seconds = await recover(service, issuer)

    assert (said_by(answers), status) == ({UNDECIDED: 5}, 503)
    assert asked == (0, 0)
    found.answered("tokens", answers)
    found.came("/readyz 503; keys fetched 0 times")
    found.took("ready after it is true", [seconds])


TTL = 3
"""Seconds: `cache.ttl` where a decision outlives its key."""


@pytest.mark.fault(
    "F16",
    "the keys rotate: the old one stays, then it goes",
    expected="new 200 after one fetch; old 401 after the next, remembered decisions in `cache.ttl`",
)
async def test_a_rotation_costs_one_fetch(issuer, found):
    first, remembered = issuer.tokens(3), issuer.token()
    async with serving(issuer.issuer, CACHE__TTL=f"{TTL}s") as service:
        await service.cool_down()
        issuer.keys.rotate(keep_old=True)
        new = await service.ask_each(issuer.tokens(20), at_once=True)
        assert issuer.fetched() == 2
        kept = await service.ask_each(first[:1])

        await service.cool_down()
        assert (await service.ask(remembered)).status == 200  # remembered from now on
        issuer.keys.rotate(keep_old=False)
        newest = await service.ask_each(issuer.tokens(20), at_once=True)
        assert issuer.fetched() == 3
        still = await service.ask(remembered)
        gone = await service.ask_each(first[1:])
        await until(lambda: _refused(service, remembered), within=TTL + RECOVERED_WITHIN)

    assert said_by(new) == said_by(newest) == {ALLOWED: 20}
    assert said_by(kept) == {ALLOWED: 1}
    assert said_by(gone) == {UNKNOWN: 2}
    assert still.status == 200
    found.came("20 new tokens at once: 1 fetch, all 200; old 200")
    found.came("20 of the newest: 1 fetch, all 200; old 401 unknown_key")
    found.came("a remembered decision 200, then 401 within cache.ttl")
    found.took("new, with the fetch", [answer.seconds for answer in [*new, *newest]])


async def _refused(service, token):
    answer = await service.ask(token)
    assert answer.status == 200 or (answer.status, answer.said) == UNKNOWN
    return answer.status == 401
