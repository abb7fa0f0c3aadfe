"""Frontends whose tokens say next to nothing, and who may ask Keycloak about them."""

from typing import Any

from login import Client, Tokens
from realm import LIGHTWEIGHT, Realm

# Confidential clients: the first one is in `aud`, the second one in nobody's.
ASKS = "hasura"
OUTSIDER = "outsider"
SECRET = "asks-about-tokens"


async def add_lightweight(realm: Realm) -> None:
    """Add the frontend `light`, which may ask for both orgs, and the two who introspect."""
    await realm.add_frontend("light", attributes={LIGHTWEIGHT: "true"})
    for org in ("org1", "org2"):
        await realm.assign("light", org)
    await realm.assign("light", "hasura-audience", "default")
    await allow_introspection(realm)
    await realm.add_client(OUTSIDER, secret=SECRET)


async def allow_introspection(realm: Realm) -> None:
    await realm.configure_client(ASKS, secret=SECRET)


def introspecting(client_id: str = ASKS, **changes: Any) -> dict[str, Any]:
    """Return an issuer's settings; `changes` are those of `introspection`."""
    client = {"client_id": client_id, "client_secret": SECRET}
    return {"clients": ["light", "frontend"], "introspection": {**client, **changes}}


async def light_login(realm: Realm, user: str, scope: str) -> Tokens:
    return await Client(realm.admin.http, realm.issuer, "light").password(user, scope)
