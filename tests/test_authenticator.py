"""The whole decision: its order, and what is asked of the world on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, NamedTuple

import pytest

from hasura_kc_auth.authenticator import Authenticator, Completion
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.grants import Grant
from hasura_kc_auth.core.keys import KeySet, VerificationKey
from hasura_kc_auth.core.policy import AnonymousPolicy, Policy, SessionPolicy, Variable
from hasura_kc_auth.core.session import Session
from hasura_kc_auth.core.token import VerifiedClaims, parse
from hasura_kc_auth.ports import Clocks, FindsKeys, Told
from tests.made_tokens import (
    ABSENT,
    GOOD,
    HEADER,
    ISSUER,
    KEY,
    NOW,
    OTHER_KEY,
    POLICY,
    TWO_ORGS,
    USER,
    KeysAtHand,
    claims,
    denied,
    issuer_policy,
    json_bytes,
    key_set,
    made_key,
    policy_of,
    request_of,
    sign,
    sign_bytes,
)

ANONYMOUS = replace(POLICY, anonymous=AnonymousPolicy("public"))


@dataclass
class FixedClock:
    """A wall clock that stands still, and counts how often it is read."""

    now: float = NOW
    reads: int = 0

    def __call__(self) -> float:
        self.reads += 1
        return self.now


class KeysOfEach(NamedTuple):
    """The port FindsKeys over the key sets of several issuers."""

    sets: dict[str, KeySet]

    def find(self, issuer: str, kid: str) -> VerificationKey:
        return self.sets[issuer][kid]


def authenticator(
    *, policy: Policy = POLICY, keys: FindsKeys | None = None, now: float = NOW
) -> Authenticator:
    return Authenticator(policy, keys or KeysAtHand(), FixedClock(now))


async def ask(token: str | None, *, org: str = "", role: str = "", **parts):
    return await authenticator(**parts).authenticate(request_of(token, org=org, role=role))


async def test_the_good_token_gets_its_session():
    session = await ask(sign())

    assert session.variables == {
        "X-Hasura-Org-Id": "org1",
        "X-Hasura-Role": "editor",
        "X-Hasura-Allowed-Roles": "{editor}",
        "X-Hasura-User-Id": USER,
    }
    assert session.issuer == ISSUER


async def test_the_wishes_choose():
    token = sign(
        claims(TWO_ORGS, resource_access={"org2": {"roles": ["viewer", "editor"]}}), None, KEY
    )

    session = await ask(token, org="org2", role="viewer")

    assert session.variables["X-Hasura-Org-Id"] == "org2"
    assert session.variables["X-Hasura-Role"] == "viewer"


async def test_the_key_is_asked_for_once_by_issuer_and_kid_and_the_clock_is_read_once():
    keys, clock = KeysAtHand(), FixedClock()

    await Authenticator(POLICY, keys, clock).authenticate(request_of(sign()))

    assert keys.asked == [(ISSUER, KEY.kid)]
    assert clock.reads == 1


class KeysFromAfar:
    """The port FindsKeys where each key must be waited for."""

    def __init__(self, keys: KeysAtHand) -> None:
        self._keys = keys

    async def find(self, issuer: str, kid: str) -> VerificationKey:
        await asyncio.sleep(0)
        return self._keys.find(issuer, kid)


def test_with_its_key_at_hand_a_token_is_decided_at_once():
    assert type(authenticator().decide(request_of(sign()))) is Session
    with denied(Code.BAD_SIGNATURE, issuer=ISSUER):
        authenticator().decide(request_of(sign(**FORGED)))


async def test_a_signature_can_be_looked_at_alone():
    keys = KeysAtHand()
    claims_of_it = await authenticator(keys=keys).verify(parse(sign()), issuer_policy())
    assert (claims_of_it["iss"], keys.asked) == (ISSUER, [(ISSUER, KEY.kid)])


async def test_a_key_that_must_be_waited_for_decides_no_differently():
    keys = KeysAtHand()
    service = authenticator(keys=KeysFromAfar(keys))

    outcome = service.decide(request_of(sign()))

    assert (type(outcome) is Session, keys.asked) == (False, [])
    assert await outcome == await ask(sign())
    assert keys.asked == [(ISSUER, KEY.kid)]
    assert await service.authenticate(request_of(sign())) == await ask(sign())
    for bad, code in (({"key": OTHER_KEY}, Code.UNKNOWN_KEY), (FORGED, Code.BAD_SIGNATURE)):
        with denied(code, issuer=ISSUER):
            await service.decide(request_of(sign(**bad)))
    with denied(Code.EXPIRED, issuer=ISSUER):
        await service.decide(request_of(sign(claims(exp=NOW - 31, iat=NOW - 60))))
    with denied(Code.WRONG_ISSUER):
        service.decide(request_of(sign(claims(iss="https://elsewhere.example"))))


FORGED = {"key": OTHER_KEY, "header": {"kid": KEY.kid}}


@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param("a.b", Code.MALFORMED_TOKEN, id="two parts"),
        pytest.param(sign(header={"crit": []}), Code.MALFORMED_TOKEN, id="a critical extension"),
        pytest.param(sign(header={"kid": ABSENT}), Code.MALFORMED_TOKEN, id="no kid"),
        pytest.param(
            sign_bytes(json_bytes(HEADER), b"\xef\xbb\xbf" + json_bytes(GOOD)),
            Code.MALFORMED_TOKEN,
            id="a byte order mark",
        ),
        pytest.param(sign(claims(iss="x")), Code.WRONG_ISSUER, id="a foreign issuer"),
        pytest.param(sign(claims(iss=[ISSUER])), Code.WRONG_ISSUER, id="a list of issuers"),
    ],
)
async def test_no_key_is_asked_for_before_the_issuer_is_known(token, code):
    keys = KeysAtHand()

    with denied(code):
        await ask(token, keys=keys)
    assert keys.asked == []


@pytest.mark.parametrize(
    ("header", "code"),
    [
        pytest.param({"alg": "none"}, Code.UNSUPPORTED_ALGORITHM, id="alg none"),
        pytest.param(
            {"alg": "HS256", "kid": "not-published"}, Code.UNSUPPORTED_ALGORITHM, id="HS256"
        ),
        pytest.param({"typ": "logout+jwt"}, Code.WRONG_TYPE, id="a logout token"),
    ],
)
async def test_no_key_is_asked_for_before_the_header_fits(header, code):
    keys = KeysAtHand()

    with denied(code, issuer=ISSUER):
        await ask(sign(header=header), keys=keys)
    assert keys.asked == []


@pytest.mark.parametrize("code", [Code.UNKNOWN_KEY, Code.KEYS_UNAVAILABLE])
async def test_what_the_keys_say_is_the_answer(code):
    with denied(code, issuer=ISSUER):
        await ask(sign(), keys=KeysAtHand(failure=code))


async def test_a_kid_that_is_not_published_is_unknown():
    with denied(Code.UNKNOWN_KEY, issuer=ISSUER):
        await ask(sign(key=OTHER_KEY))


@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param(sign(**FORGED), Code.BAD_SIGNATURE, id="a forged signature"),
        pytest.param(sign(claims(exp=0), **FORGED), Code.BAD_SIGNATURE, id="forged before expired"),
        pytest.param(sign({"iss": ISSUER}, **FORGED), Code.BAD_SIGNATURE, id="forged before empty"),
        pytest.param(
            sign(claims(exp=0), {"kid": "x"}), Code.UNKNOWN_KEY, id="an unknown key before expired"
        ),
        pytest.param(sign({"iss": ISSUER}), Code.MISSING_CLAIM, id="no claims but the issuer"),
        pytest.param(sign(claims(exp=0)), Code.EXPIRED, id="expired"),
        pytest.param(sign(claims(exp=0, azp="x")), Code.EXPIRED, id="expired before the client"),
        pytest.param(sign(claims(azp="x", aud="x")), Code.WRONG_CLIENT, id="the client before aud"),
        pytest.param(sign(claims(typ="ID", cnf={})), Code.SENDER_CONSTRAINED, id="cnf before typ"),
        pytest.param(sign(claims(typ="ID", exp=0)), Code.WRONG_TYPE, id="typ before exp"),
        pytest.param(sign(claims(aud="x")), Code.NO_ORG, id="no org"),
        pytest.param(sign(claims(TWO_ORGS)), Code.AMBIGUOUS_ORG, id="two orgs"),
    ],
)
async def test_the_first_rule_that_fails_gives_the_code(token, code):
    with denied(code, issuer=ISSUER):
        await ask(token)


@pytest.mark.parametrize(
    ("header", "changes", "keys", "code"),
    [
        pytest.param(
            {"crit": [], "alg": "none"}, {"iss": 1}, {}, Code.MALFORMED_TOKEN, id="the form first"
        ),
        pytest.param(
            {"alg": "none", "typ": "x"}, {}, {}, Code.UNSUPPORTED_ALGORITHM, id="alg before typ"
        ),
        pytest.param({"typ": "x"}, {"iss": 1}, {}, Code.WRONG_TYPE, id="typ before iss"),
        pytest.param(
            {},
            {"iss": 1},
            {"failure": Code.KEYS_UNAVAILABLE},
            Code.WRONG_ISSUER,
            id="iss before keys",
        ),
        pytest.param(
            {"kid": "x"},
            {"exp": 0},
            {"failure": Code.KEYS_UNAVAILABLE},
            Code.KEYS_UNAVAILABLE,
            id="keys before claims",
        ),
    ],
)
async def test_of_several_faults_the_first_in_the_order_gives_the_code(header, changes, keys, code):
    with pytest.raises(Denied) as caught:
        await ask(sign(claims(changes), header), keys=KeysAtHand(**keys))

    assert caught.value.code is code


@pytest.mark.parametrize(
    ("now", "code"),
    [
        pytest.param(NOW - 10 - 31, Code.NOT_YET_VALID, id="a second before iat and leeway"),
        pytest.param(NOW - 10 - 30, None, id="at iat less the leeway"),
        pytest.param(NOW + 290, None, id="at exp"),
        pytest.param(NOW + 290 + 29, None, id="a second before exp and leeway"),
        pytest.param(NOW + 290 + 29.999, None, id="a moment before exp and leeway"),
        pytest.param(NOW + 290 + 30, Code.EXPIRED, id="at exp and leeway"),
        pytest.param(NOW + 290 + 3600, Code.EXPIRED, id="an hour later"),
    ],
)
async def test_a_token_is_good_from_iat_to_exp_give_or_take_the_leeway(now, code):
    try:
        session = await ask(sign(), now=now)
    except Denied as denial:
        found = denial.code
    else:
        found = None
        assert session.valid_from <= now < session.valid_until

    assert found == code


async def test_the_answers_end_is_the_moment_from_which_the_rules_refuse():
    session = await ask(sign())

    assert await ask(sign(), now=session.valid_until - 0.001)
    assert await ask(sign(), now=session.valid_from)
    with denied(Code.EXPIRED, issuer=ISSUER):
        await ask(sign(), now=session.valid_until)
    with denied(Code.NOT_YET_VALID, issuer=ISSUER):
        await ask(sign(), now=session.valid_from - 0.001)


@pytest.mark.parametrize("exp", [1e308, 10**30, 10**308])
async def test_a_token_without_a_sensible_end_is_answered_as_any_other(exp):
    session = await ask(sign(claims(exp=exp)))

    assert session.body(NOW).endswith(b'"Cache-Control":"max-age=300"}')


async def test_each_issuer_has_its_own_policy():
    other = "https://sso.example.com/realms/other"
    elsewhere = made_key("ES256")
    policy = policy_of(
        issuer_policy(),
        replace(
            issuer_policy(namespace="eu", algorithms=frozenset({"ES256"})),
            issuer=other,
            clients=frozenset({"app"}),
        ),
    )
    keys = KeysAtHand(key_set(KEY, elsewhere))
    token = sign(claims(iss=other, azp="app"), key=elsewhere)

    session = await ask(token, policy=policy, keys=keys)

    assert session.variables["X-Hasura-Org-Id"] == "eu/org1"
    assert session.issuer == other
    assert keys.asked == [(other, elsewhere.kid)]
    with denied(Code.WRONG_CLIENT, issuer=other):
        await ask(sign(claims(iss=other), key=elsewhere), policy=policy, keys=keys)
    with denied(Code.UNSUPPORTED_ALGORITHM, issuer=other):
        await ask(sign(claims(iss=other, azp="app")), policy=policy, keys=keys)


async def test_two_issuers_with_one_header_have_keys_of_their_own():
    """Their tokens' headers are the same bytes, which are read once only."""
    other = "https://sso.example.com/realms/other"
    theirs = replace(OTHER_KEY, kid=KEY.kid)
    policy = policy_of(issuer_policy(), replace(issuer_policy(namespace="eu"), issuer=other))
    keys = KeysOfEach({ISSUER: key_set(KEY), other: key_set(theirs)})
    ours, others = sign(), sign(claims(iss=other), key=theirs)
    assert ours.split(".")[0] == others.split(".")[0]

    for _ in range(2):
        assert (await ask(ours, policy=policy, keys=keys)).issuer == ISSUER
        assert (await ask(others, policy=policy, keys=keys)).issuer == other
        with denied(Code.BAD_SIGNATURE, issuer=other):
            await ask(sign(claims(iss=other)), policy=policy, keys=keys)
        with denied(Code.BAD_SIGNATURE, issuer=ISSUER):
            await ask(sign(key=theirs), policy=policy, keys=keys)


async def test_a_request_without_a_credential_asks_for_no_key():
    keys = KeysAtHand(failure=Code.KEYS_UNAVAILABLE)

    session = await ask(None, policy=ANONYMOUS, keys=keys)

    assert session.variables["X-Hasura-Role"] == "public"
    assert keys.asked == []
    with denied(Code.NO_CREDENTIALS):
        await ask(None)


@pytest.mark.parametrize("token", ["", "x", sign(claims(exp=0)), sign(**FORGED)])
async def test_a_bad_credential_is_never_rescued_by_the_anonymous_role(token):
    with pytest.raises(Denied):
        await ask(token, policy=ANONYMOUS)


async def test_the_steps_can_be_taken_one_by_one():
    service = authenticator()
    token = parse(sign())

    verified = await service.verify(token, POLICY.issuers[ISSUER])
    case = service.open_case(verified, request_of(), POLICY.issuers[ISSUER])

    assert verified == GOOD
    assert (case.org, case.roles, case.now) == (Grant("org1", ("editor",)), ("editor",), NOW)
    assert service.policy is POLICY


async def test_a_deep_claim_gives_a_session_or_a_denial():
    policy = policy_of(session=SessionPolicy(variables=(Variable("X-Hasura-X", ("x",)),)))
    for depth in [*range(40, 80), *range(850, 1000, 2)]:
        payload = json_bytes(claims())[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"
        try:
            await ask(sign_bytes(json_bytes(HEADER), payload), policy=policy)
        except Denied as denial:
            assert denial.code is Code.MALFORMED_TOKEN  # noqa: PT017 - either will do


def test_the_two_clocks_are_told_apart():
    clocks = Clocks(wall=lambda: 1.0, monotonic=lambda: 2.0)

    assert (clocks.wall(), clocks.monotonic()) == (1.0, 2.0)


# --- tokens that Keycloak is asked about


LIGHTWEIGHT = dict.fromkeys(("sub", "aud", "acr", "resource_access", "auth_time"), ABSENT)


@dataclass
class Keycloak:
    """The port Introspects: answers that every token is the good one. It remembers the tokens."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    failure: Code | None = None
    asked: list[str] = field(default_factory=list)

    async def introspect(self, token: str) -> Told:
        self.asked.append(token)
        if self.failure is not None:
            raise Denied(self.failure, issuer=ISSUER)
        return Told({**GOOD, "active": True, **self.changes}, 20.0)


def asking(keycloak: Keycloak, *, always: bool = False, **parts: Any) -> Authenticator:
    completions = {ISSUER: Completion(keycloak, always=always)}
    policy, keys = parts.get("policy", POLICY), parts.get("keys") or KeysAtHand()
    return Authenticator(policy, keys, FixedClock(), completions)


async def test_a_lightweight_token_is_completed_and_remembered_no_longer_than_the_answer():
    keycloak, token = Keycloak(), sign(claims(LIGHTWEIGHT))

    session = await asking(keycloak).authenticate(request_of(token))

    assert session.variables == (await ask(sign())).variables
    assert keycloak.asked == [token]
    assert session.fresh_for == 20


async def test_a_whole_token_is_asked_about_only_where_that_is_set():
    sometimes, always = Keycloak(), Keycloak()

    plain = await asking(sometimes).authenticate(request_of(sign()))
    asked = await asking(always, always=True).authenticate(request_of(sign()))

    assert (sometimes.asked, plain.fresh_for) == ([], inf)
    assert (always.asked, asked.fresh_for) == ([sign()], 20)
    assert plain.variables == asked.variables


async def test_what_keycloak_tells_wins_over_the_token():
    keycloak = Keycloak({"resource_access": {"org1": {"roles": ["viewer"]}}})

    session = await asking(keycloak, always=True).authenticate(request_of(sign()))

    assert session.variables["X-Hasura-Allowed-Roles"] == "{viewer}"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param(sign(claims(LIGHTWEIGHT), **FORGED), Code.BAD_SIGNATURE, id="forged"),
        pytest.param(
            sign(claims(LIGHTWEIGHT), key=OTHER_KEY), Code.UNKNOWN_KEY, id="a strange key"
        ),
        pytest.param(sign(claims(LIGHTWEIGHT, exp=0)), Code.EXPIRED, id="expired"),
        pytest.param(sign(claims(LIGHTWEIGHT, azp="x")), Code.WRONG_CLIENT, id="another client"),
        pytest.param(sign(claims(LIGHTWEIGHT, typ="ID")), Code.WRONG_TYPE, id="an ID token"),
        pytest.param(sign(claims(LIGHTWEIGHT, cnf={})), Code.SENDER_CONSTRAINED, id="bound"),
        pytest.param(
            sign(claims(LIGHTWEIGHT, jti="x")), Code.INACTIVE_TOKEN, id="another's answer"
        ),
    ],
)
@pytest.mark.parametrize("always", [False, True])
async def test_nothing_is_asked_for_strangers(token, code, always):
    keycloak = Keycloak()

    with denied(code, issuer=ISSUER):
        await asking(keycloak, always=always).authenticate(request_of(token))
    assert bool(keycloak.asked) is (code is Code.INACTIVE_TOKEN)


@pytest.mark.parametrize(
    ("keycloak", "code"),
    [
        pytest.param(Keycloak({"active": False}), Code.INACTIVE_TOKEN, id="inactive"),
        pytest.param(
            Keycloak(failure=Code.INTROSPECTION_UNAVAILABLE),
            Code.INTROSPECTION_UNAVAILABLE,
            id="no answer",
        ),
        pytest.param(Keycloak({"typ": "ID"}), Code.WRONG_TYPE, id="an ID token"),
        pytest.param(Keycloak({"scope": "openid"}), Code.NO_ORG, id="no org any more"),
    ],
)
async def test_where_keycloak_does_not_say_yes_nobody_gets_in(keycloak, code):
    for always, token in ((False, sign(claims(LIGHTWEIGHT))), (True, sign())):
        with denied(code, issuer=ISSUER):
            await asking(keycloak, always=always).authenticate(request_of(token))


async def test_each_issuer_is_asked_or_not_as_it_is_set():
    other = "https://sso.example.com/realms/other"
    policy = policy_of(issuer_policy(), replace(issuer_policy(namespace="eu"), issuer=other))
    keycloak = Keycloak()
    service = asking(keycloak, always=True, policy=policy)

    with denied(Code.MISSING_CLAIM, issuer=other):
        await service.authenticate(request_of(sign(claims(LIGHTWEIGHT, iss=other))))
    session = await service.authenticate(request_of(sign(claims(iss=other))))

    assert (keycloak.asked, session.issuer, session.fresh_for) == ([], other, inf)


async def test_a_second_realm_with_the_same_names_gets_nothing_of_the_first():
    """The same client, user id and roles give ids in its own namespace, by its own key."""
    other, its_key = "https://sso.example.com/realms/other", made_key(name="its")
    policy = policy_of(
        issuer_policy(namespace="eu"), replace(issuer_policy(namespace="us"), issuer=other)
    )

    class EachItsOwn:
        def find(self, issuer, kid):
            return KeysAtHand(key_set(KEY if issuer == ISSUER else its_key)).find(issuer, kid)

    service = Authenticator(policy, EachItsOwn(), FixedClock())
    theirs = sign(claims(iss=other), key=its_key)

    session = await service.authenticate(request_of(theirs))

    assert session.variables["X-Hasura-Org-Id"] == "us/org1"
    assert session.variables["X-Hasura-User-Id"] == f"us/{USER}"
    with denied(Code.ORG_NOT_GRANTED, issuer=other):
        await service.authenticate(request_of(theirs, org="eu/org1"))
    with denied(Code.UNKNOWN_KEY, issuer=ISSUER):
        await service.authenticate(request_of(sign(key=its_key)))
    with denied(Code.BAD_SIGNATURE, issuer=ISSUER):
        await service.authenticate(request_of(sign(header={"kid": KEY.kid}, key=its_key)))


async def test_the_claims_that_keycloak_tells_can_be_had_alone():
    keycloak, token = Keycloak(), sign(claims(LIGHTWEIGHT))
    signed = VerifiedClaims(claims(LIGHTWEIGHT))

    completed = await asking(keycloak).complete(signed, request_of(token), POLICY.issuers[ISSUER])

    assert completed == GOOD
    assert keycloak.asked == [token]
