"""The service as a process of its own, with its log in a file: one for all tests of this folder."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.commands import Process, Served, free_ports, until
from tests.cli.realm import Realm, written
from tests.hostile.forging import Forger


class Target(NamedTuple):
    """What is attacked. `log`: the file of its log lines."""

    served: Served
    pid: int
    log: Path
    forger: Forger
    realm: Realm

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.served.webhook}"


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Give a service that waits a second for the rest of a request; it must end well as well."""
    folder = tmp_path_factory.mktemp("hostile")
    realm, ports = Realm(), free_ports(2)
    settings = realm.settings(
        webhook={"port": ports[0], "read_timeout": "1s", "drain": "0s"},
        management={"port": ports[1]},
        keys={"cooldown": "10s"},
        log={"level": "debug"},
    )
    file, log = written(folder / "settings.yaml", settings), folder / "log"
    with log.open("wb") as out, Process("serve", "--config", file, stdout=out) as process:
        served = Served(*ports)
        until(lambda: served.ready() == 200)
        yield Target(served, process.popen.pid, log, Forger(realm.issuer), realm)
        process.signal(signal.SIGTERM)
        found = process.end()
    realm.stop()
    assert (found.code, found.err) == (0, "")
    assert not _faults(log.read_text("utf-8"))


def _faults(log: str) -> list[str]:
    """Return the lines of a log that tell of a mistake of the service's own."""
    return [line for line in log.splitlines() if json.loads(line)["level"] in ("error", "critical")]
