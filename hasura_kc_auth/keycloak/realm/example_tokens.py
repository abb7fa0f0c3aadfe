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
from hasura_kc_auth.keycloak.admin.api import Admin
from hasura_kc_auth.keycloak.admin.errors import LoginImpossible
from hasura_kc_auth.provisioning.recipe import ORGANIZATION


class ExampleTokens:
    """The tokens of one client's logins. Every method raises AdminFailed."""

    def __init__(self, admin: Admin, client_id: str) -> None:
        self._admin = admin
        self.client_id = client_id

    async def claims(self, user: str, scope: str) -> Mapping[str, Json]:
        """Return what a login of this user (by user name) for these scopes would get."""
        client = identifier(await self._client())
        path = f"clients/{client}/evaluate-scopes/generate-example-access-token"
        return an_object(await self._admin.get(path, scope=scope, userId=await self._user(user)))

    async def may_ask_for(self, scope: str) -> bool:
        """Whether a login may ask for this scope; `organization:acme` is one of `organization`."""
        client, name = await self._client(), scope.partition(":")[0]
        assigned = texts(client, "optionalClientScopes") | texts(client, "defaultClientScopes")
        return scope in assigned or (name == ORGANIZATION and name in assigned)

    async def _client(self) -> Object:
        found = list_of_objects(await self._admin.get("clients", clientId=self.client_id))
        for it in found:
            if text(it, "clientId") == self.client_id:
                return _enabled(it, f"client {self.client_id}")
        raise LoginImpossible(f"the realm has no client {self.client_id}")

    async def _user(self, name: str) -> str:
        found = list_of_objects(await self._admin.get("users", username=name, exact="true"))
        for it in found:
            # Keycloak keeps user names in lower case, and compares them so.
            if text(it, "username").lower() == name.lower():
                return identifier(_enabled(it, f"user {name}"))
        raise LoginImpossible(f"the realm has no user {name}")


def _enabled(it: Object, name: str) -> Object:
    # Keycloak makes examples for them all the same.
    if it.get("enabled") is False:
        raise LoginImpossible(f"{name} is disabled, and a login is refused")
    return it
