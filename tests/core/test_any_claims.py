"""Whatever an issuer signs: the decision is a session that the claims prove, or a denial."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.grants import Grant
from hasura_kc_auth.core.policy import SessionPolicy, Variable
from hasura_kc_auth.core.rules import CLAIM_RULES, TOKEN_RULES, open_case, submit
from hasura_kc_auth.core.session import Session
from hasura_kc_auth.core.token import CompactJws, UnverifiedToken
from tests.core.deciding import answered, case_of, decide
from tests.core.postgres_arrays import read_array
from tests.made_tokens import (
    ABSENT,
    GOOD,
    HEADER,
    ISSUER,
    NOW,
    POLICY,
    TWO_ORGS,
    claims,
    issuer_policy,
    outcome,
    policy_of,
)

ORGS = ["org1", "org2", "acme.io", "Org-Ü", "account", "frontend", "email", "", "a,b"]
ROLES = ["admin", "editor", "viewer", "org_admin", "owner", "a,b", "Ünï", ""]

_scraps = st.sampled_from([*ORGS, *ROLES, "Bearer", "ID", "DPoP", "roles", "openid org1", ISSUER])
_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([NOW, NOW + 60, 1e308, 10**30, 10**400])
    | st.text(max_size=8)
    | _scraps
)
_json = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(_scraps | st.text(), inner, max_size=4)
    ),
    max_leaves=8,
)
_entry = st.fixed_dictionaries({"roles": st.lists(st.sampled_from(ROLES), max_size=3) | _json})
_likely = {
    "scope": st.lists(st.sampled_from(["openid", *ORGS]), max_size=5).map(" ".join),
    "aud": st.lists(st.sampled_from(ORGS), max_size=4) | st.sampled_from(ORGS),
    "resource_access": st.dictionaries(st.sampled_from(ORGS), _entry | _json, max_size=3),
    "exp": st.integers(NOW - 40, NOW + 40),
    "iat": st.integers(NOW - 40, NOW + 40),
    "nbf": st.integers(NOW - 40, NOW + 40),
    "typ": st.sampled_from(["Bearer", "ID", "Refresh", "DPoP"]),
    "azp": st.sampled_from(["frontend", "admin-cli"]),
    "sub": st.text(max_size=4),
}
_changes = st.one_of(
    st.fixed_dictionaries({}, optional=_likely),
    st.dictionaries(st.sampled_from([*GOOD, "nbf", "cnf", "x"]), _json | st.just(ABSENT)),
    st.fixed_dictionaries(
        {}, optional={name: _likely[name] for name in ("scope", "aud", "resource_access")}
    ),
)
_near_good = st.builds(
    lambda base, changes: claims({**base, **changes}), st.sampled_from([{}, TWO_ORGS]), _changes
)
_claims = _near_good | st.dictionaries(st.sampled_from(sorted(GOOD)) | st.text(), _json)

_variables = (
    Variable("X-Hasura-X", ("x",)),
    Variable("X-Hasura-Emails", ("email",), is_list=True),
    Variable("X-Hasura-Roles", ("resource_access", "org1", "roles"), default="none"),
)
_policies = st.sampled_from(
    [
        POLICY,
        policy_of(session=SessionPolicy(variables=_variables)),
        policy_of(session=SessionPolicy(variables=_variables, values="json", max_age=None)),
        policy_of(issuer_policy(namespace="eu", audiences=frozenset({"org2"}))),
        policy_of(issuer_policy(org={"scope": "{org}", "deny": ("org2",)})),
        policy_of(session=SessionPolicy(user_id=("email",))),
    ]
)
_org_wishes = st.sampled_from(["", "", "org1", "org2", "eu/org1", "account", "a,b"])
_role_wishes = st.sampled_from(["", "", "editor", "viewer", "admin"])

_quick = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(_claims, _policies, _org_wishes, _role_wishes)
@_quick
def test_any_claims_give_a_session_that_they_prove_or_a_denial(payload, policy, org, role):
    case = case_of(payload, org=org, role=role, policy=policy)

    session = outcome(lambda: decide(payload, org=org, role=role, policy=policy))

    if isinstance(session, Code):
        return
    assert isinstance(session, Session)
    assert case.org is not None
    chosen = case.org.id
    audience = payload["aud"]
    mapped = {
        POLICY.roles.mapping.get(name, name) for name in payload["resource_access"][chosen]["roles"]
    }
    variables = answered(session)
    allowed = variables["X-Hasura-Allowed-Roles"]
    roles = allowed if isinstance(allowed, list) else read_array(allowed)
    assert variables["X-Hasura-Org-Id"] == case.issuer.qualified(chosen)
    assert chosen in payload["scope"].split(" ")
    assert chosen in ([audience] if isinstance(audience, str) else audience)
    assert chosen not in {"account", "frontend", "email", ""}
    assert set(roles) <= mapped & set(POLICY.roles.allowed)
    assert variables["X-Hasura-Role"] in roles
    assert "admin" not in roles
    assert org in ("", variables["X-Hasura-Org-Id"])
    assert role in ("", variables["X-Hasura-Role"])
    assert session.valid_from <= NOW < session.valid_until


@given(_near_good)
@_quick
def test_what_a_token_proves_does_not_depend_on_what_is_wished(payload):
    wished = case_of(payload, org="org2", role="viewer")

    assert wished.grants == case_of(payload).grants


@given(_claims, _policies, _org_wishes, _role_wishes)
@_quick
def test_every_claim_rule_decides_about_any_claims(payload, policy, org, role):
    case = case_of(payload, org=org, role=role, policy=policy)

    for chosen in (None, Grant("org1", ("editor",)), Grant("", ()), Grant("account", ("x",))):
        for held, roles in (((), ()), (("editor",), ()), (("editor",), ("editor",))):
            on_trial = case._replace(org=chosen, held=held, roles=roles)
            assert all(type(rule.holds(on_trial)) is bool for rule in CLAIM_RULES)


@given(
    st.dictionaries(st.sampled_from(["typ", "cty", "jwk"]), _json),
    st.text() | st.sampled_from(["RS256", "none", "ES256"]),
    st.dictionaries(st.sampled_from(["iss"]), _json | st.just(ISSUER)),
)
@_quick
def test_every_token_rule_decides_about_any_header(header, algorithm, payload):
    token = UnverifiedToken(
        CompactJws({**HEADER, **header, "alg": algorithm}, algorithm, b"", b"", b""), payload
    )

    for policy in (POLICY, replace(POLICY, issuers={})):
        submission = submit(token, policy)
        assert all(type(rule.holds(submission)) is bool for rule in TOKEN_RULES)


@given(_near_good)
@_quick
def test_every_answer_is_strict_json(payload):
    policy = policy_of(session=SessionPolicy(variables=_variables, values="json"))

    session = outcome(lambda: decide(payload, policy=policy))

    if isinstance(session, Session):
        assert session.body(NOW).isascii()
        json.loads(session.body(NOW), parse_constant=pytest.fail)


def test_open_case_is_the_same_for_equal_arguments():
    case = case_of()

    assert open_case(case.claims, case.request, case.policy, case.issuer, NOW) == case
