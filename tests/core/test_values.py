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
    "the policy": (POLICY, "issuers"),
    "an issuer's policy": (ISSUER_POLICY, "clients"),
    "an org's policy": (OrgPolicy(), "deny"),
    "the policy on roles": (POLICY.roles, "allowed"),
    "the policy on the answer": (SessionPolicy(), "variables"),
    "a variable": (Variable("X-Hasura-X"), "value"),
    "the policy on the anonymous": (AnonymousPolicy("public"), "role"),
    "a request": (request_of("a.b.c"), "token"),
    "a token": (parse(sign()), "payload"),
    "a JWS": (parse(sign()).jws, "signature"),
    "a key": (key_set(KEY)[KEY.kid], "verifiers"),
    "a grant": (Grant("org1", ("editor",)), "roles"),
    "grants": (Grants(), "orgs"),
    "what is known of an org": (weigh(VerifiedClaims(GOOD), ISSUER_POLICY)[0], "in_scope"),
    "a case": (case_of(), "roles"),
    "a fact": (REQUEST_FACTS[0], "code"),
    "a rule": (CLAIM_RULES[0], "holds"),
    "a session": (decide(), "variables"),
    "a completion": (Completion(None), "always"),
}


@pytest.mark.parametrize(("value", "name"), VALUES.values(), ids=VALUES)
def test_no_value_changes_once_it_is_made(value, name):
    with pytest.raises(AttributeError):
        setattr(value, name, None)
