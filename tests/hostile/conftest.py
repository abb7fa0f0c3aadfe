"""The service as a process of its own, with its log in a file."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.commands import Process, Served, until
from tests.cli.realm import Realm, written
from tests.hostile.forging import Forger

_LISTENING = re.compile(r'"webhook": "http://127.0.0.1:(\d+)/", "management": "[^"]+:(\d+)"')

_BUSY = 45.0
"""Seconds that a start may take on a machine that is busy with other things."""


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


@contextmanager
def attacked(folder: Path, **webhook: Any) -> Iterator[Target]:
    """Run a service that must end well as well, and have no mistake of its own in its log."""
    realm = Realm()
    settings = realm.settings(
        webhook={"port": 0, "drain": "0s", **webhook},
        management={"port": 0},
        keys={"cooldown": "10s"},
        log={"level": "debug"},
    )
    file, log = written(folder / "settings.yaml", settings), folder / "log"
    with log.open("wb") as out, Process("serve", "--config", file, stdout=out) as process:
        until(lambda: _LISTENING.search(log.read_text("utf-8")) is not None, within=_BUSY)
        served = Served(*map(int, _LISTENING.findall(log.read_text("utf-8"))[0]))
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


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Give a service that waits two seconds for the rest of a request."""
    with attacked(tmp_path_factory.mktemp("hostile"), read_timeout="2s") as target:
        yield target


@pytest.fixture
def flooded(tmp_path: Path) -> Iterator[Target]:
    """Give a service of one's own, to look at its memory."""
    with attacked(tmp_path) as target:
        yield target
