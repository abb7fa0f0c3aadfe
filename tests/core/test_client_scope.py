"""The carrier `client-scope`: an org's scope, a role in it, and its client in aud, together."""

from __future__ import annotations

import pytest

from hasura_kc_auth.core.claims import client_roles
from hasura_kc_auth.core.client_scope import weigh
from hasura_kc_auth.core.grants import Grant
from hasura_kc_auth.core.orgs import granted_orgs
from hasura_kc_auth.core.token import VerifiedClaims
from tests.made_tokens import ABSENT, GOOD, ISSUER_POLICY, TWO_ORGS, claims, issuer_policy


def grants_of(changes, issuer=ISSUER_POLICY):
    return granted_orgs(VerifiedClaims(claims(changes)), issuer)


def orgs_of(changes, issuer=ISSUER_POLICY):
    grants = grants_of(changes, issuer)
    assert grants.selectable
    return tuple(grant.id for grant in grants.orgs)


def access(**roles):
    return {org: {"roles": list(names)} for org, names in roles.items()}


ADMIN_OF_ALL = {
    "aud": ["org1", "org2", "account"],
    "resource_access": access(org1=["editor"], org2=["admin"], account=["view-profile"]),
}


@pytest.mark.parametrize(
    ("changes", "orgs"),
    [
        pytest.param({}, ("org1",), id="the good token"),
        pytest.param(TWO_ORGS, ("org1", "org2"), id="two orgs asked for"),
        pytest.param(
            {**TWO_ORGS, "scope": "openid org2 org1"}, ("org1", "org2"), id="whatever the order"
        ),
        pytest.param({"aud": ["org1"]}, ("org1",), id="aud is a list of one"),
        pytest.param({"aud": ["hasura", "org1"]}, ("org1",), id="an audience of one's own"),
        pytest.param({"aud": ["org1", "org1"]}, ("org1",), id="aud says it twice"),
        pytest.param({"scope": "org1"}, ("org1",), id="no other scope"),
        pytest.param({"scope": "org1 org1"}, ("org1",), id="the scope twice"),
        pytest.param(
            {"resource_access": access(org1=["editor", "viewer"])}, ("org1",), id="two roles"
        ),
        pytest.param(
            {"resource_access": access(org1=["not-allowed"])}, ("org1",), id="a role nobody knows"
        ),
        # Of the three facts one is missing.
        pytest.param({"scope": "openid profile email"}, (), id="no scope of the org"),
        pytest.param({"resource_access": access()}, (), id="no role in any org"),
        pytest.param({"resource_access": access(org1=[])}, (), id="an empty list of roles"),
        pytest.param({"aud": "hasura"}, (), id="the org is not in aud"),
        pytest.param({"aud": ["org2", "account"]}, (), id="only others are in aud"),
        # What Keycloak writes in the cases that mislead.
        pytest.param(ADMIN_OF_ALL, ("org1",), id="full scope: roles of an org not asked for"),
        pytest.param(
            {**ADMIN_OF_ALL, "scope": "openid profile email org3"},
            (),
            id="full scope: the org asked for has no role, others nobody asked for have",
        ),
        pytest.param(
            {"resource_access": ABSENT, "aud": ABSENT}, (), id="a scope without a role mapping"
        ),
        pytest.param(
            {"scope": "openid profile email", "aud": ABSENT, "resource_access": ABSENT},
            (),
            id="a scope dropped in silence",
        ),
        pytest.param(
            {
                "scope": "openid profile org2 email",
                "aud": ["org1", "org2"],
                "resource_access": access(org1=["admin"], org2=["bridge"]),
            },
            ("org2",),
            id="a composite role across orgs",
        ),
        pytest.param(
            {"aud": ABSENT, "resource_access": ABSENT, "scope": "openid org1"},
            (),
            id="a lightweight token",
        ),
        pytest.param(
            {"scope": "openid group-a", "resource_access": access(org1=["editor"])},
            (),
            id="a scope that maps orgs under another name",
        ),
        pytest.param(
            {
                "scope": "openid acme.io",
                "aud": "acme.io",
                "resource_access": {"acme.io": {"roles": ["viewer"]}},
            },
            ("acme.io",),
            id="a dot in an org's name is no path",
        ),
        pytest.param(
            {
                "scope": "openid Org-Ü",
                "aud": "Org-Ü",
                "resource_access": {"Org-Ü": {"roles": ["viewer"]}},
            },
            ("Org-Ü",),
            id="letters beyond ASCII in an org's name",
        ),
        pytest.param(
            {
                "scope": "openid org 1",
                "aud": "org 1",
                "resource_access": {"org 1": {"roles": ["viewer"]}},
            },
            (),
            id="a name with a blank cannot be a scope",
        ),
        pytest.param(
            {"scope": "openid ORG1", "aud": ["ORG1", "org1"]}, (), id="the scope in capitals"
        ),
        pytest.param({"aud": "ORG1"}, (), id="the audience in capitals"),
        pytest.param({"scope": "openid org12 1org1"}, (), id="a scope that holds the name"),
        pytest.param({"scope": "openid\torg1\tx"}, (), id="only blanks separate scopes"),
        pytest.param({"scope": "openid,org1"}, (), id="no commas separate scopes"),
        # Each claim in another JSON type.
        pytest.param({"scope": ABSENT}, (), id="no scope"),
        pytest.param({"scope": None}, (), id="a null scope"),
        pytest.param({"scope": ["openid", "org1"]}, (), id="a list of scopes"),
        pytest.param({"scope": {"org1": 1}}, (), id="an object as scope"),
        pytest.param({"aud": ABSENT}, (), id="no aud"),
        pytest.param({"aud": None}, (), id="a null aud"),
        pytest.param({"aud": {"org1": 1}}, (), id="an object as aud"),
        pytest.param({"aud": ["org1", 7]}, (), id="a number among the audiences"),
        pytest.param({"aud": ["org1", ["org2"]]}, (), id="a list among the audiences"),
        pytest.param({"aud": [["org1"]]}, (), id="a list in a list as aud"),
        pytest.param({"aud": "xorg1x"}, (), id="aud holds the name inside"),
        pytest.param({"aud": "org1 org2"}, (), id="aud as words"),
        pytest.param({"resource_access": None}, (), id="a null resource_access"),
        pytest.param({"resource_access": ["org1"]}, (), id="resource_access as a list"),
        pytest.param({"resource_access": "org1"}, (), id="resource_access as a string"),
        pytest.param({"resource_access": {"org1": None}}, (), id="a null entry"),
        pytest.param({"resource_access": {"org1": ["editor"]}}, (), id="an entry without roles"),
        pytest.param({"resource_access": {"org1": {}}}, (), id="an empty entry"),
        pytest.param({"resource_access": {"org1": {"roles": None}}}, (), id="null roles"),
        pytest.param(
            {"resource_access": {"org1": {"roles": "editor"}}}, (), id="a string of roles"
        ),
        pytest.param(
            {"resource_access": {"org1": {"roles": {"editor": 1}}}}, (), id="an object of roles"
        ),
        pytest.param(
            {"resource_access": {"org1": {"roles": ["editor", 1]}}}, (), id="a number among roles"
        ),
        pytest.param(
            {"resource_access": {"org1": {"roles": ["editor", None]}}}, (), id="null among roles"
        ),
        pytest.param(
            {"resource_access": {"org1": {"roles": ["editor", ""]}}}, (), id="an empty role"
        ),
        pytest.param(
            {"resource_access": {"org1": {"roles": [["editor"]]}}}, (), id="a list in the roles"
        ),
        pytest.param(
            {"scope": "openid  org1", "aud": ["", "x"], "resource_access": access(**{"": ["a"]})},
            (),
            id="an empty name",
        ),
    ],
)
def test_an_org_is_granted_by_its_scope_a_role_and_its_audience_together(changes, orgs):
    assert orgs_of(changes) == orgs


@pytest.mark.parametrize(
    "name",
    [
        *("account", "account-console", "admin-cli", "broker", "realm-management"),
        *("security-admin-console", "email", "profile", "openid", "roles", "organization"),
        "frontend",
    ],
)
def test_a_name_that_is_never_an_org_is_not_granted_even_with_all_three_facts(name):
    changes = {"scope": f"openid {name}", "aud": name, "resource_access": access(**{name: ["x"]})}

    assert orgs_of(changes) == ()
    assert orgs_of(changes, issuer_policy(org={"only": (name,)})) == ()


@pytest.mark.parametrize("lists", [{"deny": ("org1",)}, {"only": ("org2",)}])
def test_an_org_cut_off_by_the_operator_is_not_granted(lists):
    assert orgs_of(TWO_ORGS, issuer_policy(org=lists)) == ("org2",)


@pytest.mark.parametrize(
    ("scope", "orgs"),
    [
        pytest.param("openid org:org1", ("org1",), id="by the template"),
        pytest.param("openid org1", (), id="the bare name is not the org's scope"),
        pytest.param("openid org:", (), id="the template without a name"),
        pytest.param("openid org:org2", (), id="another org's scope"),
    ],
)
def test_the_scope_is_named_by_the_template(scope, orgs):
    assert orgs_of({"scope": scope}, issuer_policy(org={"scope": "org:{org}"})) == orgs


def test_the_evidence_is_laid_out_for_every_key_of_resource_access():
    changes = {
        "scope": "openid org1 account org3",
        "aud": ["org1", "org2", "account"],
        "resource_access": {**access(org1=["editor"], org2=["x"], account=["y"]), "org3": {}},
    }

    evidence = weigh(VerifiedClaims(claims(changes)), ISSUER_POLICY)

    assert [tuple(row) for row in evidence] == [
        ("org1", True, ("editor",), True, True),
        ("org2", False, ("x",), True, True),
        ("account", True, ("y",), True, False),
        ("org3", True, (), False, True),
    ]
    assert [row.granted for row in evidence] == [True, False, False, False]


@pytest.mark.parametrize(
    "missing", [{"in_scope": False}, {"roles": ()}, {"in_audience": False}, {"admitted": False}]
)
def test_no_fact_makes_up_for_another(missing):
    (good,) = weigh(VerifiedClaims(GOOD), ISSUER_POLICY)

    assert good.granted
    assert not good._replace(**missing).granted


def test_each_org_comes_with_its_own_roles_and_no_others():
    granted = grants_of(
        {
            **TWO_ORGS,
            "realm_access": {"roles": ["admin", "editor"]},
            "roles": ["editor"],
            "organization": {"org2": {"groups": ["/admins"]}},
        }
    )

    assert granted.orgs == (Grant("org1", ("editor",)), Grant("org2", ("viewer",)))


def test_roles_never_leave_their_org_and_realm_roles_do_not_count():
    changes = {
        "resource_access": access(org1=["viewer"], org2=["editor"], account=["admin"]),
        "realm_access": {"roles": ["admin", "editor"]},
        "roles": ["editor"],
    }

    assert grants_of(changes).orgs == (Grant("org1", ("viewer",)),)
    assert client_roles(claims(changes), "org1") == ("viewer",)
    assert client_roles(claims(changes), "org3") == ()
