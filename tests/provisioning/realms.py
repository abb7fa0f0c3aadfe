"""Files of orgs and realms to compare them with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hasura_kc_auth.provisioning.items import Found, Item, Key
from hasura_kc_auth.provisioning.recipe import items
from hasura_kc_auth.provisioning.wanted import Frontend, Org, Wanted

NONE = frozenset[str]()
ROLES = {"viewer": NONE, "editor": NONE, "owner": frozenset({"viewer", "editor"})}
FRONTEND = Frontend("frontend", frozenset({"https://app.example.com/*"}))
ACME = Org("acme", "Acme Inc.", ROLES, {"alice": frozenset({"editor"})})
GLOBEX = Org("globex", "globex", {"viewer": NONE})

RECIPE = Wanted(
    "shop",
    "client-scope",
    "hasura",
    (FRONTEND,),
    {"acme": ACME, "globex": GLOBEX},
    scope="org:{org}",
)
NATIVE = Wanted(
    "shop", "organization", "hasura", (FRONTEND,), {"acme": ACME, "globex": GLOBEX}, client="api"
)

BUILT_IN = frozenset({"basic", "roles", "organization", "profile"})


def found(items_: Iterable[Item] = (), *, users: Iterable[str] = ("alice",)) -> Found:
    return Found({it.key: it for it in items_}, BUILT_IN, frozenset(users))


def as_wanted(wanted: Wanted, *but: Item, without: Iterable[Key] = ()) -> Found:
    """Return a realm that is as the file wants it, but for some items."""
    state = {**items(wanted), **{it.key: it for it in but}}
    return found(it for key, it in state.items() if key not in set(without))


def with_org(wanted: Wanted, org: Org) -> Wanted:
    return replace(wanted, orgs={**wanted.orgs, org.name: org})
