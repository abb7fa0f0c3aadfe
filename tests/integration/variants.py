"""A realm where each client, org and user is set up in another odd way, side by side.

What is odd is in the name, so that one realm serves all tests that look and change nothing.
"""

from typing import Any

from login import Client, Tokens
from realm import AT_JWT, LIGHTWEIGHT, SIGNED_BY, Realm

# Seconds that a token of the client `brief` lives.
BRIEF = 3

# Each with a role that somebody may hold; Keycloak lets nobody add one to realm-management.
KEYCLOAK_CLIENTS = {
    "account": "viewer",
    "account-console": "viewer",
    "admin-cli": "viewer",
    "broker": "viewer",
    "realm-management": "query-groups",
    "security-admin-console": "viewer",
}

FRONTENDS: dict[str, dict[str, Any]] = {
    "full-scope": {"fullScopeAllowed": True},
    "no-roles-scope": {},
    "no-basic-scope": {},
    "no-audience": {},
    "no-audience-resolve": {},
    "org1-by-default": {},
    "own-mapping": {},
    "pairwise": {},
    "id-token-with-roles": {},
    "an-org-itself": {},
    "stranger": {},
    "lightweight": {"attributes": {LIGHTWEIGHT: "true"}},
    "at-jwt": {"attributes": {AT_JWT: "true"}},
    "brief": {"attributes": {"access.token.lifespan": str(BRIEF)}},
    **{
        f"signs-{it}": {"attributes": {SIGNED_BY: it}}
        for it in ("HS256", "ES256", "PS256", "EdDSA")
    },
}
ALLOWED_CLIENTS = ["frontend", "machine", *(name for name in FRONTENDS if name != "stranger")]

ODD_ORGS = ("acme.io", "eu:acme", "org/1")
# Client ids that Keycloak takes, and the scopes that carry their roles: no scope may be called so.
UNSELECTABLE = {"org1 org2": "pair", "Org-Ü": "Org-U"}
ODD_ROLES = ("a,b", "Org Admin", "Ünï", "x-hasura-role", "admin", "viewer")

ZOE = {
    "org2": ["bridge", "viewer"],
    "phone": ["viewer"],
    "an-org-itself": ["viewer"],
    **{name: ["viewer"] for name in ("hidden", "shop", "closed", *UNSELECTABLE)},
    **{name: ["viewer"] for name in ODD_ORGS},
    **{name: [role] for name, role in KEYCLOAK_CLIENTS.items()},
}


async def login(realm: Realm, user: str, scope: str, client_id: str = "frontend") -> Tokens:
    return await Client(realm.admin.http, realm.issuer, client_id).password(user, scope)


async def add_variants(realm: Realm) -> None:
    """Turn a realm as all tests know it into the odd one."""
    await _add_frontends(realm)
    await _add_orgs(realm)
    await _add_what_is_no_org(realm)
    await realm.add_user("zoe", ZOE)
    await realm.add_user("only-odd-roles", {"odd": ODD_ROLES[:4]})
    await realm.add_user("all-odd-roles", {"odd": ODD_ROLES})


async def _add_frontends(realm: Realm) -> None:
    for name, settings in FRONTENDS.items():
        await realm.add_frontend(name, **settings)
        await realm.assign(name, "org1", "default" if name == "org1-by-default" else "optional")
        await realm.assign(name, "org2")
        if name != "no-audience":
            await realm.assign(name, "hasura-audience", "default")
    await realm.unassign("no-roles-scope", "roles")
    await realm.unassign("no-basic-scope", "basic")
    await realm.map_own_roles("own-mapping", "org1")
    await realm.add_mapper(
        "pairwise", "pairwise", "oidc-sha256-pairwise-sub-mapper", pairwiseSubAlgorithmSalt="salt"
    )
    # The roles as the scope `roles` has them, but without its mapper Audience Resolve.
    await realm.unassign("no-audience-resolve", "roles")
    await _add_role_mapper(realm, "no-audience-resolve", "access__token__claim")
    await _add_role_mapper(realm, "id-token-with-roles", "id__token__claim")


async def _add_role_mapper(realm: Realm, client_id: str, token: str) -> None:
    await realm.add_mapper(
        client_id,
        "roles",
        "oidc-usermodel-client-role-mapper",
        claim__name="resource_access.${client_id}.roles",
        jsonType__label="String",
        multivalued="true",
        **{token: "true"},
    )


async def _add_orgs(realm: Realm) -> None:
    await realm.add_org("hidden", in_token=False)
    await realm.add_org("bare", mapped=False)
    await realm.add_org("shop", scope="org:shop")
    for org, scope in UNSELECTABLE.items():
        await realm.add_org(org, scope=scope)
    await realm.add_org("odd", roles=ODD_ROLES, composites={})
    for org in ODD_ORGS:
        await realm.add_org(org, roles=("viewer",), composites={})
    await realm.add_org("closed", roles=("viewer",), composites={})
    await realm.configure_client("closed", enabled=False)
    await realm.add_role("org2", "bridge")
    await realm.map_roles("org2", "org2", "bridge")
    await realm.add_composite(("org2", "bridge"), ("org1", "admin"))


async def _add_what_is_no_org(realm: Realm) -> None:
    """Give Keycloak's own clients, a standard scope and a frontend all that makes an org."""
    for found in await realm.admin.get(f"{realm.path}/clients"):
        realm.clients[found["clientId"]] = found["id"]
    for name, role in KEYCLOAK_CLIENTS.items():
        await _disguise(realm, name, role, "frontend")
    await realm.add_client("phone")
    await realm.add_role("phone", "viewer")
    await realm.map_roles("phone", "phone")
    await _disguise(realm, "an-org-itself", "viewer", "an-org-itself")
    # Keycloak leaves a client out of the `aud` of its own tokens, so it needs help.
    await realm.add_mapper(
        "an-org-itself",
        "audience",
        "oidc-audience-mapper",
        included__client__audience="an-org-itself",
        access__token__claim="true",
    )


async def _disguise(realm: Realm, client_id: str, role: str, frontend: str) -> None:
    if role == "viewer":
        await realm.add_role(client_id, role)
    await realm.add_scope(client_id)
    await realm.map_roles(client_id, client_id, role)
    await realm.assign(frontend, client_id)
