"""Whatever the decision is made of stays as it was made."""

from __future__ import annotations

import pytest

from hasura_kc_auth.authenticator import Completion
from hasura_kc_auth.core.client_scope import weigh
from hasura_kc_auth.core.grants import Grant, Grants
from hasura_kc_auth.core.policy import AnonymousPolicy, OrgPolicy, SessionPolicy, Variable
from hasura_kc_auth.core.rules import CLAIM_RULES, REQUEST_FACTS
from hasura_kc_auth.core.token import VerifiedClaims, parse
from tests.core.deciding import case_of, decide
from tests.made_tokens import GOOD, ISSUER_POLICY, KEY, POLICY, key_set, request_of, sign

VALUES = {
    "the policy": (lambda: POLICY, "issuers"),
    "an issuer's policy": (lambda: ISSUER_POLICY, "clients"),
    "an org's policy": (OrgPolicy, "deny"),
    "the policy on roles": (lambda: POLICY.roles, "allowed"),
    "the policy on the answer": (SessionPolicy, "variables"),
    "a variable": (lambda: Variable("X-Hasura-X"), "value"),
    "the policy on the anonymous": (lambda: AnonymousPolicy("public"), "role"),
    "a request": (lambda: request_of("a.b.c"), "token"),
    "a token": (lambda: parse(sign()), "payload"),
    "a JWS": (lambda: parse(sign()).jws, "signature"),
    "a key": (lambda: key_set(KEY)[KEY.kid], "verifiers"),
    "a grant": (lambda: Grant("org1", ("editor",)), "roles"),
    "grants": (Grants, "orgs"),
    "what is known of an org": (lambda: weigh(VerifiedClaims(GOOD), ISSUER_POLICY)[0], "in_scope"),
    "a case": (case_of, "roles"),
    "a fact": (lambda: REQUEST_FACTS[0], "code"),
    "a rule": (lambda: CLAIM_RULES[0], "holds"),
    "a session": (decide, "variables"),
    "a completion": (lambda: Completion(None, always=False), "always"),
}


@pytest.mark.parametrize(("make", "name"), VALUES.values(), ids=VALUES)
def test_no_value_changes_once_it_is_made(make, name):
    value = make()

    with pytest.raises(AttributeError):
        setattr(value, name, None)
