"""The access token that Keycloak would issue to a user, as its admin console shows it.

No password, no session and no signature: the claims alone, from `evaluate-scopes`. What it does to
scopes is what a login does: one that the user has no role for is dropped in silence. It needs
`view-clients` and `view-users`.
"""

from __future__ import annotations

from collections.abc import Mapping

from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.keycloak.admin.answers import (
    Object,
    an_object,
    identifier,
    list_of_objects,
    text,
    texts,
)
from hasura_kc_auth.keycloak.admin.api import Admin, NotFound


class ExampleTokens:
    """The tokens of one client's logins. Every method raises AdminFailed."""

    def __init__(self, admin: Admin, client_id: str) -> None:
        self._admin = admin
        self._client_id = client_id

    async def claims(self, user: str, scope: str) -> Mapping[str, Json]:
        """Return what a login of this user (by user name) for these scopes would get."""
        client = identifier(await self._client())
        path = f"clients/{client}/evaluate-scopes/generate-example-access-token"
        return an_object(await self._admin.get(path, scope=scope, userId=await self._user(user)))

    async def may_ask_for(self, scope: str) -> bool:
        """Whether the client has this scope as an optional one."""
        return scope in texts(await self._client(), "optionalClientScopes")

    async def _client(self) -> Object:
        found = list_of_objects(await self._admin.get("clients", clientId=self._client_id))
        for it in found:
            if text(it, "clientId") == self._client_id:
                return it
        raise NotFound(f"the realm has no client {self._client_id}")

    async def _user(self, name: str) -> str:
        found = list_of_objects(await self._admin.get("users", username=name, exact="true"))
        for it in found:
            # Keycloak keeps user names in lower case, and compares them so.
            if text(it, "username").lower() == name.lower():
                return identifier(it)
        raise NotFound(f"the realm has no user {name}")
