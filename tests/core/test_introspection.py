"""What Keycloak tells of a verified token: believed only where it is about that very token."""

from __future__ import annotations

import pytest

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.introspection import introspected, is_lightweight
from hasura_kc_auth.core.token import VerifiedClaims
from tests.core.deciding import answered, decide
from tests.made_tokens import ABSENT, GOOD, ISSUER, NOW, claims, denied

_KEPT = ("exp", "iat", "jti", "iss", "typ", "azp", "sid", "scope")
BARE = {name: GOOD[name] for name in _KEPT}
"""The good token as Keycloak signs it with "lightweight access tokens" on."""

ADDED = {"active": True, "client_id": "frontend", "token_type": "Bearer", "username": "alice"}
ANSWER = {**GOOD, **ADDED}
"""What Keycloak answers about it."""


def told(answer=ANSWER, token=BARE):
    return introspected(VerifiedClaims(token), answer, ISSUER)


def changed(**changes):
    return {k: it for k, it in {**ANSWER, **changes}.items() if it is not ABSENT}


def test_the_answers_claims_are_judged_as_those_of_a_token():
    assert told() == GOOD
    assert answered(decide(told()))["X-Hasura-Org-Id"] == "org1"


@pytest.mark.parametrize(
    "active",
    [
        pytest.param(False, id="false"),
        pytest.param(ABSENT, id="missing"),
        pytest.param(None, id="null"),
        pytest.param("true", id="a string"),
        pytest.param(1, id="a number"),
        pytest.param([True], id="a list"),
    ],
)
def test_only_true_is_active(active):
    with denied(Code.INACTIVE_TOKEN, issuer=ISSUER):
        told(changed(active=active))


def test_an_empty_answer_is_inactive():
    with denied(Code.INACTIVE_TOKEN, issuer=ISSUER):
        told({})


@pytest.mark.parametrize(
    "changes",
    [
        *(
            pytest.param({name: it}, id=f"{words} {name}")
            for name in ("iss", "azp", "exp", "iat", "jti")
            for words, it in (("no", ABSENT), ("a null", None), ("another", "other"))
        ),
        pytest.param({"exp": NOW + 291}, id="a later exp"),
        pytest.param({"exp": str(NOW + 290)}, id="exp as a string"),
        pytest.param({"iss": f"{ISSUER}/"}, id="a slash behind iss"),
        pytest.param({"azp": "admin-cli"}, id="a token of another client"),
        pytest.param({"sid": "another"}, id="another session"),
        pytest.param({"sid": ABSENT}, id="no session"),
        pytest.param({"scope": "openid profile org1 org2 email"}, id="a scope that was not signed"),
    ],
)
def test_an_answer_about_another_token_is_not_believed(changes):
    with denied(Code.INACTIVE_TOKEN, issuer=ISSUER):
        told(changed(**changes))


def test_what_the_token_lacks_the_answer_must_lack_as_well():
    without = {name: it for name, it in BARE.items() if name != "jti"}

    with denied(Code.INACTIVE_TOKEN, issuer=ISSUER):
        told(ANSWER, without)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"typ": "ID"}, Code.WRONG_TYPE, id="an ID token, which Keycloak calls active"),
        pytest.param({"typ": "Refresh"}, Code.WRONG_TYPE, id="a refresh token, as before 26.7"),
        pytest.param({"typ": ABSENT}, Code.MISSING_CLAIM, id="no typ"),
        pytest.param({"typ": "DPoP"}, Code.SENDER_CONSTRAINED, id="a DPoP token"),
        pytest.param({"cnf": {"jkt": "x"}}, Code.SENDER_CONSTRAINED, id="bound to a key"),
        pytest.param({"sub": ABSENT}, Code.MISSING_CLAIM, id="no sub even here"),
        pytest.param({"resource_access": ABSENT}, Code.NO_ORG, id="the role was removed meanwhile"),
        pytest.param({"scope": "openid"}, Code.NO_ORG, id="the scope was removed meanwhile"),
        pytest.param(
            {"resource_access": {"org1": {"roles": ["owner"]}}}, Code.NO_ROLE, id="another role"
        ),
    ],
)
def test_the_answer_is_judged_by_the_same_rules(changes, code):
    with denied(code, issuer=ISSUER):
        decide(told(changed(**changes)))


def test_what_introspection_says_of_every_token_is_dropped():
    assert not told().keys() & ADDED.keys()


def test_a_machine_is_still_told_by_the_claim_of_its_own_token():
    machine = {**BARE, "client_id": "frontend", "username": "own"}

    assert told(ANSWER, machine) == {**GOOD, "client_id": "frontend", "username": "own"}


@pytest.mark.parametrize(
    ("token", "lightweight"),
    [
        pytest.param(BARE, True, id="what Keycloak leaves of a lightweight one"),
        pytest.param(GOOD, False, id="a whole one"),
        pytest.param(claims(sub=None), False, id="a null sub is there, and refused by the rules"),
        pytest.param(claims(sub=ABSENT), True, id="a whole one without the scope `basic`"),
        pytest.param(
            {**BARE, "sub": "machine", "jti": "trltcc:5c0d0d6e"}, True, id="a machine's, with a sub"
        ),
        pytest.param(claims(jti="onrtlt:5c0d0d6e"), False, id="a whole one by whatever grant"),
        pytest.param(claims(jti=["onlt"]), False, id="an odd jti"),
    ],
)
def test_a_token_without_its_user_is_lightweight(token, lightweight):
    assert is_lightweight(VerifiedClaims(token)) is lightweight


def test_an_answer_about_another_user_is_not_believed():
    with denied(Code.INACTIVE_TOKEN, issuer=ISSUER):
        told(ANSWER, {**BARE, "sub": "another"})


def test_two_tokens_without_a_jti_are_not_taken_for_one():
    token = {name: it for name, it in BARE.items() if name != "jti"}

    with denied(Code.INACTIVE_TOKEN, issuer=ISSUER):
        told(changed(jti=ABSENT), token)


def test_the_level_that_was_signed_counts_and_not_that_of_a_later_login():
    assert told(changed(acr="2"), {**BARE, "acr": "1"})["acr"] == "1"
    assert told(changed(acr="2"))["acr"] == "2"
