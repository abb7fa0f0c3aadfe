"""A TCP proxy that does to the answers of a server whatever a test says.

proxy.fault = trickling      # to every connection from now on
proxy.spared = 1             # ... but for the next one
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Relays = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Passes on what a server answers, well or badly. Afterwards the connection is closed."""

_CHUNK = 65536
_MIDDLE = 0.75
"""Where an answer breaks: its head has been sent, and some of its body."""


async def faithful(answer: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    while data := await answer.read(_CHUNK):
        client.write(data)
        await client.drain()


async def late(answer: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    """Pass it on two seconds late."""
    await asyncio.sleep(2.0)
    await faithful(answer, client)


async def cutting(answer: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    """Close in the middle."""
    await _begin(answer, client)


async def corrupting(answer: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    """Turn the highest bit of each fiftieth byte over."""
    while data := await answer.read(_CHUNK):
        client.write(bytes(byte ^ 0x80 if at % 50 == 49 else byte for at, byte in enumerate(data)))
        await client.drain()


async def resetting(answer: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    """Reset the connection in the middle."""
    await _begin(answer, client)
    linger = struct.pack("ii", 1, 0)
    client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.transport.abort()


async def trickling(answer: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    """Pass on a byte a second."""
    while data := await answer.read(1):
        client.write(data)
        await client.drain()
        await asyncio.sleep(1.0)


async def half_closing(answer: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    """Say in the middle that nothing more will come, and stay."""
    await _begin(answer, client)
    client.write_eof()
    await asyncio.Event().wait()


async def _begin(answer: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    data = await answer.read(_CHUNK)
    client.write(data[: int(len(data) * _MIDDLE)])
    await client.drain()


class Proxy:
    """Stands before a port on loopback. `connections`: how many came; `open_at_once`: at most."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.fault: Relays = faithful
        self.spared = 0
        self.connections = 0
        self.open_at_once = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, by a task that is ended in the end."""
        task = asyncio.create_task(self._relay(reader, writer))
        self._open.add(task)
        self.connections += 1
        self.open_at_once = max(self.open_at_once, len(self._open))
        await asyncio.wait([task])
        self._open.discard(task)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relays = faithful if self.spared else self.fault
        self.spared = max(self.spared - 1, 0)
        answer, question = await asyncio.open_connection("127.0.0.1", self._target)
        ways = [
            asyncio.create_task(faithful(reader, question)),
            asyncio.create_task(relays(answer, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            question.close()
            writer.close()


@asynccontextmanager
async def proxy_to(target: int) -> AsyncIterator[Proxy]:
    """Run a proxy in front of this port."""
    proxy = Proxy(target)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
