"""Which carrier is asked, which org is chosen, and which roles that gives."""

from __future__ import annotations

import pytest

from hasura_kc_auth.core.grants import Grant, Grants
from hasura_kc_auth.core.orgs import choose_org, granted_orgs, hasura_roles
from hasura_kc_auth.core.policy import RolePolicy
from hasura_kc_auth.core.token import VerifiedClaims
from tests.made_tokens import claims, issuer_policy

# One token that holds another org for each carrier.
OF_ALL = {
    "aud": ["org1", "org2", "org3", "hasura"],
    "scope": "openid org1 organization:org2",
    "resource_access": {"org1": {"roles": ["editor"]}, "org3": {"roles": ["viewer"]}},
    "organization": {"org2": {"resource_access": {"hasura": {"roles": ["admin"]}}}},
    "active_org": "org3",
}


@pytest.mark.parametrize(
    ("org", "grant"),
    [
        pytest.param({}, Grant("org1", ("editor",)), id="client-scope, by default"),
        pytest.param(
            {"source": "organization", "client": "hasura"},
            Grant("org2", ("admin",)),
            id="organization",
        ),
        pytest.param(
            {"source": "claim", "claim": ("active_org",)}, Grant("org3", ("viewer",)), id="claim"
        ),
    ],
)
def test_only_the_issuers_own_carrier_is_asked(org, grant):
    granted = granted_orgs(VerifiedClaims(claims(OF_ALL)), issuer_policy(org=org))

    assert granted == Grants((grant,))


@pytest.mark.parametrize(
    ("orgs", "wish", "namespace", "org"),
    [
        pytest.param((), "", None, None, id="nothing to choose from"),
        pytest.param(("a",), "", None, "a", id="only one"),
        pytest.param(("a", "b"), "", None, None, id="never guessed"),
        pytest.param(("a", "b"), "b", None, "b", id="the wish"),
        pytest.param(("a",), "b", None, None, id="a wish for another"),
        pytest.param(("a",), "A", None, None, id="the wish in capitals"),
        pytest.param(("a",), "eu/a", "eu", "a", id="the wish with its namespace"),
        pytest.param(("a",), "a", "eu", None, id="the wish without its namespace"),
        pytest.param(("a",), "us/a", "eu", None, id="the wish with another namespace"),
        pytest.param(("a", "a"), "", None, None, id="two orgs that show one id"),
        pytest.param(("a", "a"), "a", None, None, id="two orgs that show the id wished for"),
        pytest.param(("a", "a", "b"), "b", None, "b", id="two that show one id, and another"),
    ],
)
def test_one_org_is_chosen_or_none(orgs, wish, namespace, org):
    grants = Grants(tuple(Grant(name, (f"role of {name}",)) for name in orgs))

    chosen = choose_org(grants, wish, issuer_policy(namespace=namespace))

    assert chosen == (None if org is None else Grant(org, (f"role of {org}",)))


@pytest.mark.parametrize("wish", ["", "a", "b"])
@pytest.mark.parametrize("orgs", [("a",), ("a", "b")])
def test_where_nobody_may_choose_a_wish_does_not_either(orgs, wish):
    grants = Grants(tuple(Grant(name, ("editor",)) for name in orgs), selectable=False)

    assert choose_org(grants, wish, issuer_policy()) is None


ROLES = RolePolicy(("org_admin", "editor", "viewer"), {"admin": "org_admin", "Org Admin": "editor"})


@pytest.mark.parametrize(
    ("held", "roles"),
    [
        pytest.param(["editor"], ("editor",), id="an allowed role"),
        pytest.param(["viewer", "editor"], ("editor", "viewer"), id="in the order of the policy"),
        pytest.param(["admin"], ("org_admin",), id="a mapped role"),
        pytest.param(["owner", "editor", "admin"], ("org_admin", "editor"), id="a composite"),
        pytest.param(["editor", "Org Admin"], ("editor",), id="two names for one role"),
        pytest.param(["org_admin"], ("org_admin",), id="a role named like a mapping's target"),
        pytest.param(["owner"], (), id="no allowed role"),
        pytest.param(["Editor", "EDITOR", " editor"], (), id="other spellings"),
        pytest.param(["editor,viewer"], (), id="a comma makes no two roles"),
        pytest.param(["Ünï"], (), id="letters beyond ASCII"),
        pytest.param([], (), id="no role"),
    ],
)
def test_the_roles_of_an_org_are_mapped_and_filtered(held, roles):
    assert hasura_roles(Grant("org1", tuple(held)), ROLES) == roles
