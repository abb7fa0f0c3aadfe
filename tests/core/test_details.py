"""What operators are told: whole sentences, always the same, and nothing of what was sent."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from hasura_kc_auth.core.errors import Denied
from hasura_kc_auth.core.introspection import introspected
from hasura_kc_auth.core.keys import UnusableKeySet, import_key_set
from hasura_kc_auth.core.policy import AnonymousPolicy, RolePolicy, SessionPolicy
from hasura_kc_auth.core.request import headers_in_body, read_request
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
        (".e30.e30", "not three parts of base64url"),
        ("e30.e30.", "not three parts of base64url"),
        (sign_text("e30A", "e30"), "a part is not base64url, or no JSON"),
        (sign_bytes(b"[]", b"{}"), "a part is not base64url, or no JSON"),
        (sign(header={"crit": []}), "the header has `crit` or `b64`"),
        (sign(header={"b64": True}), "the header has `crit` or `b64`"),
        # the header ends at the first dot
        (f"{sign(header={'crit': []})}.e30", "the header has `crit` or `b64`"),
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
        (b"[]", "not a JSON object"),
        (b'{"a":1,"a":2}', "duplicate member"),
        (b'{"headers":{"a":1,"a":2}}', "duplicate member"),
        (b"{}{}", "not strict JSON"),
    ],
)
def test_what_is_no_single_object_is_described(body, sentence):
    assert said(decode_member, body, "headers")[0] == sentence


def test_part_of_a_token_that_is_not_canonical_is_described():
    with pytest.raises(Denied) as caught:
        parse(sign_text("e31", "e30"))

    assert str(caught.value.__cause__) == "not canonical base64url"
