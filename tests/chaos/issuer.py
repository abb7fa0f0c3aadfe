r"""An issuer on loopback that does to the service whatever a test says.

issuer.certs = Late(10.0)                     # the truth, but ten seconds late
issuer.certs = b"HTTP/1.1 500 Oh\r\n\r\n"   # these bytes instead
issuer.discovery = reset                      # ... or do this with the connection
issuer.heal()
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple

from hasura_kc_auth.devtools.issuer import ORGS, USERS
from hasura_kc_auth.devtools.tokens import SigningKeys, TokenMaker
from tests.keycloak.publishing import Publisher, Reply, ok

ALICE, BOB = USERS[0], USERS[1]
_PATHS = {
    "discovery": "/realms/made/.well-known/openid-configuration",
    "certs": "/certs",
    "canary": "/canary",
}


class Late(NamedTuple):
    """The truth, after so many seconds."""

    seconds: float


class Held(NamedTuple):
    """The truth, when something has come to pass."""

    until: asyncio.Event


Fault = Reply | Late | Held


class Fetch(NamedTuple):
    """One request that came. `at`: seconds by the monotonic clock."""

    document: str
    at: float


@cache
def _one_pair() -> SigningKeys:
    """Return keys to be copied: making them takes longer than most tests."""
    return SigningKeys()


class ChaosIssuer:
    """A realm with the users and orgs of the development issuer, on a port that it keeps.

    `fetches`: what was asked, in order. `open_at_once`: how many questions were open together at
    most. `certs`, `discovery`: what is answered; None is the truth. `name`: what its address is
    called, where that is not the address.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        name: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.keys = deepcopy(_one_pair())
        self.fetches: list[Fetch] = []
        self.open_at_once = 0
        self.port = port
        self._host = host
        self._name = name or host
        self._tls = tls
        self._open = 0
        self._publisher = Publisher()
        self._server: asyncio.Server | None = None
        self._deaf: socket.socket | None = None
        self._connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}
        self.heal()

    def heal(self) -> None:
        """Answer as it should from now on."""
        self.certs: Fault | list[Fault] | None = None
        self.discovery: Fault | list[Fault] | None = None

    # Being there, or not

    async def start(self) -> None:
        """Listen, on the same port as ever, unless it does."""
        self._end_deafness()
        if self._server is not None:
            return
        self._server = await asyncio.start_server(self._serve, self._host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self._publisher.origin = self.origin
        for name, path in _PATHS.items():
            self._publisher.replies[path] = self._reply(name)

    async def stop(self) -> None:
        """Listen no more, and cut what is open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._connections.values():
            writer.transport.abort()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._end_deafness()

    async def go_deaf(self) -> None:
        """Let the kernel accept what comes, and never read from it."""
        await self.stop()
        self._deaf = socket.create_server((self._host, self.port), backlog=128)

    def _end_deafness(self) -> None:
        if self._deaf is not None:
            self._deaf.close()
            self._deaf = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            await self._publisher.serve(reader, writer)
        finally:
            del self._connections[task]

    # What it says

    @property
    def origin(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://{self._name}:{self.port}"

    @property
    def issuer(self) -> str:
        return self._publisher.issuer

    def url_of(self, document: str) -> str:
        return self.origin + _PATHS[document]

    def document(self, name: str) -> dict[str, Any]:
        """Return the true discovery document; by any other name the key set."""
        if name == "discovery":
            return {"issuer": self.issuer, "jwks_uri": self.url_of("certs")}
        return dict(self.keys.public())

    def _reply(self, name: str) -> Reply:
        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.fetches.append(Fetch(name, time.monotonic()))  # noqa: TID251 - when it came
            self._open += 1
            self.open_at_once = max(self.open_at_once, self._open)
            try:
                await self._say(name, reader, writer)
            finally:
                self._open -= 1

        return reply

    async def _say(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        said = self._fault_of(name)
        if isinstance(said, Late):
            await _unless_left(asyncio.sleep(said.seconds), reader)
        elif isinstance(said, Held):
            await _unless_left(said.until.wait(), reader)
        if said is None or isinstance(said, Late | Held):
            said = ok(self.document(name))
        if isinstance(said, bytes):
            writer.write(said)
            await writer.drain()
        else:
            await said(reader, writer)

    def _fault_of(self, name: str) -> Fault | None:
        faults = {"discovery": self.discovery, "certs": self.certs}.get(name)
        if not isinstance(faults, list):
            return faults
        return faults.pop(0) if len(faults) > 1 else faults[0]

    def fetched(self, name: str = "certs") -> int:
        """Return how often a document was asked for."""
        return sum(fetch.document == name for fetch in self.fetches)

    # Its tokens

    def token(self, *, exp: float | None = None, **changes: Any) -> str:
        """Return another good token of alice's for acme, with some claims changed."""
        maker = TokenMaker(self.issuer, self.keys, ORGS, time.time)  # noqa: TID251 - the service's
        claims = maker.access_claims(ALICE, ["acme"], "openid profile acme email")
        return self.keys.sign({**claims, **({} if exp is None else {"exp": exp}), **changes})

    def tokens(self, count: int) -> list[str]:
        return [self.token() for _ in range(count)]

    def unknown(self, count: int) -> list[str]:
        """Return tokens under key ids that were never published, each another one."""
        _, payload, signature = self.token().split(".")
        return [f"{_header(f'unknown-{n}')}.{payload}.{signature}" for n in range(count)]


def status(line: str, *headers: str) -> bytes:
    """Return an answer with this status line and no body."""
    return "\r\n".join([f"HTTP/1.1 {line}", *headers, "Content-Length: 0", "", ""]).encode()


async def _unless_left(waiting: Coroutine[Any, Any, Any], reader: asyncio.StreamReader) -> None:
    """Wait, but not for longer than whoever asked."""
    tasks = [asyncio.create_task(it) for it in (waiting, reader.read())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _header(kid: str) -> str:
    text = json.dumps({"alg": "RS256", "typ": "JWT", "kid": kid}).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@asynccontextmanager
async def chaos_issuer(**where: Any) -> AsyncIterator[ChaosIssuer]:
    """Run an issuer without faults. It takes what ChaosIssuer takes."""
    issuer = ChaosIssuer(**where)
    await issuer.start()
    try:
        yield issuer
    finally:
        await issuer.stop()
