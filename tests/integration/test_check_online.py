"""`check --online` on real realms: none of the good ones has a fault, and each fault is named."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from admin import Admin
from conftest import make_realm
from keycloak_server import KeycloakServer
from realm import LIGHTWEIGHT, SIGNED_BY, Realm
from test_explain import command, variables

ACCOUNT = "checker"
RIGHTS = ("view-clients", "query-clients")
ORGANIZATION = {
    "ORG__FROM": "organization",
    "ORG__CLIENT": "hasura",
    "ROLES__MAP": "{}",
}
CLAIM = {"ORG__FROM": "claim", "ORG__CLAIM": "org"}
BY_CLIENTS = {"ORG__FROM": "organization", "ORG__ROLES": "client"}
GROUPS = "oidc-organization-group-membership-mapper"

Found = tuple[int, list[str]]
Check = Callable[..., Awaitable[Found]]


async def add_account(realm: Realm, *rights: str, full_scope: bool = True) -> str:
    """Add the service account and return its secret; its roles must be in its token, too."""
    [management] = await realm.admin.get(f"{realm.path}/clients", clientId="realm-management")
    realm.clients["realm-management"] = management["id"]
    # Without names the harness would grant all that there are.
    granted = {"realm-management": rights} if rights else {}
    secret = await realm.add_service_account(ACCOUNT, granted)
    await realm.configure_client(ACCOUNT, fullScopeAllowed=full_scope)
    return secret


async def fixed_name(realm: Realm) -> None:
    """Give the realm a hostname of its own, as KC_HOSTNAME gives one to all."""
    await realm.configure(attributes={"frontendUrl": realm.admin.url})


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Give what runs the command with the account: the exit code and the faults it named."""

    async def run(realm: Realm, secret: str, **settings: str) -> Found:
        file = tmp_path / "secret"
        file.write_text(f"{secret}\n", "utf-8")
        options = ("--client-id", ACCOUNT, "--client-secret-file", str(file))
        code, answer = await command(variables(realm, **settings), "check", "--online", *options)
        report = answer["issuers"][realm.issuer]
        assert secret not in str(answer)
        assert report["result"] == "ok"
        return code, report["faults"]

    return run


async def good_realm(admin: Admin) -> tuple[Realm, str]:
    realm = await make_realm(admin)
    await fixed_name(realm)
    return realm, await add_account(realm, *RIGHTS)


async def test_a_good_realm_has_no_fault(admin: Admin, check: Check) -> None:
    realm, secret = await good_realm(admin)

    assert await check(realm, secret) == (0, [])


async def test_a_server_without_a_hostname_is_told(admin: Admin, check: Check) -> None:
    realm = await make_realm(admin)
    secret = await add_account(realm, *RIGHTS)

    code, [fault] = await check(realm, secret)

    assert code == 1
    assert fault.startswith("the issuer's name follows the Host header of whoever asks")


async def test_each_fault_of_a_client_is_named(admin: Admin, check: Check) -> None:
    realm, secret = await good_realm(admin)
    faulty: dict[str, tuple[dict[str, Any], str]] = {
        "full": ({"fullScopeAllowed": True}, "Full scope allowed is on"),
        "hs": ({"attributes": {SIGNED_BY: "HS256"}}, "signed HS256, unsupported_algorithm: change"),
        "es": ({"attributes": {SIGNED_BY: "ES256"}}, "signed ES256, unsupported_algorithm: add"),
        "light": ({"attributes": {LIGHTWEIGHT: "true"}}, "lightweight access tokens are on"),
        "default": ({}, "scope org1 is assigned as default"),
        "optional": ({}, "lacks the scope org2: asking for it is invalid_scope"),
        "roles": ({}, "lacks the default scope `roles`"),
        "basic": ({}, "lacks the default scope `basic`"),
        "aud": ({}, "no default scope adds one of `audiences` to aud"),
    }
    for name, (settings, _) in faulty.items():
        await realm.add_frontend(name, **settings)
        for scope in ("org1", "org2", "org3"):
            await realm.assign(name, scope)
        await realm.assign(name, "hasura-audience", "default")
    await realm.assign("default", "org1", "default")
    await realm.unassign("optional", "org2")
    await realm.unassign("roles", "roles")
    await realm.unassign("basic", "basic")
    await realm.unassign("aud", "hasura-audience")

    clients = ",".join(["frontend", "gone", *faulty])
    code, faults = await check(realm, secret, CLIENTS=clients)

    assert code == 1
    assert len(faults) == len(faulty) + 1
    assert "client gone: is in `clients`, and not in the realm" in faults
    for name, (_, words) in faulty.items():
        [fault] = [it for it in faults if it.startswith(f"client {name}: ")]
        assert words in fault


async def test_each_fault_of_an_org_is_named(admin: Admin, check: Check) -> None:
    realm, secret = await good_realm(admin)
    await realm.add_role("org1", "auditor")
    await realm.add_role("org2", "bridge")
    await realm.map_roles("org2", "org2", "bridge")
    await realm.add_composite(("org2", "bridge"), ("org1", "admin"))
    await realm.add_org("hidden", in_token=False)
    # What Keycloak lets through by a composite that is mapped is not missing.
    await realm.add_org("lean", mapped=False)
    await realm.map_roles("lean", "lean", "owner", "viewer")

    code, faults = await check(realm, secret)

    assert code == 1
    assert len(faults) == 3
    assert faults[0] == "org org2: a composite role of it leads to roles of org1"
    assert faults[1].startswith("org hidden: its scope has `Include in token scope` off")
    assert faults[2].startswith("org org1: its scope does not map auditor: ")


@pytest.mark.parametrize(
    ("rights", "full_scope"),
    [
        pytest.param((), True, id="no rights"),
        pytest.param(("query-clients",), True, id="query only"),
        pytest.param(RIGHTS, False, id="rights that are not in its token"),
    ],
)
async def test_an_account_with_fewer_rights_is_told_which_it_needs(
    admin: Admin, check: Check, rights: tuple[str, ...], *, full_scope: bool
) -> None:
    realm = await Realm.create(admin)
    await fixed_name(realm)
    secret = await add_account(realm, *rights, full_scope=full_scope)

    code, [fault] = await check(realm, secret)

    assert code == 3
    assert fault.startswith("the realm's set-up could not be read: ")
    assert "view-clients and query-clients of realm-management" in fault


async def test_a_wrong_secret_is_told(admin: Admin, check: Check) -> None:
    realm = await Realm.create(admin)
    await fixed_name(realm)
    await add_account(realm)

    code, [fault] = await check(realm, "no-secret-of-anybody")

    assert code == 3
    assert "the login was refused (401)" in fault


@pytest.mark.parametrize("default", ["ES256", "HS256", "RS256"])
async def test_the_realms_default_algorithm_is_told_to_who_may_view_the_realm(
    admin: Admin, check: Check, default: str
) -> None:
    realm = await make_realm(admin)
    await fixed_name(realm)
    await realm.configure(defaultSignatureAlgorithm=default)
    secret = await add_account(realm, *RIGHTS, "view-realm")

    code, faults = await check(realm, secret)

    told = f"the realm's default signature algorithm is {default} "
    assert (code, len(faults)) == ((0, 0) if default == "RS256" else (1, 1))
    assert all(fault.startswith(told) for fault in faults)


async def test_to_others_the_default_algorithm_is_not_told(admin: Admin, check: Check) -> None:
    realm, secret = await good_realm(admin)
    await realm.configure(defaultSignatureAlgorithm="ES256")

    assert await check(realm, secret) == (0, [])


async def test_a_claim_needs_no_client_scopes(admin: Admin, check: Check) -> None:
    realm, secret = await good_realm(admin)
    await realm.unassign("frontend", "org1")

    assert await check(realm, secret, **CLAIM) == (0, [])


@pytest.mark.parametrize("carrier", ["claim", "organization"])
async def test_full_scope_and_composites_are_told_of_other_carriers_too(
    admin: Admin, check: Check, carrier: str
) -> None:
    realm, secret = await good_realm(admin)
    await realm.configure(organizationsEnabled=True)
    await realm.configure_client("frontend", fullScopeAllowed=True)
    await realm.add_role("org2", "bridge")
    await realm.add_composite(("org2", "bridge"), ("org1", "admin"))

    code, faults = await check(realm, secret, **(CLAIM if carrier == "claim" else BY_CLIENTS))

    assert (code, len(faults)) == (1, 2)
    assert faults[0].startswith("client frontend: Full scope allowed is on, ")
    words = "client org2: a composite role of it leads to roles of org1: who holds it "
    assert faults[1].startswith(words)


# --- introspection


def asking(secret: str, client_id: str = "asks") -> dict[str, str]:
    return {"INTROSPECTION__CLIENT_ID": client_id, "INTROSPECTION__CLIENT_SECRET": secret}


async def test_the_login_of_who_introspects_is_tried(admin: Admin, check: Check) -> None:
    realm, secret = await good_realm(admin)
    for client_id in ("asks", "public"):
        await realm.add_audience(client_id)
    await realm.configure_client("asks", secret="s3cret:of+asks")
    await realm.configure_client("public", publicClient=True)

    assert await check(realm, secret, **asking("s3cret:of+asks")) == (0, [])
    for client_id, wrong in (("asks", "no-secret"), ("nobody", "x"), ("public", "x")):
        code, faults = await check(realm, secret, **asking(wrong, client_id))
        assert code == 1
        assert faults[0].startswith(
            f"introspection.client_id, client_secret: Keycloak refuses the login of {client_id}, "
        )
        assert len(faults) == (2 if client_id == "nobody" else 1)  # it is in no aud, either
    await realm.configure_client("asks", enabled=False)
    code, [fault] = await check(realm, secret, **asking("s3cret:of+asks"))
    assert (code, "refuses the login of asks" in fault) == (1, True)


async def test_who_introspects_and_is_in_no_aud_is_told(admin: Admin, check: Check) -> None:
    realm, secret = await good_realm(admin)
    asks = await realm.add_service_account("asks", {})

    code, [fault] = await check(realm, secret, **asking(asks))

    assert code == 1
    assert "from 26.6 on Keycloak answers it `active: false`" in fault


# --- organizations


async def organizations(admin: Admin, **settings: Any) -> tuple[Realm, str]:
    """Return a realm set up as organizations need it but for the group mapper, and the secret."""
    realm = await Realm.create(admin, **settings)
    await fixed_name(realm)
    await realm.add_frontend()
    await realm.add_audience("hasura")
    return realm, await add_account(realm, *RIGHTS)


async def test_organizations_that_are_off_are_told(
    admin: Admin, check: Check, keycloak: KeycloakServer
) -> None:
    if keycloak.release < (26, 7):
        pytest.skip(f"Keycloak {keycloak.version}: does not tell an account with these rights")
    realm, secret = await organizations(admin)
    off = "the realm has Organizations off (Realm settings, General): no_org"
    assert await check(realm, secret, **BY_CLIENTS) == (1, [off])
    await realm.configure(organizationsEnabled=True)
    assert await check(realm, secret, **BY_CLIENTS) == (0, [])


async def test_each_fault_of_the_organization_scope_is_named(admin: Admin, check: Check) -> None:
    realm, secret = await organizations(admin, organizationsEnabled=True)
    for name in ("default", "without"):
        await realm.add_frontend(name, fullScopeAllowed=True)
        await realm.assign(name, "hasura-audience", "default")
    await realm.assign("default", "organization", "default")
    await realm.unassign("without", "organization")
    await realm.unassign("without", "hasura-audience")

    code, faults = await check(
        realm, secret, **ORGANIZATION, CLIENTS="frontend,default,without", ORG__ID="id"
    )

    assert code == 1
    assert [it.partition(", ")[0].partition(": who")[0].partition(" for")[0] for it in faults] == [
        "client without: no default scope adds one of `audiences` to aud: wrong_audience",
        "client default: scope organization is assigned as default",
        "client without: lacks the optional scope organization: no_org",
        "scope organization: `org.id` is id",
        "scope organization: lacks the mapper Organization Group Membership",
    ]


@pytest.mark.usefixtures("has_groups")
async def test_nested_roles_need_the_mapper_of_groups(admin: Admin, check: Check) -> None:
    realm, secret = await organizations(admin, organizationsEnabled=True)
    await realm.add_scope_mapper("organization", "groups", GROUPS, access__token__claim="true")

    code, [fault] = await check(realm, secret, **ORGANIZATION)
    by_groups = {"ORG__FROM": "organization", "ORG__ROLES": "groups"}
    groups = await check(realm, secret, **by_groups)
    path = f"{realm.path}/client-scopes/{realm.scopes['organization']}/protocol-mappers/models"
    [mapper] = [it for it in await realm.admin.get(path) if it["protocolMapper"] == GROUPS]
    config = {**mapper["config"], "addGroupRoleMappings": "true"}
    await realm.admin.put(f"{path}/{mapper['id']}", {**mapper, "config": config})

    assert code == 1
    assert fault.startswith("scope organization: its group mapper has addGroupRoleMappings off")
    assert groups == (0, [])
    assert await check(realm, secret, **ORGANIZATION) == (0, [])
