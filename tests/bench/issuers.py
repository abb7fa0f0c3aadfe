"""Who signs the tokens: the development issuer, or many realms that sign fast (ES256)."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import cast
from uuid import uuid4

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from hasura_kc_auth.devtools.issuer import DevIssuer
from hasura_kc_auth.devtools.tokens import AUDIENCE, FRONTEND, SigningKeys, TokenMaker, User

ORG = "acme"
_HOST = "127.0.0.1"
_LIFESPAN = 4 * 3600  # longer than a run


class Realm:
    """A realm with one key for ES256. Its tokens have the shape of the development issuer's."""

    def __init__(self, issuer: str, orgs: Sequence[str] = (ORG,)) -> None:
        self.issuer = issuer
        self._key: EllipticCurvePrivateKey = generate_private_key(SECP256R1())
        self._kid = str(uuid4())
        self._header = _base64(_json({"alg": "ES256", "typ": "JWT", "kid": self._kid}))
        no_keys = cast("SigningKeys", None)  # it is asked for claims only
        self._maker = TokenMaker(issuer, no_keys, orgs, time.time)  # noqa: TID251

    def public(self) -> dict[str, object]:
        """Return the JWK set."""
        point = self._key.public_key().public_numbers()
        x, y = (_base64(number.to_bytes(32, "big")).decode() for number in (point.x, point.y))
        key = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        return {"keys": [key | {"kid": self._kid, "alg": "ES256", "use": "sig"}]}

    def token(self, orgs: Sequence[str] = (ORG,)) -> str:
        """Return another user's token, with these orgs."""
        signed = self._header + b"." + _base64(_json(good_claims(self._maker, orgs)))
        r, s = decode_dss_signature(self._key.sign(signed, ECDSA(SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return (signed + b"." + _base64(signature)).decode()


class Realms:
    """Realms on a loopback port. `issuer` is the first one's."""

    def __init__(self, count: int = 1, orgs: Sequence[str] = (ORG,)) -> None:
        self._count = count
        self._orgs = orgs
        self.all: list[Realm] = []

    @property
    def issuer(self) -> str:
        return self.all[0].issuer

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/realms/{name}/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/realms/{name}/protocol/openid-connect/certs", self._certs)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, 0).start()
        base = f"http://{_HOST}:{self._runner.addresses[0][1]}/realms"
        self.all = [Realm(f"{base}/{number}", self._orgs) for number in range(self._count)]

    async def stop(self) -> None:
        await self._runner.cleanup()

    def settings(self, count: int) -> str:
        """Return the setting `issuers` for the first so many, as JSON."""
        common = {"clients": [FRONTEND], "audiences": [AUDIENCE], "algorithms": ["ES256"]}
        chosen = enumerate(self.all[:count])
        return json.dumps(
            [{"issuer": it.issuer, "namespace": f"r{number}", **common} for number, it in chosen]
        )

    async def _discovery(self, request: web.Request) -> web.Response:
        issuer = self._asked(request).issuer
        return web.json_response(
            {"issuer": issuer, "jwks_uri": f"{issuer}/protocol/openid-connect/certs"}
        )

    async def _certs(self, request: web.Request) -> web.Response:
        return web.json_response(self._asked(request).public())

    def _asked(self, request: web.Request) -> Realm:
        return self.all[int(request.match_info["name"])]


def good_claims(maker: TokenMaker, orgs: Sequence[str]) -> dict[str, object]:
    """Return the claims of another user's access token that outlives the run."""
    user = User("alice", dict.fromkeys(orgs, ("editor",)))
    claims = maker.access_claims(user, orgs, " ".join(["openid", "profile", *orgs, "email"]))
    return claims | {"sid": "fIJFAMovzpuJb5Y9INh4fM9d", "exp": claims["iat"] + _LIFESPAN}


@contextmanager
def answering(issuer: DevIssuer | Realms) -> Iterator[None]:
    """Let it answer in a thread of its own, meanwhile."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(issuer.start(), loop).result()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(issuer.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
