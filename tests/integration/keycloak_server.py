"""A real Keycloak on a loopback port, started and stopped by the tests."""

import asyncio
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from keycloak_dist import KeycloakFailed, Tools, bring, copy_home

START_TIMEOUT = 180.0
STOP_TIMEOUT = 20.0
POLL = 0.1

# The serial collector saves memory and a second of the start on two cores. Stopping at the first
# compiler (TieredStopAtLevel=1) would save another two, and make everything with RSA take twice as
# long: a realm 2.5 s, a login 110 ms.
JVM = "-XX:-UseG1GC -XX:+UseSerialGC"


@dataclass(frozen=True)
class Bootstrap:
    """The first admin of a fresh server, another one in each run."""

    username: str = field(default_factory=lambda: f"admin-{secrets.token_hex(4)}")
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


class KeycloakServer:
    """One server process with its own database; the port and the data survive a restart."""

    def __init__(self, version: str, home: Path, log: Path, env: Mapping[str, str]) -> None:
        self.version = version
        self.bootstrap = Bootstrap()
        self.log = log
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._home = home
        self._env = env
        self._arguments: list[str] = []
        self._variables: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def install(
        cls, version: str, tools: Tools, folder: Path, env: Mapping[str, str]
    ) -> "KeycloakServer":
        """Prepare a server of its own below `folder`; slow the first time (download, build)."""
        home = copy_home(bring(version, tools, env), folder / "home")
        return cls(version, home, folder / "keycloak.log", tools.environment(env))

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def release(self) -> tuple[int, ...]:
        return tuple(map(int, self.version.split(".")))

    def configure(self, *arguments: str, **variables: str) -> None:
        """Add to what it is started with."""
        self._arguments += arguments
        self._variables |= variables

    def import_realm(self, file: Path) -> None:
        """Lay a file where `--import-realm` looks for it."""
        folder = self._home / "data" / "import"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder)

    async def start(self) -> None:
        if self._process is not None:
            raise KeycloakFailed("Keycloak runs already")
        self._process = self._spawn()
        try:
            await self._wait_until_ready(self._process)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ask politely, then kill; only what `start` started."""
        process, self._process = self._process, None
        if process is None:
            return
        # To the group: an older kc.sh does not pass it on to the JVM, and a JVM that is killed
        # loses the last second of the database.
        _signal_group(process, signal.SIGTERM)
        await self._wait_for_end()
        _signal_group(process, signal.SIGKILL)
        process.wait()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def remove(self) -> None:
        """Free the disk; the log stays."""
        shutil.rmtree(self._home, ignore_errors=True)

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            # Inherited with the open file: the lock is free when the whole group has ended.
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return subprocess.Popen(  # noqa: S603 - kc.sh, with arguments made here
                self._command(),
                env={**self._env, **self._settings()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own: the JVM is a child of kc.sh, and both must be stoppable.
                start_new_session=True,
            )

    def _command(self) -> list[str]:
        return [
            str(self._home / "bin" / "kc.sh"),
            "start",
            "--optimized",
            # As in start-dev: no cluster, plain HTTP, the issuer follows the Host header.
            "--cache=local",
            "--http-enabled=true",
            "--hostname-strict=false",
            "--http-host=127.0.0.1",
            f"--http-port={self.port}",
            *self._arguments,
        ]

    def _settings(self) -> dict[str, str]:
        # In the environment, because arguments can be read by every user of the machine.
        return {
            "KC_BOOTSTRAP_ADMIN_USERNAME": self.bootstrap.username,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": self.bootstrap.password,
            "JAVA_OPTS_APPEND": JVM,
            **self._variables,
        }

    async def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT), aiohttp.ClientSession() as session:
                while not await _answers(session, f"{self.url}/realms/master"):
                    if process.poll() is not None:
                        raise KeycloakFailed(f"Keycloak ended while starting:\n{self._tail()}")
                    await asyncio.sleep(POLL)
        except TimeoutError as late:
            raise KeycloakFailed(
                f"Keycloak was not ready after {START_TIMEOUT:.0f} s:\n{self._tail()}"
            ) from late

    async def _wait_for_end(self) -> None:
        for _ in range(int(STOP_TIMEOUT / POLL)):
            if not _locked(self.log):
                return
            await asyncio.sleep(POLL)

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=10)) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
