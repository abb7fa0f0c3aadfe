"""The service, with names looked up in a file: `python -m tests.chaos.named HOSTS serve`.

A line is a name and its address; `-` for none, `hangs` for a look-up that does not end. It is read
at each look-up. Nothing else of the service is another: what aiohttp asks for an address is this
and not the system.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from pathlib import Path

import aiohttp.connector
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from hasura_kc_auth.__main__ import main

_HANGING_SECONDS = 60.0


class FileResolver(AbstractResolver):
    """Looks names up in a file."""

    hosts = Path()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = dict(line.split() for line in self.hosts.read_text().splitlines())[host]
        if address == "hangs":
            # In a thread, where the system's look-up would hang as well.
            await self._loop.run_in_executor(None, time.sleep, _HANGING_SECONDS)
        if address == "-":
            raise OSError(socket.EAI_NONAME, "Name or service not known")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
        ]

    @override
    async def close(self) -> None:
        pass


if __name__ == "__main__":
    FileResolver.hosts = Path(sys.argv.pop(1))
    aiohttp.connector.DefaultResolver = FileResolver  # type: ignore[misc]
    main()
