"""The two realms that the manual's pictures show: its recipe, and Keycloak's organizations."""

from __future__ import annotations

from admin import Admin
from organizations import SCOPE, Organizations
from realm import Realm

OPERATOR = "operator"
ROLES = ("admin", "editor", "viewer")
_FRONTEND = {
    "directAccessGrantsEnabled": False,
    "redirectUris": ["https://app.example.com/*"],
    "webOrigins": ["https://app.example.com"],
}


async def make_recipe(admin: Admin, password: str) -> Realm:
    """Make a realm by the recipe of docs/keycloak.md."""
    realm = await Realm.create(admin, "example")
    await realm.add_frontend(**_FRONTEND)
    await _add_audience(realm)
    for org in ("acme", "globex"):
        await realm.add_org(org, roles=ROLES, composites={})
    await realm.add_user("alice", {"acme": ["editor"], "globex": ["viewer"]})
    await _add_operator(realm, password)
    return realm


async def make_organizations(admin: Admin, password: str) -> Organizations:
    """Make a realm whose orgs are organizations, with roles by their groups."""
    realm = await Organizations.create(admin, "example-orgs")
    await realm.add_frontend(**_FRONTEND)
    await realm.assign("frontend", SCOPE)
    await _add_audience(realm)
    await realm.add_client("hasura", standardFlowEnabled=False)
    for role in ROLES:
        await realm.add_role("hasura", role)
    for user in ("alice", "bob"):
        await realm.add_user(user)
    await realm.add_organization("acme", "alice", "bob")
    await realm.add_organization("globex", "alice")
    await realm.add_group("acme", "editors", "alice", roles={"hasura": ["editor"]})
    await realm.add_group("acme", "viewers", "bob", roles={"hasura": ["viewer"]})
    await realm.map_groups(addGroupRoleMappings="true")
    await _add_operator(realm, password)
    return realm


async def _add_audience(realm: Realm) -> None:
    await realm.add_scope("hasura-audience", in_token=False)
    await realm.add_scope_mapper(
        "hasura-audience",
        "hasura",
        "oidc-audience-mapper",
        included__custom__audience="hasura",
        access__token__claim="true",
    )
    await realm.assign("frontend", "hasura-audience", "default")


async def _add_operator(realm: Realm, password: str) -> None:
    """Add an admin of this realm alone: the console then shows no other, and warns of nothing."""
    (management,) = await realm.admin.get(f"{realm.path}/clients", clientId="realm-management")
    realm.clients["realm-management"] = management["id"]
    await realm.add_user(OPERATOR, {"realm-management": ["realm-admin"]}, password)
