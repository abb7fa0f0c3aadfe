"""The development issuer's tokens have the shapes that were measured on Keycloak 26."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from hasura_kc_auth.devtools.issuer import ORGS, USERS
from hasura_kc_auth.devtools.tokens import (
    AUDIENCE,
    FRONTEND,
    LIFESPAN,
    InvalidScope,
    SigningKeys,
    TokenMaker,
    Tokens,
    User,
)

NOW = 1_800_000_000.75
ISSUER = "http://127.0.0.1:8180/realms/demo"
ALICE, BOB, CAROL, DAVE = USERS


@pytest.fixture(scope="module")
def keys() -> SigningKeys:
    return SigningKeys()


@pytest.fixture(scope="module")
def maker(keys) -> TokenMaker:
    return TokenMaker(ISSUER, keys, ORGS, lambda: NOW)


def part_of(token: str, index: int) -> dict[str, Any]:
    segment = token.split(".")[index]
    part: dict[str, Any] = json.loads(urlsafe_b64decode(segment + "=="))
    return part


def header_of(token: str) -> dict[str, Any]:
    return part_of(token, 0)


def claims_of(token: str) -> dict[str, Any]:
    return part_of(token, 1)


def test_a_token_for_one_org_is_keycloaks(maker, keys):
    tokens = maker.issue(ALICE, "openid acme")

    claims = claims_of(tokens.access)
    assert claims.pop("jti").startswith("onrtro:")
    assert claims.pop("sid")
    assert claims == {
        "exp": int(NOW) + LIFESPAN,
        "iat": int(NOW),
        "iss": ISSUER,
        "aud": [AUDIENCE, "acme"],
        "sub": ALICE.subject,
        "typ": "Bearer",
        "azp": FRONTEND,
        "acr": "1",
        "allowed-origins": ["http://127.0.0.1:3000"],
        "resource_access": {"acme": {"roles": ["editor"]}},
        "scope": "openid profile acme email",
        "email_verified": True,
        "name": "Alice",
        "preferred_username": "alice",
        "email": "alice@example.com",
    }
    signing_kid = keys.public()["keys"][-1]["kid"]
    assert header_of(tokens.access) == {"alg": "RS256", "typ": "JWT", "kid": signing_kid}
    assert tokens.scope == "openid profile acme email"


@pytest.mark.parametrize(
    ("user", "scope", "audience", "access"),
    [
        pytest.param(ALICE, "openid", "hasura", None, id="no org: aud is one string"),
        pytest.param(ALICE, "", "hasura", None, id="no scope at all"),
        pytest.param(
            ALICE, "openid acme", ["hasura", "acme"], {"acme": ["editor"]}, id="one org: a list"
        ),
        pytest.param(
            ALICE,
            "openid globex acme",
            ["hasura", "globex", "acme"],
            {"globex": ["viewer"], "acme": ["editor"]},
            id="two orgs",
        ),
        pytest.param(
            DAVE,
            "openid acme",
            ["hasura", "acme"],
            {"acme": ["owner", "editor", "admin", "viewer"]},
            id="a composite role beside its parts",
        ),
        pytest.param(BOB, "openid globex", "hasura", None, id="a scope without a role is dropped"),
        pytest.param(
            BOB,
            "openid acme globex",
            ["hasura", "acme"],
            {"acme": ["viewer"]},
            id="only the other one is dropped",
        ),
        pytest.param(CAROL, "openid acme globex", "hasura", None, id="a user without any role"),
    ],
)
def test_scopes_roles_and_audience_go_together(maker, user, scope, audience, access):
    claims = claims_of(maker.issue(user, scope).access)

    assert claims["aud"] == audience
    found = claims.get("resource_access")
    assert (found and {org: it["roles"] for org, it in found.items()}) == access
    orgs = {name for name in claims["scope"].split(" ") if name in ORGS}
    assert orgs == set(access or {})
    assert "realm_access" not in claims
    assert "nbf" not in claims


def test_an_org_asked_for_twice_is_there_once(maker):
    claims = claims_of(maker.issue(ALICE, "openid acme acme").access)

    assert claims["scope"] == "openid profile acme email"
    assert claims["aud"] == ["hasura", "acme"]


def test_without_openid_there_is_no_id_token_and_else_the_same(maker):
    tokens = maker.issue(ALICE, "acme")

    assert tokens.identity is None
    assert claims_of(tokens.access)["scope"] == "profile acme email"
    assert maker.issue(ALICE, "").identity is None


@pytest.mark.parametrize(
    "scope",
    ["openid initech", "initech", "ACME", "openid acme initech", "openid organization:acme"],
)
def test_one_scope_that_nobody_knows_spoils_the_whole_request(maker, scope):
    with pytest.raises(InvalidScope) as refused:
        maker.issue(ALICE, scope)

    assert str(refused.value) == scope


@pytest.mark.parametrize(
    "scope", ["openid profile email acme", "openid  acme ", "offline_access acme"]
)
def test_the_standard_scopes_are_known(maker, scope):
    assert "acme" in maker.issue(ALICE, scope).scope


def test_an_id_token_looks_like_an_access_token_but_for_its_claims(maker):
    tokens = maker.issue(ALICE, "openid acme")

    assert tokens.identity is not None
    access, identity = claims_of(tokens.access), claims_of(tokens.identity)
    assert header_of(tokens.identity) == header_of(tokens.access)
    same = ("iss", "sub", "sid", "exp", "iat", "azp")
    assert [identity[name] for name in same] == [access[name] for name in same]
    assert (identity["typ"], identity["aud"]) == ("ID", FRONTEND)
    assert "at_hash" in identity
    assert not {"scope", "resource_access", "allowed-origins"} & identity.keys()
    assert not {"at_hash", "nonce"} & access.keys()


def test_a_refresh_token_is_hs512_under_a_key_that_nobody_publishes(maker, keys):
    tokens = maker.issue(ALICE, "openid acme")

    header, claims = header_of(tokens.refresh), claims_of(tokens.refresh)
    assert (header["alg"], header["typ"]) == ("HS512", "JWT")
    assert header["kid"] not in [key["kid"] for key in keys.public()["keys"]]
    assert (claims["typ"], claims["aud"]) == ("Refresh", ISSUER)
    assert claims["scope"] == "openid acme"
    assert claims["exp"] > claims_of(tokens.access)["exp"]
    assert claims["sid"] == claims_of(tokens.access)["sid"]
    assert "resource_access" not in claims
    assert keys.read_refresh(tokens.refresh) == claims


def test_a_refresh_keeps_the_scope_and_the_session_of_the_first_grant(maker):
    first = claims_of(maker.issue(ALICE, "openid acme globex").refresh)

    tokens = maker.issue(ALICE, "acme", refreshed=first)

    assert claims_of(tokens.refresh)["scope"] == "openid acme globex"
    assert claims_of(tokens.refresh)["sid"] == claims_of(tokens.access)["sid"] == first["sid"]
    assert tokens.scope == "profile acme email"
    assert tokens.identity is not None  # the first grant had openid


def test_only_access_tokens_have_a_prefix_before_their_jti(maker):
    tokens = maker.issue(ALICE, "openid acme")

    assert ":" in claims_of(tokens.access)["jti"]
    assert ":" not in claims_of(tokens.identity or "")["jti"]
    assert ":" not in claims_of(tokens.refresh)["jti"]


def test_no_two_tokens_have_one_id(maker):
    made = [maker.issue(ALICE, "openid acme") for _ in range(3)]
    ids = {claims_of(token)["jti"] for it in made for token in _all(it)}

    assert len(ids) == 9


def _all(tokens: Tokens) -> tuple[str, ...]:
    return tokens.access, tokens.identity or "", tokens.refresh


def test_the_encryption_key_stands_first_in_the_set():
    document = SigningKeys().public()

    first, second = document["keys"]
    assert (first["use"], first["alg"], first["kty"]) == ("enc", "RSA-OAEP", "RSA")
    assert (second["use"], second["alg"], second["kty"]) == ("sig", "RS256", "RSA")
    assert first["kid"] != second["kid"]
    assert not {"d", "p", "q", "k"} & (first.keys() | second.keys())


@pytest.mark.parametrize("keep_old", [True, False])
def test_a_new_key_signs_at_once_and_the_old_one_stays_as_long_as_it_is_wanted(keep_old):
    keys = SigningKeys()
    maker = TokenMaker(ISSUER, keys, ORGS, lambda: NOW)
    before = maker.issue(ALICE, "openid acme")

    keys.rotate(keep_old=keep_old)

    after = maker.issue(ALICE, "openid acme").access
    kids = [key["kid"] for key in keys.public()["keys"]]
    assert len(kids) == len(set(kids)) == (3 if keep_old else 2)
    assert kids[-1] == header_of(after)["kid"] != header_of(before.access)["kid"]
    assert (header_of(before.access)["kid"] in kids) is keep_old
    assert keys.public()["keys"][0]["use"] == "enc"
    assert keys.read_refresh(before.refresh)["sub"] == ALICE.subject


def test_signatures_are_real(maker, keys):
    token = maker.issue(ALICE, "openid acme").access
    published = KeySet.import_key_set(keys.public())

    assert jws.deserialize_compact(token, published, algorithms=["RS256"]).payload
    head, payload, _ = token.split(".")
    other = maker.issue(BOB, "openid acme").access.split(".")[2]
    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(f"{head}.{payload}.{other}", published, algorithms=["RS256"])


def test_any_claims_can_be_signed(maker, keys):
    claims = maker.access_claims(ALICE, ["acme"], "openid acme") | {"exp": 0, "more": [1]}

    assert claims_of(keys.sign(claims)) == claims


def test_users_differ_in_their_subject():
    assert len({user.subject for user in USERS}) == len(USERS) == 4
    assert User("x").subject != User("x").subject
    assert (User("x").password, User("x").roles) == ("demo", {})
