"""Takes the pictures of docs/keycloak.md: of the admin console of a real Keycloak set up for them.

Needs what the tests on a real Keycloak need, and Chromium with its driver (chromium-driver).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from admin import Admin
from console import Console, Picture, field, named, row
from example_realms import OPERATOR, make_organizations, make_recipe
from keycloak_dist import find_tools
from keycloak_server import KeycloakServer
from organizations import SCOPE, Organizations
from realm import Realm

VERSION = "26.7.3"
ROLES_TABLE = "//table[.//td[contains(., 'editor')]]"


def recipe_pictures(realm: Realm) -> list[Picture]:
    frontend, acme = (f"clients/{realm.clients[it]}" for it in ("frontend", "acme"))
    audience, scope = (f"client-scopes/{realm.scopes[it]}" for it in ("hasura-audience", "acme"))
    alice = f"users/{realm.users['alice']}"
    custom = field("config.included🍺custom🍺audience")
    to_access = field("includeInAccessToken.label")
    in_scope = field("attributes.include🍺in🍺token🍺scope")
    full = field("fullScopeAllowed")
    return [
        Picture("full-scope-off", f"{frontend}/clientScopes/dedicated/scope", (full,)),
        Picture("audience", f"{audience}/mappers", (custom, to_access), named("a", "hasura")),
        Picture("org-roles", f"{acme}/roles", (ROLES_TABLE,)),
        Picture("org-scope", f"{scope}/settings", (field("kc-type"), in_scope)),
        Picture("org-scope-roles", f"{scope}/scope", (ROLES_TABLE,)),
        Picture("org-optional", f"{frontend}/clientScopes/setup", (row("acme"),)),
        Picture("user-roles", f"{alice}/role-mapping", (row("globex"), row("acme"))),
    ]


def organization_pictures(realm: Organizations) -> list[Picture]:
    mappers = f"client-scopes/{realm.scopes[SCOPE]}/mappers"
    groups = f"organizations/{realm.orgs['acme']}/groups"
    editors = f"{groups}/{realm.groups['acme', 'editors']}"
    with_roles = field("addGroupRoleMappings.label")
    tab = named("button", "Role mapping")
    return [
        Picture("organizations-on", "realm-settings/general", (field("organizationsEnabled"),)),
        Picture("organization-mapper", mappers, (with_roles,), named("a", "groups")),
        Picture("organization-group", editors, (tab, row("editor")), tab),
    ]


async def main(folder: Path) -> None:
    environment = dict(os.environ)  # noqa: TID251 - handed on to Keycloak
    tools = find_tools(environment)
    if isinstance(tools, str):
        sys.exit(tools)
    with TemporaryDirectory() as scratch:
        home = Path(scratch)
        server = await asyncio.to_thread(KeycloakServer.install, VERSION, tools, home, environment)
        try:
            await server.start()
            await _take_all(server, folder)
        finally:
            await server.stop()


async def _take_all(server: KeycloakServer, folder: Path) -> None:
    password = secrets.token_urlsafe(16)
    bootstrap = server.bootstrap
    async with Admin(server.url, bootstrap.username, bootstrap.password) as admin:
        recipe = await make_recipe(admin, password)
        native = await make_organizations(admin, password)
    pictures = {
        recipe.name: recipe_pictures(recipe),
        native.name: organization_pictures(native),
    }
    await asyncio.to_thread(_write, server.url, password, pictures, folder)


def _write(url: str, password: str, pictures: dict[str, list[Picture]], folder: Path) -> None:
    with Console(url) as console:
        for realm, wanted in pictures.items():
            console.log_in(realm, OPERATOR, password)
            for picture in wanted:
                file = folder / f"keycloak-{picture.name}.png"
                file.write_bytes(console.take(realm, picture))
                print(f"{file}: {file.stat().st_size // 1000} kB")


if __name__ == "__main__":
    (_, target) = sys.argv
    asyncio.run(main(Path(target)))
