"""A realm for Hasura's own JWT mode: each way to carry an org that needs no script, side by side.

All write the same two claims, `hasura.org` and `hasura.roles`; who writes them is the difference.
"""

from typing import Any

from admin import Admin
from login import Client, Tokens
from realm import Realm

# Each role contains the weaker ones, so that everybody with any role holds "viewer" as well.
ROLES = ("viewer",)
COMPOSITES = {"editor": ("viewer",), "org_admin": ("editor", "viewer")}

ORGS = ("org1", "org2")
USERS = {
    "alice": {"org1": ["org_admin"], "org2": ["viewer"]},
    "bob": {"org1": ["viewer"], "org2": ["org_admin"]},
    "carol": {},
    "erin": {"org1": ["admin"], "org2": ["viewer"]},
}

ACCESS = {"access__token__claim": "true", "id__token__claim": "false"}


async def login(
    realm: Realm, user: str, scope: str = "openid", client_id: str = "frontend"
) -> Tokens:
    return await Client(realm.admin.http, realm.issuer, client_id).password(user, scope)


async def make_plain_realm(admin: Admin) -> Realm:
    """Make the realm as this project wants it, without a word for Hasura in its tokens."""
    realm = await Realm.create(admin)
    await realm.add_frontend()
    await realm.add_audience("hasura")
    for org in ORGS:
        await realm.add_org(org, roles=ROLES, composites=COMPOSITES)
        # A role of its own that contains nothing and is contained in nothing.
        await realm.add_role(org, "admin")
        await realm.map_roles(org, org, "admin")
    for user, roles in USERS.items():
        await realm.add_user(user, roles)
    return realm


async def make_jwt_mode_realm(admin: Admin) -> Realm:
    """Make that realm with mappers in each org's scope, and all other ways at other clients."""
    realm = await make_plain_realm(admin)
    for org in ORGS:
        await add_mappers_to_scope(realm, org, org)
        await _add_named_roles(realm, org)
        await _add_scopes_per_role(realm, org)
        await _add_login_client(realm, org)
    return realm


def org_claim(org: str) -> dict[str, str]:
    """Return the options of a mapper that writes one org's name, whoever logs in."""
    return {
        "claim__name": "hasura.org",
        "claim__value": org,
        "jsonType__label": "String",
        **ACCESS,
    }


def roles_claim(client: str, name: str = "hasura.roles") -> dict[str, str]:
    """Return the options of a mapper that writes the roles held in one client, as a list."""
    return {
        "usermodel__clientRoleMapping__clientId": client,
        "claim__name": name,
        "jsonType__label": "String",
        "multivalued": "true",
        **ACCESS,
    }


async def add_mappers_to_scope(realm: Realm, scope: str, org: str) -> None:
    await realm.add_scope_mapper(scope, "org", "oidc-hardcoded-claim-mapper", **org_claim(org))
    roles = roles_claim(org)
    await realm.add_scope_mapper(scope, "roles", "oidc-usermodel-client-role-mapper", **roles)


async def add_mappers_to_client(realm: Realm, client_id: str, org: str, **token: str) -> None:
    mappers = {
        "org": ("oidc-hardcoded-claim-mapper", org_claim(org)),
        "roles": ("oidc-usermodel-client-role-mapper", roles_claim(org)),
    }
    for name, (provider, options) in mappers.items():
        await realm.add_mapper(client_id, name, provider, **{**options, **token})


async def _add_named_roles(realm: Realm, org: str) -> None:
    """Write the org into the name of each of its roles, into a claim of their own."""
    options = roles_claim(org, "hasura.named_roles")
    options["usermodel__clientRoleMapping__rolePrefix"] = f"{org}:"
    await realm.add_scope_mapper(org, "named", "oidc-usermodel-client-role-mapper", **options)


async def _add_scopes_per_role(realm: Realm, org: str) -> None:
    """Add a scope for each role: granted to its holders only, it writes org and role in one go."""
    for role in ("viewer", "admin", "org_admin"):
        scope = f"{org}:{role}"
        await realm.add_scope(scope)
        await realm.map_roles(scope, org, role)
        await realm.add_scope_mapper(
            scope,
            "grant",
            "oidc-hardcoded-claim-mapper",
            claim__name="hasura",
            claim__value=f'{{"org": "{org}", "roles": ["{role}"]}}',
            jsonType__label="JSON",
            **ACCESS,
        )
        await realm.assign("frontend", scope)


async def _add_login_client(realm: Realm, org: str) -> None:
    """Add a client to log in to this one org with."""
    client_id = f"app-{org}"
    await realm.add_frontend(client_id)
    await realm.assign(client_id, "hasura-audience", "default")
    await realm.map_own_roles(client_id, org)
    await add_mappers_to_client(realm, client_id, org)


async def add_frontend(realm: Realm, client_id: str, **settings: Any) -> None:
    """Add a client that may ask for the scopes of all orgs, as `frontend` does."""
    await realm.add_frontend(client_id, **settings)
    for org in ORGS:
        await realm.assign(client_id, org)
