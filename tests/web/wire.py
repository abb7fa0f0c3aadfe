"""A client without manners: it sends bytes as they are, and shows what comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict
from yarl import URL

from tests.conftest import LONG, Answer

V2_GET = ("Accept-Encoding: gzip", "Content-Type: application/json", "User-Agent: hasura/v2")
V2_POST = ("Accept-Encoding: gzip", "Content-Type: application/json", "User-Agent: hasura/v2")


def head(method: str, *lines: str, path: str = "/") -> bytes:
    """Return a request's head with these header lines."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: hook", *lines, "", ""]).encode(
        "utf-8", "surrogateescape"
    )


def get(*lines: str, path: str = "/") -> bytes:
    """Return the call that Hasura v2 makes in GET mode for a client with these header lines."""
    return head("GET", *V2_GET, *lines, path=path)


def post(headers: Mapping[str, str], *lines: str, request: Any = None) -> bytes:
    """Return the call that Hasura v2 makes in POST mode."""
    return post_bytes(json.dumps({"headers": headers, "request": request}).encode(), *lines)


def post_bytes(body: bytes, *lines: str) -> bytes:
    """Return such a call with any body; `lines` replace Hasura's own of the same name."""
    given = [line.partition(":")[0] for line in lines]
    own = [line for line in V2_POST if line.partition(":")[0] not in given]
    return head("POST", *own, f"Content-Length: {len(body)}", *lines) + body


def chunked(body: bytes, size: int = 1000) -> bytes:
    """Return a body in chunked transfer coding."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


@dataclass
class Wire:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> Answer:
        """Read one answer."""
        async with asyncio.timeout(LONG):
            start, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().splitlines()[:-1]
            headers = CIMultiDict(line.split(": ", 1) for line in lines)
            body = await self.reader.readexactly(int(headers["Content-Length"]))
        return Answer(int(start.split()[1]), headers, body)

    async def ask(self, data: bytes) -> Answer:
        await self.send(data)
        return await self.answer()

    async def rest(self) -> bytes:
        """Read until the other side closes, and return what came."""
        async with asyncio.timeout(LONG):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):  # the other side was first
            await self.writer.wait_closed()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Wire]:
    """Connect to a listener."""
    address = URL(url)
    wire = Wire(*await asyncio.open_connection(address.host, address.port))
    try:
        yield wire
    finally:
        await wire.close()


async def answer_to(url: str, data: bytes) -> Answer:
    """Return the first answer to these bytes on a connection of their own."""
    async with connected(url) as wire:
        return await wire.ask(data)
