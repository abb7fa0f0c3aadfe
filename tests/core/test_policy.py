"""What the operator has decided."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from hasura_kc_auth.core.policy import (
    KEYCLOAK_CLIENTS,
    STANDARD_SCOPES,
    AnonymousPolicy,
    IssuerPolicy,
    OrgPolicy,
    Policy,
    RolePolicy,
    Variable,
)
from tests.made_tokens import issuer_policy, policy_of

NEVER_ORGS = [
    *("account", "account-console", "admin-cli"),
    *("broker", "realm-management", "security-admin-console"),
    *("acr", "address", "basic", "email", "microprofile-jwt", "offline_access", "openid"),
    *("organization", "phone", "profile", "roles", "service_account", "web-origins"),
]


def test_the_names_that_are_never_orgs_stay_as_they_are():
    assert sorted(KEYCLOAK_CLIENTS | STANDARD_SCOPES) == sorted(NEVER_ORGS)


@pytest.mark.parametrize("name", [*NEVER_ORGS, "frontend"])
def test_neither_keycloaks_own_names_nor_the_allowed_clients_can_be_orgs(name):
    assert not issuer_policy().can_be_org(name)
    assert not issuer_policy(org={"only": (name, "*")}).can_be_org(name)


@pytest.mark.parametrize("name", ["org1", "acme.io", "Account", "accounts", "org 1", "Org-Ü"])
def test_any_other_name_can_be_an_org(name):
    assert issuer_policy().can_be_org(name)


@pytest.mark.parametrize(
    ("lists", "name", "admitted"),
    [
        pytest.param({}, "org1", True, id="no lists"),
        pytest.param({"only": ("org1",)}, "org1", True, id="in only"),
        pytest.param({"only": ("org1",)}, "org2", False, id="not in only"),
        pytest.param({"only": ("a", "org*")}, "org2", True, id="by a glob in only"),
        pytest.param({"only": ("org1",)}, "org12", False, id="only the beginning is in only"),
        pytest.param({"only": ("Org1",)}, "org1", False, id="only has case"),
        pytest.param({"deny": ("org1",)}, "org1", False, id="in deny"),
        pytest.param({"deny": ("org1",)}, "org2", True, id="not in deny"),
        pytest.param({"deny": ("x", "org*")}, "org2", False, id="by a glob in deny"),
        pytest.param({"deny": ("ORG1",)}, "org1", True, id="deny has case"),
        pytest.param({"only": ("org1",), "deny": ("org1",)}, "org1", False, id="deny wins"),
        pytest.param({"only": ("acme.io",)}, "acmexio", False, id="a dot is a dot"),
    ],
)
def test_the_lists_admit_orgs(lists, name, admitted):
    assert OrgPolicy(**lists).admits(name) is admitted
    assert issuer_policy(org=lists).can_be_org(name) is admitted


@pytest.mark.parametrize(
    ("template", "scope"),
    [("{org}", "acme.io"), ("org:{org}", "org:acme.io"), ("{org}/{org}", "acme.io/acme.io")],
)
def test_an_orgs_scope_is_named_by_the_template(template, scope):
    assert OrgPolicy(scope=template).scope_of("acme.io") == scope


def test_a_name_that_looks_like_the_template_is_taken_as_it_is():
    assert OrgPolicy(scope="org:{org}").scope_of("{org}") == "org:{org}"


def test_ids_stay_as_they_are_without_a_namespace_and_are_prefixed_with_one():
    assert issuer_policy().qualified("acme") == "acme"
    assert issuer_policy(namespace="eu").qualified("acme") == "eu/acme"


def test_the_algorithms_of_all_issuers_may_be_asked_for():
    one, two = (
        IssuerPolicy(f"https://{name}", frozenset({"frontend"}), algorithms=frozenset(algorithms))
        for name, algorithms in (("one", {"RS256"}), ("two", {"ES256", "EdDSA"}))
    )

    assert policy_of(one, two).algorithms == {"RS256", "ES256", "EdDSA"}
    assert Policy({}, RolePolicy(())).algorithms == frozenset()


def test_without_further_settings_the_safe_choice_is_made():
    issuer = IssuerPolicy("https://sso.example.com", frozenset({"frontend"}))
    policy = Policy({}, RolePolicy(("editor",)))

    assert asdict(issuer) == {
        "issuer": "https://sso.example.com",
        "clients": {"frontend"},
        "audiences": frozenset(),
        "algorithms": {"RS256"},
        "leeway": 30,
        "namespace": None,
        "org": {
            "source": "client-scope",
            "scope": "{org}",
            "claim": (),
            "roles": "nested",
            "client": "",
            "realm_roles": False,
            "id_from": "alias",
            "only": (),
            "deny": (),
        },
    }
    assert asdict(policy.roles) == {"allowed": ("editor",), "mapping": {}, "acr": {}}
    assert asdict(policy.session) == {
        "user_id": ("sub",),
        "variables": (),
        "values": "text",
        "max_age": 300,
    }
    assert policy.anonymous is None
    assert AnonymousPolicy("public").variables == {}
    assert asdict(Variable("X-Hasura-X")) == {
        "name": "X-Hasura-X",
        "claim": None,
        "is_list": False,
        "default": None,
        "value": None,
    }


@pytest.mark.parametrize(
    ("policy", "reads"),
    [
        pytest.param({"source": "client-scope"}, True, id="client-scope"),
        pytest.param({"source": "client-scope", "roles": "groups"}, True, id="roles mean nothing"),
        pytest.param({"source": "claim"}, True, id="claim"),
        pytest.param({"source": "organization"}, False, id="organization, nested"),
        pytest.param({"source": "organization", "roles": "groups"}, False, id="its groups"),
        pytest.param({"source": "organization", "roles": "client"}, True, id="its client"),
    ],
)
def test_roles_under_a_client_named_like_the_org_are_read_by_these_carriers(policy, reads):
    assert OrgPolicy(**policy).reads_resource_access is reads


def test_hasuras_superuser_can_be_made_no_role_at_all():
    with pytest.raises(ValueError, match="admin"):
        RolePolicy(("editor", "admin"))
    with pytest.raises(ValueError, match="admin"):
        AnonymousPolicy("admin")


@pytest.mark.parametrize("name", ["algorithms", "prefixes"])
def test_what_follows_from_the_issuers_cannot_be_given(name):
    with pytest.raises(TypeError, match=name):
        Policy({}, RolePolicy(()), **{name: ()})
