"""The realms of the tests about organizations, and settings that fit them.

alice is in acme and beta, bob in acme only; carol is a member and has no role there; dora is no
member of any and has roles of both.
"""

from typing import Any

from admin import Admin
from asking import ask, denied, settings_for
from login import Client, Tokens
from organizations import SCOPE, Organizations
from realm import Realm

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.wiring import Service

# Client roles, in clients named like the orgs: the tokens of all orgs hold all of them.
USERS: dict[str, dict[str, list[str]]] = {
    "alice": {"acme": ["editor"], "beta": ["viewer"]},
    "bob": {"acme": ["viewer"]},
    "carol": {},
    "dora": {"acme": ["editor"], "beta": ["editor"]},
}
MEMBERS = {"acme": ("alice", "bob", "carol"), "beta": ("alice",), "gamma": ()}
ATTRIBUTES = {
    "acme": {"tenant": ["t-1"], "plan": ["gold", "old"], "resource_access": ["hasura"]},
    "beta": {"tenant": ["t-2"], "plan": ["free"]},
    "gamma": {},
}


async def make_native(admin: Admin, **mapper: str) -> Organizations:
    """Make a realm with a client per org, whose roles are all in the frontend's own mapping."""
    realm = await Organizations.create(admin)
    await realm.add_frontend()
    await realm.assign("frontend", SCOPE)
    await realm.add_audience("hasura")
    for org in MEMBERS:
        await realm.add_client(org)
        for role in ("editor", "viewer"):
            await realm.add_role(org, role)
        await realm.map_own_roles("frontend", org)
    for user, roles in USERS.items():
        await realm.add_user(user, roles)
    for org, members in MEMBERS.items():
        await realm.add_organization(org, *members, **ATTRIBUTES[org])
    if mapper:
        await realm.map_membership(**mapper)
    return realm


async def make_grouped(admin: Admin, **mapper: str) -> Organizations:
    """Make the same realm with roles of the client `hasura` in groups of the orgs."""
    realm = await make_native(admin, **mapper)
    for role in ("admin", "editor", "viewer"):
        await realm.add_role("hasura", role)
    await realm.add_group("acme", "editors", "alice", roles={"hasura": ["editor"]})
    await realm.add_group(
        "acme", "editors/leads", "bob", roles={"hasura": ["viewer"]}, parent="editors"
    )
    await realm.add_group(
        "beta", "viewers", "alice", roles={"hasura": ["viewer"]}, realm_roles=["owner"]
    )
    # At the top level, and of no org: carol's only role.
    await realm.grant("carol", "hasura", "editor")
    await realm.map_own_roles("frontend", "hasura")
    await realm.map_groups(addGroupRoleMappings="true")
    return realm


def native_settings(
    realm: Realm, /, *, issuer: dict[str, Any] | None = None, **org: Any
) -> Settings:
    """Return settings for roles in groups of the org, unless `org` says something else."""
    if "roles" not in org:
        org = {"client": "hasura", **org}
    return settings_for(realm, issuer={"org": {"from": "organization", **org}, **(issuer or {})})


async def login_to(realm: Realm, user: str, *orgs: str, client_id: str = "frontend") -> Tokens:
    """Log in by password with the scopes of these orgs; "" is the bare scope."""
    scopes = (f"{SCOPE}:{org}" if org else SCOPE for org in orgs)
    client = Client(realm.admin.http, realm.issuer, client_id)
    return await client.password(user, " ".join(("openid", *scopes)))


async def refuses(service: Service, tokens: Tokens, code: str) -> None:
    """Whatever the request wishes for."""
    for wishes in (
        {},
        {"org_id": "acme"},
        {"org_id": "beta"},
        {"org_id": "beta", "role": "viewer"},
    ):
        assert await ask(service, tokens.access, **wishes) == denied(code)
