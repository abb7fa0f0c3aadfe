"""The stand-in for Hasura's JWT mode does as Hasura's own tests say Hasura does.

The cases are those of graphql-engine: `server/tests-py/test_jwt.py`, `test_jwt_claims_map.py`, and
`server/src-test/Hasura/Server/Auth/JWTSpec.hs`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from tests.hasura_jwt_mode import JwtMode, Refused, seconds_to_next_fetch

NOW = 1_700_000_000.0
KEY, OTHER = (RSAKey.generate_key(2048) for _ in range(2))
BASE = {"sub": "1234567890", "name": "John Doe", "iat": int(NOW), "exp": int(NOW) + 3600}
PATHS = {
    "x-hasura-user-id": {"path": "$.['https://myapp.com/jwt/claims'].user.id"},
    "x-hasura-allowed-roles": {"path": "$.['https://myapp.com/jwt/claims'].role.allowed"},
    "x-hasura-default-role": {"path": "$.['https://myapp.com/jwt/claims'].role.default"},
}
MAPPED = {
    "https://myapp.com/jwt/claims": {
        "user": {"id": "1"},
        "role": {"allowed": ["user", "editor"], "default": "user"},
    }
}
HASURA = {
    "x-hasura-user-id": "1",
    "x-hasura-allowed-roles": ["user", "editor"],
    "x-hasura-default-role": "user",
}
AS_USER = {"x-hasura-user-id": "1", "x-hasura-role": "user"}


def signed(claims: dict[str, Any], key: RSAKey = KEY) -> str:
    return jws.serialize_compact({"alg": "RS256"}, json.dumps({**BASE, **claims}), key)


def session(
    claims: dict[str, Any], role: str | None = None, now: float = NOW, **config: Any
) -> dict[str, str] | str:
    """Return the variables, or the message of the refusal."""
    keys = [OTHER.as_dict(private=False), KEY.as_dict(private=False)]
    try:
        return JwtMode(config, keys).session(signed(claims), now, role)
    except Refused as refused:
        return str(refused)


@pytest.mark.parametrize(
    ("config", "claims"),
    [
        pytest.param({}, {"https://hasura.io/jwt/claims": HASURA}, id="default namespace"),
        pytest.param({"claims_namespace": "ours"}, {"ours": HASURA}, id="a namespace"),
        pytest.param(
            {"claims_namespace_path": "$.hasura.claims"},
            {"hasura": {"claims": HASURA}},
            id="a path to it",
        ),
        pytest.param({"claims_namespace_path": "$"}, HASURA, id="the root"),
        pytest.param(
            {"claims_format": "stringified_json"},
            {"https://hasura.io/jwt/claims": json.dumps(HASURA)},
            id="as text",
        ),
        pytest.param({"claims_map": PATHS}, MAPPED, id="claims_map"),
        pytest.param(
            {
                "claims_map": {
                    **PATHS,
                    "x-hasura-default-role": {"path": "$.none", "default": "user"},
                }
            },
            MAPPED,
            id="a default",
        ),
        pytest.param(
            {
                "claims_map": {
                    "x-hasura-user-id": {"path": "$.ids[0]"},
                    "x-hasura-allowed-roles": ["user", "editor"],
                    "x-hasura-default-role": "user",
                },
                "claims_namespace": "not looked at",
            },
            {"ids": ["1", "2"]},
            id="literals and an index",
        ),
    ],
)
def test_valid_claims_make_a_session(config, claims):
    assert session(claims, **config) == AS_USER
    assert session(claims, role="editor", **config) == {**AS_USER, "x-hasura-role": "editor"}
    assert session(claims, role="", **config) == AS_USER
    refusal = "Your requested role is not in allowed roles"
    assert session(claims, role="random_string", **config) == refusal


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"x-hasura-allowed-roles": None}, "JWT claim does not contain x-hasura-allowed-roles"),
        ({"x-hasura-default-role": None}, "JWT claim does not contain x-hasura-default-role"),
        (
            {"x-hasura-allowed-roles": "user"},
            "invalid x-hasura-allowed-roles; should be a list of roles",
        ),
        ({"x-hasura-default-role": ["user"]}, "invalid x-hasura-default-role; should be a role"),
        (
            {"x-hasura-allowed-roles": ["contractor", "editor"]},
            "Your requested role is not in allowed roles",
        ),
        ({"x-hasura-user-id": 1}, "x-hasura-* claims: parsing Text failed"),
        ({"x-hasura-orgs": ["a", "b"]}, "x-hasura-* claims: parsing Text failed"),
    ],
)
def test_invalid_claims_are_refused(changes, refusal):
    claims = {name: it for name, it in {**HASURA, **changes}.items() if it is not None}

    assert session({"https://hasura.io/jwt/claims": claims}) == refusal


def test_only_hasuras_names_are_read_and_in_any_case():
    claims = {**HASURA, "X-Hasura-Org-Id": "org1", "other": 1}

    found = session({"https://hasura.io/jwt/claims": claims})

    assert found == {**AS_USER, "x-hasura-org-id": "org1"}


@pytest.mark.parametrize(
    ("config", "claims", "refusal"),
    [
        ({}, {}, "claims key: 'https://hasura.io/jwt/claims' not found"),
        (
            {"claims_namespace_path": "$.hasura"},
            {},
            "claims not found at claims_namespace_path: '$.hasura'",
        ),
        (
            {"claims_namespace_path": "$.sub"},
            {},
            "claims not found at claims_namespace_path: '$.sub'",
        ),
        (
            {"claims_namespace": "ours"},
            {"ours": "{}"},
            "expecting a json object when claims_format is json",
        ),
        (
            {"claims_namespace": "ours", "claims_format": "stringified_json"},
            {"ours": {}},
            "expecting a string when claims_format is stringified_json",
        ),
        (
            {"claims_namespace": "ours", "claims_format": "stringified_json"},
            {"ours": "{"},
            "expecting stringified json, but found: {",
        ),
        (
            {"claims_map": PATHS},
            {},
            "JWT claim does not contain x-hasura-allowed-roles",
        ),
        (
            {"claims_map": PATHS},
            {"https://myapp.com/jwt/claims": {"role": {"allowed": ["user"], "default": "user"}}},
            "JWT claim from claims_map, x-hasura-user-id not found",
        ),
        (
            {"claims_map": PATHS},
            {"https://myapp.com/jwt/claims": {"user": {"id": "1"}, "role": ["user"]}},
            "JWT claim does not contain x-hasura-allowed-roles",
        ),
    ],
)
def test_claims_that_are_not_where_they_should_be_are_refused(config, claims, refusal):
    assert session(claims, **config) == refusal


@pytest.mark.parametrize(
    ("config", "claims", "refusal"),
    [
        ({}, {"exp": NOW}, "JWTExpired"),
        ({"allowed_skew": 60}, {"exp": NOW - 30}, None),
        ({"allowed_skew": 60}, {"exp": NOW - 60}, "JWTExpired"),
        ({}, {"iat": NOW + 1}, "JWTIssuedAtFuture"),
        ({"allowed_skew": 1}, {"iat": NOW + 1}, None),
        ({}, {"aud": "hasura-test-suite", "iss": "rubbish-issuer"}, None),
        ({"audience": "ours"}, {"aud": "hasura-test-suite"}, "JWTNotInAudience"),
        ({"audience": "ours"}, {"aud": ["theirs", "ours"]}, None),
        ({"audience": ["also", "ours"]}, {"aud": "ours"}, None),
        ({"audience": "ours"}, {}, None),  # "by default accepts a JWT with no aud claim"
        ({"issuer": "ours"}, {"iss": "rubbish-issuer"}, "JWTNotInIssuer"),
        ({"issuer": "ours"}, {"iss": "ours"}, None),
        ({"issuer": "ours"}, {}, None),
    ],
)
def test_what_a_token_does_not_say_is_not_checked(config, claims, refusal):
    found = session({**claims, "https://hasura.io/jwt/claims": HASURA}, **config)

    assert found == (AS_USER if refusal is None else f"Could not verify JWT: {refusal}")


def test_any_key_of_the_set_verifies_and_no_other():
    token = signed({"https://hasura.io/jwt/claims": HASURA})
    unpublished = signed({"https://hasura.io/jwt/claims": HASURA}, RSAKey.generate_key(2048))
    hasura = JwtMode({}, [OTHER.as_dict(private=False), KEY.as_dict(private=False)])

    assert hasura.session(token, NOW) == AS_USER
    with pytest.raises(Refused, match=r"^Could not verify JWT: JWSError JWSInvalidSignature$"):
        hasura.session(unpublished, NOW)


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("max-age=10, no-cache", 1),
        ("no-cache", 1),
        ("must-revalidate", 1),
        ("max-age=10, must-revalidate", 10),
        ("max-age=10, no-store", 1),
        ("public, max-age=10", 10),
        ("public, s-maxage=10", 10),
        ("max-age=0", 1),
        ("public", None),
    ],
)
def test_keys_are_fetched_again_as_their_cache_control_says(cache_control, seconds):
    assert seconds_to_next_fetch(cache_control) == seconds
