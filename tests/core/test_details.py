"""What operators are told: whole sentences, always the same, and nothing of what was sent."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from hasura_kc_auth.core.errors import Denied
from hasura_kc_auth.core.introspection import introspected
from hasura_kc_auth.core.keys import UnusableKeySet, import_key_set
from hasura_kc_auth.core.policy import AnonymousPolicy, RolePolicy, SessionPolicy
from hasura_kc_auth.core.request import headers_in_body, read_request
from hasura_kc_auth.core.rules import ORDER
from hasura_kc_auth.core.session import anonymous_session
from hasura_kc_auth.core.strict_json import decode_member, decode_object, decode_value
from hasura_kc_auth.core.token import VerifiedClaims, parse
from tests.made_tokens import (
    ABSENT,
    GOOD,
    HEADER,
    ISSUER,
    KEY,
    claims,
    json_bytes,
    jwks,
    request_of,
    sign,
    sign_bytes,
    sign_text,
)


def detail(call, *arguments):
    with pytest.raises(Denied) as caught:
        call(*arguments)
    return caught.value.detail


def with_headers(*headers):
    return detail(read_request, CIMultiDict(headers), "X-Hasura-Org-Id", 100)


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        (
            [("Authorization", "Bearer a.b.c"), ("authorization", "Bearer d.e.f")],
            "two differing Authorization headers",
        ),
        (
            [("X-Hasura-Role", "editor"), ("x-hasura-role", "viewer")],
            "two differing values of one X-Hasura header",
        ),
        (
            [("Authorization", "Basic YTpi")],
            "the Authorization header is not of the Bearer scheme",
        ),
        ([("Authorization", "Bearer")], "the Bearer credential is empty"),
        (
            [("Authorization", "Bearer " + "a" * 101)],
            "the token is longer than webhook.max_token",
        ),
        ([("Authorization", "Bearer ü.b.c")], "the token is not ASCII"),
    ],
)
def test_a_refused_header_is_named(headers, sentence):
    assert with_headers(*headers) == sentence


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"[]", "the body is not a JSON object"),
        (b'{"headers":[]}', "the body's `headers` is not an object"),
        (b'{"headers":{"a":1}}', "the body's `headers` holds a non-string"),
    ],
)
def test_a_refused_body_is_described(body, sentence):
    assert detail(headers_in_body, body) == sentence


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("a.b", "not three parts of base64url"),
        (sign_text("e30A", "e30"), "a part is not base64url, or no JSON"),
        (sign_bytes(b"[]", b"{}"), "a part is not base64url, or no JSON"),
        (sign(header={"crit": []}), "the header has `crit` or `b64`"),
        (sign(header={"b64": True}), "the header has `crit` or `b64`"),
        (sign(header={"alg": ABSENT}), "the header's `alg` is no string"),
        (sign(header={"kid": ABSENT}), "the header's `kid` is no string"),
        (sign_bytes(json_bytes(HEADER), b"[]"), "the payload is not strict JSON"),
    ],
)
def test_a_malformed_token_is_described(token, sentence):
    assert detail(parse, token) == sentence


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"org": "org1"}, "an anonymous request belongs to no org"),
        ({"role": "editor"}, "an anonymous request has the anonymous role only"),
    ],
)
def test_an_anonymous_wish_is_explained(wishes, sentence):
    asked = (request_of(**wishes), AnonymousPolicy("public"), SessionPolicy())

    assert detail(anonymous_session, *asked) == sentence


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            {"active": False},
            (
                "Keycloak says that it is not active, as it does to a client of `introspection` "
                "that is not in the token's aud"
            ),
        ),
        (claims(active=True, jti="another"), "the answer is about another token"),
    ],
)
def test_an_inactive_token_is_explained(answer, sentence):
    assert detail(introspected, VerifiedClaims(GOOD), answer, ISSUER) == sentence


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "the document has no list `keys`"),
        (jwks(KEY.jwk(), KEY.jwk()), "two keys have the same `kid`"),
        (jwks(), "no key in it can verify the configured algorithms"),
    ],
)
def test_an_unusable_key_set_is_described(document, sentence):
    with pytest.raises(UnusableKeySet) as caught:
        import_key_set(document, {"RS256"})

    assert str(caught.value) == sentence


@pytest.mark.parametrize(("made", "role"), [(RolePolicy, ("admin",)), (AnonymousPolicy, "admin")])
def test_a_policy_with_hasuras_superuser_is_refused_in_words(made, role):
    with pytest.raises(ValueError, match=r"^Hasura's admin is never answered$"):
        made(role)


def said(call, *arguments):
    """Return what the errors say, from the outermost to the cause, as a traceback shows them."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - what it says is looked at here
        call(*arguments)
    error = caught.value
    return [str(error), *([str(error.__cause__)] if error.__cause__ else [])]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("[]", ["not a JSON object"]),
        ("[" * 65 + "]" * 65, ["nested too deep"]),
        (r'{"a":"\u0000"}', ["U+0000 in a string"]),
        ('{"a":1,"a":1}', ["not strict JSON", "duplicate member"]),
        ('{"a":1e999}', ["not strict JSON", "a number beyond every float"]),
        ('{"a":NaN}', ["not strict JSON", "NaN and Infinity are no JSON"]),
    ],
)
def test_what_is_no_strict_json_is_told_from_what_is(text, sentences):
    assert said(decode_object, text.encode()) == sentences


def test_a_lone_surrogate_is_not_quoted():
    assert said(decode_value, '"secret\ud800"')[0] == "not strict JSON"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"[]", "not an object"),
        (b'{"a":1,"a":2}', "a member is named twice, or by no string"),
        (b"{1:1}", "a member is named twice, or by no string"),
        (b"{}{}", "something follows"),
    ],
)
def test_what_is_no_single_object_is_described(body, sentence):
    assert said(decode_member, body, "headers") == ["not strict JSON", sentence]


def test_part_of_a_token_that_is_not_canonical_is_described():
    with pytest.raises(Denied) as caught:
        parse(sign_text("e31", "e30"))

    assert str(caught.value.__cause__) == "not canonical base64url"


def test_what_explain_says_must_hold():
    assert [(str(fact.code), fact.must) for fact in ORDER] == [
        ("malformed_request", "the request is proper, and each wish is named once"),
        ("ambiguous_credentials", "there is one Authorization value"),
        ("no_credentials", "there is an Authorization header at all"),
        ("malformed_token", "it is `Bearer` and a compact JWS of strict JSON, with a kid"),
        ("unsupported_algorithm", "header alg is one of the configured algorithms"),
        ("wrong_type", "header typ, where there is one, is JWT or at+jwt"),
        ("wrong_issuer", "iss is a configured issuer, byte for byte"),
        ("unsupported_algorithm", "header alg is one of this issuer's algorithms"),
        ("keys_unavailable", "the issuer's keys could be fetched"),
        ("unknown_key", "the issuer publishes the key that the header's kid names"),
        ("bad_signature", "the signature is right under that key and its algorithm"),
        ("introspection_unavailable", "Keycloak could be asked about it, where it must be"),
        ("inactive_token", "Keycloak calls it active, where it is asked"),
        ("missing_claim", "exp and iat are numbers, azp and typ are strings"),
        ("missing_claim", "sub and the user id are printable strings"),
        (
            "sender_constrained",
            "the token is not bound to a key of its sender (no cnf, typ is not DPoP)",
        ),
        ("wrong_type", "typ is Bearer: neither an ID nor a refresh token"),
        ("expired", "exp is in the future (give or take the leeway)"),
        ("not_yet_valid", "iat and nbf are in the past (give or take the leeway)"),
        ("wrong_client", "azp is one of the allowed clients"),
        ("wrong_audience", "aud holds one of the configured audiences"),
        ("no_org", "the token proves an org, in all the ways that `org.from` asks for"),
        ("org_not_granted", "the org that the request names is one of these"),
        ("ambiguous_org", "there is one org only, or the request names one"),
        ("no_role", "one of the roles held in that org is allowed"),
        ("role_not_granted", "the role that the request names is one of these"),
        (
            "step_up_required",
            "the login was strong enough (acr) for the role that the request names, or for any",
        ),
    ]
