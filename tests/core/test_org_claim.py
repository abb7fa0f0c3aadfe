"""The carrier `claim`: the chosen org in a claim of its own, proven by a role."""

from __future__ import annotations

import pytest

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.grants import Grant, Grants
from hasura_kc_auth.core.orgs import granted_orgs
from hasura_kc_auth.core.token import VerifiedClaims
from tests.core.deciding import answered, decide
from tests.made_tokens import ABSENT, ISSUER, claims, denied, issuer_policy, policy_of

CHOSEN = {
    "aud": ["hasura", "org1", "org2"],
    "resource_access": {"org1": {"roles": ["editor"]}, "org2": {"roles": ["viewer"]}},
    "scope": "openid profile org1 org2 email",
    "active_org": "org2",
}
"""Changes that make the good token one of a user with two orgs, who has chosen the second."""


def policy(path=("active_org",), **org):
    return issuer_policy(org={"source": "claim", "claim": path, **org})


def grants_of(changes, issuer=None):
    return granted_orgs(VerifiedClaims(claims({**CHOSEN, **changes})), issuer or policy())


def test_the_claim_chooses_among_the_orgs_that_roles_prove():
    for org, role in (("org1", "editor"), ("org2", "viewer")):
        payload = claims({**CHOSEN, "active_org": org})
        variables = answered(decide(payload, policy=policy_of(policy())))
        assert variables["X-Hasura-Org-Id"] == org
        assert variables["X-Hasura-Allowed-Roles"] == f"{{{role}}}"


def test_a_wish_adds_nothing_to_what_the_claim_has_chosen():
    payload, policies = claims(CHOSEN), policy_of(policy())

    assert decide(payload, org="org2", policy=policies)
    with denied(Code.ORG_NOT_GRANTED, issuer=ISSUER):
        decide(payload, org="org1", policy=policies)
    with denied(Code.ROLE_NOT_GRANTED, issuer=ISSUER):
        decide(payload, role="editor", policy=policies)


def test_its_scope_is_not_needed():
    assert grants_of({"scope": "openid"}) == Grants((Grant("org2", ("viewer",)),))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"active_org": ABSENT}, id="no claim"),
        pytest.param({"active_org": None}, id="null"),
        pytest.param({"active_org": ""}, id="empty"),
        pytest.param({"active_org": ["org2"]}, id="a list"),
        pytest.param({"active_org": {"org2": 1}}, id="an object"),
        pytest.param({"active_org": 7}, id="a number"),
        pytest.param({"active_org": True}, id="a bool"),
        pytest.param({"active_org": "ORG2"}, id="capitals"),
        pytest.param({"active_org": "org2 "}, id="a blank behind"),
        pytest.param({"active_org": "org1,org2"}, id="two in one string"),
        pytest.param({"active_org": "org*"}, id="a glob"),
        pytest.param({"active_org": "a" * 256}, id="too long"),
        pytest.param({"active_org": "org3"}, id="an org without a role"),
        pytest.param({"aud": ["hasura", "org1"]}, id="not in aud"),
        pytest.param({"aud": ABSENT}, id="no aud"),
        pytest.param({"aud": {"org2": 1}}, id="an object as aud"),
        pytest.param({"resource_access": ABSENT}, id="no resource_access"),
        pytest.param(
            {"resource_access": {"org1": {"roles": ["editor"]}}}, id="only another's role"
        ),
        pytest.param({"resource_access": {"org2": {"roles": []}}}, id="an empty list of roles"),
        pytest.param({"resource_access": {"org2": {"roles": "viewer"}}}, id="a string of roles"),
        pytest.param({"resource_access": {"org2": ["viewer"]}}, id="a list as the entry"),
        pytest.param(
            {
                "resource_access": ABSENT,
                "realm_access": {"roles": ["editor"]},
                "roles": ["editor"],
            },
            id="roles of the realm only",
        ),
    ],
)
def test_an_org_without_its_claim_a_role_and_its_audience_is_not_granted(changes):
    assert grants_of(changes) == Grants()
    with denied(Code.NO_ORG, issuer=ISSUER):
        decide(claims({**CHOSEN, **changes}), policy=policy_of(policy()))


@pytest.mark.parametrize(
    ("path", "changes", "orgs"),
    [
        pytest.param(("org", "active"), {"org": {"active": "org1"}}, ("org1",), id="two levels"),
        pytest.param(
            ("https://hasura.io/jwt/claims", "x-hasura-org-id"),
            {"https://hasura.io/jwt/claims": {"x-hasura-org-id": "org1"}},
            ("org1",),
            id="a name with dots",
        ),
        pytest.param(("org", "active"), {"org.active": "org1"}, (), id="a dot is no level"),
        pytest.param(("org", "active"), {"org": ["active"]}, (), id="below a list"),
        pytest.param(("org", "active"), {"org": "org1"}, (), id="below a string"),
        pytest.param(("org", "active"), {"org": None}, (), id="below null"),
        pytest.param(("resource_access",), {}, (), id="a path that leads to an object"),
    ],
)
def test_the_claim_is_found_by_its_path(path, changes, orgs):
    granted = grants_of(changes, policy(path))

    assert tuple(grant.id for grant in granted.orgs) == orgs


@pytest.mark.parametrize("name", ["account", "realm-management", "broker", "profile", "frontend"])
def test_a_name_that_is_never_an_org_is_not_granted(name):
    changes = {
        "active_org": name,
        "aud": ["hasura", name],
        "resource_access": {name: {"roles": ["editor"]}},
    }

    assert grants_of(changes) == Grants()
    assert grants_of(changes, policy(only=(name,))) == Grants()


@pytest.mark.parametrize("lists", [{"deny": ("org2",)}, {"only": ("org1",)}])
def test_an_org_cut_off_by_the_operator_is_not_granted(lists):
    assert grants_of({}, policy(**lists)) == Grants()
    assert grants_of({"active_org": "org1"}, policy(**lists)) == Grants(
        (Grant("org1", ("editor",)),)
    )
