"""A plan in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hasura_kc_auth.cli.keycloak.showing import as_object, line, lines, summary
from hasura_kc_auth.provisioning.items import (
    Assignment,
    Client,
    Composite,
    Group,
    Item,
    Mapper,
    Member,
    OwnMapping,
    RealmSwitch,
    Role,
    Scope,
    ScopeMapping,
)
from hasura_kc_auth.provisioning.plan import Plan, Step, plan
from tests.provisioning.realms import ACME, NATIVE, NONE, RECIPE, as_wanted, found

EDITOR = frozenset({"editor"})
BOTH = frozenset({"editor", "viewer"})
CLIENT = Client("frontend", "frontend")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (None, Role("acme", "editor"), "+ role acme:editor"),
        (None, Composite("acme", "owner", BOTH), "+ role acme:owner: editor, viewer"),
        (None, ScopeMapping("acme", "acme", BOTH), "+ scope acme, roles of acme: editor, viewer"),
        (None, Assignment("web", "acme", "optional"), "+ client web, scope acme: optional"),
        (None, Group("acme", "editor", EDITOR), "+ organization acme, group editor: editor"),
        (Role("acme", "editor"), None, "- role acme:editor"),
        (
            replace(CLIENT, full_scope=True),
            CLIENT,
            "~ client frontend: Full scope allowed on -> off",
        ),
        (
            replace(CLIENT, redirect_uris=frozenset({"*"}), public=True),
            replace(CLIENT, redirect_uris=frozenset({"https://a", "https://b"})),
            "~ client frontend: public on -> off, Valid redirect URIs +https://a +https://b -*",
        ),
        (
            Mapper("a", "b", "p", {"x": "1", "same": "s"}),
            Mapper("a", "b", "q", {"x": "2", "y": "3", "same": "s"}),
            "~ scope a, mapper b: provider p -> q, options x 1 -> 2, y not set -> 3",
        ),
        (
            replace(CLIENT, display_name=None),
            replace(CLIENT, display_name="Shop"),
            "~ client frontend: name not set -> Shop",
        ),
        (
            RealmSwitch(organizations=False),
            RealmSwitch(organizations=True),
            "~ realm: Organizations off -> on",
        ),
        (OwnMapping("web", EDITOR), OwnMapping("web", NONE), "~ client web, its own scope mapping: roles -editor"),  # noqa: E501
        (Scope("a\x1b[2J", in_token=True), None, "- scope a\N{REPLACEMENT CHARACTER}[2J"),
    ],
)  # fmt: skip
def test_a_step_is_one_line(old: Item | None, new: Item | None, text: str) -> None:
    assert line(Step(old, new)) == text


def test_a_new_org_is_one_line() -> None:
    assert list(lines(plan(RECIPE, found()))) == [
        ("green", "+ scope hasura-audience"),
        ("green", "+ client frontend"),
        ("green", "+ scope my-orgs"),
        ("green", "+ scope hasura-audience, mapper audience"),
        ("green", "+ client frontend, scope basic: default"),
        ("green", "+ client frontend, scope hasura-audience: default"),
        ("green", "+ scope my-orgs, mapper orgs"),
        ("green", "+ client frontend, scope roles: default"),
        ("green", "+ client frontend, scope my-orgs: optional"),
        ("green", "+ org acme: roles editor, owner, viewer, 1 member"),
        ("green", "+ org globex: roles viewer"),
    ]


def test_so_is_a_new_organization() -> None:
    two = replace(ACME, members={"alice": EDITOR, "bob": NONE})
    wanted = replace(
        NATIVE, orgs={"acme": two, "empty": replace(ACME, name="empty", roles={}, members={})}
    )

    assert list(lines(plan(wanted, found(users=["alice", "bob"]))))[-2:] == [
        ("green", "+ org acme: roles editor, owner, viewer, 2 members"),
        ("green", "+ org empty: no roles"),
    ]


def test_what_is_changed_in_an_org_that_is_there_stands_by_itself() -> None:
    drifted = [
        Assignment("frontend", "org:acme", "default"),
        Member("acme", "alice", NONE),
        Composite("acme", "viewer", EDITOR),
    ]

    assert list(lines(plan(RECIPE, as_wanted(RECIPE, *drifted)))) == [
        ("yellow", "~ role acme:viewer: contains -editor"),
        ("yellow", "~ client frontend, scope org:acme: assigned as default -> optional"),
        ("yellow", "~ org acme, member alice: roles +editor"),
    ]


def test_how_many_steps_there_are() -> None:
    scope = Scope("a", in_token=True)
    steps = (Step(None, scope), Step(None, scope), Step(scope, scope), Step(scope, None))

    assert summary(Plan(steps, (), ())) == "2 to create, 1 to change, 1 to remove"


def test_a_machine_is_told_all_of_it() -> None:
    old, new = replace(CLIENT, web_origins=frozenset({"b", "a"})), CLIENT

    assert as_object(Plan((Step(old, new),), ("a problem",), ("a note",))) == {
        "steps": [
            {
                "do": "change",
                "kind": "client",
                "name": ["frontend"],
                "changes": {"web_origins": {"old": ["a", "b"], "new": []}},
                "text": "~ client frontend: Web origins -a -b",
            }
        ],
        "problems": ["a problem"],
        "notes": ["a note"],
    }
