"""The issuer of the soak: seeded users and orgs, and keys that come and go when it says so."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from random import Random
from typing import Any
from uuid import UUID

from joserfc import jws
from joserfc.jwk import RSAKey

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.devtools.issuer import DevIssuer, Fault
from hasura_kc_auth.devtools.tokens import FRONTEND, SigningKeys, User
from tests.soak.judge import Grant, Verdict
from tests.soak.timeline import Timeline

ORGS = ("acme", "globex", "initech", "umbrella", "wayne")
ALLOWED = ("org_admin", "editor", "viewer")
"""The setting `roles.allowed`."""
MAPPED = {"admin": "org_admin"}
"""The setting `roles.map`."""
_KEYCLOAK_ROLES = (
    ("editor",),
    ("viewer",),
    ("editor", "viewer"),
    ("admin", "viewer"),
    ("guest", "editor"),
    ("viewer", "owner", "editor"),
    ("admin", "editor", "viewer"),
    ("guest",),
)
_USERS = 40
_ORGS_HELD = (0, 1, 1, 1, 2, 2, 3, 3)
"""In how many orgs each eighth user holds roles."""


def wall() -> float:
    return time.time()  # noqa: TID251 - what the service reads


def monotonic() -> float:
    return time.monotonic()  # noqa: TID251 - what the service reads


def people(random: Random) -> tuple[User, ...]:
    """Return users who hold roles in none, one or several orgs."""
    return tuple(
        User(
            f"user{number}",
            {
                org: random.choice(_KEYCLOAK_ROLES)
                for org in random.sample(ORGS, _ORGS_HELD[number % len(_ORGS_HELD)])
            },
            subject=str(UUID(int=random.getrandbits(128), version=4)),
        )
        for number in range(_USERS)
    )


def truth(user: User, asked: tuple[str, ...], org: str, role: str) -> Verdict:
    """Return what a user gets who logged in for these orgs and wishes for this ("" for no wish).

    From the users as they were made: no token and nothing of the service's code is looked at.
    """
    granted = [name for name in asked if name in user.roles]
    if not granted:
        return Code.NO_ORG
    if org and org not in granted:
        return Code.ORG_NOT_GRANTED
    if not org and len(granted) > 1:
        return Code.AMBIGUOUS_ORG
    chosen = org or granted[0]
    held = {MAPPED.get(name, name) for name in user.roles[chosen]}
    roles = tuple(name for name in ALLOWED if name in held)
    if not roles:
        return Code.NO_ROLE
    if role and role not in roles:
        return Code.ROLE_NOT_GRANTED
    return Grant(chosen, role or roles[0], roles, user.subject)


def new_key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


def sign(claims: Mapping[str, Any], key: RSAKey, **header: str) -> str:
    """Sign claims; `header`: parameters in the place of the key's own."""
    own = {"alg": "RS256", "typ": "JWT", "kid": str(key.kid), **header}
    return jws.serialize_compact(own, json.dumps(claims), key, algorithms=["RS256"])


class _Published(SigningKeys):
    """What the issuer publishes: an encryption key, and those of the soak."""

    def __init__(self, first: RSAKey) -> None:
        super().__init__()
        del self._published[1:]
        self.publish(first)

    def publish(self, key: RSAKey) -> None:
        self._published.append(key)

    def withdraw(self, key: RSAKey) -> None:
        self._published.remove(key)


class Realm:
    """The issuer, and the timeline of what was done to it.

    `keys`: those that signed, oldest first; the last one signs. All are made before the soak
    begins, since making one takes long.
    """

    def __init__(self, random: Random, timeline: Timeline, rotations: int) -> None:
        self.users = people(random)
        self.timeline = timeline
        self.stranger = new_key("never-published")
        self._spare = [new_key(f"key-{number}") for number in range(rotations + 1)]
        self.keys = [self._spare.pop(0)]
        self._published = _Published(self.keys[0])
        self.issuer = DevIssuer(wall, users=self.users, orgs=ORGS)
        self.issuer.keys = self._published

    async def start(self) -> None:
        await self.issuer.start()
        self.timeline.publish(str(self.keys[0].kid), monotonic())

    @property
    def key(self) -> RSAKey:
        """The key that signs."""
        return self.keys[-1]

    def rotate(self) -> None:
        """Publish a new key and sign with it; the old one stays published."""
        key = self._spare.pop(0)
        self._published.publish(key)
        self.keys.append(key)
        self.timeline.publish(str(key.kid), monotonic())

    def withdraw_old(self) -> None:
        """Publish the key before the last one no more."""
        old = self.keys[-2]
        self._published.withdraw(old)
        self.timeline.withdraw(str(old.kid), monotonic())

    async def fail(self, fault: Fault) -> None:
        """Answer no fetch as it should from now on; `down`: do not even listen."""
        self.timeline.fail(monotonic())
        if fault is Fault.DOWN:
            await self.issuer.stop()
        self.issuer.fault = fault

    async def mend(self) -> None:
        if self.issuer.fault is Fault.DOWN:
            await self.issuer.start()
        self.issuer.fault = Fault.NONE
        self.timeline.mend(monotonic())

    def claims(self, user: User, asked: tuple[str, ...]) -> dict[str, Any]:
        """Return the claims of the token that this user gets for these orgs."""
        granted = [org for org in asked if org in user.roles]
        scope = " ".join(["openid", "profile", *granted, "email"])
        return self.issuer.maker.access_claims(user, granted, scope)

    def settings(self) -> dict[str, str]:
        """Return the service's settings as variables without their prefix."""
        times = self.timeline.times
        return {
            "CLIENTS": FRONTEND,
            "LEEWAY": _duration(times.leeway),
            "ROLES__ALLOWED": ",".join(ALLOWED),
            "ROLES__MAP": json.dumps(MAPPED),
            "KEYS__TTL": _duration(times.ttl),
            "KEYS__COOLDOWN": _duration(times.cooldown),
            "KEYS__TIMEOUT": _duration(times.timeout),
            "KEYS__MAX_STALE": _duration(times.max_stale),
            # Soon full: from then on whatever grows is not the cache.
            "CACHE__ENTRIES": "2000",
            "CACHE__TTL": _duration(times.cache_ttl),
            "WEBHOOK__READ_TIMEOUT": _duration(times.read_timeout),
        }


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms"
