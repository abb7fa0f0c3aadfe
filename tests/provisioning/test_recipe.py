"""What a file of orgs asks of a realm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hasura_kc_auth.provisioning.items import (
    Assignment,
    Client,
    Composite,
    Group,
    Mapper,
    Member,
    Organization,
    OwnMapping,
    RealmSwitch,
    Role,
    Scope,
    ScopeMapping,
)
from hasura_kc_auth.provisioning.recipe import all_roles, items
from hasura_kc_auth.provisioning.wanted import Frontend, Wanted
from tests.provisioning.realms import ACME, GLOBEX, NATIVE, NONE, RECIPE, ROLES

FRONTEND = [
    Client(
        "frontend",
        "frontend",
        public=True,
        standard_flow=True,
        redirect_uris=frozenset({"https://app.example.com/*"}),
        web_origins=frozenset({"+"}),
    ),
    OwnMapping("frontend", NONE),
    Assignment("frontend", "basic", "default"),
    Assignment("frontend", "hasura-audience", "default"),
]


def without_mappers(wanted: Wanted) -> list[object]:
    return [it for it in items(wanted).values() if not isinstance(it, Mapper)]


def test_the_recipe_is_a_client_and_a_scope_for_each_org() -> None:
    wanted = replace(RECIPE, orgs={"acme": ACME})

    assert without_mappers(wanted) == [
        Scope("hasura-audience", in_token=False),
        *FRONTEND,
        Scope("my-orgs", in_token=True),
        Assignment("frontend", "roles", "default"),
        Assignment("frontend", "my-orgs", "optional"),
        Client("acme", "org", display_name="Acme Inc."),
        Role("acme", "viewer"),
        Composite("acme", "viewer", NONE),
        Role("acme", "editor"),
        Composite("acme", "editor", NONE),
        Role("acme", "owner"),
        Composite("acme", "owner", frozenset({"viewer", "editor"})),
        Scope("org:acme", in_token=True, org="acme"),
        ScopeMapping("org:acme", "acme", frozenset(ROLES)),
        ScopeMapping("my-orgs", "acme", frozenset(ROLES)),
        Assignment("frontend", "org:acme", "optional"),
        Member("acme", "alice", frozenset({"editor"})),
    ]


def test_organizations_share_one_client_whose_roles_their_groups_hold() -> None:
    assert without_mappers(NATIVE) == [
        Scope("hasura-audience", in_token=False),
        *FRONTEND,
        RealmSwitch(organizations=True),
        Client("api", "roles"),
        Role("api", "viewer"),
        Composite("api", "viewer", NONE),
        Role("api", "editor"),
        Composite("api", "editor", NONE),
        Role("api", "owner"),
        Composite("api", "owner", frozenset({"viewer", "editor"})),
        Assignment("frontend", "organization", "optional"),
        Organization("acme", "Acme Inc."),
        Group("acme", "viewer", frozenset({"api:viewer"})),
        Group("acme", "editor", frozenset({"api:editor"})),
        Group("acme", "owner", frozenset({"api:owner"})),
        Member("acme", "alice", frozenset({"editor"})),
        Organization("globex", "globex"),
        Group("globex", "viewer", frozenset({"api:viewer"})),
    ]


@pytest.mark.parametrize(
    ("wanted", "mappers"),
    [
        (
            RECIPE,
            {
                "hasura-audience": ["oidc-audience-mapper"],
                "my-orgs": ["oidc-usermodel-client-role-mapper"],
            },
        ),
        (
            NATIVE,
            {
                "hasura-audience": ["oidc-audience-mapper"],
                "organization": [
                    "oidc-organization-membership-mapper",
                    "oidc-organization-group-membership-mapper",
                ],
            },
        ),
    ],
    ids=["recipe", "organizations"],
)
def test_the_mappers_are_in_scopes(wanted: Wanted, mappers: dict[str, list[str]]) -> None:
    found = [it for it in items(wanted).values() if isinstance(it, Mapper)]

    assert {
        scope: [it.provider for it in found if it.scope == scope]
        for scope in dict.fromkeys(it.scope for it in found)
    } == mappers


def test_the_audience_is_the_services() -> None:
    mapper = items(RECIPE)["mapper", "hasura-audience", "audience"]

    assert isinstance(mapper, Mapper)
    assert mapper.config["included.custom.audience"] == "hasura"
    assert mapper.config["access.token.claim"] == "true"


def test_all_orgs_of_a_user_are_told_by_userinfo_alone() -> None:
    mapper = items(RECIPE)["mapper", "my-orgs", "orgs"]

    assert isinstance(mapper, Mapper)
    told = {name.partition(".")[0] for name, value in mapper.config.items() if value == "true"}
    assert told - {"multivalued"} == {"userinfo"}


def test_every_frontend_has_every_orgs_scope() -> None:
    second = Frontend("phone", frozenset({"app://callback"}))
    wanted = replace(RECIPE, frontends=(*RECIPE.frontends, second))

    assert [
        it.client
        for it in items(wanted).values()
        if isinstance(it, Assignment) and it.scope == "org:acme"
    ] == ["frontend", "phone"]


def test_the_roles_of_all_orgs_are_those_of_each() -> None:
    auditors = replace(GLOBEX, roles={"auditor": NONE})

    assert all_roles(replace(NATIVE, orgs={"acme": ACME, "globex": auditors})) == {
        **ROLES,
        "auditor": NONE,
    }
