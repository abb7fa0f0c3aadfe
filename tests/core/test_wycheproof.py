"""Every JWS vector of Project Wycheproof, from the published key to the verified bytes.

The vectors are not part of this repository. Without them these tests are skipped, or fail where
HASURA_KC_AUTH_TEST_REQUIRE_VECTORS=1.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.keys import UnusableKeySet, VerificationKey, import_key_set
from hasura_kc_auth.core.token import is_signed_by, parse, take_apart

FILE = Path(__file__).parents[3] / "shared" / "vectors" / "wycheproof_jws.json"
REQUIRED = os.environ.get("HASURA_KC_AUTH_TEST_REQUIRE_VECTORS") == "1"  # noqa: TID251 - a test's
if not FILE.exists() and not REQUIRED:
    pytest.skip("the Wycheproof vectors are not part of a checkout", allow_module_level=True)
VECTORS = json.loads(FILE.read_bytes())

# The Infineon (ROCA) key is a sound RSA key by every check a verifier can make in reasonable time;
# an issuer that publishes one has lost already. Accepted, and stated here.
ROCA = "rejectsKeyWithRocaVulnerability"

# RFC 7520 labels its P-521 keys ES521, which is no algorithm; the vectors mean ES512.
CORRECTED = {"ES521": "ES512"}


def with_token(vectors: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(vector, id=f"{vector['id']} {vector['comment']}") for vector in vectors]


def is_accepted(jws: str, document: dict[str, Any], algorithm: str) -> bool:
    """Whether a service with this key set, pinned to this algorithm, lets the signature pass.

    The only usable key stands in for the one that the kid names: that makes it harder, not easier.
    """
    key: VerificationKey
    try:
        (key,) = import_key_set(document, {algorithm}).values()
        return is_signed_by(take_apart(jws), key)
    except (Denied, UnusableKeySet):
        return False


def test_no_vector_is_missing():
    assert (len(VECTORS["tests"]), len(VECTORS["keysets"])) == (386, 11)


@pytest.mark.parametrize("vector", with_token(VECTORS["tests"]))
def test_a_signature_is_accepted_only_where_the_vector_says_so(vector):
    jwk = dict(VECTORS["keys"][vector["key"]])
    if jwk.get("alg") in CORRECTED:
        jwk["alg"] = CORRECTED[jwk["alg"]]

    accepted = is_accepted(vector["jws"], {"keys": [jwk]}, vector["pin"])

    assert accepted == (vector["expect"] == "valid" or vector["comment"] == ROCA)


@pytest.mark.parametrize("vector", with_token(VECTORS["keysets"]))
def test_a_key_set_is_used_only_where_the_vector_says_so(vector):
    accepted = is_accepted(vector["jws"], vector["jwks"], vector["pin"])

    assert accepted == (vector["expect"] == "valid" or vector["comment"] == ROCA)


@pytest.mark.parametrize("vector", with_token([*VECTORS["tests"], *VECTORS["keysets"]]))
def test_the_payloads_are_no_claims_and_none_is_taken_for_a_token(vector):
    with pytest.raises(Denied) as caught:
        parse(vector["jws"])

    assert caught.value.code is Code.MALFORMED_TOKEN
