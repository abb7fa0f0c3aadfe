"""Gives client scopes to frontends: in every token, or when they are asked for."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress

from hasura_kc_auth.keycloak.admin.answers import an_object, texts
from hasura_kc_auth.keycloak.admin.api import Admin
from hasura_kc_auth.keycloak.admin.errors import NotFound
from hasura_kc_auth.keycloak.realm.ids import RealmIds
from hasura_kc_auth.provisioning.items import Assignment, client_key, scope_key

_LISTS = {"default": "defaultClientScopes", "optional": "optionalClientScopes"}


class AssignmentWriter:
    """Every method raises AdminFailed."""

    def __init__(self, admin: Admin, ids: RealmIds) -> None:
        self._admin = admin
        self._ids = ids
        self._now: dict[str, dict[str, str]] = {}
        self._asking: Mapping[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def bring(self, assignment: Assignment, how: str | None) -> None:
        """Let a client have a scope this way; None: not at all."""
        client = f"clients/{self._ids.id_of(client_key(assignment.client))}"
        scope = self._ids.id_of(scope_key(assignment.scope))
        now = (await self._scopes(assignment.client, client)).get(assignment.scope)
        if now == how:
            return
        # A client has a scope one way only, and Keycloak keeps the first without a word. A new one
        # has what the realm gives to all.
        if now is not None:
            with suppress(NotFound):  # taken already, by an attempt whose answer was lost
                await self._admin.delete(f"{client}/{now}-client-scopes/{scope}")
        if how is not None:
            await self._admin.put(f"{client}/{how}-client-scopes/{scope}")

    async def _scopes(self, name: str, client: str) -> Mapping[str, str]:
        """Return how a client has its scopes, asked for once: before any of them is changed."""
        async with self._asking[name]:
            return self._now.get(name) or await self._ask(name, client)

    async def _ask(self, name: str, client: str) -> Mapping[str, str]:
        found = an_object(await self._admin.get(client))
        self._now[name] = {scope: how for how, its in _LISTS.items() for scope in texts(found, its)}
        return self._now[name]
