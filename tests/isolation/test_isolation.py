"""A short run beside the model, and the model itself. The long one: `make isolation`."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from hasura_kc_auth.core.session import Session
from hasura_kc_auth.ports import AuthenticatesHeaders
from tests.isolation import model
from tests.isolation.model import Login, Realm, Refused, User, Wishes, outcome
from tests.isolation.people import make_people
from tests.isolation.running import run

SEED = 7
NOW = 1_800_000_000

# --- the run


async def test_no_answer_but_the_models():
    report = await run(SEED, 10_000)

    assert report.wrong is None
    assert set(report.codes) == {
        *("ok", "no_org", "org_not_granted", "ambiguous_org", "no_role", "role_not_granted"),
        *("malformed_request", "ambiguous_credentials", "no_credentials", "malformed_token"),
        *("unknown_key", "bad_signature", "expired", "not_yet_valid"),
    }
    assert report.codes["ok"] > report.requests / 4
    # From the cache, decided anew, and forgotten in between.
    assert report.hits > report.requests / 10
    assert report.codes["ok"] - report.hits > 5 * report.remembered > 0


async def test_a_seed_gives_the_same_run_every_time():
    first, second, other = [await run(seed, 600) for seed in (SEED, SEED, SEED + 1)]

    assert first == second
    assert first.codes != other.codes


class OneForAll:
    """A mistake: what a token once got, it gets for every wish."""

    def __init__(self, service: AuthenticatesHeaders) -> None:
        self._service = service
        self._sessions: dict[str, Session] = {}

    async def authenticate(self, headers: Any) -> Session:
        session = await self._service.authenticate(headers)
        return self._sessions.setdefault(headers["Authorization"], session)


class TooStrict:
    """A mistake: who names an org is not let in."""

    def __init__(self, service: AuthenticatesHeaders) -> None:
        self._service = service

    async def authenticate(self, headers: Any) -> Session:
        wished = headers.get("X-Hasura-Org-Id", "")
        return await self._service.authenticate(CIMultiDict() if wished else headers)


@pytest.mark.parametrize("mistake", [OneForAll, TooStrict])
async def test_a_mistake_is_noticed(mistake):
    report = await run(SEED, 3000, through=mistake)

    assert report.wrong is not None
    assert report.wrong.got not in report.wrong.expected


# --- the model

REALM = Realm("eu", "client-scope", ("acme", "globex", "evil"), frozenset({"evil"}))
ALICE = User(
    REALM,
    "alice",
    {"acme": ("viewer", "admin"), "globex": ("viewer",), "evil": ("editor",), "empty": ()},
)


def login(*asked: str, **changes: Any) -> Login:
    return Login(**{"user": ALICE, "asked": asked, "issued_at": NOW, "key": 0} | changes)


@pytest.mark.parametrize(
    ("asker", "wishes", "org_and_role"),
    [
        pytest.param(login("acme"), Wishes(), ("eu/acme", "org_admin"), id="one org"),
        pytest.param(login("acme"), Wishes(role="viewer"), ("eu/acme", "viewer"), id="a role"),
        pytest.param(
            login("acme", "globex"), Wishes("eu/globex"), ("eu/globex", "viewer"), id="one of two"
        ),
        pytest.param(login("acme", "evil"), Wishes(), ("eu/acme", "org_admin"), id="one is denied"),
    ],
)
def test_the_model_lets_in(asker, wishes, org_and_role):
    answer: Any = outcome(asker, wishes, NOW)

    assert (answer["X-Hasura-Org-Id"], answer["X-Hasura-Role"]) == org_and_role
    assert answer["X-Hasura-User-Id"] == "eu/alice"
    assert answer["Cache-Control"] == "max-age=300"


@pytest.mark.parametrize(
    ("asker", "wishes", "code"),
    [
        pytest.param(login(), Wishes(), "no_org", id="asked for none"),
        pytest.param(login("evil"), Wishes(), "no_org", id="cut off"),
        pytest.param(login("empty"), Wishes(), "no_org", id="no role in it"),
        pytest.param(login("acme", "globex"), Wishes(), "ambiguous_org", id="two"),
        pytest.param(login("acme"), Wishes("eu/globex"), "org_not_granted", id="not asked for"),
        pytest.param(login("acme"), Wishes("acme"), "org_not_granted", id="without its realm"),
        pytest.param(login("acme"), Wishes("us/acme"), "org_not_granted", id="another realm's"),
        pytest.param(login("acme"), Wishes(role="admin"), "role_not_granted", id="Hasura's admin"),
        pytest.param(
            login("globex"), Wishes(role="org_admin"), "role_not_granted", id="another org's role"
        ),
        pytest.param(login("acme", forged=True), Wishes(), "bad_signature", id="forged"),
        pytest.param(login("acme", issued_at=NOW - 330), Wishes(), "expired", id="expired"),
        pytest.param(login("acme", issued_at=NOW + 31), Wishes(), "not_yet_valid", id="later"),
    ],
)
def test_the_model_refuses(asker, wishes, code):
    assert outcome(asker, wishes, NOW) == Refused(code)


def test_the_model_knows_nothing_of_the_service():
    tree = ast.parse(Path(model.__file__).read_text("utf-8"))
    imported = [it.module for it in ast.walk(tree) if isinstance(it, ast.ImportFrom)]
    plain = [it for it in ast.walk(tree) if isinstance(it, ast.Import)]

    assert imported == ["__future__", "collections.abc", "dataclasses", "typing"]
    assert plain == []


# --- the people


def test_the_people_are_as_odd_as_they_should_be():
    people = make_people(SEED)
    orgs = [org for realm in people.realms for org in realm.orgs]
    counts = [len(user.roles) for user in people.users]

    assert (len(orgs), len(people.users)) == (50, 200)
    assert min(counts) == 0
    assert max(counts) >= 10
    assert len({org.casefold() for org in orgs}) < len(set(orgs)) < len(orgs)
    assert all(realm.denied for realm in people.realms)
    assert all("acme" in realm.orgs for realm in people.realms)
    assert len({user.id for user in people.users}) < len(people.users)
    assert any(not roles for user in people.users for roles in user.roles.values())
