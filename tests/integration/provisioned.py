"""Realms that are set up by a file of orgs, for either carrier, and the people in them."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from admin import Admin
from keycloak_server import KeycloakServer
from realm import REDIRECT, Realm

from hasura_kc_auth.keycloak.admin.api import Admin as AdminApi
from hasura_kc_auth.keycloak.admin.api import Login
from hasura_kc_auth.keycloak.realm.state import RealmState
from hasura_kc_auth.keycloak.realm.writer import Outcome, RealmWriter
from hasura_kc_auth.provisioning.items import Key
from hasura_kc_auth.provisioning.plan import Plan, plan
from hasura_kc_auth.provisioning.wanted import Carrier, Frontend, Org, Wanted

NONE = frozenset[str]()
ROLES = {"viewer": NONE, "editor": NONE, "owner": frozenset({"viewer", "editor"})}

# Who holds what; nobody else is anything.
MEMBERS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "acme": {
        "alice": frozenset({"editor"}),
        "bob": frozenset({"viewer"}),
        "dave": frozenset({"owner"}),
        "erin": frozenset({"editor"}),
    },
    "globex": {
        "alice": frozenset({"viewer"}),
        "erin": frozenset({"viewer", "editor"}),
        "gina": frozenset({"admin"}),
    },
}
USERS = ("alice", "bob", "carol", "dave", "erin", "gina")


def wanted_for(realm: Realm, carrier: Carrier) -> Wanted:
    """Return the file: globex has a role of its own, besides those of all."""
    orgs = {
        "acme": Org("acme", "Acme Inc.", ROLES, MEMBERS["acme"]),
        "globex": Org("globex", "Globex", {**ROLES, "admin": NONE}, MEMBERS["globex"]),
    }
    frontend = Frontend("frontend", frozenset({REDIRECT}), frozenset({"http://127.0.0.1"}))
    return Wanted(
        realm.name,
        carrier,
        "hasura",
        (frontend,),
        orgs,
        scope="org:{org}" if carrier == "client-scope" else "{org}",
        client="api" if carrier == "organization" else "",
    )


def issuer_for(wanted: Wanted) -> dict[str, Any]:
    """Return what the service's settings say about such a realm."""
    if wanted.carrier == "client-scope":
        return {"org": {"scope": wanted.scope}}
    return {"org": {"from": "organization", "client": wanted.client}}


@dataclass
class Provisioned:
    """A realm, the file it is brought to, and the account that does so."""

    realm: Realm
    wanted: Wanted
    login: Login

    @asynccontextmanager
    async def api(self) -> AsyncIterator[AdminApi]:
        async with AdminApi(self.realm.admin.url, self.realm.name, self.login) as api:
            yield api

    async def plan(self, *, prune: bool = False, adopt: bool = False) -> Plan:
        async with self.api() as api:
            found = await RealmState(api).read(self.wanted)
        return plan(self.wanted, found, prune=prune, adopt=adopt)

    async def apply(self, *, prune: bool = False, adopt: bool = False) -> Outcome:
        async with self.api() as api:
            state = RealmState(api)
            made = plan(self.wanted, await state.read(self.wanted), prune=prune, adopt=adopt)
            return await RealmWriter(api, state).apply(made.steps)

    def without(self, org: str, *, retired: bool = False) -> None:
        orgs = {name: it for name, it in self.wanted.orgs.items() if name != org}
        gone = self.wanted.retired | ({org} if retired else NONE)
        self.wanted = replace(self.wanted, orgs=orgs, retired=gone)

    def client(self, name: str) -> str:
        return f"{self.realm.path}/clients/{self.realm.clients[name]}"

    def scope(self, name: str) -> str:
        return f"{self.realm.path}/client-scopes/{self.realm.scopes[name]}"

    async def roles(self, client: str, names: Iterable[str]) -> list[Any]:
        found = await self.realm.admin.get(f"{self.client(client)}/roles")
        return [it for it in found if it["name"] in set(names)]

    async def learn_ids(self) -> None:
        """Let the realm's helpers know what was made."""
        for it in await self.realm.admin.get(f"{self.realm.path}/clients"):
            self.realm.clients[it["clientId"]] = it["id"]
        for it in await self.realm.admin.get(f"{self.realm.path}/client-scopes"):
            self.realm.scopes[it["name"]] = it["id"]


def keys(plan: Plan) -> list[tuple[str, Key]]:
    return sorted((step.do, step.item.key) for step in plan.steps)


async def empty_realm(
    keycloak: KeycloakServer, admin: Admin, carrier: Carrier, **settings: Any
) -> Provisioned:
    """Make a realm that has only the users, with an admin who may do all."""
    realm = await Realm.create(admin, **settings)
    for user in USERS:
        await realm.add_user(user)
    bootstrap = keycloak.bootstrap
    login = Login(username=bootstrap.username, password=bootstrap.password)
    return Provisioned(realm, wanted_for(realm, carrier), login)


async def full_realm(
    keycloak: KeycloakServer, admin: Admin, carrier: Carrier, **settings: Any
) -> Provisioned:
    """Make one that is as the file says; people may log in by password, which tests like."""
    made = await empty_realm(keycloak, admin, carrier, **settings)
    outcome = await made.apply()
    assert outcome.is_complete, outcome
    await made.learn_ids()
    await made.realm.configure_client("frontend", directAccessGrantsEnabled=True)
    return made
