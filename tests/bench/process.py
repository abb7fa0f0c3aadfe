"""What the kernel and the service itself say of a running server (Linux)."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.bench.servers import Server
from tests.measures import resident_bytes

Counts = dict[str, float]
"""A line of /metrics without its value -> its value."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, to the nanosecond."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


def resident_mb(pid: int) -> float:
    """Return what the process has in memory, in units of 10^6 bytes."""
    return resident_bytes(pid) / 1e6


def counts(server: Server) -> Counts:
    """Return the service's own counts; of the floor, none."""
    if not server.management:
        return {}
    with urlopen(f"{server.management}/metrics") as answer:  # noqa: S310 - our own
        lines = answer.read().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def total(values: Counts, named: str) -> float:
    """Return the sum of the counts whose line has these words."""
    return sum(value for name, value in values.items() if named in name)


def wait_until_ready(server: Server, within: float = 60.0) -> None:
    """Wait until it has the keys of every issuer. Raises SystemExit after so many seconds."""
    for _ in range(int(within / 0.005)):
        with suppress(HTTPError), urlopen(f"{server.management}/readyz") as answer:  # noqa: S310
            states = json.load(answer)["issuers"].values()
            if all(state["keys"] == "usable" for state in states):
                return
        time.sleep(0.005)
    raise SystemExit(f"the service did not get its keys in {within} s")
