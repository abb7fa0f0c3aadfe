"""The load: wrk where it is installed, else the bundled client; one measurement of one server."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from tests.bench.client import write_requests
from tests.bench.process import cpu_seconds, resident_mb
from tests.bench.servers import Server

CONNECTIONS = 16
_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement. `cpu`: the server's, in µs a request; `rate`: requests a second.

    `latencies`: µs -> how many; `resident`: of the server at its end, in MB.
    """

    cpu: float
    rate: float
    requests: int
    statuses: dict[int, int]
    latencies: Counter[int]
    resident: float


class LoadFailed(Exception):
    """The load could not be brought, or was not answered."""


class Load:
    """Brings the load. `wrk`: its path; None for the bundled client."""

    def __init__(self, wrk: str | None = None) -> None:
        self._wrk = wrk

    @classmethod
    def best(cls) -> Load:
        """Return wrk where there is one."""
        return cls(shutil.which("wrk"))

    @property
    def name(self) -> str:
        if self._wrk is None:
            return "the bundled client"
        said = subprocess.run([self._wrk, "-v"], capture_output=True, text=True, check=False)  # noqa: S603
        return "wrk " + said.stdout.split()[1].removeprefix("debian/")

    def run(
        self,
        server: Server,
        requests: Sequence[bytes],
        *,
        seconds: float,
        connections: int = CONNECTIONS,
    ) -> Sample:
        """Send these over and over, from one file, each connection one at a time.

        Raises LoadFailed.
        """
        with NamedTemporaryFile() as file:
            write_requests(file, requests)
            file.flush()
            before = cpu_seconds(server.pid)
            # Both write one line of JSON at the end.
            ended = subprocess.run(  # noqa: S603 - our own commands
                self.command(server.port, file.name, seconds, connections),
                capture_output=True,
                text=True,
                check=False,
            )
            spent = cpu_seconds(server.pid) - before
        return sample_of(ended, spent, resident_mb(server.pid))

    def command(self, port: int, file: str, seconds: float, connections: int) -> list[str]:
        """Return the command that does it."""
        if self._wrk is None:
            client = [sys.executable, "-m", "tests.bench.client"]
            return [*client, str(port), str(connections), str(seconds), file]
        options = [f"-c{connections}", f"-d{math.ceil(seconds)}s", "-t1", "--timeout=30s"]
        return [self._wrk, *options, f"-s{_SCRIPT}", f"http://127.0.0.1:{port}/", "--", file]


def sample_of(ended: subprocess.CompletedProcess[str], cpu: float, resident: float) -> Sample:
    """Read what the load has said. `cpu`: what the server spent, in seconds. Raises LoadFailed."""
    last = ended.stdout.strip().rpartition("\n")[2]
    if ended.returncode or not last.startswith("{"):
        raise LoadFailed(f"the load ended with {ended.returncode}: {ended.stderr.strip()[-500:]}")
    said = json.loads(last)
    if said["failures"] or not said["requests"]:
        raise LoadFailed(f"{said['failures']} failures, {said['requests']} answers")
    return Sample(
        cpu=cpu / said["requests"] * 1e6,
        rate=said["requests"] / said["seconds"],
        requests=said["requests"],
        statuses={int(status): count for status, count in said["statuses"].items()},
        latencies=Counter({int(value): count for value, count in said["latencies"].items()}),
        resident=resident,
    )
