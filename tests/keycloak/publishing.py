"""What the tests of this folder fetch from: a server that publishes whatever a test says."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.keys import VerificationKey
from hasura_kc_auth.keycloak.fetch import FetchResult
from hasura_kc_auth.keycloak.jwks import IssuerKeys, KeySource, KeyTimes
from tests.conftest import FakeClock
from tests.made_tokens import KEY, jwks

RS256 = ("RS256",)
GOOD_SET = jwks(KEY.jwk())

Reply = bytes | Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Bytes to send before the connection is closed, or what to do with it."""


def ok(document: Any, *headers: str) -> bytes:
    """Return a whole answer with this body (bytes, or JSON to be)."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accept and never answer."""
    await reader.read()


async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with a TCP reset."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass
class Publisher:
    """An HTTP server on loopback with one reply for each path."""

    origin: str = ""
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    heads: list[bytes] = field(default_factory=list)
    clients: set[object] = field(default_factory=set)

    @property
    def issuer(self) -> str:
        return f"{self.origin}/realms/made"

    @property
    def certs(self) -> str:
        return f"{self.origin}/certs"

    def publish(self, document: Any = GOOD_SET, *, jwks_uri: str | None = None) -> None:
        """Publish a discovery document that belongs to `issuer`, and these keys."""
        discovery = {"issuer": self.issuer, "jwks_uri": jwks_uri or self.certs}
        self.replies["/realms/made/.well-known/openid-configuration"] = ok(discovery)
        self.replies["/certs"] = ok(document)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            self.clients.add(writer.get_extra_info("peername"))
            path = head.split()[1].decode()
            self.asked[path] += 1
            reply = self.replies.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            if isinstance(reply, bytes):
                writer.write(reply)
                await writer.drain()
            else:
                await reply(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asked has left
        finally:
            writer.close()


@asynccontextmanager
async def publishing(tls: ssl.SSLContext | None = None) -> AsyncIterator[Publisher]:
    """Run a publisher; `tls` makes it speak https."""
    publisher = Publisher()
    server = await asyncio.start_server(publisher.serve, "127.0.0.1", 0, ssl=tls)
    scheme = "http" if tls is None else "https"
    publisher.origin = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    publisher.publish()
    try:
        yield publisher
    finally:
        server.close()


@dataclass
class Fetching:
    """One issuer's keys, started or to be, and what was reported of them."""

    keys: IssuerKeys
    reports: list[tuple[str, FetchResult, str]]

    @property
    def results(self) -> list[FetchResult]:
        return [result for _, result, _ in self.reports]

    async def until_reported(self, count: int) -> None:
        """Wait for so many attempts to have ended."""
        async with asyncio.timeout(30):
            while len(self.reports) < count:  # noqa: ASYNC110 - reports come from a plain function
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.001)  # the report is an attempt's last deed, not yet its end

    async def code_for(self, kid: str) -> Code:
        """Return the code of the denial."""
        try:
            await self.keys.find(kid)
        except Denied as denied:
            return denied.code
        raise AssertionError("a key was found")

    async def outcome_for(self, kid: str) -> Code | VerificationKey:
        try:
            return await self.keys.find(kid)
        except Denied as denied:
            return denied.code


def fetching(
    clock: FakeClock,
    source: KeySource,
    times: KeyTimes | None = None,
    *,
    random: Callable[[], float] = lambda: 0.0,
) -> Fetching:
    reports: list[tuple[str, FetchResult, str]] = []
    keys = IssuerKeys(
        source,
        times or KeyTimes(),
        monotonic=clock.monotonic,
        random=random,
        report=lambda *report: reports.append(report),
    )
    return Fetching(keys, reports)
