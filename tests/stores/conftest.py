"""Fixtures of this folder: a real Redis, where there is one, and a faulty one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stores.redis_server import PROGRAMS, RedisServer, find_program

StartsStub = Callable[[Any], Awaitable[str]]


@pytest.fixture
def redis_program() -> str:
    program = find_program()
    if program is None:
        reason = f"none of {', '.join(PROGRAMS)} is installed"
        if os.environ.get("HASURA_KC_AUTH_TEST_REQUIRE_REDIS") == "1":  # noqa: TID251
            pytest.fail(reason)
        pytest.skip(reason)
    return program


@pytest.fixture
def make_redis(redis_program: str, tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Give what makes a server to be started, and ends it."""
    made: list[RedisServer] = []

    def make(**options: Any) -> RedisServer:
        made.append(RedisServer(redis_program, tmp_path, **options))
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture
async def redis(make_redis: Callable[..., RedisServer]) -> RedisServer:
    """Give a started Redis."""
    server = make_redis()
    await server.start()
    return server


@pytest.fixture
async def start_stub() -> AsyncIterator[StartsStub]:
    """Give what starts a faulty Redis, and returns its address.

    It takes bytes to answer to whatever comes in, or None to accept and never answer.
    """
    servers: list[asyncio.Server] = []

    async def start(reply: bytes | None) -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while await reader.read(65536):
                    writer.write(reply or b"")
                    await writer.drain()
            except ConnectionError:
                pass  # whoever asked has left
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        return f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()
