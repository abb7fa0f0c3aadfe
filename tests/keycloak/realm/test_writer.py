"""Taking the steps of a plan: each kind, cut off at any call, refused, and stopped."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest

from hasura_kc_auth.keycloak.admin.api import NotFound
from hasura_kc_auth.keycloak.realm.state import RealmState
from hasura_kc_auth.keycloak.realm.writer import Outcome, RealmWriter
from hasura_kc_auth.provisioning.items import (
    Assignment,
    Client,
    Composite,
    Group,
    Item,
    Key,
    Mapper,
    Member,
    OwnMapping,
    Role,
    ScopeMapping,
)
from hasura_kc_auth.provisioning.plan import Plan, Step, plan
from hasura_kc_auth.provisioning.wanted import Org, Wanted
from tests.keycloak.realm_server import Fault, RealmServer, Thing, opened, realm_server
from tests.provisioning.realms import ACME, NATIVE, NONE, RECIPE, ROLES, with_org

OWNED = "hasura-kc-auth"
BOTH = pytest.mark.parametrize("wanted", [RECIPE, NATIVE])


@pytest.fixture
def server(server: RealmServer) -> RealmServer:
    server.add_user("alice")
    return server


async def planned(server: RealmServer, wanted: Wanted, **options: bool) -> Plan:
    async with opened(server) as admin:
        return plan(wanted, await RealmState(admin).read(wanted), **options)


async def applied(
    server: RealmServer,
    wanted: Wanted,
    between: Callable[[], object] = lambda: None,
    stop: asyncio.Event | None = None,
    **options: bool,
) -> Outcome:
    """Bring the realm to a file. `between`: happens after the plan was made."""
    async with opened(server) as admin:
        state = RealmState(admin)
        made = plan(wanted, await state.read(wanted), **options)
        between()
        return await RealmWriter(admin, state).apply(made.steps, stop=stop)


async def brought(server: RealmServer, wanted: Wanted, **options: bool) -> None:
    assert await applied(server, wanted, **options) == Outcome((), ())


def organization(server: RealmServer, alias: str) -> Thing:
    [found] = [it for it in server.things["organizations"].values() if it["alias"] == alias]
    return found


def group(server: RealmServer, org: str, name: str) -> Thing:
    groups = server.things[f"organizations/{organization(server, org)['id']}/groups"]
    [found] = [it for it in groups.values() if it["name"] == name]
    return found


# From one state to another


@BOTH
async def test_what_is_wanted_is_made_and_then_nothing_is_left(
    server: RealmServer, wanted: Wanted
) -> None:
    told: list[Step] = []
    async with opened(server) as admin:
        state = RealmState(admin)
        steps = plan(wanted, await state.read(wanted)).steps
        outcome = await RealmWriter(admin, state).apply(steps, told.append)

    assert outcome.is_complete
    assert sorted(told, key=str) == sorted(steps, key=str)
    assert (await planned(server, wanted)).is_empty
    server.calls.clear()
    await brought(server, wanted)
    assert all(call.startswith(("GET", "POST realms")) for call in server.calls)


async def test_pieces_of_one_kind_follow_each_other(server: RealmServer) -> None:
    told: list[tuple[int, str]] = []
    async with opened(server, at_once=1) as admin:
        state = RealmState(admin)
        steps = plan(RECIPE, await state.read(RECIPE)).steps
        await RealmWriter(admin, state).apply(
            steps, lambda step: told.append((step.item.rank, step.item.key[0]))
        )

    assert told == sorted(told)


async def test_what_is_made_can_do_no_more_than_it_must(server: RealmServer) -> None:
    await brought(server, RECIPE)

    acme, frontend = server.client("acme"), server.client("frontend")
    assert {name: it for name, it in acme.items() if name != "id"} == {
        "clientId": "acme",
        "name": "Acme Inc.",
        "enabled": True,
        "protocol": "openid-connect",
        "publicClient": False,
        "standardFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "implicitFlowEnabled": False,
        "serviceAccountsEnabled": False,
        "fullScopeAllowed": False,
        "redirectUris": [],
        "webOrigins": [],
        "defaultClientScopes": [],
        "optionalClientScopes": [],
        "attributes": {OWNED: "org"},
    }
    assert (frontend["publicClient"], frontend["fullScopeAllowed"]) == (True, False)
    assert frontend["defaultClientScopes"] == ["basic", "roles", "hasura-audience"]
    assert sorted(frontend["optionalClientScopes"]) == [
        "my-orgs",
        "org:acme",
        "org:globex",
        "organization",
    ]


async def test_a_new_frontend_has_what_the_realm_gives_to_all_and_that_is_mended(
    server: RealmServer,
) -> None:
    server.add("client-scopes", name="org:acme", attributes={OWNED: "acme"}, protocolMappers=[])
    usual = server.add_client

    def with_org_scope(client_id: str, **members: Any) -> Thing:
        return usual(client_id, **{"defaultClientScopes": ["org:acme"], **members})

    server.add_client = with_org_scope  # type: ignore[method-assign]
    await brought(server, RECIPE)

    assert "org:acme" in server.client("frontend")["optionalClientScopes"]
    assert (await planned(server, RECIPE)).is_empty


CHANGES: list[tuple[Wanted, Wanted]] = [
    (
        RECIPE,
        with_org(RECIPE, Org("acme", "Renamed", {"viewer": NONE, "new": frozenset({"viewer"})})),
    ),
    (RECIPE, with_org(RECIPE, replace(ACME, members={"alice": frozenset({"owner", "viewer"})}))),
    (RECIPE, replace(RECIPE, scope="o-{org}")),
    (RECIPE, replace(RECIPE, audience="other")),
    (RECIPE, replace(RECIPE, frontends=(replace(RECIPE.frontends[0], public=False),))),
    (RECIPE, replace(RECIPE, frontends=())),
    (RECIPE, replace(RECIPE, orgs={"acme": ACME}, retired=frozenset({"globex"}))),
    (
        NATIVE,
        with_org(NATIVE, Org("acme", "Renamed", {"viewer": NONE, "new": frozenset({"viewer"})})),
    ),
    (NATIVE, with_org(NATIVE, replace(ACME, members={"alice": frozenset({"owner", "viewer"})}))),
    (NATIVE, replace(NATIVE, orgs={"acme": ACME}, retired=frozenset({"globex"}))),
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
async def test_what_is_not_wanted_any_more_is_changed_and_removed(
    server: RealmServer, before: Wanted, after: Wanted
) -> None:
    await brought(server, before)
    assert not (await planned(server, after, prune=True)).is_empty

    await brought(server, after, prune=True)

    assert (await planned(server, after, prune=True)).is_empty


async def test_an_organization_takes_no_user_along(server: RealmServer) -> None:
    """Keycloak deletes managed members with their organization; others only leave it."""
    await brought(server, NATIVE)
    alias, alice = "acme", next(iter(server.things["users"]))
    members = server.things[f"organizations/{organization(server, alias)['id']}/members"]
    members[alice] = {"membershipType": "MANAGED"}
    without = replace(NATIVE, orgs={"globex": NATIVE.orgs["globex"]}, retired=frozenset({"acme"}))

    outcome = await applied(server, without, prune=True)

    assert [it.detail for it in outcome.failures] == [
        (
            "organization acme: has members that Keycloak would delete along with it (managed "
            "ones, of its identity provider); move them first"
        )
    ]
    assert organization(server, alias)
    members[alice] = {"membershipType": "UNMANAGED"}
    await brought(server, without, prune=True)
    assert (await planned(server, without)).is_empty


async def test_one_call_that_never_works_does_not_end_the_rest(server: RealmServer) -> None:
    server.faults.append(Fault("POST clients$", 500, times=99))

    outcome = await applied(server, RECIPE)

    assert (len(outcome.failures), outcome.is_hopeless) == (3, False)
    assert {it.detail for it in outcome.failures} == {"POST clients: Keycloak answered 500"}
    assert server.scope("my-orgs")["protocolMappers"] != []
    server.faults.clear()
    await brought(server, RECIPE)


async def test_a_frontends_own_roles_are_other_peoples(server: RealmServer) -> None:
    await brought(server, RECIPE)
    server.add_role("frontend", "theirs")
    role = server.role("frontend", "theirs")
    own = f"clients/{server.client('frontend')['id']}/scope-mappings"
    server.hold(f"{own}/clients/{server.client('frontend')['id']}", role)
    scope = f"client-scopes/{server.scope('roles')['id']}/scope-mappings"
    server.hold(f"{scope}/clients/{server.client('frontend')['id']}", role)

    assert (await planned(server, RECIPE)).is_empty


@pytest.mark.parametrize("wanted", [RECIPE, NATIVE])
async def test_a_retired_name_is_seen_whoever_uses_it(server: RealmServer, wanted: Wanted) -> None:
    await brought(server, wanted)
    server.add_client("oldco")
    server.add("client-scopes", name="org:oldco", attributes={}, protocolMappers=[])
    server.add("organizations", name="Oldco", alias="oldco", attributes={})

    made = await planned(server, replace(wanted, retired=frozenset({"oldco"})))

    kinds = {"client oldco", "scope org:oldco"} if wanted is RECIPE else {"organization oldco"}
    assert kinds <= {problem.partition(": is retired")[0] for problem in made.problems}
    assert made.steps == ()


async def test_what_is_changed_keeps_all_else(server: RealmServer) -> None:
    await brought(server, NATIVE)
    kept = {"attributes": {OWNED: ["yes"], "plan": ["gold"]}, "description": "kept"}
    organization(server, "acme").update(kept, name="Other")
    server.client("frontend").update(
        fullScopeAllowed=True, secret="s", attributes={OWNED: "frontend", "pkce": "S256"}
    )
    [mapper] = server.scope("hasura-audience")["protocolMappers"]
    mapper["config"] |= {"lightweight.claim": "true", "included.client.audience": "account"}
    scope = server.scope("hasura-audience")
    scope["attributes"] |= {"gui.order": "7", "include.in.token.scope": "true"}

    await brought(server, NATIVE)

    assert organization(server, "acme").items() >= {**kept, "name": "Acme Inc."}.items()
    frontend = server.client("frontend")
    assert (frontend["secret"], frontend["fullScopeAllowed"]) == ("s", False)
    assert frontend["attributes"] == {OWNED: "frontend", "pkce": "S256"}
    assert mapper["config"]["lightweight.claim"] == "true"
    assert "included.client.audience" not in mapper["config"]
    assert server.scope("hasura-audience")["attributes"]["gui.order"] == "7"


async def test_adopting_marks_as_owned(server: RealmServer) -> None:
    await brought(server, NATIVE)
    for kind in ("clients", "client-scopes", "organizations", "roles"):
        for it in server.things[kind].values():
            it["attributes"] = {}
    group(server, "acme", "viewer")["attributes"] = {}

    await brought(server, NATIVE, adopt=True)

    assert (await planned(server, NATIVE)).is_empty
    assert group(server, "acme", "viewer")["attributes"] == {OWNED: ["yes"]}
    assert server.role("api", "viewer")["attributes"] == {OWNED: ["yes"]}


# Roles


async def _take(server: RealmServer, wanted: Wanted, *steps: Step) -> None:
    async with opened(server) as admin:
        state = RealmState(admin)
        await state.read(wanted)
        writer = RealmWriter(admin, state)
        for step in steps:
            await writer.take(step)


async def test_only_what_the_plan_says_is_taken_away(server: RealmServer) -> None:
    await brought(server, RECIPE)
    viewer, late = server.role("acme", "viewer"), server.add_role("acme", "late")
    composites = f"roles-by-id/{server.role('acme', 'owner')['id']}/composites"
    alice = next(iter(server.things["users"]))
    member = f"users/{alice}/role-mappings/clients/{viewer['containerId']}"
    scope = server.scope("org:acme")["id"]
    mapping = f"client-scopes/{scope}/scope-mappings/clients/{viewer['containerId']}"
    own = f"clients/{server.client('frontend')['id']}/scope-mappings"
    place = f"{own}/clients/{viewer['containerId']}"
    for path in (composites, member, mapping):
        server.hold(path, late)
    server.hold(place, viewer, late)

    both, viewers = frozenset({"viewer", "editor"}), frozenset({"viewer"})
    await _take(
        server,
        RECIPE,
        Step(Composite("acme", "owner", both), Composite("acme", "owner", viewers)),
        Step(Member("acme", "alice", frozenset({"editor"})), Member("acme", "alice", viewers)),
        Step(ScopeMapping("org:acme", "acme", both), ScopeMapping("org:acme", "acme", viewers)),
        Step(OwnMapping("frontend", frozenset({"acme:viewer"})), OwnMapping("frontend", NONE)),
    )

    assert server.held(composites) == {"acme:viewer", "acme:late"}
    assert server.held(member) == {"acme:viewer", "acme:late"}
    assert server.held(mapping) == {"acme:owner", "acme:viewer", "acme:late"}
    assert server.held(place) == {"acme:late"}


async def test_a_realms_roles_are_taken_away_too(server: RealmServer) -> None:
    await brought(server, NATIVE)
    org, its = organization(server, "acme")["id"], group(server, "acme", "viewer")["id"]
    path = f"organizations/{org}/groups/{its}/role-mappings"
    boss, clerk = server.add_role("", "boss"), server.add_role("", "clerk")
    server.hold(f"{path}/realm", boss)
    owner = server.role("api", "owner")
    server.hold(f"{path}/clients/{owner['containerId']}", owner)

    async with opened(server) as admin:
        state = RealmState(admin)
        steps = plan(NATIVE, await state.read(NATIVE)).steps
        server.hold(f"{path}/realm", clerk)
        assert (await RealmWriter(admin, state).apply(steps)).is_complete

    assert server.held(f"{path}/realm") == {":clerk"}
    assert server.held(f"{path}/clients/{owner['containerId']}") == {"api:viewer"}


async def test_members_join_and_leave_groups(server: RealmServer) -> None:
    await brought(server, NATIVE)
    alice = next(iter(server.things["users"]))
    path = f"organizations/{organization(server, 'acme')['id']}/members"
    old, new = frozenset({"editor", "owner"}), frozenset({"viewer", "editor"})

    # She is in one of these only, and leaves without having been in the other.
    await _take(server, NATIVE, Step(Member("acme", "alice", old), Member("acme", "alice", new)))

    ids = {group(server, "acme", name)["id"] for name in new}
    assert set(server.things[path][alice]) == ids


async def test_what_is_gone_when_its_turn_comes_is_named(server: RealmServer) -> None:
    await brought(server, RECIPE)

    for step, words in [
        (Step(None, ScopeMapping("org:acme", "acme", frozenset({"nope"}))), "role acme:nope"),
        (Step(None, ScopeMapping("nope", "acme", frozenset({"viewer"}))), "scope nope"),
        (Step(None, Member("acme", "bob", frozenset({"viewer"}))), "user bob"),
    ]:
        with pytest.raises(NotFound, match=f"{words}: is not in the realm"):
            await _take(server, RECIPE, step)
    mapper = Mapper("org:acme", "nope", "p", {})
    with pytest.raises(NotFound, match="there is no nope"):
        await _take(server, RECIPE, Step(mapper, replace(mapper, provider="q")))


async def test_scopes_can_be_taken_from_frontends(server: RealmServer) -> None:
    await brought(server, RECIPE)
    steps = [
        Step(Assignment("frontend", "org:acme", "optional"), None),
        Step(Assignment("frontend", "profile", "optional"), None),
    ]

    await _take(server, RECIPE, *steps)

    assert "org:acme" not in server.client("frontend")["optionalClientScopes"]
    assert not any("DELETE" in it and server.scope("profile")["id"] in it for it in server.calls)


async def test_mappers_can_be_removed(server: RealmServer) -> None:
    await brought(server, RECIPE)
    mapper = Mapper("hasura-audience", "audience", "oidc-audience-mapper", {})

    await _take(server, RECIPE, Step(mapper, None))

    assert server.scope("hasura-audience")["protocolMappers"] == []


@dataclass(frozen=True)
class Strange:
    key: ClassVar[Key] = ("strange",)
    parts: ClassVar[tuple[Key, ...]] = ()
    rank: ClassVar[int] = 0


async def test_there_are_no_other_pieces(server: RealmServer) -> None:
    strange: Item = Strange()  # type: ignore[assignment]
    with pytest.raises(TypeError, match="is no piece of a realm"):
        await _take(server, RECIPE, Step(None, strange))


# Cut off


@BOTH
async def test_a_call_whose_answer_was_lost_is_made_again_without_harm(
    server: RealmServer, wanted: Wanted
) -> None:
    writes = await _writes_of(server, wanted)

    for number, call in enumerate(writes):
        async with _another() as other:
            other.faults = [Fault(f"^{call}$", "lost", times=1)]
            await brought(other, wanted)
            assert other.faults[0].times == 0, (number, call)
            assert (await planned(other, wanted)).is_empty, call


@BOTH
async def test_whatever_call_is_the_last_a_rerun_ends_as_the_file_says(
    server: RealmServer, wanted: Wanted
) -> None:
    writes = await _writes_of(server, wanted)

    for call in writes:
        async with _another() as other:
            other.faults = [Fault(f"^{call}$", "cut", times=1000)]
            outcome = await applied(other, wanted)
            assert len(outcome.failures) >= 1
            assert "the connection failed" in outcome.failures[0].detail
            other.faults.clear()
            await brought(other, wanted)
            assert (await planned(other, wanted)).is_empty, call


async def _writes_of(server: RealmServer, wanted: Wanted) -> list[str]:
    """Return the calls that change something, as patterns without ids."""
    await brought(server, wanted)
    writes = (it for it in server.calls if not it.startswith(("GET", "POST realms")))
    forms = {re.sub(r"[0-9a-f-]{36}", "[^/]+", it) for it in writes}
    assert len(forms) >= 8
    return sorted(forms)


@asynccontextmanager
async def _another() -> AsyncIterator[RealmServer]:
    async with realm_server() as server:
        server.add_user("alice")
        yield server


@pytest.mark.parametrize(
    "call", ["DELETE clients/", "DELETE client-scopes/", "DELETE organizations/"]
)
async def test_removing_what_is_gone_already_is_no_failure(server: RealmServer, call: str) -> None:
    wanted = NATIVE if "organizations" in call else RECIPE
    await brought(server, wanted)
    server.faults = [Fault(call, "lost")]

    await brought(
        server, replace(wanted, orgs={"acme": ACME}, retired=frozenset({"globex"})), prune=True
    )

    assert server.faults[0].times == 0


async def test_where_keycloak_tells_no_id_it_is_looked_up(server: RealmServer) -> None:
    await brought(server, NATIVE)
    server.things["organizations"].clear()
    wanted = with_org(NATIVE, Org("initech", "Initech", ROLES))
    real = server._call  # noqa: SLF001

    def without_ids(method: str, path: str, body: Any, query: Thing) -> Any:
        answer = real(method, path, body, query)
        return "strange id" if method == "POST" and isinstance(answer, str) else answer

    server._call = without_ids  # type: ignore[method-assign]  # noqa: SLF001
    await brought(server, wanted)

    assert (await planned(server, wanted)).is_empty


# What somebody else does meanwhile


@BOTH
async def test_what_a_stranger_has_just_made_is_left_alone(
    server: RealmServer, wanted: Wanted
) -> None:
    if wanted is RECIPE:
        made = lambda: server.add_client("acme", name="Theirs")  # noqa: E731
    else:
        made = lambda: server.add("organizations", alias="acme", name="Acme Inc.")  # noqa: E731
    server.realm["organizationsEnabled"] = True

    outcome = await applied(server, wanted, made)

    kind = "client" if wanted is RECIPE else "organization"
    [failure] = outcome.failures
    assert failure.step.item.key == (kind, "acme")
    assert failure.detail == f"{kind} acme: somebody else has just made it; plan again"
    # All else is done, but what goes with it.
    assert outcome.left
    assert all("acme" in it.item.key for it in outcome.left)
    [problem] = (await planned(server, wanted)).problems
    assert problem.startswith(f"{kind} acme: is there, and not of this file's making")


async def test_what_another_apply_has_just_made_is_brought_to_what_is_wanted(
    server: RealmServer,
) -> None:
    def meanwhile() -> None:
        server.add_client("acme", name="Old", attributes={OWNED: "org"}, fullScopeAllowed=True)
        server.add_role("acme", "viewer", attributes={})

    assert (await applied(server, RECIPE, meanwhile)).is_complete
    assert (await planned(server, RECIPE)).is_empty


async def test_what_is_not_found_though_it_is_there_is_named(server: RealmServer) -> None:
    # The name is taken by an organization with another alias.
    await brought(server, replace(NATIVE, orgs={}))
    server.faults = [Fault("POST organizations$", 409)]

    outcome = await applied(server, replace(NATIVE, orgs={"acme": ACME}))

    assert [it.detail for it in outcome.failures] == ["organizations: there is no acme (any more)"]


# Failures and stops


async def test_a_failure_keeps_what_goes_with_it_and_nothing_else(server: RealmServer) -> None:
    server.faults = [Fault("POST client-scopes$", 400)]

    outcome = await applied(server, replace(RECIPE, orgs={"acme": ACME}))

    [failure] = outcome.failures
    scope = failure.step.item.key[1]
    assert failure.detail == "POST client-scopes: Keycloak answered 400: as wanted"
    assert outcome.left
    assert all(scope in it.item.key for it in outcome.left)
    assert not outcome.is_complete
    await brought(server, replace(RECIPE, orgs={"acme": ACME}))


@pytest.mark.parametrize(
    ("how", "words"),
    [(403, "it needs manage-clients"), (503, "Keycloak answered 503")],
)
async def test_after_what_concerns_all_nothing_more_is_tried(
    server: RealmServer, how: int, words: str
) -> None:
    server.faults = [Fault("POST client-scopes$", how, times=1000)]

    steps = len((await planned(server, RECIPE)).steps)
    outcome = await applied(server, RECIPE)

    assert all(words in it.detail for it in outcome.failures)
    made = len(server.things["clients"]) - 1
    assert made + len(outcome.failures) + len(outcome.left) == steps
    assert outcome.is_hopeless
    assert not any("/roles" in call for call in server.calls if call.startswith("POST"))
    server.faults.clear()
    await brought(server, RECIPE)


async def test_a_keycloak_without_groups_of_organizations_is_named(server: RealmServer) -> None:
    server.faults = [Fault("POST organizations/.*/groups", 404, times=100)]

    outcome = await applied(server, NATIVE)

    words = "groups of organizations with roles came with Keycloak 26.7"
    groups = [it for it in outcome.failures if isinstance(it.step.item, Group)]
    assert len(groups) == 4
    assert all(it.detail.endswith(words) for it in groups)


async def test_stopped_it_ends_between_two_steps(server: RealmServer) -> None:
    stop = asyncio.Event()
    taken: list[Step] = []

    def progress(step: Step) -> None:
        taken.append(step)
        stop.set()

    async with opened(server, at_once=1) as admin:
        state = RealmState(admin)
        steps = plan(RECIPE, await state.read(RECIPE)).steps
        outcome = await RealmWriter(admin, state).apply(steps, progress, stop)

    assert len(taken) == 1
    assert not outcome.failures
    left = [*outcome.left, *taken]
    assert sorted(it.item.key for it in left) == sorted(it.item.key for it in steps)
    assert len(server.things["clients"]) == 2  # Keycloak's own, and the first of the steps
    await brought(server, RECIPE)
    assert (await planned(server, RECIPE)).is_empty


async def test_cancelled_it_leaves_nothing_that_a_rerun_does_not_mend(server: RealmServer) -> None:
    server.delay = 0.005
    async with opened(server) as admin:
        state = RealmState(admin)
        steps = plan(RECIPE, await state.read(RECIPE)).steps
        apply = RealmWriter(admin, state).apply
        running = asyncio.create_task(apply(steps, lambda _: running.cancel()))
        with pytest.raises(asyncio.CancelledError):
            await running

    assert not (await planned(server, RECIPE)).is_empty
    await brought(server, RECIPE)
    assert (await planned(server, RECIPE)).is_empty


def test_a_role_and_a_client_of_a_plan_are_named() -> None:
    assert [str(it) for it in (Role("acme", "viewer"), Client("acme", "org"))] == [
        "role acme:viewer",
        "client acme",
    ]
