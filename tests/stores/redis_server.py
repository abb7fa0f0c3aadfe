"""A real Redis or Valkey for the tests: on a free loopback port, without persistence."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("redis-server", "valkey-server")
_STARTS = 100


def find_program() -> str | None:
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@dataclass
class RedisServer:
    """One server process. It may be killed, stopped, continued and started again."""

    program: str
    directory: Path
    password: str = ""
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.port = self.port or free_port()
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.directory),
            "save": "",
            "appendonly": "no",
            "requirepass": self.password,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - it returns at once
            [self.program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(_STARTS):
            try:
                if b"PONG" in await self.command("PING"):
                    return
            except OSError:
                await asyncio.sleep(0.02)
        raise AssertionError("the Redis server does not start")

    async def command(self, *words: str | bytes) -> bytes:
        """Send one command (RESP), and return what comes back for it."""
        login = [("AUTH", self.password)] if self.password else []
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for parts in (*login, words):
                writer.write(_encoded(*parts))
                answer = await asyncio.wait_for(reader.read(65536), 5)
        finally:
            writer.close()
        return answer

    async def keys(self) -> list[str]:
        lines = (await self.command("KEYS", "*")).decode().split("\r\n")
        return [line for line in lines if line and line[0] not in "*$"]

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()  # a stopped process takes no other signal
            self._process.wait()
            self._process = None


def _encoded(*words: str | bytes) -> bytes:
    parts = [word.encode() if isinstance(word, str) else word for word in words]
    bulk = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"*%d\r\n%b" % (len(parts), bulk)
