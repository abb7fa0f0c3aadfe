"""`keycloak plan`, `apply`, `export`, `token`, `orgs` on the real Keycloak, as people run them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from admin import Admin
from asking import running
from commands import FILE, SETTINGS, Commands
from demo import ORGS, SERVICE, ask_all, prepare
from keycloak_server import KeycloakServer
from login import Client, unverified
from realm import Realm

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.config.sources import load


@dataclass(frozen=True)
class Shop:
    """The demo's realm, and the commands that have made it."""

    realm: Realm
    commands: Commands

    @property
    def settings(self) -> Settings:
        return load(self.commands.folder / SETTINGS, {"HASURA_KC_AUTH__LOG__FORMAT": "json"})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(
    keycloak: KeycloakServer, admin: Admin, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    commands = Commands(tmp_path_factory.mktemp("shop"), keycloak.bootstrap)
    yield Shop(await prepare(admin, commands, "shop"), commands)


@pytest_asyncio.fixture(loop_scope="session")
async def empty(keycloak: KeycloakServer, admin: Admin, tmp_path: Path) -> Shop:
    """Give a realm that nobody has set up, with a file that asks for much."""
    realm = await Realm.create(admin)
    commands = Commands(tmp_path, keycloak.bootstrap)
    orgs = ORGS.format(realm=realm.name).partition("orgs:")[0]
    many = "".join(f"  org{number}:\n" for number in range(60))
    commands.write(f"{orgs}orgs:\n{many}", SERVICE.format(issuer=realm.issuer))
    return Shop(realm, commands)


async def test_the_demo_s_questions_are_answered_as_by_the_embedded_issuer(shop: Shop) -> None:
    async with running(shop.settings) as service:
        answers = await ask_all(shop.realm, service)

    assert [answer.question.title for answer in answers if not answer.as_expected] == []


async def test_the_second_run_does_nothing(shop: Shop) -> None:
    planned, applied = await shop.commands.run("plan"), await shop.commands.run("apply", "--json")

    assert (planned.code, planned.out) == (0, "nothing to do: the realm is as the file says\n")
    assert (applied.code, applied.json) == (
        0,
        {"steps": [], "problems": [], "notes": [], "done": 0, "left": []},
    )


async def test_what_is_exported_asks_for_nothing_new(shop: Shop, tmp_path: Path) -> None:
    exported = await shop.commands.run("export")
    file = tmp_path / FILE
    file.write_text(exported.out)

    planned = await shop.commands.run("plan", str(file), "--json")

    assert (exported.code, planned.code) == (0, 0)
    assert planned.json["steps"] == []


@pytest.mark.parametrize(
    ("user", "orgs"),
    [
        ("alice", {"acme": ["editor"], "globex": ["viewer"]}),
        ("bob", {"acme": ["viewer"]}),
        # By the parts of a composite role as well.
        ("dave", {"acme": ["org_admin", "editor", "viewer", "owner"]}),
        ("carol", {}),
    ],
)
async def test_an_operator_sees_the_orgs_of_a_user(
    shop: Shop, user: str, orgs: dict[str, list[str]]
) -> None:
    said = await shop.commands.run("orgs", "--user", user, "--json")

    assert {it["org"]: it["roles"] for it in said.json["orgs"]} == orgs
    assert said.code == (0 if orgs else 1)


async def test_a_role_that_a_group_gives_counts_as_well(shop: Shop) -> None:
    realm, admin = shop.realm, shop.realm.admin
    await realm.add_user("gina", password="demo")
    [acme] = await admin.get(f"{realm.path}/clients", clientId="acme")
    role = await admin.get(f"{realm.path}/clients/{acme['id']}/roles/viewer")
    group = await admin.post(f"{realm.path}/groups", {"name": "readers"})
    await admin.post(f"{realm.path}/groups/{group}/role-mappings/clients/{acme['id']}", [role])
    await admin.put(f"{realm.path}/users/{realm.users['gina']}/groups/{group}")

    said = await shop.commands.run("orgs", "--user", "gina", "--json")

    assert {it["org"]: it["roles"] for it in said.json["orgs"]} == {"acme": ["viewer"]}


async def test_so_does_the_user_by_userinfo_and_the_token_opens_nothing(shop: Shop) -> None:
    http, issuer = shop.realm.admin.http, shop.realm.issuer
    tokens = await Client(http, issuer).password("alice", "openid my-orgs", "demo")
    headers = {"Authorization": f"Bearer {tokens.access}"}
    async with http.get(f"{issuer}/protocol/openid-connect/userinfo", headers=headers) as answer:
        told = await answer.json()

    assert told["orgs"] == {"acme": {"roles": ["editor"]}, "globex": {"roles": ["viewer"]}}
    assert "orgs" not in unverified(tokens.access)
    async with running(shop.settings) as service:
        for wish in ({}, {"X-Hasura-Org-Id": "acme"}):
            async with http.get(service.webhook_url, headers=headers | wish) as answer:
                assert (answer.status, await answer.json()) == (401, {"code": "no_org"})


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--user", "alice", "--org", "acme"), 0, {"code": None, "org": "acme", "role": "editor"}),
        (("--user", "bob", "--org", "globex"), 1, {"code": "no_org"}),
        (("--user", "bob", "--org", "acme", "--role", "editor"), 1, {"code": "role_not_granted"}),
        (("--user", "alice"), 1, {"code": "no_org"}),
    ],
)
async def test_a_token_is_explained_without_a_password(
    shop: Shop, words: tuple[str, ...], code: int, told: dict[str, str | None]
) -> None:
    said = await shop.commands.run("token", *words, "--json")

    variables = said.json["variables"] or {}
    found = {
        "code": said.json["code"],
        "org": variables.get("X-Hasura-Org-Id"),
        "role": variables.get("X-Hasura-Role"),
    }
    assert (said.code, {name: found[name] for name in told}) == (code, told)


async def test_a_name_that_nobody_has_is_said(shop: Shop) -> None:
    said = await shop.commands.run("token", "--user", "zoe", "--org", "acme")

    assert (said.code, said.out, said.err) == (1, "", "Keycloak: the realm has no user zoe\n")


async def test_an_interrupt_ends_it_and_another_run_goes_on(empty: Shop) -> None:
    process = await empty.commands.start("apply")
    assert process.stdout is not None
    for _ in range(20):
        await process.stdout.readline()
    interrupted = await empty.commands.interrupt(process)
    again = await empty.commands.run("apply")
    after = await empty.commands.run("plan")

    assert interrupted.code == 1
    assert interrupted.out.endswith("run it again to go on\n")
    assert (again.code, after.code) == (0, 0)


async def test_a_kill_leaves_nothing_that_another_run_does_not_mend(empty: Shop) -> None:
    process = await empty.commands.start("apply")
    assert process.stdout is not None
    for _ in range(100):
        await process.stdout.readline()
    process.kill()
    await process.communicate()

    again = await empty.commands.run("apply")
    after = await empty.commands.run("plan")

    assert (again.code, after.code) == (0, 0)
