"""Mutants of what a real Keycloak signs, judged by the service and by another implementation."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from login import Client, unverified
from realm import Realm
from realm_keys import PROVIDER, published_keys

from tests.differential.comparing import compare
from tests.differential.mutants import KINDS, mutants
from tests.differential.needs import need_the_other_judge
from tests.differential.originals import Draft, World, make_world
from tests.differential.originals import Realm as JudgedRealm
from tests.made_tokens import MadeKey
from tests.seeded_keys import SeededKey, seeded_key

SEED = 26
LOGINS = {"alice": ("openid org1", "openid org1 org2", "openid"), "bob": ("org1",)}


async def test_another_implementation_agrees_about_a_real_keycloaks_tokens(own_realm):
    need_the_other_judge()
    world = await world_of(own_realm)

    found = await compare(world, mutants(world, SEED, 12 * len(KINDS)))

    assert found.holes == []
    assert found.unexplained == []
    assert found.agrees
    assert found.accepted > found.judged / 10


async def world_of(realm: Realm) -> World:
    """Return the realm and its tokens, and one of the seed's beside it.

    Keycloak signs with a key of ours, so that what is changed can be signed anew.
    """
    key = seeded_key(Random(SEED), "RS256", "ours")  # noqa: S311 - a test's key
    await import_key(realm, key)
    originals = await logins(realm, key)
    judged = JudgedRealm(
        realm.issuer,
        "real",
        ("RS256",),
        {"keys": await published_keys(realm)},
        (originals[0].key,),
    )
    made = make_world(SEED)
    now = max(draft.claims["iat"] for draft in originals) + 5
    return replace(made, realms=(judged, made.realms[1]), originals=tuple(originals), now=now)


async def import_key(realm: Realm, key: SeededKey) -> None:
    """Make Keycloak sign with this key from now on."""
    config = {"priority": ["500"], "algorithm": ["RS256"], "privateKey": [key.private_pem()]}
    component: dict[str, Any] = {
        "name": "ours",
        "parentId": (await realm.admin.get(realm.path))["id"],
        "providerType": PROVIDER,
        "providerId": "rsa",
        "config": {**config, "active": ["true"], "enabled": ["true"]},
    }
    await realm.admin.post(f"{realm.path}/components", component)


async def logins(realm: Realm, key: SeededKey) -> list[Draft]:
    """Return the access and ID tokens of several logins, as Keycloak wrote them."""
    frontend = Client(realm.admin.http, realm.issuer)
    got = [
        await frontend.password(user, scope) for user, scopes in LOGINS.items() for scope in scopes
    ]
    texts = [text for tokens in got for text in (tokens.access, tokens.id) if text]
    return [draft_of(text, key) for text in texts]


def draft_of(text: str, key: SeededKey) -> Draft:
    header = unverified(text, part=0)
    # Keycloak gives the key an id of its own making.
    named: MadeKey = replace(key, kid=header["kid"])
    return Draft(header, unverified(text), named, text)
