"""Reading a realm: what the file owns and names, in few calls, and nothing that is not asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from hasura_kc_auth.core.policy import IssuerPolicy, OrgPolicy
from hasura_kc_auth.keycloak.admin.api import AdminFailed, Forbidden, OddAnswer
from hasura_kc_auth.keycloak.realm.state import RealmState
from hasura_kc_auth.keycloak.realm.writer import RealmWriter
from hasura_kc_auth.provisioning.items import (
    Assignment,
    Client,
    Composite,
    Found,
    Group,
    Item,
    Key,
    Member,
    Organization,
    OwnMapping,
    RealmSwitch,
    Role,
    Scope,
    ScopeMapping,
)
from hasura_kc_auth.provisioning.plan import plan
from hasura_kc_auth.provisioning.recipe import items
from hasura_kc_auth.provisioning.wanted import Org, Wanted
from tests.keycloak.realm_server import BUILT_IN, Fault, RealmServer, opened
from tests.provisioning.realms import NATIVE, NONE, RECIPE, ROLES

OWNED = "hasura-kc-auth"


async def read(server: RealmServer, wanted: Wanted = RECIPE) -> Found:
    async with opened(server) as admin:
        return await RealmState(admin).read(wanted)


async def make(server: RealmServer, wanted: Wanted = RECIPE) -> None:
    """Bring the realm to what a file wants."""
    server.add_user("alice")
    async with opened(server) as admin:
        state = RealmState(admin)
        made = plan(wanted, await state.read(wanted))
        assert made.problems == ()
        assert (await RealmWriter(admin, state).apply(made.steps)).is_complete


def but(found: Found, wanted: Wanted) -> dict[Key, Item]:
    """Return what is found besides, or otherwise than, a file wants."""
    as_wanted = items(wanted)
    return {key: it for key, it in found.items.items() if as_wanted.get(key) != it}


async def survey(server: RealmServer, policy: IssuerPolicy) -> Wanted:
    async with opened(server) as admin:
        return await RealmState(admin).survey(policy)


# What there is


async def test_an_empty_realm_has_nothing_of_it(server: RealmServer) -> None:
    assert await read(server) == Found({}, frozenset(BUILT_IN), NONE)


@pytest.mark.parametrize("wanted", [RECIPE, NATIVE])
async def test_what_was_made_is_found_as_it_was_wanted(server: RealmServer, wanted: Wanted) -> None:
    await make(server, wanted)

    found = await read(server, wanted)

    nothing = {
        key for key, it in items(wanted).items() if isinstance(it, Composite) and not it.contains
    }
    assert found.items == {key: it for key, it in items(wanted).items() if key not in nothing}
    assert found.users == {"alice"}
    assert found.scopes == frozenset(it["name"] for it in server.things["client-scopes"].values())


async def test_what_somebody_else_made_is_found_as_not_owned(server: RealmServer) -> None:
    server.add_client(
        "acme", name="Acme Inc.", attributes={OWNED: "anything"}, redirectUris=["https://a"]
    )
    server.add_client("frontend", publicClient=True, fullScopeAllowed=True, webOrigins=["+"])
    server.add_role("acme", "viewer")
    server.add("client-scopes", name="org:acme", attributes={"include.in.token.scope": "false"})
    server.add("client-scopes", name="my-orgs", attributes=None)

    found = (await read(server)).items

    assert found == {
        it.key: it
        for it in (
            Client(
                "acme",
                "org",
                owned=False,
                redirect_uris=frozenset({"https://a"}),
                display_name="Acme Inc.",
            ),
            Client(
                "frontend",
                "frontend",
                owned=False,
                full_scope=True,
                public=True,
                web_origins=frozenset({"+"}),
            ),
            Role("acme", "viewer", owned=False),
            Scope("org:acme", in_token=False, org="acme", owned=False),
            Scope("my-orgs", in_token=True, owned=False),
            OwnMapping("frontend", NONE),
            Assignment("frontend", "basic", "default"),
            Assignment("frontend", "roles", "default"),
        )
    }


async def test_what_the_file_owns_and_does_not_name_is_found(server: RealmServer) -> None:
    await make(server)
    without = replace(RECIPE, orgs={}, frontends=())

    found = await read(server, without)

    mine = {key: it for key, it in items(RECIPE).items() if key[0] not in {"composite", "member"}}
    owner = Composite("acme", "owner", ROLES["owner"])
    assert found.items == {**mine, owner.key: owner}


async def test_roles_are_seen_wherever_they_lead_and_come_from(server: RealmServer) -> None:
    await make(server)
    server.add_client("stranger")
    strange, boss = server.add_role("stranger", "s"), server.add_role("", "boss")
    gone = server.add_role("stranger", "gone")
    gone["containerId"] = "a-client-without-a-name"
    owner, viewer = server.role("acme", "owner"), server.role("acme", "viewer")
    server.hold(f"roles-by-id/{owner['id']}/composites", strange, boss, gone)
    frontend = f"clients/{server.client('frontend')['id']}/scope-mappings"
    server.hold(f"{frontend}/clients/{viewer['containerId']}", viewer)
    server.hold(f"{frontend}/clients/{strange['containerId']}", strange)
    server.hold(f"{frontend}/realm", boss)
    for scope in ("org:globex", "roles", "my-orgs"):
        path = f"client-scopes/{server.scope(scope)['id']}/scope-mappings/clients"
        server.hold(f"{path}/{viewer['containerId']}", viewer)
        server.hold(f"{path}/{strange['containerId']}", strange)

    found = but(await read(server), RECIPE)

    parts = ROLES["owner"] | {"stranger:s", ":boss", "a-client-without-a-name:gone"}
    assert found == {
        it.key: it
        for it in (
            Composite("acme", "owner", parts),
            OwnMapping("frontend", frozenset({"acme:viewer"})),
            ScopeMapping("org:globex", "acme", frozenset({"viewer"})),
            ScopeMapping("roles", "acme", frozenset({"viewer"})),
        )
    }


async def test_of_a_mapper_the_options_count_that_were_wanted_or_overrule_them(
    server: RealmServer,
) -> None:
    await make(server)
    [mapper] = server.scope("hasura-audience")["protocolMappers"]
    mapper["config"] |= {"included.client.audience": "account", "lightweight.claim": "true"}

    [found] = but(await read(server), RECIPE).values()

    wanted = items(RECIPE)["mapper", "hasura-audience", "audience"]
    assert found == replace(wanted, config={**wanted.config, "included.client.audience": "account"})  # type: ignore[type-var,attr-defined]


async def test_users_are_found_by_any_case_and_those_who_are_not_there_are_missing(
    server: RealmServer,
) -> None:
    members = {"Alice": frozenset({"viewer"}), "bob": NONE}
    wanted = replace(RECIPE, orgs={"acme": Org("acme", "Acme", ROLES, members)})
    server.add_user("alice")

    assert (await read(server, wanted)).users == {"Alice"}


async def test_a_user_of_another_name_is_nobody(server: RealmServer) -> None:
    server.faults = [Fault("GET users", b'[{"id": "a", "username": "alice2"}]')]

    assert (await read(server)).users == NONE


async def test_a_realm_may_lack_scopes_of_keycloaks_own(server: RealmServer) -> None:
    await make(server)
    del server.things["client-scopes"][server.scope("roles")["id"]]
    frontend = server.client("frontend")
    frontend["defaultClientScopes"].remove("roles")

    found = await read(server)

    assert "roles" not in found.scopes
    assert ("assignment", "frontend", "roles") not in found.items


async def test_roles_that_users_hold_besides_are_no_members(server: RealmServer) -> None:
    await make(server)
    alice = next(iter(server.things["users"]))
    globex = server.role("globex", "viewer")
    server.hold(f"users/{alice}/role-mappings/clients/{globex['containerId']}", globex)

    # The file says nothing about alice in globex.
    assert but(await read(server), RECIPE) == {}


async def test_lists_that_come_in_pages_are_read_whole(server: RealmServer) -> None:
    for number in range(450):
        server.add_client(f"c{number}", attributes={OWNED: "org"})

    clients = {key for key in (await read(server)).items if key[0] == "client"}

    assert len(clients) == 450
    assert sum(call == "GET clients" for call in server.calls) == 5


async def test_few_calls_are_made(server: RealmServer) -> None:
    await make(server)
    server.calls.clear()

    await read(server)

    forms = Counter(re.sub(r"/[0-9a-f-]{36}", "/ID", call) for call in server.calls)
    del forms["POST realms/made/protocol/openid-connect/token"]
    assert forms == {
        "GET clients": 1,
        "GET client-scopes": 1,
        "GET users": 1,
        "GET users/ID/role-mappings": 1,
        "GET clients/ID/roles": 2,
        "GET clients/ID/scope-mappings": 1,
        "GET roles-by-id/ID/composites": 1,
        "GET client-scopes/ID/scope-mappings": 6,
    }


@pytest.mark.parametrize("call", ["GET clients$", "GET client-scopes$"])
async def test_who_is_shown_nothing_is_told_so(server: RealmServer, call: str) -> None:
    server.faults = [Fault(call, b"[]")]

    with pytest.raises(Forbidden, match="is shown no clients; it needs view-clients"):
        await read(server)


@pytest.mark.parametrize("wanted", [RECIPE, NATIVE])
async def test_answers_of_any_other_shape_are_refused(server: RealmServer, wanted: Wanted) -> None:
    await make(server, wanted)
    server.calls.clear()
    await read(server, wanted)
    calls = {re.sub(r"[0-9a-f-]{36}", "[^/]+", it) for it in server.calls if it.startswith("GET")}

    for call in sorted(calls):
        for body in (
            b"1",
            b'[{"id": 1}]',
            b'["a"]',
            b'{"clientMappings": [1]}',
            b'[{"id": "../a"}]',
        ):
            server.faults = [Fault(f"^{call}$", body)]
            if call.startswith("GET realms"):
                continue
            try:
                await read(server, wanted)
            except AdminFailed as error:
                assert isinstance(error, OddAnswer), (call, body)  # noqa: PT017
            else:
                # What has no member that matters says nothing: there is none.
                assert b"{" in body, (call, body)


# Organizations


async def test_while_organizations_are_off_none_is_looked_for(server: RealmServer) -> None:
    await make(server, NATIVE)
    server.realm["organizationsEnabled"] = False

    found = (await read(server, NATIVE)).items

    assert {it for it in found.values() if isinstance(it, RealmSwitch | Organization)} == {
        RealmSwitch(organizations=False)
    }


async def test_organizations_of_others_are_found_only_if_they_are_named(
    server: RealmServer,
) -> None:
    server.realm["organizationsEnabled"] = True
    server.add("organizations", name="A", alias="acme")
    server.add("organizations", name="B", alias="beta")
    server.add("organizations", name="C", alias="gamma", attributes={OWNED: ["yes"]})

    found = (await read(server, NATIVE)).items.values()

    assert {it for it in found if isinstance(it, Organization)} == {
        Organization("acme", "A", owned=False),
        Organization("gamma", "C"),
    }


async def test_groups_are_read_with_all_their_roles_and_members_with_top_groups_only(
    server: RealmServer,
) -> None:
    await make(server, NATIVE)
    acme = next(it for it in server.things["organizations"].values() if it["alias"] == "acme")
    groups = server.things[f"organizations/{acme['id']}/groups"]
    viewer = next(it for it in groups.values() if it["name"] == "viewer")
    path = f"organizations/{acme['id']}/groups/{viewer['id']}/role-mappings"
    server.hold(f"{path}/realm", server.add_role("", "boss"))
    groups["below"] = {"id": "below", "name": "viewer", "path": "/editor/viewer"}
    [members] = server.things[f"organizations/{acme['id']}/members"].values()
    members["below"] = True

    assert but(await read(server, NATIVE), NATIVE) == {
        ("group", "acme", "viewer"): Group("acme", "viewer", frozenset({"api:viewer", ":boss"}))
    }


async def test_who_is_no_member_is_not_found_and_who_is_in_no_group_has_no_roles(
    server: RealmServer,
) -> None:
    await make(server, NATIVE)
    acme = next(it for it in server.things["organizations"].values() if it["alias"] == "acme")
    members = server.things[f"organizations/{acme['id']}/members"]
    [alice] = members
    members[alice] = {}

    found = (await read(server, NATIVE)).items
    assert found["member", "acme", "alice"] == Member("acme", "alice", NONE)
    del members[alice]
    assert ("member", "acme", "alice") not in (await read(server, NATIVE)).items


async def test_a_keycloak_without_groups_of_organizations_is_named(server: RealmServer) -> None:
    await make(server, NATIVE)
    server.faults = [Fault("GET organizations/.*/groups", 404)]

    with pytest.raises(AdminFailed, match=r"that needs Keycloak 26\.7 or newer"):
        await read(server, NATIVE)


# A file for a realm that is there


def policy_for(wanted: Wanted, **org: object) -> IssuerPolicy:
    its = OrgPolicy(source=wanted.carrier, scope=wanted.scope, client=wanted.client)
    return IssuerPolicy(
        "",
        frozenset({"frontend", "missing"}),
        frozenset({"hasura"}),
        org=replace(its, **org),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("wanted", [RECIPE, NATIVE])
async def test_a_realm_that_follows_the_recipe_is_written_as_its_file(
    server: RealmServer, wanted: Wanted
) -> None:
    await make(server, wanted)
    for it in (*server.things["clients"].values(), *server.things["client-scopes"].values()):
        it["attributes"] = {}  # as if made by hand

    found = await survey(server, policy_for(wanted))

    orgs = {name: replace(it, members={}) for name, it in wanted.orgs.items()}
    assert found == replace(wanted, realm="made", orgs=orgs)


async def test_what_can_be_no_org_is_left_out(server: RealmServer) -> None:
    await make(server)
    server.add("client-scopes", name="org:bare", attributes={}, protocolMappers=[])
    server.add_client("bare")
    server.add("client-scopes", name="org:frontend", attributes={}, protocolMappers=[])

    found = await survey(server, policy_for(RECIPE, deny=("globex",)))

    assert set(found.orgs) == {"acme"}


async def test_only_what_is_of_the_same_client_is_written_into_a_composite(
    server: RealmServer,
) -> None:
    await make(server)
    owner = server.role("acme", "owner")
    server.hold(f"roles-by-id/{owner['id']}/composites", server.role("globex", "viewer"))
    server.client("acme")["name"] = None

    acme = (await survey(server, policy_for(RECIPE))).orgs["acme"]

    assert acme == Org("acme", "acme", ROLES)


async def test_a_service_without_audiences_is_called_hasura(server: RealmServer) -> None:
    await make(server)

    assert (await survey(server, replace(policy_for(RECIPE), audiences=NONE))).audience == "hasura"


async def test_organizations_are_written_as_far_as_they_are_admitted(server: RealmServer) -> None:
    await make(server, NATIVE)

    assert set((await survey(server, policy_for(NATIVE, only=("acme",)))).orgs) == {"acme"}


@pytest.mark.parametrize(
    ("org", "words"),
    [
        ({"source": "claim"}, "only orgs by client scopes, and organizations"),
        ({"source": "organization", "client": ""}, "only orgs by client scopes, and organizations"),
        ({"source": "organization", "client": "nobody"}, r"the realm has no client nobody"),
    ],
)
async def test_what_no_file_can_say_is_named(
    server: RealmServer, org: Mapping[str, object], words: str
) -> None:
    with pytest.raises(AdminFailed, match=words):
        await survey(server, policy_for(RECIPE, **org))
