"""The signing keys of a realm and their rotation."""

import secrets

from admin import Representation
from realm import Realm

PROVIDER = "org.keycloak.keys.KeyProvider"


async def published_keys(realm: Realm) -> list[Representation]:
    """Return the realm's JWKS as everybody sees it."""
    async with realm.admin.http.get(realm.jwks_uri) as response:
        response.raise_for_status()
        keys: list[Representation] = (await response.json())["keys"]
        return keys


async def add_key(
    realm: Realm, *, algorithm: str = "RS256", priority: int = 200, provider: str = "rsa-generated"
) -> str:
    """Add a key that signs at once, being of higher priority than the first; return its id."""
    name = f"{provider}-{secrets.token_hex(4)}"
    config = {"priority": [str(priority)], "algorithm": [algorithm]}
    realm_id = (await realm.admin.get(realm.path))["id"]
    return await realm.admin.post(
        f"{realm.path}/components",
        {
            "name": name,
            "parentId": realm_id,
            "providerType": PROVIDER,
            "providerId": provider,
            "config": {**config, "active": ["true"], "enabled": ["true"]},
        },
    )


async def key_id_of(realm: Realm, kid: str) -> str:
    """Return the id of the key provider that a published kid comes from."""
    keys = (await realm.admin.get(f"{realm.path}/keys"))["keys"]
    return next(str(key["providerId"]) for key in keys if key["kid"] == kid)


async def retire_key(realm: Realm, key_id: str) -> None:
    """Make a key passive: it signs no more, and what it signed stays valid."""
    await _switch(realm, key_id, active=False, enabled=True)


async def disable_key(realm: Realm, key_id: str) -> None:
    """Take a key out of the JWKS, and with it everything it signed."""
    await _switch(realm, key_id, active=False, enabled=False)


async def restore_key(realm: Realm, key_id: str) -> None:
    await _switch(realm, key_id, active=True, enabled=True)


async def _switch(realm: Realm, key_id: str, *, active: bool, enabled: bool) -> None:
    path = f"{realm.path}/components/{key_id}"
    found: Representation = await realm.admin.get(path)
    switches = {"active": [str(active).lower()], "enabled": [str(enabled).lower()]}
    await realm.admin.put(path, {**found, "config": {**found["config"], **switches}})
