"""Realms set up by a file of orgs: from nothing to the recipe, drift, faults, and what is kept."""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from admin import Admin
from asking import ask, denied, granted, running, settings_for
from keycloak_server import KeycloakServer
from login import Client, Tokens
from provisioned import (
    ROLES,
    Provisioned,
    empty_realm,
    full_realm,
    issuer_for,
    keys,
)
from realm import Realm

from hasura_kc_auth.core.policy import IssuerPolicy, OrgPolicy
from hasura_kc_auth.keycloak.admin.api import AdminFailed, Login
from hasura_kc_auth.keycloak.realm.state import RealmState
from hasura_kc_auth.provisioning.wanted import Carrier, Org

Drift = Callable[[Provisioned], Awaitable[None]]
BOTH = pytest.mark.parametrize("carrier", ["client-scope", "organization"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recipe(keycloak: KeycloakServer, admin: Admin) -> Provisioned:
    """Give the realm with a client and a scope per org. Who breaks it repairs it."""
    return await full_realm(keycloak, admin, "client-scope")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def native(has_groups: None, keycloak: KeycloakServer, admin: Admin) -> Provisioned:  # noqa: ARG001
    """Give the realm with organizations. Who breaks it repairs it."""
    return await full_realm(keycloak, admin, "organization")


@pytest.fixture
def made(request: pytest.FixtureRequest, carrier: Carrier) -> Provisioned:
    """Give the realm of a test's carrier."""
    found = request.getfixturevalue("recipe" if carrier == "client-scope" else "native")
    assert isinstance(found, Provisioned)
    return found


# From nothing to what the file says


@BOTH
async def test_an_empty_realm_becomes_the_recipe_and_then_nothing_is_left_to_do(
    made: Provisioned,
) -> None:
    plan = await made.plan()

    assert (plan.steps, plan.problems, plan.notes) == ((), (), ())
    assert plan.is_empty
    assert (await made.apply()).is_complete
    # What the file says nothing about is as it was set by hand.
    frontend = await made.realm.admin.get(made.client("frontend"))
    assert frontend["directAccessGrantsEnabled"] is True


PERSONAS = [
    ("alice", ["acme"], ("acme", "editor")),
    ("alice", ["globex"], ("globex", "viewer")),
    ("alice", [], "no_org"),
    ("bob", ["acme"], ("acme", "viewer")),
    ("bob", ["globex"], "no_org"),
    ("carol", ["acme"], "no_org"),
    ("dave", ["acme"], ("acme", "owner", "editor", "viewer")),
    ("erin", ["globex"], ("globex", "editor", "viewer")),
    ("erin", ["acme", "globex"], "ambiguous_org"),
    ("gina", ["globex"], ("globex", "org_admin")),
]


@BOTH
async def test_everybody_gets_what_the_file_says(made: Provisioned) -> None:
    async with running(settings_for(made.realm, issuer=issuer_for(made.wanted))) as service:
        for user, orgs, expected in PERSONAS:
            tokens = await _login(made, user, *orgs)
            answer = await ask(service, tokens.access)
            if isinstance(expected, str):
                assert answer == denied(expected), (user, orgs)
            else:
                assert answer == granted(made.realm, user, *expected), (user, orgs)


async def _login(made: Provisioned, user: str, *orgs: str) -> Tokens:
    scope = (
        made.wanted.scope_of if made.wanted.carrier == "client-scope" else "organization:{}".format
    )
    client = Client(made.realm.admin.http, made.realm.issuer)
    return await client.password(user, " ".join(["openid", *map(scope, orgs)]))


async def test_a_frontend_lists_its_users_orgs_with_a_token_that_opens_none(
    recipe: Provisioned,
) -> None:
    client = Client(recipe.realm.admin.http, recipe.realm.issuer)
    tokens = await client.password("erin", "openid my-orgs")

    url = f"{recipe.realm.issuer}/protocol/openid-connect/userinfo"
    headers = {"Authorization": f"Bearer {tokens.access}"}
    async with recipe.realm.admin.http.get(url, headers=headers) as response:
        orgs = (await response.json())["orgs"]
    assert {org: set(it["roles"]) for org, it in orgs.items()} == {
        "acme": {"editor"},
        "globex": {"viewer", "editor"},
    }
    async with running(settings_for(recipe.realm, issuer=issuer_for(recipe.wanted))) as service:
        assert await ask(service, tokens.access) == denied("no_org")


@BOTH
async def test_a_realm_that_follows_the_recipe_is_written_as_its_file(made: Provisioned) -> None:
    source = made.wanted.carrier
    org = OrgPolicy(source=source, scope=made.wanted.scope, client=made.wanted.client)
    policy = IssuerPolicy(
        made.realm.issuer, frozenset({"frontend", "missing"}), frozenset({"hasura"}), org=org
    )
    async with made.api() as api:
        found = await RealmState(api).survey(policy)

    orgs = {name: replace(it, members={}) for name, it in made.wanted.orgs.items()}
    assert found == replace(made.wanted, orgs=orgs)


# Drift


async def _own_mapping(made: Provisioned) -> None:
    await made.realm.map_own_roles("frontend", "globex", "viewer")


async def _full_scope(made: Provisioned) -> None:
    await made.realm.configure_client("frontend", fullScopeAllowed=True)


async def _redirect(made: Provisioned) -> None:
    await made.realm.configure_client("frontend", redirectUris=["http://127.0.0.1/*"])


async def _default_scope(made: Provisioned) -> None:
    await made.realm.assign("frontend", "org:acme", "default")


async def _no_assignment(made: Provisioned) -> None:
    await made.realm.unassign("frontend", "org:globex")


async def _unmapped_role(made: Provisioned) -> None:
    realm = made.realm
    path = f"{made.scope('org:acme')}/scope-mappings/clients/{realm.clients['acme']}"
    await realm.admin.delete(path, await made.roles("acme", ["viewer"]))


async def _foreign_role(made: Provisioned) -> None:
    await made.realm.map_roles("org:acme", "globex", "admin")


async def _foreign_part(made: Provisioned) -> None:
    await made.realm.add_composite(("globex", "viewer"), ("acme", "owner"))


async def _no_audience(made: Provisioned) -> None:
    realm = made.realm
    path = f"{made.scope('hasura-audience')}/protocol-mappers/models"
    [mapper] = await realm.admin.get(path)
    await realm.admin.delete(f"{path}/{mapper['id']}")


async def _other_audience(made: Provisioned) -> None:
    realm = made.realm
    path = f"{made.scope('hasura-audience')}/protocol-mappers/models"
    [mapper] = await realm.admin.get(path)
    config = {**mapper["config"], "included.client.audience": "account"}
    await realm.admin.put(f"{path}/{mapper['id']}", {**mapper, "config": config})


async def _hidden_scope(made: Provisioned) -> None:
    await made.realm.admin.change(
        made.scope("org:acme"),
        attributes={"include.in.token.scope": "false"},
    )


async def _renamed(made: Provisioned) -> None:
    await made.realm.configure_client("acme", name="Somebody else")


async def _no_role(made: Provisioned) -> None:
    realm = made.realm
    [role] = await made.roles("globex", ["editor"])
    await realm.admin.delete(f"{realm.path}/roles-by-id/{role['id']}")


async def _lost_role(made: Provisioned) -> None:
    await made.realm.revoke("alice", "acme", "editor")


RECIPE_DRIFT: list[tuple[Drift, list[tuple[str, tuple[str, ...]]]]] = [
    (_own_mapping, [("change", ("own mapping", "frontend"))]),
    (_full_scope, [("change", ("client", "frontend"))]),
    (_redirect, [("change", ("client", "frontend"))]),
    (_default_scope, [("change", ("assignment", "frontend", "org:acme"))]),
    (_no_assignment, [("create", ("assignment", "frontend", "org:globex"))]),
    (_unmapped_role, [("change", ("mapping", "org:acme", "acme"))]),
    (_foreign_role, [("change", ("mapping", "org:acme", "globex"))]),
    (_foreign_part, [("change", ("composite", "globex", "viewer"))]),
    (_no_audience, [("create", ("mapper", "hasura-audience", "audience"))]),
    (_other_audience, [("change", ("mapper", "hasura-audience", "audience"))]),
    (_hidden_scope, [("change", ("scope", "org:acme"))]),
    (_renamed, [("change", ("client", "acme"))]),
    (
        _no_role,
        [
            ("change", ("composite", "globex", "owner")),
            ("change", ("mapping", "my-orgs", "globex")),
            ("change", ("mapping", "org:globex", "globex")),
            ("change", ("member", "globex", "erin")),
            ("create", ("role", "globex", "editor")),
        ],
    ),
    (_lost_role, [("create", ("member", "acme", "alice"))]),
]


@pytest.mark.parametrize(
    ("drift", "expected"), RECIPE_DRIFT, ids=lambda it: getattr(it, "__name__", "")
)
async def test_drift_is_seen_and_repaired(recipe: Provisioned, drift: Drift, expected: Any) -> None:
    await drift(recipe)

    plan = await recipe.plan()
    assert (keys(plan), plan.problems) == (expected, ())
    assert (await recipe.apply()).is_complete
    assert (await recipe.plan()).steps == ()


async def _group_path(made: Provisioned, org: str, group: str) -> str:
    realm = made.realm
    [its] = [
        it for it in await realm.admin.get(f"{realm.path}/organizations") if it["alias"] == org
    ]
    path = f"{realm.path}/organizations/{its['id']}/groups"
    [found] = [it for it in await realm.admin.get(path) if it["name"] == group]
    return f"{path}/{found['id']}"


async def _native_mapper(made: Provisioned, name: str, **config: str) -> None:
    realm = made.realm
    path = f"{made.scope('organization')}/protocol-mappers/models"
    [mapper] = [it for it in await realm.admin.get(path) if it["name"] == name]
    changed = {**mapper, "config": {**mapper["config"], **config}}
    await realm.admin.put(f"{path}/{mapper['id']}", changed)


async def _no_switch(made: Provisioned) -> None:
    await made.realm.configure(organizationsEnabled=False)


async def _groups_without_roles(made: Provisioned) -> None:
    await _native_mapper(made, "organization-groups", addGroupRoleMappings="false")


async def _one_org_only(made: Provisioned) -> None:
    await _native_mapper(made, "organization", **{"access.token.claim": "false"})


async def _always_asked_for(made: Provisioned) -> None:
    await made.realm.assign("frontend", "organization", "default")


async def _mapped_to_the_scope(made: Provisioned) -> None:
    await made.realm.map_roles("organization", "api", "viewer")


async def _group_without_role(made: Provisioned) -> None:
    path = f"{await _group_path(made, 'acme', 'editor')}/role-mappings"
    roles = await made.roles("api", ["editor"])
    await made.realm.admin.delete(f"{path}/clients/{made.realm.clients['api']}", roles)


async def _group_with_more(made: Provisioned) -> None:
    path = f"{await _group_path(made, 'acme', 'viewer')}/role-mappings"
    roles = await made.roles("api", ["admin"])
    await made.realm.admin.post(f"{path}/clients/{made.realm.clients['api']}", roles)
    await made.realm.admin.post(f"{made.realm.path}/roles", {"name": "boss"})
    boss = await made.realm.admin.get(f"{made.realm.path}/roles/boss")
    await made.realm.admin.post(f"{path}/realm", [boss])


async def _no_group(made: Provisioned) -> None:
    await made.realm.admin.delete(await _group_path(made, "globex", "viewer"))


async def _left(made: Provisioned) -> None:
    organization = (await _group_path(made, "acme", "editor")).partition("/groups")[0]
    await made.realm.admin.delete(f"{organization}/members/{made.realm.users['alice']}")


async def _out_of_the_group(made: Provisioned) -> None:
    path = await _group_path(made, "acme", "editor")
    await made.realm.admin.delete(f"{path}/members/{made.realm.users['alice']}")


async def _organization_renamed(made: Provisioned) -> None:
    organization = (await _group_path(made, "acme", "editor")).partition("/groups")[0]
    await made.realm.admin.change(organization, name="Somebody else")


NATIVE_DRIFT: list[tuple[Drift, list[tuple[str, tuple[str, ...]]]]] = [
    (_groups_without_roles, [("change", ("mapper", "organization", "organization-groups"))]),
    (_one_org_only, [("change", ("mapper", "organization", "organization"))]),
    (_always_asked_for, [("change", ("assignment", "frontend", "organization"))]),
    (_mapped_to_the_scope, [("change", ("mapping", "organization", "api"))]),
    (_group_without_role, [("change", ("group", "acme", "editor"))]),
    (_group_with_more, [("change", ("group", "acme", "viewer"))]),
    (
        _no_group,
        [
            ("change", ("member", "globex", "alice")),
            ("change", ("member", "globex", "erin")),
            ("create", ("group", "globex", "viewer")),
        ],
    ),
    (_left, [("create", ("member", "acme", "alice"))]),
    (_out_of_the_group, [("change", ("member", "acme", "alice"))]),
    (_organization_renamed, [("change", ("organization", "acme"))]),
]


@pytest.mark.parametrize(
    ("drift", "expected"), NATIVE_DRIFT, ids=lambda it: getattr(it, "__name__", "")
)
async def test_drift_of_organizations_is_seen_and_repaired(
    native: Provisioned, drift: Drift, expected: Any
) -> None:
    await drift(native)

    plan = await native.plan()
    assert (keys(plan), plan.problems) == (expected, ())
    assert (await native.apply()).is_complete
    assert (await native.plan()).steps == ()


async def test_organizations_that_were_switched_off_are_all_there_again(
    native: Provisioned,
) -> None:
    await _no_switch(native)

    # Keycloak tells of none while they are off, so they seem to be missing.
    plan = await native.plan()
    assert ("change", ("realm",)) in keys(plan)
    assert (await native.apply()).is_complete
    assert (await native.plan()).steps == ()


# What the file does not own


async def test_a_strangers_client_is_left_alone_until_it_is_adopted(
    keycloak: KeycloakServer, admin: Admin
) -> None:
    made = await empty_realm(keycloak, admin, "client-scope")
    realm = made.realm
    await realm.add_client(
        "acme", name="Old", attributes={"kept": "yes"}, redirectUris=["https://a"]
    )
    await realm.add_role("acme", "janitor")
    before = await realm.admin.get(made.client("acme"))

    assert (await made.apply()).is_complete
    assert await realm.admin.get(made.client("acme")) == before
    [problem] = (await made.plan()).problems
    assert problem.startswith("client acme: is there, and not of this file's making")

    assert (await made.apply(adopt=True)).is_complete
    plan = await made.plan()
    after = await realm.admin.get(made.client("acme"))
    assert (plan.steps, plan.problems) == ((), ())
    assert {**before, **after} == {
        **before,
        "name": "Acme Inc.",
        "redirectUris": [],
        "webOrigins": [],
        "standardFlowEnabled": False,
        "attributes": {**before["attributes"], "hasura-kc-auth": "org"},
    }
    assert "janitor" in {it["name"] for it in await realm.admin.get(f"{made.client('acme')}/roles")}


@BOTH
async def test_pruning_removes_a_retired_org_and_nothing_else(
    keycloak: KeycloakServer, admin: Admin, carrier: Carrier, request: pytest.FixtureRequest
) -> None:
    if carrier == "organization":
        request.getfixturevalue("has_groups")
    made = await empty_realm(keycloak, admin, carrier)
    initech = Org("initech", "Initech", ROLES)
    made.wanted = replace(made.wanted, orgs={**made.wanted.orgs, "initech": initech})
    assert (await made.apply()).is_complete
    await made.realm.add_client("somebody-elses")
    everything = await _names(made.realm)

    made.without("globex", retired=True)
    made.without("initech")
    outcome = await made.apply(prune=True)

    assert outcome.is_complete
    gone = {"globex", "org:globex"} if carrier == "client-scope" else {"globex"}
    assert await _names(made.realm) == everything - gone
    plan = await made.plan(prune=True)
    assert plan.steps == ()
    assert any("org initech: is in the realm and not in the file" in it for it in plan.problems)


async def _names(realm: Realm) -> set[str]:
    clients = await realm.admin.get(f"{realm.path}/clients")
    scopes = await realm.admin.get(f"{realm.path}/client-scopes")
    found = {it["clientId"] for it in clients} | {it["name"] for it in scopes}
    if (await realm.admin.get(realm.path)).get("organizationsEnabled"):
        found |= {it["alias"] for it in await realm.admin.get(f"{realm.path}/organizations")}
    return found


# An account that may not do all


RIGHTS = {
    "client-scope": (["manage-clients"], ["view-users"], ["manage-users"]),
    "organization": (
        ["manage-clients"],
        ["view-users"],
        ["view-organizations"],
        ["manage-organizations"],
        ["manage-users"],
    ),
}
USERS_REFUSED = "GET users: the account may not look at users and their roles; it needs view-users"
MEMBERS_REFUSED = (
    "POST users/{id}/role-mappings/clients/{id}: the account may not give and take users' roles; it"
    " needs manage-users"
)
LOOKING_REFUSED = (
    "GET organizations: the account may not look at organizations; it needs view-organizations"
)
ORGANIZATIONS_REFUSED = (
    "POST organizations: the account may not set up organizations; it needs manage-organizations"
)
GROUPS_REFUSED = (
    "POST organizations/{id}/groups/{id}/role-mappings/clients/{id}: the account may not set up"
    " members and the roles of groups; it needs manage-organizations and manage-users"
)
REALM_REFUSED = (
    "PUT the realm: the account may not change the realm; it needs manage-realm of"
    " realm-management, in its token"
)
REFUSALS = {
    "client-scope": [USERS_REFUSED, MEMBERS_REFUSED],
    "organization": [USERS_REFUSED, LOOKING_REFUSED, ORGANIZATIONS_REFUSED, GROUPS_REFUSED],
}


@BOTH
async def test_a_missing_right_is_named_and_a_rerun_with_it_goes_on(
    keycloak: KeycloakServer, admin: Admin, carrier: Carrier, request: pytest.FixtureRequest
) -> None:
    if carrier == "organization":
        request.getfixturevalue("has_groups")
    made = await empty_realm(
        keycloak, admin, carrier, organizationsEnabled=carrier == "organization"
    )
    # Before 26.7 nobody but an admin may give a role that is called `admin`, as one of globex is.
    made.without("globex")
    await made.learn_ids()
    secret = await made.realm.add_service_account("provisioner")
    await made.realm.configure_client("provisioner", fullScopeAllowed=True)
    made.login = Login(client_id="provisioner", client_secret=secret)

    refusals = []
    for roles in RIGHTS[carrier]:
        user = "service-account-provisioner"
        await made.realm.grant(user, "realm-management", *roles)
        try:
            failures = (await made.apply()).failures
        except AdminFailed as error:
            refusals.append(error.detail)
        else:
            refusals += sorted({it.detail for it in failures})
            assert bool(failures) is (roles != RIGHTS[carrier][-1])

    expected = REFUSALS[carrier]
    assert len(refusals) == len(expected), refusals
    for refusal, part in zip(refusals, expected, strict=True):
        assert part in refusal
    assert (await made.plan()).is_empty
    assert secret not in str(refusals)


async def test_who_may_not_change_the_realm_is_told_so(
    has_groups: None,  # noqa: ARG001
    keycloak: KeycloakServer,
    admin: Admin,
) -> None:
    made = await empty_realm(keycloak, admin, "organization")
    await made.learn_ids()
    secret = await made.realm.add_service_account("provisioner")
    await made.realm.configure_client("provisioner", fullScopeAllowed=True)
    rights = ["manage-clients", "manage-users", "manage-organizations"]
    await made.realm.grant("service-account-provisioner", "realm-management", *rights)
    made.login = Login(client_id="provisioner", client_secret=secret)

    outcome = await made.apply()
    assert [it.detail for it in outcome.failures] == [REALM_REFUSED]
    assert len(outcome.left) == len((await made.plan()).steps) - 1


# Cut off


SCRIPT = """
import asyncio, json, os, signal, sys
from hasura_kc_auth.keycloak.admin.api import Admin, Login
from hasura_kc_auth.keycloak.realm.state import RealmState
from hasura_kc_auth.keycloak.realm.writer import RealmWriter
from hasura_kc_auth.provisioning.plan import plan
sys.path.insert(0, {here!r})
from provisioned import wanted_for

async def main():
    url, realm, carrier, login, last = json.load(sys.stdin)
    class Named: name = realm
    wanted = wanted_for(Named, carrier)
    async with Admin(url, realm, Login(**login)) as api:
        state = RealmState(api)
        steps = plan(wanted, await state.read(wanted)).steps
        taken = []
        def progress(step):
            taken.append(step)
            if len(taken) == last:
                os.kill(os.getpid(), signal.SIGKILL)
        await RealmWriter(api, state).apply(steps, progress)

asyncio.run(main())
"""


@BOTH
async def test_killed_half_way_and_run_again_it_ends_as_the_file_says(
    keycloak: KeycloakServer, admin: Admin, carrier: Carrier, request: pytest.FixtureRequest
) -> None:
    if carrier == "organization":
        request.getfixturevalue("has_groups")
    made = await empty_realm(keycloak, admin, carrier)
    planned = len((await made.plan()).steps)
    left = [planned]
    for steps in (2, 4):
        await _killed_after(made, steps)
        left.append(len((await made.plan()).steps))

    assert left == sorted(left, reverse=True)
    assert 0 < left[-1] < planned
    assert (await made.apply()).is_complete
    assert (await made.plan()).is_empty


async def _killed_after(made: Provisioned, steps: int) -> None:
    """Apply in a process of its own, which dies with the calls that are on their way then."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SCRIPT.format(here=str(Path(__file__).parent)),
        stdin=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    login = {"username": made.login.username, "password": made.login.password}
    told = [made.realm.admin.url, made.realm.name, made.wanted.carrier, login, steps]
    await process.communicate(json.dumps(told).encode())
    assert process.returncode == -signal.SIGKILL
