"""A compact JWS on its way from text to verified claims."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.keys import import_key_set
from hasura_kc_auth.core.token import _remembered_header, parse, take_apart, verify_signature
from tests.made_tokens import (
    ABSENT,
    GOOD,
    HEADER,
    ISSUER,
    KEY,
    OTHER_KEY,
    b64,
    claims,
    denied,
    json_bytes,
    jwks,
    key_set,
    made_key,
    outcome,
    sign,
    sign_bytes,
    sign_text,
)

GOOD_TOKEN = sign()
HEAD, PAYLOAD, SIGNATURE = GOOD_TOKEN.split(".")
HEAD_BYTES, PAYLOAD_BYTES = json_bytes(HEADER), json_bytes(GOOD)
KEYCLOAK_HEADER = f'{{"alg":"RS256","typ" : "JWT","kid" : "{KEY.kid}"}}'.encode()


def padded(text: str, length_modulo_4: int) -> bytes:
    """Return the good payload, lengthened until its base64url has this length modulo 4."""
    data = json_bytes(claims(filler=text))
    while len(b64(data)) % 4 != length_modulo_4:
        data += b" "
    return data


def test_the_good_token_is_taken_apart():
    token = parse(GOOD_TOKEN)

    assert token.header == HEADER
    assert token.payload == GOOD
    assert token.algorithm == "RS256"
    assert token.key_id == KEY.kid
    assert token.jws.signing_input == f"{HEAD}.{PAYLOAD}".encode()
    assert b64(token.jws.signature) == SIGNATURE


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(sign_bytes(KEYCLOAK_HEADER, PAYLOAD_BYTES), id="Keycloak's blanks"),
        pytest.param(sign(header={"x": 1, "jku": "https://evil"}), id="unknown header parameters"),
        pytest.param(sign(header={"kid": ""}), id="an empty kid, which no key has"),
        pytest.param(sign(header={"padding": "a" * 2_000}), id="a long header"),
        pytest.param(sign_bytes(HEAD_BYTES, padded("", 0)), id="a payload without a remainder"),
        pytest.param(sign_bytes(HEAD_BYTES, padded("", 2)), id="a payload of remainder two"),
        pytest.param(sign_bytes(HEAD_BYTES, padded("", 3)), id="a payload of remainder three"),
        pytest.param(sign_bytes(HEAD_BYTES, b"{}"), id="no claims at all"),
    ],
)
def test_a_token_of_the_right_form_is_taken_apart_and_verified(token):
    parsed = parse(token)

    assert verify_signature(parsed, key_set(KEY)[KEY.kid]) is parsed.payload


MALFORMED_FORM = [
    pytest.param("", id="nothing"),
    pytest.param(HEAD, id="one part"),
    pytest.param(f"{HEAD}.{PAYLOAD}", id="two parts"),
    pytest.param(f"{HEAD}.{PAYLOAD}.", id="an empty signature, as alg none has it"),
    pytest.param(f".{PAYLOAD}.{SIGNATURE}", id="an empty header"),
    pytest.param(f"{HEAD}..{SIGNATURE}", id="a detached payload"),
    pytest.param(f"{GOOD_TOKEN}.{SIGNATURE}", id="four parts"),
    pytest.param(f"{HEAD}.{PAYLOAD}.{PAYLOAD}.{PAYLOAD}.{SIGNATURE}", id="five parts, as JWE has"),
    pytest.param(f"{GOOD_TOKEN}.", id="a dot at the end"),
    pytest.param(f" {GOOD_TOKEN}", id="a blank before"),
    pytest.param(f"{GOOD_TOKEN} ", id="a blank after"),
    pytest.param(f"{GOOD_TOKEN}\n", id="a line end after"),
    pytest.param(f"{HEAD}.{PAYLOAD[:8]}\n{PAYLOAD[8:]}.{SIGNATURE}", id="a line end inside"),
    pytest.param(f"{GOOD_TOKEN},{GOOD_TOKEN}", id="two tokens"),
    pytest.param(f"{GOOD_TOKEN}==", id="padding after the signature"),
    pytest.param(f"{HEAD}==.{PAYLOAD}.{SIGNATURE}", id="padding after the header"),
    pytest.param(GOOD_TOKEN.replace(SIGNATURE, "+/" + SIGNATURE[2:]), id="base64's + and /"),
    pytest.param(f"{HEAD}.{PAYLOAD}.ü{SIGNATURE[1:]}", id="a letter beyond ASCII"),
    pytest.param(f"{HEAD}.{PAYLOAD}.\ud800{SIGNATURE[1:]}", id="a lone surrogate"),
    pytest.param(f"{HEAD}.{PAYLOAD}.\udcff{SIGNATURE[1:]}", id="a byte that was no UTF-8"),
    pytest.param(f"{HEAD}.{PAYLOAD}.\0{SIGNATURE[1:]}", id="U+0000"),
    pytest.param(f"{HEAD}.{PAYLOAD}.٣{SIGNATURE[1:]}", id="a digit beyond ASCII"),
    pytest.param(
        json.dumps({"protected": HEAD, "payload": PAYLOAD, "signature": SIGNATURE}),
        id="the JSON serialisation",
    ),
]


@pytest.mark.parametrize("token", MALFORMED_FORM)
def test_anything_but_three_parts_of_base64url_is_malformed(token):
    with denied(Code.MALFORMED_TOKEN):
        parse(token)


@pytest.mark.parametrize("token", [it for it in MALFORMED_FORM if it.id != "a detached payload"])
def test_nor_is_it_taken_apart(token):
    with denied(Code.MALFORMED_TOKEN):
        take_apart(token)


def changed_last_character(segment: str) -> str:
    """Return another text for the same bytes: the next letter sets an unused bit."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) + 1]


REMAINDER_2 = b64(padded("", 2))
REMAINDER_3 = b64(padded("", 3))


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(f"{HEAD}.{PAYLOAD}.{changed_last_character(SIGNATURE)}", id="signature"),
        pytest.param(sign_text(HEAD, changed_last_character(REMAINDER_2)), id="remainder two"),
        pytest.param(sign_text(HEAD, changed_last_character(REMAINDER_3)), id="remainder three"),
        pytest.param(sign_text(HEAD, b64(padded("", 0)) + "A"), id="remainder one"),
        pytest.param(sign_text(HEAD + "A" * (-len(HEAD) % 4 + 1), PAYLOAD), id="header"),
    ],
)
def test_unused_bits_of_base64url_must_be_zero_even_under_a_right_signature(token):
    with denied(Code.MALFORMED_TOKEN):
        parse(token)


@pytest.mark.parametrize("beginning", ["A", "AA"])
def test_of_all_last_characters_those_without_unused_bits_are_canonical(beginning):
    header = b64(json_bytes(HEADER))
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        segment = beginning + last
        canonical = b64(urlsafe_b64decode(segment + "==")) == segment

        found = outcome(take_apart, f"{header}.e30.{segment}")

        assert (found is not Code.MALFORMED_TOKEN) is canonical, segment


def test_no_other_text_decodes_to_the_same_signature():
    others = [
        SIGNATURE[:-1] + last
        for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    ]
    parsed = [outcome(parse, f"{HEAD}.{PAYLOAD}.{signature}") for signature in others]
    decoded = [token.jws.signature for token in parsed if token is not Code.MALFORMED_TOKEN]

    assert len(decoded) == len(set(decoded)) == 4


NOT_STRICT = [
    pytest.param(lambda good: b"\xef\xbb\xbf" + good, id="with a byte order mark"),
    pytest.param(lambda good: good.decode().encode("utf-16"), id="in UTF-16"),
    pytest.param(lambda good: good.decode().encode("utf-16-le"), id="in UTF-16 without a mark"),
    pytest.param(lambda good: good.decode().encode("utf-32"), id="in UTF-32"),
    pytest.param(lambda good: good[:-1] + b',"x":NaN}', id="with NaN"),
    pytest.param(lambda good: good[:-1] + b',"x":Infinity}', id="with Infinity"),
    pytest.param(lambda good: good[:-1] + b',"x":-Infinity}', id="with minus Infinity"),
    pytest.param(lambda good: good[:-1] + b',"x":1,"x":1}', id="with a duplicate member"),
    pytest.param(lambda good: good[:-1] + rb',"x":"\ud800"}', id="with a lone surrogate"),
    pytest.param(lambda good: good[:-1] + b',"x":"\xed\xa0\x80"}', id="with a surrogate in UTF-8"),
    pytest.param(lambda good: good[:-1] + rb',"x":"\u0000"}', id="with U+0000"),
    pytest.param(lambda good: good[:-1] + b',"x":"\xff"}', id="with a byte that is no UTF-8"),
    pytest.param(
        lambda good: good[:-1] + b',"x":' + b"[" * 9_000 + b"]" * 9_000 + b"}", id="nested too deep"
    ),
    pytest.param(
        lambda good: good[:-1] + b',"x":' + b"1" * 5_000 + b"}", id="with a number too long"
    ),
    pytest.param(lambda good: b"[" + good + b"]", id="in a list"),
    pytest.param(lambda good: good + good, id="twice"),
    pytest.param(lambda good: good[:-1], id="cut off"),
    pytest.param(lambda _good: b'"RS256"', id="as a string"),
    pytest.param(lambda _good: b'["alg"]', id="as a list that holds alg"),
    pytest.param(lambda _good: b'"alg"', id="as a string that holds alg"),
    pytest.param(lambda _good: b"null", id="as null"),
    pytest.param(lambda _good: b"1", id="as a number"),
    pytest.param(lambda _good: b"\x00", id="as a zero byte"),
    pytest.param(lambda _good: GOOD_TOKEN.encode(), id="as a nested token"),
]


@pytest.mark.parametrize("change", NOT_STRICT)
def test_a_payload_that_is_no_strict_json_is_malformed(change):
    with denied(Code.MALFORMED_TOKEN):
        parse(sign_bytes(HEAD_BYTES, change(PAYLOAD_BYTES)))


@pytest.mark.parametrize("change", NOT_STRICT)
def test_a_header_that_is_no_strict_json_is_malformed(change):
    with denied(Code.MALFORMED_TOKEN):
        parse(sign_bytes(change(HEAD_BYTES), PAYLOAD_BYTES))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"crit": ["exp"], "exp": 1}, id="an unknown critical extension"),
        pytest.param({"crit": []}, id="an empty crit"),
        pytest.param({"crit": ["alg"]}, id="crit names alg"),
        pytest.param({"crit": ["kid"]}, id="crit names kid"),
        pytest.param({"crit": [1]}, id="crit holds a number"),
        pytest.param({"crit": None}, id="a null crit"),
        pytest.param({"crit": ["b64"], "b64": False}, id="an unencoded payload"),
        pytest.param({"b64": False}, id="an unencoded payload, not marked critical"),
        pytest.param({"b64": True}, id="b64 at all"),
        pytest.param({"alg": ABSENT}, id="no alg"),
        pytest.param({"alg": None}, id="a null alg"),
        pytest.param({"alg": ["RS256"]}, id="a list of algs"),
        pytest.param({"alg": {"RS256": 1}}, id="an object as alg"),
        pytest.param({"alg": 256}, id="a number as alg"),
        pytest.param({"kid": ABSENT}, id="no kid"),
        pytest.param({"kid": None}, id="a null kid"),
        pytest.param({"kid": 1}, id="a number as kid"),
        pytest.param({"kid": [KEY.kid]}, id="a list of kids"),
    ],
)
def test_a_header_must_name_one_alg_and_one_kid_and_no_extension(header):
    with denied(Code.MALFORMED_TOKEN):
        parse(sign(header=header))


def test_a_denial_says_nothing_of_the_token():
    cut_off = sign_bytes(HEAD_BYTES, b'{"secret":')
    for token in (f"{HEAD}.{PAYLOAD}", cut_off, sign(header={"kid": 1})):
        with pytest.raises(Denied) as caught:
            parse(token)
        text = f"{caught.value} {caught.value.detail} {caught.value.__cause__}"
        assert all(word not in text for word in ("secret", HEAD[:8], KEY.kid))


_segment = st.binary(max_size=60).map(b64) | st.text(max_size=20) | st.just(PAYLOAD)
_header = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]),
    st.none()
    | st.booleans()
    | st.text()
    | st.lists(st.text())
    | st.sampled_from(["RS256", "none"]),
)
_token = (
    st.text(st.characters(exclude_categories=()))
    | st.lists(_segment, min_size=2, max_size=5).map(".".join)
    | st.builds(
        lambda header, payload, signature: ".".join(map(b64, (header, payload, signature))),
        _header.map(json_bytes) | st.binary(),
        st.just(b"{}") | st.binary(),
        st.binary(min_size=1),
    )
)


@given(_token)
@settings(max_examples=200, deadline=None)
def test_any_text_is_taken_apart_or_malformed(text):
    token = outcome(parse, text)

    if token is not Code.MALFORMED_TOKEN:
        assert isinstance(token.payload, dict)
        assert text == f"{token.jws.signing_input.decode()}.{b64(token.jws.signature)}"


ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_right_signature_makes_verified_claims(algorithm):
    key = made_key(algorithm)

    verified = verify_signature(parse(sign(key=key)), key_set(key)[key.kid], ISSUER)

    assert verified == GOOD


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_by_another_key_is_bad(algorithm):
    key = made_key(algorithm)
    forged = sign(header={"kid": key.kid}, key=made_key(algorithm, "other"))

    with denied(Code.BAD_SIGNATURE, issuer=ISSUER):
        verify_signature(parse(forged), key_set(key)[key.kid], ISSUER)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(b"\0", id="one byte"),
        pytest.param(b"\0" * 64, id="64 zero bytes"),
        pytest.param(b"\xff" * 132, id="132 one bytes"),
        pytest.param(b"\0" * 132, id="132 zero bytes"),
        pytest.param(b"\xff" * 256, id="256 one bytes"),
        pytest.param(b"\0" * 5_000, id="5000 bytes"),
    ],
)
def test_a_signature_of_another_form_is_bad(algorithm, signature):
    key = made_key(algorithm)
    head, payload, _ = sign(key=key).split(".")

    with denied(Code.BAD_SIGNATURE):
        verify_signature(parse(f"{head}.{payload}.{b64(signature)}"), key_set(key)[key.kid])


@pytest.mark.parametrize(
    ("head", "payload"),
    [
        pytest.param(b64(json_bytes({**HEADER, "x": 1})), PAYLOAD, id="another header"),
        pytest.param(HEAD, b64(json_bytes(claims(sub="mallory"))), id="other claims"),
    ],
)
def test_the_signature_covers_header_and_claims(head, payload):
    with denied(Code.BAD_SIGNATURE):
        verify_signature(parse(f"{head}.{payload}.{SIGNATURE}"), key_set(KEY)[KEY.kid])


@pytest.mark.parametrize(
    "algorithm", ["none", "HS256", "rs256", "RS512", "PS256", "ES256", "RS257"]
)
def test_a_key_verifies_for_its_own_algorithm_only(algorithm):
    with denied(Code.BAD_SIGNATURE):
        verify_signature(parse(sign(header={"alg": algorithm})), key_set(KEY)[KEY.kid])


def test_a_right_signature_by_another_algorithm_than_the_keys_own_is_bad():
    key = import_key_set(jwks(KEY.jwk()), {"RS256", "RS512", "PS256"})[KEY.kid]
    signing_input = f"{b64(json_bytes({**HEADER, 'alg': 'RS512'}))}.{PAYLOAD}"
    signature = KEY.signature(signing_input.encode(), "RS512")

    with denied(Code.BAD_SIGNATURE):
        verify_signature(parse(f"{signing_input}.{b64(signature)}"), key)


def test_a_key_sent_in_the_header_is_not_used():
    header = {"jwk": OTHER_KEY.jwk(), "jku": "https://evil.example.com", "x5c": ["MII"]}
    forged = sign(header={**header, "kid": KEY.kid}, key=OTHER_KEY)

    with denied(Code.BAD_SIGNATURE):
        verify_signature(parse(forged), key_set(KEY)[KEY.kid])


class TestRememberedHeaders:
    """A header's bytes are read once: what they say is remembered, and no decision."""

    def test_only_so_many_and_no_long_ones(self):
        for number in range(1000):
            parse(sign(header={"kid": f"{number}"}))
            parse(sign(header={"kid": f"{number}", "x": "y" * 500}))

        assert _remembered_header.cache_info().currsize == 64

    @pytest.mark.parametrize(
        "header",
        [
            pytest.param({"crit": ["b64"]}, id="crit"),
            pytest.param({"b64": True}, id="b64"),
            pytest.param({"alg": 1}, id="an alg that is a number"),
            pytest.param({"alg": ABSENT}, id="no alg"),
        ],
    )
    def test_no_refusal_is(self, header):
        token = sign(header=header)
        _remembered_header.cache_clear()

        for _ in range(3):
            with denied(Code.MALFORMED_TOKEN):
                parse(token)

        assert _remembered_header.cache_info().currsize == 0

    def test_no_long_one_is(self):
        _remembered_header.cache_clear()

        parse(sign(header={"x": "y" * 500}))

        assert _remembered_header.cache_info().currsize == 0

    def test_the_payload_and_the_signature_are_each_tokens_own(self):
        first, second = (parse(sign(claims(sub=name))) for name in "ab")

        assert first.header is second.header
        assert (first.payload["sub"], second.payload["sub"]) == ("a", "b")
        assert first.jws.signature != second.jws.signature
        assert first.jws.signing_input != second.jws.signing_input

    def test_nobody_can_change_it(self):
        with pytest.raises(TypeError):
            parse(sign()).header["alg"] = "none"
