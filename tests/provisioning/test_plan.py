"""The steps from a realm to what a file of orgs wants."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hasura_kc_auth.provisioning.items import (
    Assignment,
    Client,
    Composite,
    Group,
    Item,
    Mapper,
    Member,
    Organization,
    OwnMapping,
    RealmSwitch,
    Role,
    Scope,
    ScopeMapping,
)
from hasura_kc_auth.provisioning.plan import Plan, Step, by_rank, plan
from hasura_kc_auth.provisioning.recipe import items
from hasura_kc_auth.provisioning.wanted import Frontend, Org, Wanted
from tests.provisioning.realms import (
    ACME,
    BUILT_IN,
    FRONTEND,
    GLOBEX,
    NATIVE,
    NONE,
    RECIPE,
    as_wanted,
    found,
    with_org,
)

CLIENT = items(RECIPE)["client", "frontend"]
assert isinstance(CLIENT, Client)
NOTHING = Plan((), (), ())


@pytest.mark.parametrize("wanted", [RECIPE, NATIVE], ids=["recipe", "organizations"])
def test_a_realm_that_is_as_wanted_needs_no_step(wanted: Wanted) -> None:
    assert plan(wanted, as_wanted(wanted)) == NOTHING
    assert plan(wanted, as_wanted(wanted)).is_empty


@pytest.mark.parametrize("wanted", [RECIPE, NATIVE], ids=["recipe", "organizations"])
def test_an_empty_realm_gets_everything_that_says_something(wanted: Wanted) -> None:
    made = plan(wanted, found())

    assert {(step.do, *step.changes) for step in made.steps} == {("create",)}
    silent = {"own mapping", "composite"}
    expected = {key for key in items(wanted) if key[0] not in silent}
    owners = {key for key in items(wanted) if key[0] == "composite" and key[-1] == "owner"}
    assert {step.item.key for step in made.steps} == expected | owners
    assert (made.problems, made.notes) == ((), ())


@pytest.mark.parametrize("wanted", [RECIPE, NATIVE], ids=["recipe", "organizations"])
def test_a_step_comes_after_what_it_consists_of(wanted: Wanted) -> None:
    done: set[object] = set()
    for lot in by_rank(plan(wanted, found()).steps):
        for step in lot:
            needed = set(step.item.parts) & items(wanted).keys()
            assert needed <= done
        done |= {step.item.key for step in lot}


# Drift: one thing changed by hand, one step to mend it

DRIFTS: list[tuple[Wanted, Item, dict[str, tuple[object, object]]]] = [
    (RECIPE, replace(CLIENT, full_scope=True), {"full_scope": (True, False)}),
    (
        RECIPE,
        replace(CLIENT, redirect_uris=frozenset({"*"})),
        {"redirect_uris": (frozenset({"*"}), FRONTEND.redirect_uris)},
    ),
    (
        RECIPE,
        OwnMapping("frontend", frozenset({"globex:viewer"})),
        {"roles": (frozenset({"globex:viewer"}), NONE)},
    ),
    (
        RECIPE,
        Assignment("frontend", "org:acme", "default"),
        {"how": ("default", "optional")},
    ),
    (
        RECIPE,
        ScopeMapping("org:acme", "acme", frozenset({"viewer"})),
        {"roles": (frozenset({"viewer"}), frozenset(ACME.roles))},
    ),
    (RECIPE, Scope("org:acme", in_token=False, org="acme"), {"in_token": (False, True)}),
    (
        RECIPE,
        Composite("acme", "viewer", frozenset({"globex:viewer"})),
        {"contains": (frozenset({"globex:viewer"}), NONE)},
    ),
    (
        RECIPE,
        Mapper("hasura-audience", "audience", "oidc-audience-mapper", {}),
        {"config": ({}, items(RECIPE)["mapper", "hasura-audience", "audience"].config)},  # type: ignore[attr-defined]
    ),
    (
        RECIPE,
        Client("acme", "org", display_name="Acme"),
        {"display_name": ("Acme", "Acme Inc.")},
    ),
    (
        RECIPE,
        Member("acme", "alice", NONE),
        {"roles": (NONE, frozenset({"editor"}))},
    ),
    (NATIVE, RealmSwitch(organizations=False), {"organizations": (False, True)}),
    (
        NATIVE,
        Group("acme", "viewer", frozenset({"api:owner"})),
        {"roles": (frozenset({"api:owner"}), frozenset({"api:viewer"}))},
    ),
    (NATIVE, Organization("acme", "ACME"), {"display_name": ("ACME", "Acme Inc.")}),
]


@pytest.mark.parametrize(("wanted", "drifted", "changes"), DRIFTS)
def test_drift_is_one_change(
    wanted: Wanted, drifted: Item, changes: dict[str, tuple[object, object]]
) -> None:
    made = plan(wanted, as_wanted(wanted, drifted))

    assert [(step.do, step.old, step.changes) for step in made.steps] == [
        ("change", drifted, changes)
    ]
    assert made.steps[0].item == items(wanted)[drifted.key]
    assert (made.problems, made.notes) == ((), ())
    assert not made.is_empty


@pytest.mark.parametrize("wanted", [RECIPE, NATIVE], ids=["recipe", "organizations"])
def test_whatever_is_missing_is_made_again(wanted: Wanted) -> None:
    for key, item in items(wanted).items():
        made = plan(wanted, as_wanted(wanted, without=[key])).steps
        silent = isinstance(item, OwnMapping) or (isinstance(item, Composite) and not item.contains)
        assert [(it.do, it.item) for it in made] == ([] if silent else [("create", item)])


# What the file does not own


def test_a_client_that_others_made_is_not_touched() -> None:
    theirs = Client("globex", "org", owned=False, full_scope=True)
    of_globex = [key for key in items(RECIPE) if {"globex", "org:globex"} & {*key}]
    realm = as_wanted(RECIPE, without=of_globex)
    realm = replace(realm, items={**realm.items, theirs.key: theirs})

    assert plan(RECIPE, realm) == Plan(
        (), ("client globex: is there, and not of this file's making (--adopt takes it over)",), ()
    )


def test_a_client_of_others_is_taken_over_where_that_is_asked_for() -> None:
    theirs = Client("globex", "org", owned=False, display_name="globex")

    [step] = plan(RECIPE, as_wanted(RECIPE, theirs), adopt=True).steps

    assert step.changes == {"owned": (False, True)}


@pytest.mark.parametrize(
    "item",
    [
        Scope("org:acme", in_token=True, org="acme", owned=False),
        Client("frontend", "frontend", owned=False),
        Client("acme", "org", owned=False),
    ],
)
def test_what_consists_of_it_is_not_made_either(item: Item) -> None:
    made = plan(RECIPE, replace(found(), items={item.key: item}))

    assert all(item.key not in (step.item.key, *step.item.parts) for step in made.steps)
    assert len(made.problems) == 1
    assert not made.is_empty


def test_nor_is_an_organization_of_others() -> None:
    made = plan(NATIVE, found([Organization("acme", "Acme Inc.", owned=False)]))

    assert not any("acme" in step.item.key for step in made.steps)
    assert made.problems == (
        "organization acme: is there, and not of this file's making (--adopt takes it over)",
    )


@pytest.mark.parametrize(
    ("wanted", "item"),
    [
        (RECIPE, Role("acme", "viewer", owned=False)),
        (NATIVE, Group("acme", "viewer", frozenset({"api:viewer"}), owned=False)),
    ],
)
def test_a_role_or_group_that_the_file_names_is_the_files(wanted: Wanted, item: Item) -> None:
    [step] = plan(wanted, as_wanted(wanted, item)).steps

    assert step.changes == {"owned": (False, True)}


def test_a_client_is_not_used_for_something_else() -> None:
    realm = as_wanted(RECIPE, replace(CLIENT, use="org"))

    made = plan(RECIPE, realm, adopt=True)

    assert made.problems == ("client frontend: is used otherwise (org)",)
    assert made.steps == ()


def test_a_strange_role_is_left_and_told_of() -> None:
    strange = Role("acme", "auditor", owned=False)

    assert plan(RECIPE, as_wanted(RECIPE, strange), prune=True) == Plan(
        (), (), ("role acme:auditor: is not in the file; who holds only it may be without the org",)
    )


def test_a_strange_role_may_stay_mapped() -> None:
    strange = Role("acme", "auditor", owned=False)
    mapped = ScopeMapping("org:acme", "acme", frozenset({*ACME.roles, "auditor"}))

    assert plan(RECIPE, as_wanted(RECIPE, strange, mapped)).steps == ()


def test_an_organization_group_of_others_is_left_alone() -> None:
    theirs = Group("acme", "newsletter", NONE, owned=False)

    assert plan(NATIVE, as_wanted(NATIVE, theirs), prune=True) == NOTHING


def test_one_that_gives_roles_is_told_of() -> None:
    theirs = Group("acme", "staff", frozenset({"api:owner"}), owned=False)

    assert plan(NATIVE, as_wanted(NATIVE, theirs)) == Plan(
        (),
        (),
        ("organization acme, group staff: is not in the file, and gives api:owner in that org",),
    )


def test_a_strange_role_that_leads_to_another_org_does_not_stay_mapped() -> None:
    strange = Role("acme", "special", owned=False)
    leads = Composite("acme", "special", frozenset({"globex:viewer"}))
    mapped = ScopeMapping("org:acme", "acme", frozenset({*ACME.roles, "special"}))

    [step] = plan(RECIPE, as_wanted(RECIPE, strange, leads, mapped)).steps

    assert step.changes == {"roles": (mapped.roles, frozenset(ACME.roles))}


def test_a_role_of_once_stays_mapped_and_contained_until_it_is_removed() -> None:
    """Whoever holds only it would lose the org by a slip in the file."""
    once = Role("acme", "intern")
    mapped = ScopeMapping("org:acme", "acme", frozenset({*ACME.roles, "intern"}))
    contained = Composite("acme", "owner", frozenset({"viewer", "editor", "intern"}))

    realm = as_wanted(RECIPE, once, mapped, contained)

    assert plan(RECIPE, realm) == Plan(
        (), ("role acme:intern: is not wanted any more; --prune removes it",), ()
    )
    assert [it.item.key for it in plan(RECIPE, realm, prune=True).steps] == [
        ("role", "acme", "intern")
    ]


@pytest.mark.parametrize(
    ("wanted", "item"),
    [
        (RECIPE, Client("oldco", "org", owned=False)),
        (RECIPE, Scope("org:oldco", in_token=True, org="oldco", owned=False)),
        (NATIVE, Organization("oldco", "Oldco", owned=False)),
    ],
)
def test_a_retired_name_that_others_use_again_is_a_problem(wanted: Wanted, item: Item) -> None:
    made = plan(replace(wanted, retired=frozenset({"oldco"})), as_wanted(wanted, item), prune=True)

    assert made == Plan(
        (),
        (f"{item}: is retired, and others have made it again; it would inherit the old rows",),
        (),
    )


def test_what_another_carrier_left_is_removed_by_prune() -> None:
    realm = as_wanted(NATIVE, Client("acme", "org"), Scope("acme", in_token=True, org="acme"))

    assert len(plan(NATIVE, realm).problems) == 2
    assert [(it.do, it.item.key) for it in plan(NATIVE, realm, prune=True).steps] == [
        ("remove", ("client", "acme")),
        ("remove", ("scope", "acme")),
    ]


# What is not wanted any more


def test_the_roles_of_one_org_are_taken_out_of_anothers_scope() -> None:
    leak = ScopeMapping("org:acme", "globex", frozenset({"viewer"}))

    [step] = plan(RECIPE, as_wanted(RECIPE, leak)).steps

    assert (step.do, step.changes) == ("change", {"roles": (frozenset({"viewer"}), NONE)})


def test_what_others_mapped_in_a_scope_of_theirs_is_left_alone() -> None:
    theirs = Scope("org:acme", in_token=True, org="acme", owned=False)
    mapping = ScopeMapping("org:acme", "globex", frozenset({"viewer"}))

    made = plan(RECIPE, as_wanted(RECIPE, theirs, mapping))

    assert made.steps == ()
    assert len(made.problems) == 1


def gone(name: str) -> list[Item]:
    """Return all that a former org of this name left."""
    org = Org(name, name, {"viewer": NONE}, {})
    former = items(with_org(RECIPE, org))
    return [it for key, it in former.items() if key not in items(RECIPE)]


def test_an_org_that_fell_out_of_the_file_is_a_problem_and_stays() -> None:
    realm = as_wanted(RECIPE, *gone("initech"))

    assert plan(RECIPE, realm, prune=True) == Plan(
        (),
        ("org initech: is in the realm and not in the file; put it back, or under `retired`",),
        (),
    )


def test_a_retired_org_is_removed_by_prune_alone() -> None:
    realm = as_wanted(RECIPE, *gone("initech"))
    wanted = replace(RECIPE, retired=frozenset({"initech"}))

    assert plan(wanted, realm) == Plan(
        (),
        (
            "client initech: is not wanted any more; --prune removes it",
            "scope org:initech: is not wanted any more; --prune removes it",
        ),
        (),
    )
    assert not plan(wanted, realm).is_empty
    pruned = plan(wanted, realm, prune=True)
    # Roles, mappings and assignments go with them.
    assert [(step.do, step.item.key) for step in pruned.steps] == [
        ("remove", ("client", "initech")),
        ("remove", ("scope", "org:initech")),
    ]
    assert (pruned.problems, pruned.notes) == ((), ())


def test_a_retired_organization_is_removed_by_prune() -> None:
    wanted = replace(NATIVE, retired=frozenset({"initech"}))
    realm = as_wanted(wanted, Organization("initech", "Initech"), Group("initech", "x", NONE))

    assert [(it.do, it.item.key) for it in plan(wanted, realm, prune=True).steps] == [
        ("remove", ("organization", "initech"))
    ]


def test_a_role_that_left_the_file_is_removed_by_prune() -> None:
    realm = as_wanted(RECIPE, Role("acme", "intern"), Composite("acme", "intern", NONE))

    assert plan(RECIPE, realm).problems == (
        "role acme:intern: is not wanted any more; --prune removes it",
    )
    assert [(it.do, it.item.key) for it in plan(RECIPE, realm, prune=True).steps] == [
        ("remove", ("role", "acme", "intern"))
    ]


def test_a_frontend_that_left_the_file_is_removed_by_prune() -> None:
    second = Frontend("phone", frozenset())
    realm = as_wanted(replace(RECIPE, frontends=(FRONTEND, second)))

    assert [it.item.key for it in plan(RECIPE, realm, prune=True).steps] == [("client", "phone")]


def test_what_makes_others_impossible_is_removed_last_and_first_made() -> None:
    wanted = replace(RECIPE, retired=frozenset({"initech"}))
    realm = as_wanted(
        wanted,
        *gone("initech"),
        Role("acme", "intern"),
        replace(CLIENT, full_scope=True),
    )

    steps = plan(wanted, realm, prune=True).steps

    assert [[str(step.item) for step in lot] for lot in by_rank(steps)] == [
        ["client frontend"],
        ["role acme:intern"],
        ["client initech", "scope org:initech"],
    ]
    assert list(by_rank([])) == []


# Members


def test_roles_that_a_member_holds_besides_stay_without_prune() -> None:
    more = Member("acme", "alice", frozenset({"editor", "owner"}))

    assert plan(RECIPE, as_wanted(RECIPE, more)).is_empty
    [step] = plan(RECIPE, as_wanted(RECIPE, more), prune=True).steps
    assert step.changes == {"roles": (frozenset({"editor", "owner"}), frozenset({"editor"}))}


def test_a_missing_user_is_a_problem_and_the_rest_is_done() -> None:
    made = plan(RECIPE, found(users=[]))

    assert made.problems == ("org acme: there is no user alice; users are never made here",)
    assert {step.item.key for step in plan(RECIPE, found()).steps} - {
        step.item.key for step in made.steps
    } == {("member", "acme", "alice")}


# Keycloak's own scopes


@pytest.mark.parametrize(
    ("wanted", "scope"),
    [(RECIPE, "basic"), (RECIPE, "roles"), (NATIVE, "basic"), (NATIVE, "organization")],
)
def test_a_realm_without_keycloaks_own_scope_is_a_problem(wanted: Wanted, scope: str) -> None:
    missing = replace(as_wanted(wanted), scopes=BUILT_IN - {scope})

    assert plan(wanted, missing).problems == (
        f"client frontend: the realm lacks Keycloak's own scope {scope}",
    )


# The words


def test_a_step_is_from_something_or_to_something() -> None:
    with pytest.raises(ValueError, match="from something or to something"):
        _ = Step(None, None).item


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (
            RECIPE,
            [
                "client frontend, its own scope mapping",
                "client frontend, scope org:acme",
                "client acme",
                "org acme, member alice",
                "role acme:owner",
                "scope hasura-audience, mapper audience",
                "scope org:acme",
                "scope org:acme, roles of acme",
            ],
        ),
        (NATIVE, ["organization acme", "organization acme, group owner", "realm"]),
    ],
)
def test_an_item_has_a_name(wanted: Wanted, names: list[str]) -> None:
    assert {*names} <= {str(it) for it in items(wanted).values()}


def test_a_display_name_that_nobody_wants_is_left() -> None:
    assert plan(RECIPE, as_wanted(RECIPE, replace(CLIENT, display_name="Shop"))).is_empty


def test_two_files_of_the_same_orgs_agree() -> None:
    swapped = replace(RECIPE, orgs={"globex": GLOBEX, "acme": ACME})

    assert plan(swapped, as_wanted(RECIPE)).is_empty
