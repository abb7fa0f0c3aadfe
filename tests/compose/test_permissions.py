"""The example's permissions on a real PostgreSQL, with the service's real answers."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.compose import example
from tests.compose.bool_exp import Hasura, MissingVariable
from tests.compose.postgres_server import DatabaseError

ALL_ROLES = {"org_admin", "editor", "viewer"}


class Seen(NamedTuple):
    """A user in an org, and what must be seen there: projects, and invoices by region."""

    user: str
    org: str
    role: str
    projects: list[str]
    invoices: list[tuple[str, float]]


SEEN = [
    Seen(
        *("alice", "acme", "editor"),
        ["Rocket skates", "Portable hole"],
        [("eu", 100.0), ("us", 250.0)],
    ),
    Seen("alice", "globex", "viewer", ["Weather machine"], [("eu", 999.0), ("us", 5.0)]),
    Seen("bob", "acme", "viewer", ["Rocket skates", "Portable hole"], [("eu", 100.0)]),
    # Of no region, but its admin.
    Seen("dave", "globex", "org_admin", ["Weather machine"], [("eu", 999.0), ("us", 5.0)]),
    Seen("erin", "initech", "editor", ["Cover sheets"], []),
]


async def session_of(ask, user: str, org: str, /, **wishes) -> dict[str, str]:
    answer = await ask(user, org, **wishes)
    assert answer.status == 200, answer.json
    return answer.json


# --- reading


@pytest.mark.parametrize("it", [pytest.param(it, id=f"{it.user} in {it.org}") for it in SEEN])
async def test_everybody_sees_the_rows_of_their_org(ask, hasura, it):
    session = await session_of(ask, it.user, it.org)

    assert (session["X-Hasura-Org-Id"], session["X-Hasura-Role"]) == (it.org, it.role)
    assert hasura.select(session, "org", "id") == [{"id": it.org}]
    assert [row["name"] for row in hasura.select(session, "project", "name")] == it.projects
    seen = hasura.select(session, "invoice", "region", "amount")
    assert [(row["region"], row["amount"]) for row in seen] == it.invoices


def test_the_readme_says_who_sees_what():
    readme = (example.EXAMPLE / "README.md").read_text("utf-8")

    for it in SEEN:
        invoices = ", ".join(f"{region} {amount:g}" for region, amount in it.invoices) or "none"
        cells = [it.user, f"`{it.org}`", f"`{it.role}`", ", ".join(it.projects), invoices]
        assert f"| {' | '.join(cells)} |" in readme


async def test_a_row_without_an_org_of_its_own_belongs_to_its_parents(ask, hasura):
    titles = {
        org: [
            it["title"]
            for it in hasura.select(await session_of(ask, "alice", org), "task", "title")
        ]
        for org in ("acme", "globex")
    }

    assert titles == {
        "acme": ["Oil the wheels", "Count the wheels", "Measure the hole"],
        "globex": ["Order thunder", "Look at the clouds"],
    }


async def test_of_two_orgs_in_one_token_the_named_one_is_seen(ask, hasura):
    session = await session_of(ask, "alice", "acme globex", Org_Id="globex")

    assert hasura.select(session, "project", "org_id") == [{"org_id": "globex"}]


@pytest.mark.parametrize(
    ("regions", "seen"),
    [
        pytest.param(["us"], {"us"}, id="one"),
        pytest.param(["apac", "eu"], {"eu", "apac"}, id="two"),
        pytest.param("us", {"us"}, id="a single value that is no list"),
        pytest.param([], set(), id="none"),
        pytest.param(["eu,us"], set(), id="one that holds a comma is not two"),
        pytest.param(["{eu,us}"], set(), id="one that looks like a list"),
        pytest.param(['eu"', "\\", "NULL", "", "' or true --"], set(), id="hostile ones"),
    ],
)
async def test_a_list_is_read_by_the_database_as_it_was_meant(ask, hasura, regions, seen):
    session = await session_of(ask, "bob", "acme", regions=regions)

    assert {it["region"] for it in hasura.select(session, "invoice", "region")} == seen


@pytest.mark.parametrize(
    "values",
    [
        ["eu", "us"],
        [],
        ["a,b", "c"],
        ["NULL", "null", ""],
        ['"', "\\", '\\"', "{}", "{a}", "a b", " a ", "'", "ü", "\n\t"],
    ],
)
async def test_what_the_database_reads_is_what_the_token_holds(ask, postgres, values):
    session = await session_of(ask, "bob", "acme", regions=values)
    literal = session["X-Hasura-Regions"].replace("'", "''")

    [row] = postgres.rows(f"select to_json('{literal}'::text[]) as read")

    assert row["read"] == values


async def test_ids_of_users_can_be_compared_with_uuids(ask, hasura):
    session = await session_of(ask, "alice", "acme")

    assert hasura.select(session, "task", "author_id")[0] == {
        "author_id": session["X-Hasura-User-Id"]
    }


async def test_what_a_rule_needs_and_is_not_there_fails_the_request(ask, hasura):
    session = await session_of(ask, "bob", "acme")
    del session["X-Hasura-Regions"]

    with pytest.raises(MissingVariable, match="x-hasura-regions"):
        hasura.select(session, "invoice", "region")


async def test_a_list_that_is_no_array_fails_the_request(ask, hasura):
    session = await session_of(ask, "bob", "acme")

    for written in ('["eu"]', "eu", ""):
        with pytest.raises(DatabaseError, match="malformed array literal"):
            hasura.select({**session, "X-Hasura-Regions": written}, "invoice", "region")


# --- writing


async def test_a_new_row_is_the_sessions_org_and_nothing_else_can_be_said(ask, hasura):
    session = await session_of(ask, "alice", "acme")

    made = hasura.insert(session, "project", name="Bat-man's outfit")
    assert made is not None
    assert (made["org_id"], made["name"]) == ("acme", "Bat-man's outfit")
    with pytest.raises(LookupError, match=r"may not write \{'org_id'\}"):
        hasura.insert(session, "project", name="x", org_id="globex")


async def test_a_row_cannot_be_put_below_another_orgs(ask, hasura):
    session = await session_of(ask, "alice", "acme")
    own, others = 1, 3

    made = hasura.insert(session, "task", project_id=own, title="Paint")
    assert made is not None
    assert made["author_id"] == session["X-Hasura-User-Id"]
    assert hasura.insert(session, "task", project_id=others, title="Paint") is None


async def test_an_editor_changes_their_own_tasks_in_this_org_only(ask, hasura):
    session = await session_of(ask, "alice", "acme")

    assert hasura.changeable(session, "task", "update") == [1, 3]  # not 5: hers, but in globex
    with pytest.raises(LookupError):
        hasura.changeable(session, "task", "delete")


async def test_an_admin_of_an_org_changes_all_of_it_and_nothing_besides(ask, hasura):
    session = await session_of(ask, "dave", "globex")

    reached = {
        kind: (
            hasura.changeable(session, "project", kind),
            hasura.changeable(session, "task", kind),
        )
        for kind in ("update", "delete")
    }

    assert reached == {"update": ([3], [4, 5]), "delete": ([3], [4, 5])}


async def test_a_viewer_writes_nothing(ask, hasura):
    session = await session_of(ask, "alice", "globex")

    for table in example.tables():
        with pytest.raises(LookupError):
            hasura.insert(session, table)
        for kind in ("update", "delete"):
            with pytest.raises(LookupError):
                hasura.changeable(session, table, kind)


# --- refused before Hasura asks the database at all


@pytest.mark.parametrize(
    ("user", "orgs", "wishes", "code"),
    [
        pytest.param("alice", "acme globex", {}, "ambiguous_org", id="two orgs, no wish"),
        pytest.param("alice", "acme", {"Org_Id": "globex"}, "org_not_granted", id="another org"),
        pytest.param("alice", "acme", {"Role": "org_admin"}, "role_not_granted", id="no admin"),
        pytest.param("alice", "acme", {"Role": "admin"}, "role_not_granted", id="Hasura's admin"),
        pytest.param("carol", "acme", {}, "no_org", id="no member"),
        pytest.param("dave", "acme", {}, "no_org", id="a member of another"),
    ],
)
async def test_who_may_not_is_refused(ask, user, orgs, wishes, code):
    answer = await ask(user, orgs, **wishes)

    assert (answer.status, answer.json) == (401, {"code": code})


# --- the metadata itself


@pytest.mark.parametrize(
    ("table", "kind", "role", "permitted"),
    [pytest.param(*it, id=f"{it[2]} {it[1]} {it[0]}") for it in example.permissions()],
)
def test_every_permission_is_bound_to_the_org(table, kind, role, permitted):
    bounds = [permitted[it] for it in ("filter", "check") if it in permitted]

    assert role in ALL_ROLES
    assert len(bounds) == (2 if kind == "update" else 1)
    assert all(_bound(table, it) for it in bounds)


def _bound(table: str, expression) -> bool:
    """Whether this holds for rows of the session's org only."""
    org = {("id" if table == "org" else "org_id"): {"_eq": "X-Hasura-Org-Id"}}
    return any(
        {name: inner} == org
        or (name == "project" and _bound("project", inner))
        or (name == "_and" and any(_bound(table, it) for it in inner))
        for name, inner in expression.items()
    )


@pytest.mark.parametrize(
    "expression",
    [
        {},
        {"id": {"_eq": "X-Hasura-Org-Id"}},
        {"author_id": {"_eq": "X-Hasura-User-Id"}},
        {"_or": [{"org_id": {"_eq": "X-Hasura-Org-Id"}}, {}]},
        {"_and": []},
        {"org_id": {"_neq": "X-Hasura-Org-Id"}},
        {"project": {"name": {"_eq": "x-hasura-name"}}},
    ],
)
def test_an_expression_that_forgets_the_org_is_noticed(expression):
    assert not _bound("task", expression)


def test_nothing_that_says_whose_a_row_is_can_be_written():
    written = {
        (table, column)
        for table, kind, _, permitted in example.permissions()
        if kind in ("insert", "update")
        for column in permitted["columns"]
    }

    assert written == {
        ("project", "name"),
        ("task", "project_id"),  # on insert, where the check looks at the project
        ("task", "title"),
        ("task", "done"),
    }
    assert all(
        "project_id" not in permitted["columns"]
        for table, kind, _, permitted in example.permissions()
        if (table, kind) == ("task", "update")
    )


def test_every_table_is_tracked_and_every_role_may_read(hasura: Hasura):
    readers: dict[str, set[str]] = {}
    for table, kind, role, _ in example.permissions():
        if kind == "select":
            readers.setdefault(table, set()).add(role)

    assert readers == dict.fromkeys(hasura.tables, ALL_ROLES)


def test_every_column_that_a_permission_names_exists(hasura: Hasura):
    for table, kind, _, permitted in example.permissions():
        named = {*permitted.get("columns", ()), *permitted.get("set", ())}
        assert named <= hasura.columns(table), (table, kind)
