"""Which published keys may verify which signatures."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.errors import InvalidKeyLengthError
from joserfc.jwk import ECKey, OctKey, OKPKey

from hasura_kc_auth.core.keys import SUPPORTED_ALGORITHMS, UnusableKeySet, import_key_set
from tests.made_tokens import ABSENT, KEY, OTHER_KEY, b64, jwks, made_key

RS256 = {"RS256"}
EC_KEY = made_key("ES256")
ED_KEY = made_key("EdDSA")


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


def weak_rsa(bits: int) -> dict[str, str]:
    """Return the modulus of a short key. No library is asked that would refuse or warn."""
    public = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    return {"n": number(public.n), "e": number(public.e)}


def test_the_good_key_verifies_what_it_signed():
    keys = import_key_set(jwks(KEY.jwk()), RS256)

    assert list(keys) == [KEY.kid]
    assert keys[KEY.kid].kid == KEY.kid
    assert list(keys[KEY.kid].verifiers) == ["RS256"]
    assert keys[KEY.kid].verifiers["RS256"](b"text", KEY.signature(b"text"))
    assert not keys[KEY.kid].verifiers["RS256"](b"texts", KEY.signature(b"text"))


@pytest.mark.parametrize("fault", [ValueError("odd length"), InvalidKeyLengthError("short")])
def test_a_signature_that_the_library_stumbles_on_is_wrong(fault):
    class Stumbles:
        def verify(self, *_arguments):
            raise fault

    (key,) = import_key_set(jwks(KEY.jwk()), RS256).values()
    verifies = key.verifiers["RS256"]

    assert not verifies.func(Stumbles(), *verifies.args[1:], b"text", b"signature")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"use": ABSENT}, id="no use"),
        pytest.param({"alg": ABSENT}, id="no alg"),
        pytest.param({"key_ops": ["verify"]}, id="key_ops allows to verify"),
        pytest.param({"key_ops": ["sign", "verify"]}, id="key_ops allows more"),
        pytest.param({"kid": ""}, id="an empty kid"),
        pytest.param({"x": 1, "ext": True}, id="unknown members"),
        pytest.param({"x5c": ["junk"], "x5t": 1, "x5t#S256": [], "x5u": {}}, id="a certificate"),
        pytest.param({"x5c": 1, "x5t": [], "x5u": 1}, id="what cannot even be a certificate"),
        pytest.param(
            {"d": "AQAB", "p": 1, "oth": "junk"}, id="private members, which are not read"
        ),
    ],
)
def test_a_key_that_may_verify_is_taken(change):
    (key,) = import_key_set(jwks(KEY.jwk(**change)), RS256).values()

    assert key.verifiers["RS256"](b"text", KEY.signature(b"text"))


NOT_FOR_VERIFYING = [
    pytest.param(KEY.jwk(use="enc"), id="an encryption key"),
    pytest.param(KEY.jwk(use=None), id="a null use"),
    pytest.param(KEY.jwk(use=["sig"]), id="a list of uses"),
    pytest.param(KEY.jwk(use="SIG"), id="a use in capitals"),
    pytest.param(KEY.jwk(key_ops=[]), id="no operation allowed"),
    pytest.param(KEY.jwk(key_ops=["sign"]), id="only signing allowed"),
    pytest.param(KEY.jwk(key_ops=["encrypt", "wrapKey"]), id="only encryption allowed"),
    pytest.param(KEY.jwk(key_ops="verify"), id="key_ops as a string"),
    pytest.param(KEY.jwk(key_ops={"verify": 1}), id="key_ops as an object"),
    pytest.param(KEY.jwk(key_ops=None), id="null key_ops"),
    pytest.param(KEY.jwk(alg="RS512"), id="a key for another algorithm"),
    pytest.param(KEY.jwk(alg="RSA-OAEP"), id="a key for encryption by its alg"),
    pytest.param(KEY.jwk(alg="none"), id="alg none"),
    pytest.param(KEY.jwk(alg=["RS256"]), id="a list of algs"),
    pytest.param(KEY.jwk(alg=256), id="a number as alg"),
    pytest.param(KEY.jwk(kid=ABSENT), id="no kid"),
    pytest.param(KEY.jwk(kid=None), id="a null kid"),
    pytest.param(KEY.jwk(kid=7), id="a number as kid"),
    pytest.param(KEY.jwk(kid=["a"]), id="a list of kids"),
    pytest.param(KEY.jwk(kty=ABSENT), id="no kty"),
    pytest.param(KEY.jwk(kty="rsa"), id="kty in small letters"),
    pytest.param(KEY.jwk(kty=["RSA"]), id="a list of types"),
    pytest.param(KEY.jwk(kty="EC"), id="an RSA key that says EC"),
    pytest.param(KEY.jwk(kty="EC", crv="P-256"), id="an RSA key that says EC on P-256"),
    pytest.param(KEY.jwk(kty="unknown", crv="P-256"), id="an unknown type"),
    pytest.param(KEY.jwk(n=ABSENT), id="no modulus"),
    pytest.param(KEY.jwk(n=None), id="a null modulus"),
    pytest.param(KEY.jwk(n=5), id="a number as modulus"),
    pytest.param(KEY.jwk(n=""), id="an empty modulus"),
    pytest.param(KEY.jwk(n="ü" * 400), id="a modulus beyond ASCII"),
    pytest.param(KEY.jwk(n="A"), id="a modulus of one character"),
    pytest.param(KEY.jwk(n=["A" * 400]), id="a list as modulus"),
    pytest.param(KEY.jwk(e=ABSENT), id="no exponent"),
    pytest.param(KEY.jwk(e="AQ"), id="an exponent of one"),
    pytest.param(KEY.jwk(e="AA"), id="an exponent of zero"),
    pytest.param(KEY.jwk(e="AAAC"), id="an even exponent"),
    pytest.param(KEY.jwk(e=65537), id="a number as exponent"),
    pytest.param(KEY.jwk(**weak_rsa(1024)), id="RSA of 1024 bits"),
    pytest.param(KEY.jwk(**weak_rsa(2040)), id="RSA of 2040 bits"),
    pytest.param(
        KEY.jwk(n="A" * 200 + weak_rsa(1024)["n"]), id="RSA of 1024 bits behind leading zeros"
    ),
    pytest.param(EC_KEY.jwk(), id="an EC key where RSA is configured"),
    pytest.param(EC_KEY.jwk(alg="RS256"), id="an EC key that says RS256"),
    pytest.param(ED_KEY.jwk(), id="an Ed25519 key where RSA is configured"),
    pytest.param({**OctKey.generate_key(256).as_dict(), "kid": "oct"}, id="a shared secret"),
    pytest.param(
        {**OctKey.generate_key(256).as_dict(), "kid": "oct", "crv": "P-256", "alg": "RS256"},
        id="a shared secret with a curve",
    ),
    pytest.param(None, id="null"),
    pytest.param("RSA", id="a string"),
    pytest.param([], id="a list"),
    pytest.param({}, id="an empty object"),
]


@pytest.mark.parametrize("bad", NOT_FOR_VERIFYING)
def test_a_key_that_may_not_verify_is_no_key(bad):
    with pytest.raises(UnusableKeySet, match="no key in it can verify"):
        import_key_set(jwks(bad), RS256)


@pytest.mark.parametrize("bad", NOT_FOR_VERIFYING)
def test_a_bad_key_does_no_harm_to_the_good_one_behind_it(bad):
    keys = import_key_set({"keys": [bad, OTHER_KEY.jwk()]}, RS256)

    assert list(keys) == [OTHER_KEY.kid]
    assert keys[OTHER_KEY.kid].verifiers["RS256"](b"text", OTHER_KEY.signature(b"text"))


def test_the_encryption_key_that_keycloak_lists_first_is_passed_over():
    encryption = OTHER_KEY.jwk(use="enc", alg="RSA-OAEP", kid="enc")

    assert list(import_key_set(jwks(encryption, KEY.jwk()), RS256)) == [KEY.kid]


def test_a_bad_key_may_share_its_kid_with_a_good_one():
    bad = OTHER_KEY.jwk(use="enc", kid=KEY.kid)

    keys = import_key_set(jwks(bad, KEY.jwk(), bad), RS256)

    assert keys[KEY.kid].verifiers["RS256"](b"text", KEY.signature(b"text"))


def test_two_usable_keys_with_one_kid_are_refused_together():
    with pytest.raises(UnusableKeySet, match="the same `kid`"):
        import_key_set(jwks(KEY.jwk(), OTHER_KEY.jwk(kid=KEY.kid)), RS256)


def test_all_usable_keys_are_taken():
    keys = import_key_set(jwks(KEY.jwk(), OTHER_KEY.jwk()), RS256)

    assert list(keys) == [KEY.kid, OTHER_KEY.kid]


@pytest.mark.filterwarnings("ignore")  # as a warning does no harm in the service either
@pytest.mark.parametrize("bits", [1024, 2040, 2047])
def test_weak_rsa_is_refused_here_and_not_by_a_warning_of_the_library(bits):
    with pytest.raises(UnusableKeySet):
        import_key_set(jwks(KEY.jwk(**weak_rsa(bits))), RS256)


def test_rsa_of_exactly_2048_bits_is_strong_enough():
    assert KEY.pair.raw_value.key_size == 2048
    assert import_key_set(jwks(KEY.jwk()), RS256)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="an empty document"),
        pytest.param({"keys": None}, id="null"),
        pytest.param({"keys": {"a": KEY.jwk()}}, id="an object"),
        pytest.param({"keys": "RSA"}, id="a string"),
        pytest.param(KEY.jwk(), id="one key instead of a set"),
    ],
)
def test_a_document_without_a_list_of_keys_is_unusable(document):
    with pytest.raises(UnusableKeySet, match="no list"):
        import_key_set(document, RS256)


def test_a_set_without_any_key_is_unusable():
    with pytest.raises(UnusableKeySet, match="no key in it can verify"):
        import_key_set(jwks(), RS256)


RSA_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


def test_an_rsa_key_without_alg_is_for_the_configured_rsa_algorithms_only():
    (key,) = import_key_set(jwks(KEY.jwk(alg=ABSENT)), SUPPORTED_ALGORITHMS).values()

    assert list(key.verifiers) == RSA_ALGORITHMS


@pytest.mark.parametrize("algorithm", RSA_ALGORITHMS)
def test_a_keys_alg_binds(algorithm):
    (key,) = import_key_set(jwks(KEY.jwk(alg=algorithm)), SUPPORTED_ALGORITHMS).values()

    assert list(key.verifiers) == [algorithm]


@pytest.mark.parametrize(("curve", "algorithm"), CURVES.items())
def test_a_curve_has_one_algorithm(curve, algorithm):
    jwk = {**ECKey.generate_key(curve).as_dict(private=False), "kid": "a"}

    (key,) = import_key_set(jwks(jwk), SUPPORTED_ALGORITHMS).values()

    assert list(key.verifiers) == [algorithm]


@pytest.mark.parametrize("algorithm", CURVES.values())
def test_a_key_on_another_curve_than_its_algorithms_is_no_key(algorithm):
    for other in {"ES256", "ES384", "ES512"} - {algorithm}:
        jwk = made_key(algorithm).jwk(alg=other)
        with pytest.raises(UnusableKeySet):
            import_key_set(jwks(jwk), SUPPORTED_ALGORITHMS)


@pytest.mark.parametrize("curve", ["Ed25519", "Ed448"])
def test_an_edwards_curve_signs_by_eddsa(curve):
    jwk = {**OKPKey.generate_key(curve).as_dict(private=False), "kid": "a"}

    (key,) = import_key_set(jwks(jwk), SUPPORTED_ALGORITHMS).values()

    assert list(key.verifiers) == ["EdDSA"]


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param(ECKey.generate_key("secp256k1").as_dict(private=False), id="secp256k1"),
        pytest.param(OKPKey.generate_key("X25519").as_dict(private=False), id="X25519"),
        pytest.param(OKPKey.generate_key("X448").as_dict(private=False), id="X448"),
        pytest.param(EC_KEY.jwk(crv="P-224"), id="P-224"),
        pytest.param(EC_KEY.jwk(crv="p-256"), id="a curve in small letters"),
        pytest.param(EC_KEY.jwk(crv=ABSENT), id="no curve"),
        pytest.param(EC_KEY.jwk(crv=["P-256"]), id="a list of curves"),
        pytest.param(EC_KEY.jwk(crv=256), id="a number as curve"),
        pytest.param(EC_KEY.jwk(crv="P-384"), id="a point of P-256 that says P-384"),
        pytest.param(EC_KEY.jwk(crv="Ed25519"), id="an EC key that says Ed25519"),
        pytest.param(EC_KEY.jwk(y=EC_KEY.jwk()["x"]), id="a point that is not on its curve"),
        pytest.param(EC_KEY.jwk(x="AA", y="AA"), id="the point at infinity"),
        pytest.param(EC_KEY.jwk(y=ABSENT), id="half a point"),
        pytest.param(ED_KEY.jwk(x="AA"), id="an Ed25519 key cut off"),
        pytest.param(ED_KEY.jwk(crv="P-256"), id="an Ed25519 key that says P-256"),
    ],
)
def test_a_key_on_a_foreign_or_wrong_curve_is_no_key(jwk):
    with pytest.raises(UnusableKeySet):
        import_key_set(jwks({**jwk, "kid": "a"}), SUPPORTED_ALGORITHMS)


@pytest.mark.parametrize("key", [KEY, EC_KEY, ED_KEY], ids=lambda key: key.algorithm)
def test_of_a_private_key_published_by_mistake_only_the_public_half_is_taken(key):
    (taken,) = import_key_set(jwks(key.private_jwk()), SUPPORTED_ALGORITHMS).values()

    assert not taken.verifiers[key.algorithm].args[1].is_private
    assert taken.verifiers[key.algorithm](b"text", key.signature(b"text"))


def test_neither_none_nor_a_shared_secret_can_be_configured():
    assert set(SUPPORTED_ALGORITHMS) == {*RSA_ALGORITHMS, *CURVES.values(), "EdDSA"}


_scraps = st.sampled_from(
    ["RSA", "EC", "OKP", "sig", "verify", "RS256", "P-256", "Ed25519", "AQAB"]
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | _scraps,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_members = st.sampled_from(
    ["kty", "kid", "alg", "use", "key_ops", "n", "e", "crv", "x", "y", "d", "x5c"]
)
_good_jwks = st.sampled_from([KEY.jwk(), OTHER_KEY.jwk(), EC_KEY.jwk(), ED_KEY.jwk()])
_nearly_good = st.builds(
    lambda jwk, changes: {**jwk, **changes},
    _good_jwks,
    st.dictionaries(_members, _values, max_size=2),
)
_documents = st.dictionaries(st.text(), _values, max_size=2) | st.builds(
    lambda members: {"keys": members},
    st.lists(_nearly_good | st.dictionaries(_members, _values) | _values, max_size=3) | _values,
)


@given(_documents)
@settings(max_examples=200, deadline=None)
def test_any_json_gives_keys_that_verify_without_a_fault_or_is_unusable(document):
    try:
        keys = import_key_set(document, SUPPORTED_ALGORITHMS)
    except UnusableKeySet:
        return
    for kid, key in keys.items():
        assert key.kid == kid
        assert key.verifiers
        assert not any(verifies(b"text", b"junk") for verifies in key.verifiers.values())
