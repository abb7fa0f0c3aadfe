"""The example of deploy/compose on a real Keycloak: its realm file, its settings, its script.

Keycloak is started with the example's own variables and imports the example's own file.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from admin import Admin
from asking import Answer, ask, denied, running
from conftest import DEFAULT_VERSION, ENVIRONMENT, VERSION, _tools
from hasura_stand_in import REFUSED, hasura_of
from keycloak_dist import Tools
from keycloak_server import KeycloakServer
from login import Client
from test_check_online import ACCOUNT, RIGHTS
from test_explain import command

from hasura_kc_auth.wiring import Service
from tests.compose import example
from tests.compose.bool_exp import Hasura
from tests.compose.conftest import filled_postgres
from tests.compose.test_permissions import SEEN, Seen
from tests.core.postgres_arrays import read_array

KEYCLOAK = example.compose()["services"]["keycloak"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KeycloakServer]:
    tools = _tools()
    assert isinstance(tools, Tools)
    version = ENVIRONMENT.get(VERSION) or DEFAULT_VERSION
    folder = tmp_path_factory.mktemp("example")
    server = await asyncio.to_thread(KeycloakServer.install, version, tools, folder, ENVIRONMENT)
    server.import_realm(example.EXAMPLE / "keycloak" / "demo-realm.json")
    named = {k: it for k, it in KEYCLOAK["environment"].items() if k.startswith("KC_HOSTNAME")}
    server.configure(
        *KEYCLOAK["command"][1:],
        **named | {"KC_HOSTNAME": named["KC_HOSTNAME"].replace(":8080", f":{server.port}")},
    )
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
        server.remove()


@pytest.fixture(scope="module")
def issuer(server: KeycloakServer) -> str:
    """Give the name that tokens carry. Nobody here asks Keycloak under it."""
    return f"http://localhost:{server.port}/realms/demo"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin_of_all(server: KeycloakServer) -> AsyncIterator[Admin]:
    who = server.bootstrap
    async with Admin(server.url, who.username, who.password) as admin:
        yield admin


@pytest.fixture(scope="module")
def login(admin_of_all: Admin, server: KeycloakServer) -> Client:
    """Give the frontend, which reaches Keycloak by another host than the issuer's."""
    return Client(admin_of_all.http, f"{server.url}/realms/demo")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def example_service(server: KeycloakServer, issuer: str) -> AsyncIterator[Service]:
    jwks_uri = f"{server.url}/realms/demo/protocol/openid-connect/certs"
    async with running(example.settings(issuer, jwks_uri)) as service:
        yield service


@pytest.fixture(scope="module")
def database() -> Iterator[Hasura]:
    folder = Path(tempfile.mkdtemp(prefix="hkca-"))
    server = filled_postgres(folder)
    yield Hasura(server)
    server.stop()
    shutil.rmtree(folder)


async def access(login: Client, user: str, scope: str) -> str:
    tokens = await login.password(user, f"openid {scope}", example.users()[user].password)
    return tokens.access


@pytest.mark.parametrize("it", [pytest.param(it, id=f"{it.user} in {it.org}") for it in SEEN])
async def test_everybody_gets_in_as_the_example_says(
    example_service: Service, login: Client, it: Seen
) -> None:
    answer = await ask(example_service, await access(login, it.user, it.org))

    user = example.users()[it.user]
    held = ["org_admin" if role == "admin" else role for role in user.roles[it.org]]
    regions = read_array(answer.body.pop("X-Hasura-Regions"))  # type: ignore[attr-defined]
    assert sorted(map(str, regions)) == sorted(example.regions(it.user))
    assert answer == Answer(
        200,
        {
            "X-Hasura-Org-Id": it.org,
            "X-Hasura-Role": it.role,
            "X-Hasura-Allowed-Roles": f"{{{','.join(held)}}}",
            "X-Hasura-User-Id": user.subject,
        },
    )


async def test_who_may_not_is_refused(example_service: Service, login: Client) -> None:
    both = await access(login, "alice", "acme globex")
    acme = await access(login, "alice", "acme")

    assert await ask(example_service, both) == denied("ambiguous_org")
    assert await ask(example_service, acme, org_id="globex") == denied("org_not_granted")
    assert await ask(example_service, acme, role="org_admin") == denied("role_not_granted")
    assert await ask(example_service, await access(login, "carol", "acme")) == denied("no_org")
    assert await ask(example_service, None) == denied("no_credentials")


async def test_the_issuer_is_one_by_whatever_name_keycloak_is_asked(
    login: Client, issuer: str
) -> None:
    tokens = await login.password("alice", "openid acme", "demo")

    assert not login.token_url.startswith(issuer)
    assert tokens.claims["iss"] == issuer


async def test_check_finds_no_fault_in_the_realm(
    admin_of_all: Admin, server: KeycloakServer, issuer: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of-the-checker", "utf-8")
    await add_checker(admin_of_all, "of-the-checker")
    variables = {
        "HASURA_KC_AUTH__CONFIG": str(example.EXAMPLE / "hasura-kc-auth.yaml"),
        "HASURA_KC_AUTH__ISSUERS": json.dumps(
            [
                {
                    "issuer": issuer,
                    "jwks_uri": f"{server.url}/realms/demo/protocol/openid-connect/certs",
                    "clients": ["frontend"],
                    "audiences": ["hasura"],
                }
            ]
        ),
    }
    options = ("--client-id", ACCOUNT, "--client-secret-file", str(secret))

    code, answer = await command(variables, "check", "--online", *options)

    assert answer["issuers"][issuer]["faults"] == []
    assert code == 0


async def add_checker(admin: Admin, secret: str) -> None:
    client = {"clientId": ACCOUNT, "secret": secret, "serviceAccountsEnabled": True}
    made = await admin.post("/demo/clients", {**client, "fullScopeAllowed": True})
    [management] = await admin.get("/demo/clients", clientId="realm-management")
    roles = await admin.get(f"/demo/clients/{management['id']}/roles")
    user = await admin.get(f"/demo/clients/{made}/service-account-user")
    held = f"/demo/users/{user['id']}/role-mappings/clients/{management['id']}"
    await admin.post(held, [role for role in roles if role["name"] in RIGHTS])


async def test_the_script_shows_what_the_example_says(
    example_service: Service, database: Hasura, server: KeycloakServer
) -> None:
    async with hasura_of(example_service, database) as hasura:
        out = await script(KEYCLOAK=server.url, HASURA=hasura)

    seen = {(it.user, it.org): shown(it) for it in SEEN}
    assert [json.loads(line) for line in out.splitlines() if line.startswith("{")] == [
        seen["alice", "acme"],
        seen["alice", "globex"],
        seen["bob", "acme"],
        seen["dave", "globex"],
        REFUSED,
        seen["alice", "globex"],
        REFUSED,
        REFUSED,
        REFUSED,
        REFUSED,
    ]


def shown(it: Seen) -> dict[str, Any]:
    invoices = [{"region": region, "amount": amount} for region, amount in it.invoices]
    return {"data": {"project": [{"name": name} for name in it.projects], "invoice": invoices}}


async def script(**variables: str) -> str:
    kept = {name: ENVIRONMENT[name] for name in ("PATH",)}
    process = await asyncio.create_subprocess_exec(
        str(example.EXAMPLE / "try.sh"),
        env={**kept, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    return out.decode()
